//! The shape of the code and of the contract: who may know whom, and what every schema has to bound.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod krew;
mod layers;
mod schemas;
