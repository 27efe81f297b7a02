//! Starts what the end-to-end tests and the demo run against, each as processes of its own:
//!
//! - [`control_plane`]: a real Kubernetes control plane, with clients and kubeconfigs for it;
//! - [`emulator`]: the clouds, and their control endpoint;
//! - [`operator`]: the program under test;
//! - [`installation`]: the chart on a cluster, with the operator in its ServiceAccount's name.
//!
//! [`relay`] stands between the operator and the API server where a test wants watches to go wrong, and [`collector`] takes
//! the operator's traces; [`proxy`] is one that firms have on the way to clouds. All stand on [`process`], a child process that never outlives the test, and on [`folder`], a temporary folder
//! that does not either. [`programs`] finds or builds the binaries, [`ports`] finds free ports, [`wait`] waits for what
//! a test claims.
//!
//! This crate shares no code with the operator: what it says about Kubernetes and the clouds comes from outside.

pub mod collector;
pub mod control_plane;
pub mod emulator;
pub mod folder;
pub mod installation;
mod last_will;
pub mod operator;
pub mod ports;
pub mod process;
pub mod programs;
pub mod proxy;
pub mod relay;
pub mod wait;
