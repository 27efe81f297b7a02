//! The conformance suite of providers: each is driven in this process against the emulator and an API server in memory,
//! in virtual time, with a fault or a crash at any external call; and after each run the same invariants are checked.
//!
//! A provider joins by being registered; one without a [`fixture`] fails the suite.

pub mod api_server;
pub mod cases;
pub mod check;
pub mod faults;
pub mod fixture;
pub mod simulation;
pub mod wire;
pub mod workers;
