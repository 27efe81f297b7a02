//! One set of promises for every kind of certificate, tried in this process and in virtual time: the operator's engine
//! and providers between an API server in memory and the emulated clouds, with anything going wrong at any call.
//!
//! A kind takes part by a [`fixture`]; a registered kind without one fails the suite.

pub mod api_management;
pub mod api_server;
pub mod case;
pub mod chaos;
pub mod check;
pub mod directed;
pub mod fixture;
pub mod iot_hub;
pub mod iotda;
pub mod key_vault;
pub mod known;
pub mod material;
pub mod oracle;
pub mod patch;
pub mod path;
pub mod reached;
pub mod run;
pub mod schedule;
pub mod wire;
pub mod workers;
pub mod world;
