//! A local cloud for Certferry's users, tests and for the vendors' own clients.
//!
//! It is derived from what the services document and were seen to answer, never from what the operator sends:
//! it depends on nothing of the operator and speaks through OpenSSL where the operator uses other libraries.
//!
//! The way of a request: `server` (TLS, bytes) → `pipeline` (journal, faults) → `services` (who answers this
//! Host) → `entra`, `imds`, `arm` (front door, then the provider's own module), `key_vault` or `huawei` (gateway, then
//! `iam` or `iotda`). `control` answers `/_emulator/…` on
//! any host. What is remembered is `world` (kept over a restart when there is a directory) and, for this run
//! only, the rest of `state`.
//!
//! A further service is a module of its own and one line in `services::SERVICES`; a further ARM provider is a
//! module and one line in `arm::PROVIDERS`.

mod arm;
mod certificate;
mod cli;
mod clock;
mod clouds;
mod control;
mod embedded;
mod encoding;
mod entra;
mod faults;
mod huawei;
mod imds;
mod journal;
mod jwk;
mod key_vault;
mod names;
mod outgoing;
mod pipeline;
mod random;
mod redact;
mod request;
mod roles;
mod routes;
mod server;
mod services;
mod stale;
mod state;
mod store;
mod switches;
mod throttle;
mod tls;
mod world;

pub use cli::Options;
pub use embedded::Embedded;
pub use names::Ready;
pub use outgoing::Cut;
pub use server::Running;
