//! What deleting a resource does to its remote certificate, by policy and by what is recorded. Pure.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::api::certificate::{
    CertificateResource, CertificateStatus, DeletionPolicy, Intent, ManagementPolicy, Origin,
};

/// What has to happen before a resource that is being deleted may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Nothing: the remote certificate stays, or there is none of ours.
    LetGo,
    /// The remote certificate is deleted.
    Delete,
    /// Nothing yet: management is suspended.
    Suspended,
}

/// What the deletion of this resource asks for.
pub fn removal<R: CertificateResource>(root: &R) -> Removal {
    let nothing_written =
        root.status().is_none_or(|status| status.remote.is_none() && status.intent.is_none());
    match root.common().management_policy {
        _ if nothing_written || !deletes(root) => Removal::LetGo,
        Some(ManagementPolicy::Observe) => Removal::LetGo,
        Some(ManagementPolicy::Suspend) => Removal::Suspended,
        Some(ManagementPolicy::Enforce) | None => Removal::Delete,
    }
}

/// How long a write whose answer was lost may still take effect.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// When nothing can come any more of the writes that were recorded and never seen to have taken effect; `answered` is
/// when the last one was recorded that got an answer.
pub fn last_late_write<R: CertificateResource>(root: &R, answered: Option<Timestamp>) -> Option<Timestamp> {
    let status = root.status()?;
    let is_open = |it: &&Intent| !it.removal && it.made.is_none() && answered != Some(it.start_time);
    let creating = status.intent.as_ref().filter(is_open);
    let intended = creating.and_then(|it| it.start_time.checked_add(LATE).ok());
    intended.max(status.late_writes_until)
}

/// The time until then.
pub fn until_no_late_write<R: CertificateResource>(
    root: &R,
    answered: Option<Timestamp>,
    now: Timestamp,
) -> Option<Duration> {
    let left = last_late_write(root, answered)?.duration_since(now);
    Duration::try_from(left).ok().filter(|it| !it.is_zero())
}

/// Whether the deletion of this resource is to delete the remote certificate: then the finalizer has to stand on it.
pub fn deletes<R: CertificateResource>(root: &R) -> bool {
    deletes_after(root, false)
}

/// The same once a certificate was made that stands beside others, or not.
pub fn deletes_after<R: CertificateResource>(root: &R, makes_more: bool) -> bool {
    let origin = root.status().and_then(|it| it.remote.as_ref()).map(|it| it.origin);
    match root.common().deletion_policy {
        Some(DeletionPolicy::Retain) => false,
        Some(DeletionPolicy::Delete | DeletionPolicy::Purge) => true,
        None => origin != Some(Origin::Adopted) || makes_more || root.status().is_some_and(made_more),
    }
}

/// Whether there may be certificates beside the recorded one that the resource made: where the service gives the ids, the
/// next one stands beside the one before.
fn made_more(status: &CertificateStatus) -> bool {
    let of_its_own = |it: &Intent| it.known_ids.is_some() || it.made.is_some();
    !status.retiring.is_empty() || status.intent.as_ref().is_some_and(of_its_own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::certificate::Remote;
    use crate::api::iot_hub::IotHubCertificate;

    fn root(deletion: Option<&str>, management: Option<&str>, origin: Option<Origin>) -> IotHubCertificate {
        let mut manifest = serde_json::json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "IotHubCertificate", "metadata": { "name": "ca" },
            "spec": {
                "accountRef": { "kind": "CloudAccount", "name": "azure" },
                "iotHub": { "subscriptionId": "s", "resourceGroup": "g", "name": "hub" },
                "source": { "inline": "x" },
            },
        });
        for (field, value) in [("deletionPolicy", deletion), ("managementPolicy", management)] {
            if let Some(value) = value {
                manifest["spec"][field] = value.into();
            }
        }
        let mut root: IotHubCertificate = serde_json::from_value(manifest).unwrap();
        let remote = origin.map(|origin| Remote { id: "/hub/ca".into(), version: None, etag: None, origin });
        root.status = Some(CertificateStatus { remote, ..CertificateStatus::default() });
        root
    }

    #[test]
    fn an_unanswered_upload_is_waited_for_even_after_it_was_repeated() {
        let mut root = root(None, None, None);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let left = |root: &IotHubCertificate, answered: Option<&str>, now| {
            until_no_late_write(root, answered.map(at), at(now)).map(|it| it.as_secs() / 60)
        };
        let minutes = |root: &IotHubCertificate, now| left(root, None, now);
        assert_eq!(minutes(&root, "2026-01-01T00:00:00Z"), None);
        let intent = serde_json::json!({
            "step": "Create", "contentHash": "AA", "startTime": "2026-01-01T00:00:00Z",
        });
        root.status.as_mut().unwrap().intent = Some(serde_json::from_value(intent).unwrap());
        assert_eq!(minutes(&root, "2026-01-01T00:00:00Z"), Some(10));
        assert_eq!(minutes(&root, "2026-01-01T00:09:00Z"), Some(1));
        assert_eq!(minutes(&root, "2026-01-01T00:10:00Z"), None);
        assert_eq!(left(&root, Some("2026-01-01T00:00:00Z"), "2026-01-01T00:09:00Z"), None);
        assert_eq!(left(&root, Some("2025-12-31T00:00:00Z"), "2026-01-01T00:09:00Z"), Some(1));
        root.status.as_mut().unwrap().intent.as_mut().unwrap().made = Some("aa".to_owned());
        assert_eq!(minutes(&root, "2026-01-01T00:09:00Z"), None, "the record says that it was answered");
        root.status.as_mut().unwrap().intent.as_mut().unwrap().made = None;
        root.status.as_mut().unwrap().late_writes_until = Some(at("2026-01-01T00:15:00Z"));
        assert_eq!(minutes(&root, "2026-01-01T00:10:00Z"), Some(5));
    }

    #[test]
    fn what_was_made_beside_an_adopted_certificate_goes() {
        let adopted = |more: serde_json::Value| {
            let mut root = root(None, None, Some(Origin::Adopted));
            let mut status = serde_json::to_value(root.status.take()).unwrap();
            status.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            root.status = serde_json::from_value(status).unwrap();
            root
        };
        let upload = |known_ids: &[&str]| {
            serde_json::json!({ "intent": {
                "step": "Upload", "contentHash": "AA", "knownIds": known_ids, "startTime": "2026-01-01T00:00:00Z",
            } })
        };
        let retiring = serde_json::json!({ "retiring": [{ "id": "a", "contentHash": "AA" }] });
        assert_eq!(removal(&adopted(upload(&["a"]))), Removal::Delete);
        assert_eq!(removal(&adopted(retiring)), Removal::Delete);
        assert_eq!(
            removal(&adopted(upload(&[]))),
            Removal::Delete,
            "also where the adopted one had vanished"
        );
        let mut put = upload(&[]);
        put["intent"].as_object_mut().unwrap().remove("knownIds");
        assert_eq!(removal(&adopted(put)), Removal::LetGo);
    }

    #[test]
    fn the_policies_and_the_record_decide() {
        use Origin::{Adopted, Created};
        use Removal::{Delete, LetGo, Suspended};
        for (deletion, management, origin, expected) in [
            (None, None, None, LetGo),
            (Some("Delete"), None, None, LetGo),
            (None, None, Some(Created), Delete),
            (None, None, Some(Adopted), LetGo),
            (Some("Delete"), None, Some(Adopted), Delete),
            (Some("Retain"), None, Some(Created), LetGo),
            (None, Some("Observe"), Some(Created), LetGo),
            (None, Some("Suspend"), Some(Created), Suspended),
            (Some("Retain"), Some("Suspend"), Some(Created), LetGo),
        ] {
            let root = root(deletion, management, origin);
            assert_eq!(removal(&root), expected, "{deletion:?} {management:?} {origin:?}");
        }
    }
}
