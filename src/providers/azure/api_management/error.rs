//! What the service's own errors mean. What is not listed here is judged as for every Azure service.

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::providers::azure::{Failure, common};

/// The operations whose errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    UploadFile,
    UploadReference,
    Refresh,
    Delete,
}

/// The table.
pub(super) fn classify(operation: Operation, failure: &Failure) -> CloudError {
    use Operation::{Delete, Refresh, UploadFile, UploadReference};
    let named = failure.named();
    match (failure.status(), operation) {
        (Some(412), _) => CloudError::new(
            Reason::ConcurrentWrite,
            "the certificate changed in the service while it was being written: look for another writer",
        )
        .reread(),
        (Some(409), _) if failure.has_code("PessimisticConcurrencyConflict") => CloudError::new(
            Reason::TargetBusy,
            format!("the service is busy with another change{named}; the write is repeated"),
        ),
        (Some(400), UploadFile) => CloudError::new(
            Reason::UploadRefused,
            format!(
                "the service refused the PKCS#12 file{named}: check the pair; if it speaks of a password, set \
                 `spec.pkcs12.encryption` to 'TripleDes'"
            ),
        ),
        (Some(400), UploadReference) if failure.is_about("identityClientId") => CloudError::new(
            Reason::ServiceIdentityMissing,
            format!(
                "the service has no such identity{named}: assign it, or correct `spec.keyVault.identityClientId`, which \
                 is for user-assigned identities only"
            ),
        ),
        (Some(400), UploadReference) if failure.has_code("InvalidOperation") => CloudError::new(
            Reason::ServiceIdentityMissing,
            format!(
                "the service has no managed identity{named}: give it one that may read the vault's secrets"
            ),
        ),
        (Some(400), UploadReference | Refresh) => CloudError::new(
            Reason::KeyVaultRefreshFailed,
            format!(
                "the service could not take the certificate from the vault{named}: check that the secret is there, \
                 that its identity may get and list secrets, and `spec.keyVault.identityClientId`"
            ),
        ),
        (Some(400..=403 | 405..=411 | 413..=428), Delete)
            if failure.status() != Some(401) && failure.status() != Some(403) =>
        {
            CloudError::new(
                Reason::DeletionBlocked,
                format!(
                    "the service does not delete the certificate{named}: an API or a backend may still use it"
                ),
            )
        }
        _ => common(failure),
    }
}
