//! What the Huawei Cloud kinds share: hosts, signatures, calls, and what their failures mean.
//!
//! One [`Session`] per account holds its keys, its pace and what it knows of refusals; all resources of the account share
//! it. From a session and the [`Whereabouts`] that a resource names comes a [`Place`], which is called.

mod call;
mod error_body;
mod failure;
mod hosts;
pub mod iotda;
mod lenient;
mod place;
mod refusals;
mod session;
mod signer;

pub use call::{Call, Operation};
pub use error_body::{ErrorBody, Refusal};
pub use failure::{Failure, What, common};
pub use lenient::{Flag, date};
pub use place::{Place, Whereabouts};
pub use session::{Huawei, Session};
