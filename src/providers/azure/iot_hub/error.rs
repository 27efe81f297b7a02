//! What the hub's own errors mean. It answers with numbers of its own (`IH` and six digits), flat, where Resource
//! Manager has words; what is not listed here is judged as for every Azure service.

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::providers::azure::{Failure, common};

/// The operations whose errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Upload,
    RequestCode,
    Verify,
    Delete,
}

/// The table.
pub(super) fn classify(operation: Operation, failure: &Failure) -> CloudError {
    let named = failure.named();
    match (failure.status(), failure.iot_hub_code(), operation) {
        (Some(412), _, _) => CloudError::new(
            Reason::ConcurrentWrite,
            "the certificate changed in the hub while it was being written: look for another writer",
        )
        .reread(),
        (Some(409), Some(409_002), _) => CloudError::new(
            Reason::TargetBusy,
            "the hub is busy with another change; the write is repeated",
        ),
        (Some(400), _, Operation::Verify) => CloudError::new(
            Reason::ProofRejected,
            format!("the hub refused the proof of possession{named}: check that the key signs for this certificate"),
        )
        .reread_once(), // a code is good for one try: once more with a new one
        (Some(400), _, Operation::Upload) => CloudError::new(
            Reason::UploadRefused,
            format!("the hub refused the certificate{named}: check the certificate and the hub's quota"),
        ),
        (Some(500), Some(500_019), Operation::Upload) => CloudError::new(
            Reason::CloudUnavailable,
            "the hub failed at the upload (code IH500019); it is known to answer so to certificates that it cannot read",
        ),
        _ => common(failure),
    }
}
