//! Certferry keeps certificates in cloud services equal to what Kubernetes manifests say.
//!
//! From the contract to the process, each module knowing only those above it:
//!
//! - [`api`]: the resource types, conditions and reasons: the contract with users.
//! - [`pki`]: certificates, keys and proofs of possession, from bytes to values.
//! - [`source`]: what a resource refers to in the cluster, read and watched.
//! - [`http`]: the one HTTP client to clouds.
//! - [`metrics`]: what everyone records to, and what is served of it.
//! - [`engine`]: observe, ask for the next call, make it, observe again; and what the status says of it.
//! - [`providers`]: one folder for each service, and what the services of a cloud share.
//! - `runtime`: being a process: logs, shutdown, hardening. Of Linux alone, where the operator runs.
//! - [`cli`]: the command lines, the operator's and the kubectl plugin's; the latter's users have other systems too.

pub mod api;
pub mod cli;
pub mod engine;
pub mod http;
pub mod metrics;
pub mod pki;
pub mod providers;
#[cfg(target_os = "linux")]
pub mod runtime;
pub mod source;
