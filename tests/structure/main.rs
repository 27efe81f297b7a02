//! The shape of the code, of the contract and of a release: who may know whom, what every schema has to bound, what must
//! not change under its name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod docs;
mod krew;
mod layers;
mod manifests;
mod schemas;
mod supply_chain;
