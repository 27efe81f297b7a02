//! What the Azure kinds share: clouds, sign-in, calls, and what their failures mean.
//!
//! One [`Session`] per account holds its credential and token cache; all resources of the account share it.

pub mod api_management;
mod credential;
mod environment;
mod error_body;
mod failure;
pub mod iot_hub;
pub mod key_vault;
mod listing;
mod permissions;
mod rest;
mod session;
mod sign_in;
mod transport;

/// What calls to it count as.
const PROVIDER: &str = "azure";

pub use environment::Environment;
pub use error_body::ErrorBody;
pub use failure::{Failure, What, common};
pub use listing::Listing;
use listing::resource;
pub use rest::{Rest, RestCall, Service};
pub use session::{Azure, Session};
