//! What the Azure kinds share: clouds, sign-in, Resource Manager, and what its failures mean.
//!
//! One [`Session`] per account holds its credential and token cache; all resources of the account share it.

mod arm;
mod credential;
mod environment;
mod error_body;
mod failure;
pub mod iot_hub;
mod pace;
mod random;
mod session;
mod sign_in;
mod transport;

pub use arm::{Arm, ArmCall};
pub use environment::Environment;
pub use error_body::{Code, ErrorBody};
pub use failure::{Failure, What, common};
pub use session::{Azure, Session};
