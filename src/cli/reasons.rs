//! The table of reasons, for the documentation: from the enum itself, so that it cannot be out of step.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use schemars::schema_for;

use crate::api::reason::{Class, Reason};

/// The classes in the order of the page, with what each means for conditions and for the next look.
const CLASSES: [(Class, &str, &str); 8] = [
    (
        Class::Fine,
        "as wanted",
        "`Ready=True`; looked at again after `resyncInterval`, or when validity changes.",
    ),
    (Class::Working, "at work", "`Reconciling=True`; goes on by itself."),
    (
        Class::Transient,
        "passing faults",
        "`Reconciling=True`; tried again with growing pauses up to ten minutes, or when the service says. An object that \
         was Ready stays so for two resync intervals.",
    ),
    (
        Class::Missing,
        "something is not there",
        "`Reconciling=True` for five minutes, then `Stalled=True`; heals within seconds of the missing thing's \
         arrival. A grant that is taken and given back at once may be noticed as late as it was missing.",
    ),
    (
        Class::User,
        "the spec or what it refers to is not right",
        "`Stalled=True`; looked at again when the spec or a referenced object changes.",
    ),
    (
        Class::Grant,
        "somebody has to grant or repair something",
        "`Stalled=True`; looked at again every quarter of an hour. `AccessDenied` and `TargetNotFound` are tried sooner at \
         first: a new role takes minutes to work, and a target may be in the making.",
    ),
    (
        Class::Conflict,
        "somebody has to decide",
        "`Stalled=True`; looked at again when something changes, and every quarter of an hour. An object that \
         stalls by `DeletionBlocked` is tried sooner at first.",
    ),
    (Class::Suspended, "suspended", "Ready keeps its value; nothing is looked at."),
];

/// The page, in Markdown.
pub fn page() -> Result<String> {
    let reasons = all()?;
    let mut page = String::from(
        "# Reasons\n\nThe reason of a condition, and of the event that tells of its change, is one of these. The message \
         beside it says what is wrong in the case at hand. This page is generated: `make docs`.\n",
    );
    for (class, title, meaning) in CLASSES {
        let rows = reasons.iter().filter(|(reason, _)| reason.class() == class);
        writeln!(
            page,
            "\n## {}\n\n{meaning}\n\n| reason | means | what to do |\n| --- | --- | --- |",
            capitalised(title)
        )?;
        for (reason, means) in rows {
            writeln!(page, "| `{reason}` | {means} | {} |", remedy(*reason))?;
        }
    }
    Ok(page)
}

/// What a person does about it.
fn remedy(reason: Reason) -> &'static str {
    use Reason::*;
    match reason {
        Ready | Observed => "Nothing.",
        Expiring => "Put a newer certificate into the source, or see why whoever renews it does not.",
        Suspended => {
            "To go on, undo what the message names: `managementPolicy: Suspend`, an account's `spec.suspend`, or the \
             operator's `--suspend`."
        }
        Pending | Creating | Updating | Deleting | Recovering => "Nothing: it goes on by itself.",
        Verifying => {
            "Nothing with a key at hand. With a key kept offline, sign the code of `status.verificationCode` and store the \
             proof in the Secret that the spec names."
        }
        OperationInProgress => "Nothing, unless it becomes `OperationStuck`.",
        AwaitingSignature => {
            "Have `status.signingRequest` signed and store the chain in the Secret that the spec names, or see why \
             cert-manager does not."
        }
        CertificateNotYetValid => "Nothing, or put one into the source that is valid now.",
        Throttled => {
            "Nothing. If it lasts, give the account fewer certificates or a longer `spec.resyncInterval`."
        }
        CloudUnavailable | TimedOut => {
            "See the cloud's status page, and whether the operator's pod reaches the cloud: DNS, NetworkPolicy, firewall."
        }
        ConcurrentWrite => "If it lasts, find who else writes this object, such as a pipeline, and stop it.",
        TargetBusy => "Nothing. If it lasts, see in the cloud what the parent is busy with.",
        SecretNotFound | SecretKeyMissing | ReferenceNotFound => {
            "Create what the message names, or correct the reference in the spec."
        }
        CertificateMalformed | PrivateKeyUnusable => {
            "Replace the content of the source: PEM or PKCS#12, one certificate first, its key unencrypted or with the \
             password named."
        }
        KeyMismatch => "Store the certificate and the key that belong together.",
        Disabled => "Enable it: in `spec.attributes.enabled` if that is set, else in the service.",
        CertificateExpired => "Put a newer certificate into the source.",
        CertificateNotCA => "Use a certificate with `CA:TRUE`, or leave verification out.",
        ProofRejected => {
            "Check that the key is the uploaded certificate's, and that the proof names the present code."
        }
        UploadRefused | UpdateRefused => {
            "Compare the certificate and the spec with the limits on the kind's page; the message has the service's code."
        }
        IssuanceFailed => "See what the issuer says: in the vault, or in the CertificateRequest.",
        KeyNotExportable => "Set `spec.policy.keyProperties.exportable`, or leave `spec.exportTo` out.",
        SpecInvalid | NotSupported => {
            "Correct the field that the message names; `certferry validate` tells it before you apply."
        }
        SourcesNotGranted | OutputsNotGranted => {
            "Run the command of the message, or keep that RoleBinding in Git."
        }
        AccountNotFound => "Create the account, or correct `spec.accountRef`.",
        AccountNotAllowed => {
            "Add the namespace or the target to the account's `allowedNamespaces` or `allowedTargets`; an account that \
             names another `installation` is that one's alone."
        }
        AuthenticationFailed => {
            "Replace the account's secret or key, or correct its trust; `kubectl certferry check` tries it."
        }
        AccessDenied => {
            "Grant the permission that the message names to the account's identity: the least role is on the kind's page."
        }
        PolicyDenied => "Change the policy, lock or firewall in the cloud, or ask who keeps it.",
        QuotaExceeded => "Remove what is not needed from the parent, or raise its quota.",
        TargetNotFound => {
            "Create the parent, or correct its name; with a wrong tenant or subscription it is not seen either."
        }
        ProviderNotRegistered => "Register the resource provider in the subscription.",
        ServiceIdentityMissing => {
            "Give the API Management service an identity, or name one in `spec.keyVault.identityClientId`."
        }
        KeyVaultRefreshFailed => {
            "Let the service's identity read the vault's secrets, and the vault's firewall let it in."
        }
        EndpointMisconfigured => {
            "Correct the endpoint or the `caBundle` in the ClusterCloudAccount, or a proxy in between."
        }
        NotOwned => "Choose another name, delete what stands there, or set `spec.adoptionPolicy`.",
        NameConflict => "Delete one of the two resources, or give it another remote name.",
        DriftDetected => {
            "Set `spec.managementPolicy` to `Enforce` to have it put back; `kubectl certferry plan` shows what differs."
        }
        RemoteSoftDeleted => "Recover or purge it in the vault, or set `spec.onSoftDeleted` to `Recover`.",
        OperationStuck => {
            "See what the issuer does; cancel the operation in the vault, or set `spec.onStuckOperation` to `Cancel`."
        }
        CreateOutcomeUnknown => "Look into the service, and delete there what is too many.",
        Diverged => "Find another writer of the same object, and stop it.",
        DeletionBlocked => {
            "Mend what the message names; or set `spec.deletionPolicy` to `Retain`, and the object goes without the remote one."
        }
        DeleteBrake => {
            "If the deletions are meant, set the annotation that the message names; else find who deletes."
        }
    }
}

/// Every reason with its description, in the order of the enum.
fn all() -> Result<Vec<(Reason, String)>> {
    let schema = serde_json::to_value(schema_for!(Reason))?;
    let variants = schema["oneOf"].as_array().context("the reasons have no descriptions")?;
    variants
        .iter()
        .map(|it| {
            let reason = serde_json::from_value(it["const"].clone())?;
            let description = it["description"].as_str().context("a reason has no description")?;
            Ok((reason, description.replace('\n', " ")))
        })
        .collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_row() {
        let page = page().unwrap();
        let reasons = all().unwrap();
        assert!(reasons.len() > 40);
        for (reason, _) in reasons {
            assert_eq!(page.matches(&format!("| `{reason}` |")).count(), 1, "{reason}");
        }
    }
}
