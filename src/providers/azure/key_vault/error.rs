//! What a vault's errors mean. What is not listed here is judged as for every Azure service.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::{HttpError, NoConnection};
use crate::providers::azure::{Failure, What, common};
use crate::providers::failure::Fault;

/// The operations whose errors differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operation {
    Create,
    Import,
    Merge,
    Change,
    Drop,
    Recover,
    Delete,
    Purge,
    ReadSecret,
}

/// How long a name takes to come free, or to come back: some seconds after a deletion, a recovery or a purge.
const SOON: Duration = Duration::from_secs(5);

/// What the failure of a read means. A vault whose name has no address and that was never seen is taken for one that is
/// not there; one that was seen before is still there, and name resolution is not.
pub(super) fn unread(failure: &Failure, was_seen: bool) -> CloudError {
    match failure.what {
        What::Fault(Fault::Unanswered(HttpError::NotSent(NoConnection::Name))) if !was_seen => {
            CloudError::new(
                Reason::TargetNotFound,
                "the vault's host name has no address: check `spec.vaultName`, the account's cloud, and that the cluster \
             resolves names of vaults",
            )
        }
        _ => common(failure),
    }
}

/// What the failure of a write, or of a read of the secret, means.
pub(super) fn classify(operation: Operation, failure: &Failure) -> CloudError {
    use Operation::{Create, Drop, Import, Merge, Purge, ReadSecret};
    let named = failure.named();
    match (failure.status(), operation) {
        (Some(409), _) if failure.has_code("ObjectIsDeletedButRecoverable") => CloudError::new(
            Reason::TargetBusy,
            format!("the name belongs to a certificate that is being deleted{named}; it is tried again"),
        )
        .retry_after(Some(SOON)),
        (Some(409), _)
            if failure.has_code("ObjectIsBeingRecovered") || failure.has_code("ObjectIsBeingDeleted") =>
        {
            CloudError::new(
                Reason::TargetBusy,
                format!("the certificate is being recovered or deleted{named}; it is tried again"),
            )
            .retry_after(Some(SOON))
        }
        (Some(409), Create | Import) => CloudError::new(
            Reason::TargetBusy,
            format!("the vault is at work on the certificate already{named}; it is read again"),
        )
        .retry_after(Some(SOON)),
        (Some(403), Purge) => CloudError::new(
            Reason::AccessDenied,
            format!(
                "the deleted certificate was not purged{named}: the vault forbids it, or the identity lacks \
                 certificates/purge; it stays recoverable until its time is over"
            ),
        )
        .waived(),
        (Some(403), Drop) if !lacks_right(failure) => CloudError::new(
            Reason::ConcurrentWrite,
            format!(
                "the operation had ended when it was to be dropped{named}; the certificate is read again"
            ),
        )
        .reread(),
        (Some(404), operation) if operation != ReadSecret => CloudError::new(
            Reason::ConcurrentWrite,
            format!(
                "the certificate or its operation was gone when it was to be changed{named}; it is read again"
            ),
        )
        .reread(),
        (Some(400), Import) => CloudError::new(
            Reason::UploadRefused,
            format!("the vault refused to import the certificate{named}: check key, chain and `spec.import`"),
        ),
        (Some(400), Merge) => CloudError::new(
            Reason::IssuanceFailed,
            format!("the vault refused the signed certificate{named}: check who signs (`spec.signedBy`)"),
        ),
        (Some(400), Create) => CloudError::new(
            Reason::SpecInvalid,
            format!("the vault refused the policy{named}: check `spec.policy` and `spec.apiVersion`"),
        ),
        _ => common(failure),
    }
}

/// Whether the refusal is of the identity, and not of what was asked.
fn lacks_right(failure: &Failure) -> bool {
    ["ForbiddenByPolicy", "ForbiddenByRbac"].iter().any(|code| failure.has_code(code))
}

#[cfg(test)]
mod tests {
    use super::super::GET;
    use super::*;
    use crate::providers::azure::Service;

    #[test]
    fn a_vault_without_an_address_is_not_there_unless_it_was_seen_before() {
        for (why, was_seen, expected) in [
            (NoConnection::Name, false, Reason::TargetNotFound),
            (NoConnection::Name, true, Reason::CloudUnavailable),
            (NoConnection::Unreachable, false, Reason::CloudUnavailable),
        ] {
            let what = What::from(Fault::Unanswered(HttpError::NotSent(why)));
            let failure = Failure { service: Service::KeyVault, what, write: false, action: GET };
            assert_eq!(unread(&failure, was_seen).reason, expected, "{why}");
        }
    }
}
