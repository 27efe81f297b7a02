//! The contract with users: resource types, their conditions and reasons. No I/O, no logic beyond reading fields.
//!
//! What the API server checks (bounds, patterns, CEL rules) is declared here and generated into `crds/`.

pub mod account;
pub mod api_management;
pub mod certificate;
pub mod condition;
pub mod crd;
pub mod huawei_cloud;
pub mod iot_hub;
pub mod iotda;
pub mod key_vault;
pub mod key_vault_policy;
pub mod reason;
pub mod source;

/// The API group of every kind.
pub const GROUP: &str = "certferry.dev";

/// The one finalizer: it stands on an object while deleting that object has remote work to do.
pub const FINALIZER: &str = "certferry.dev/cleanup";

/// The annotation that asks for a pass now: any new value, by custom the time.
pub const SYNC_REQUESTED: &str = "certferry.dev/sync-requested";

/// The annotation that lets a deletion through that the delete brake stopped: `true`.
pub const DELETE_APPROVED: &str = "certferry.dev/delete-approved";

/// The field manager of every write to the API server.
pub const FIELD_MANAGER: &str = "certferry";
