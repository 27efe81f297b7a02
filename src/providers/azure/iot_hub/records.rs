//! What our records hold of a resource's certificates in the hub. A status may be tampered with: what names another hub,
//! or a name that no certificate of the resource can have, holds nothing. Pure.

use super::names;
use super::next::{Held, Intended, Intention, Retired, Step};
use crate::api::certificate::{CertificateResource, CertificateStatus, Intent, IssuedCode, Retiring};
use crate::api::iot_hub::IotHubCertificate;

/// The hub's id of a certificate, by its collection and name.
pub(super) fn id(collection: &[String], name: &str) -> String {
    format!("/{}/{name}", collection.join("/"))
}

/// What our records hold of the certificates of that name, and of those beside it.
pub(super) fn held(root: &IotHubCertificate, collection: &[String], plain: &str) -> Held {
    let empty = CertificateStatus::default();
    let status = root.status().unwrap_or(&empty);
    let remote = status.remote.as_ref().and_then(|it| Some((named(&it.id, collection, plain)?, it.origin)));
    let certificate = remote.as_ref().and(status.certificate.as_ref());
    let code = remote.as_ref().and(status.verification_code.as_ref()).filter(|_| signs_offline(root));
    Held {
        origin: remote.as_ref().map(|(_, origin)| *origin),
        name: remote.map_or_else(|| plain.to_owned(), |(name, _)| name),
        plain: plain.to_owned(),
        thumbprint: certificate.and_then(|it| it.sha1_thumbprint.parse().ok()),
        intended: status.intent.as_ref().and_then(intended),
        code: code.and_then(|IssuedCode { code, etag }| Some((code.parse().ok()?, etag.clone()))),
        retiring: status.retiring.iter().filter_map(|it| retired(it, collection, plain)).collect(),
        adoption: root.spec.common.adoption_policy.unwrap_or_default(),
        keeps_adopted: root.spec.common.deletion_policy.is_none(),
    }
}

/// The name in an id, if it is one of ours in that collection.
fn named(id: &str, collection: &[String], plain: &str) -> Option<String> {
    let (parent, name) = id.trim_start_matches('/').rsplit_once('/')?;
    let name = names::of_ours(plain, name)?;
    parent.eq_ignore_ascii_case(&collection.join("/")).then_some(name)
}

fn retired(entry: &Retiring, collection: &[String], plain: &str) -> Option<Retired> {
    let name = named(&entry.id, collection, plain)?;
    let entry = Retiring { id: id(collection, &name), ..entry.clone() };
    Some(Retired { thumbprint: entry.content_hash.parse().ok()?, name, entry })
}

fn intended(intent: &Intent) -> Option<Intended> {
    let what = match intent.step.as_str() {
        Step::CREATE_BESIDE => Intention::PutBeside,
        Step::DISCARD => Intention::Discard,
        _ => Intention::Put,
    };
    Some(Intended { thumbprint: intent.content_hash.parse().ok()?, what, since: intent.start_time })
}

/// Only then is a recorded code used: with a key at hand the operator signs none but those that it was just given.
fn signs_offline(root: &IotHubCertificate) -> bool {
    let proof = root.spec.verification.as_ref().and_then(|it| it.proof_of_possession.as_ref());
    proof.is_some_and(|it| it.signed_certificate_secret_ref.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::api::certificate::Origin;

    const COLLECTION: &str = "subscriptions/s/certificates";
    const SHA1: &str = "97388663832D0393C9246CAB4FBA2C8677185A25";

    fn of(status: Value) -> Held {
        let manifest = json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "IotHubCertificate", "metadata": { "name": "ca" },
            "spec": {
                "accountRef": { "kind": "CloudAccount", "name": "azure" },
                "iotHub": { "subscriptionId": "s", "resourceGroup": "g", "name": "hub" },
                "source": { "inline": "x" },
            },
            "status": status,
        });
        let root = serde_json::from_value(manifest).unwrap();
        let collection: Vec<_> = COLLECTION.split('/').map(str::to_owned).collect();
        held(&root, &collection, "ca")
    }

    #[test]
    fn a_record_of_another_hub_or_of_a_name_that_is_not_ours_holds_nothing() {
        for (id, name, is_ours) in [
            (format!("/{COLLECTION}/ca"), "ca", true),
            (format!("{COLLECTION}/CA"), "ca", true),
            (format!("/{}/Ca-00AABB11", COLLECTION.to_uppercase()), "ca-00aabb11", true),
            (format!("/{COLLECTION}/ca-2"), "ca", false),
            (format!("/{COLLECTION}/theirs"), "ca", false),
            (format!("/{COLLECTION}/ca/ca"), "ca", false),
            ("/subscriptions/t/certificates/ca-00aabb11".to_owned(), "ca", false),
            ("ca".to_owned(), "ca", false),
            (String::new(), "ca", false),
        ] {
            let held = of(json!({
                "remote": { "id": id, "origin": "Created" },
                "certificate": { "subject": "CN=ca", "sha1Thumbprint": SHA1, "notAfter": "2039-12-31T23:59:59Z" },
                "retiring": [{ "id": id, "contentHash": SHA1 }, { "id": id, "contentHash": "odd" }],
            }));
            assert_eq!(held.name, name, "{id}");
            assert_eq!(held.origin, is_ours.then_some(Origin::Created), "{id}");
            assert_eq!(held.thumbprint.is_some(), is_ours, "{id}");
            assert_eq!(held.retiring.len(), usize::from(is_ours), "{id}");
            assert!(held.retiring.iter().all(|it| it.entry.id == format!("/{COLLECTION}/{name}")), "{id}");
        }
    }

    #[test]
    fn what_was_about_to_be_written_is_told_by_the_step() {
        for (step, hash, what) in [
            ("Create", SHA1, Some(Intention::Put)),
            ("Replace", SHA1, Some(Intention::Put)),
            ("CreateBeside", SHA1, Some(Intention::PutBeside)),
            ("Discard", SHA1, Some(Intention::Discard)),
            ("Verify", "00", None),
        ] {
            let held = of(json!({
                "intent": { "step": step, "contentHash": hash, "startTime": "2026-01-01T00:00:00Z" },
            }));
            assert_eq!(held.intended.map(|it| it.what), what, "{step}");
        }
    }
}
