//! Resources as the API server hands them over. What its schema refuses may come nevertheless: stored before the schema
//! changed, or with a status that somebody forged.

use std::fmt::Debug;

use certferry::api::account::{CloudAccount, ClusterCloudAccount};
use certferry::api::certificate::{AdoptionPolicy, CertificateResource};
use certferry::api::iot_hub::IotHubCertificate;
use certferry::api::reason::Invalid;
use certferry::engine::{Freshness, Goal, Provider};
use certferry::http::Plan;
use certferry::providers;
use certferry::providers::azure::iot_hub::IotHub;
use certferry::source::resolve;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::cloud::Reply;
use crate::{hub, plain};

/// What the hub holds: not what the manifests of the corpus want.
const FOREIGN: &str =
    r#"{"etag":"AAAA","properties":{"thumbprint":"0123456789ABCDEF0123456789ABCDEF01234567"}}"#;
const THUMBPRINT: &str = "0123456789ABCDEF0123456789ABCDEF01234567";

/// A manifest of any kind, in JSON.
pub fn manifest(input: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(input) else { return };
    for provider in providers::all() {
        let verdict = provider.check(value.clone());
        assert_eq!(verdict, provider.check(value.clone()), "one input, two results");
    }
    if let Some(account) = whole::<CloudAccount>(&value) {
        resolve::references(&account);
        resolve::cloud_name(&account);
    }
    if let Some(account) = whole::<ClusterCloudAccount>(&value) {
        resolve::cluster_references(&account);
        resolve::cluster_cloud_name(&account);
    }
    if let Some(certificate) = whole::<IotHubCertificate>(&value) {
        judged(&certificate, input);
        harmless(&certificate, input);
    }
}

/// Reads a resource, and that what is written of it reads as the same.
fn whole<K: Serialize + DeserializeOwned + PartialEq + Debug>(value: &Value) -> Option<K> {
    let read: K = serde_json::from_value(value.clone()).ok()?;
    let written = serde_json::to_value(&read).expect("what was read can be written");
    let again: K = serde_json::from_value(written).expect("what was written can be read");
    assert_eq!(read, again);
    Some(read)
}

fn judged(it: &IotHubCertificate, input: &[u8]) {
    let found =
        [IotHub::check(it), it.common().resync_interval().map(drop), it.common().renew_before().map(drop)];
    for Invalid { message, .. } in found.into_iter().filter_map(Result::err) {
        plain::text(&message, input, &[]);
        assert!(message.contains("`spec."), "it names no field: {message}");
    }
    assert_eq!(IotHub::target(it), IotHub::target(it));
    assert!(IotHub::references(it).len() <= 6);
}

/// Names in the manifest lead to one certificate or nowhere; and a certificate that the records do not name is not
/// deleted.
fn harmless(it: &IotHubCertificate, input: &[u8]) {
    let Ok(hub) = hub::connect(it, |plan| {
        one_certificate(plan);
        Reply::new(200, FOREIGN)
    }) else {
        return;
    };
    match crate::cloud::wait(hub.observe(it, &Goal::Absent, Freshness::Live)) {
        Ok(seen) => {
            if hub::next_call(&Goal::Absent, &seen) == Some("Delete") {
                assert!(may_delete(it), "what was never recorded is deleted");
            }
        }
        Err(error) => plain::text(&error.message, input, &[]),
    }
}

fn one_certificate(plan: &Plan) {
    let path: Vec<_> = plan.url.path().split('/').collect();
    assert_eq!(path.len(), 11, "{}", plan.url);
    for (at, name) in [(1, "subscriptions"), (3, "resourceGroups"), (5, "providers"), (9, "certificates")] {
        assert_eq!(path[at], name, "{}", plan.url);
    }
    assert_eq!(plan.url.host_str(), Some("management.azure.com"));
}

fn may_delete(it: &IotHubCertificate) -> bool {
    let Some(status) = it.status() else { return false };
    let is_foreign = |text: &str| text.eq_ignore_ascii_case(THUMBPRINT);
    let seen = status.certificate.as_ref().is_some_and(|it| is_foreign(&it.sha1_thumbprint));
    let intended = status.intent.as_ref().is_some_and(|it| is_foreign(&it.content_hash));
    let always = it.spec.common.adoption_policy == Some(AdoptionPolicy::Always);
    intended || status.remote.is_some() && (seen || always)
}
