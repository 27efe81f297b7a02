//! One certificate in one hub, as the provider sees it.

use std::sync::LazyLock;

use certferry::api::iot_hub::IotHubCertificate;
use certferry::engine::clock::Clock;
use certferry::engine::error::CloudError;
use certferry::engine::{Freshness, Goal, Next, Provider, Step, Unusable};
use certferry::http::Plan;
use certferry::pki::{self, Certificate};
use certferry::providers::azure::iot_hub::IotHub;
use certferry::source::{Data, Fetched, Reference};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::cloud::{self, Reply};

const CA: &[u8] = include_bytes!("../../data/pki/p-256.pem");
const KEY: &[u8] = include_bytes!("../../data/pki/p-256.pkcs8.pem");
const ID: &str = "/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg-devices/providers/\
                  Microsoft.Devices/IotHubs/hub-1/certificates/factory-root";

pub(crate) type Observed = <IotHub as Provider>::Observed;
type Desired = <IotHub as Provider>::Desired;

pub(crate) static WANTED: LazyLock<Certificate> =
    LazyLock::new(|| pki::certificates(CA).expect("the file holds a certificate").remove(0));

pub(crate) static PRESENT: LazyLock<Goal<Desired>> = LazyLock::new(|| {
    let files = [("tls.crt".to_owned(), CA.to_vec()), ("tls.key".to_owned(), KEY.to_vec())];
    let mut found = Fetched::default();
    found.insert(Reference::secret("factory-ca"), Data::from_iter(files));
    Goal::Present(IotHub::desired(&resource(Value::Null), &found, now()).expect("the pair is good"))
});

pub(crate) fn now() -> Timestamp {
    "2050-01-01T00:00:00Z".parse().expect("it is a time")
}

/// A resource with that status, whose certificate is to be verified by its key.
pub(crate) fn resource(status: Value) -> IotHubCertificate {
    let manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1",
        "kind": "IotHubCertificate",
        "metadata": { "name": "factory-root", "namespace": "devices" },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "azure" },
            "iotHub": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444",
                "resourceGroup": "rg-devices",
                "name": "hub-1",
            },
            "source": { "secretRef": { "name": "factory-ca" } },
            "verification": { "proofOfPossession": {} },
        },
        "status": status,
    });
    serde_json::from_value(manifest).expect("it has the shape of its kind")
}

/// The status of a resource whose wanted certificate was seen in the hub as its own.
pub(crate) fn ours() -> Value {
    json!({
        "conditions": [],
        "remote": { "id": ID, "origin": "Created" },
        "certificate": {
            "subject": WANTED.subject(),
            "serialNumber": WANTED.serial_number(),
            "sha1Thumbprint": WANTED.sha1_thumbprint().to_string(),
            "sha256Fingerprint": WANTED.sha256_fingerprint().to_string(),
            "notBefore": WANTED.not_before(),
            "notAfter": WANTED.not_after(),
        },
    })
}

/// The hub where Resource Manager answers like that.
pub(crate) fn connect(
    root: &IotHubCertificate,
    manager: impl Fn(&Plan) -> Reply + Clone + Send + Sync + 'static,
) -> Result<IotHub, Unusable> {
    let azure = cloud::azure(manager);
    cloud::wait(IotHub::connect(&azure, &cloud::account(), root, &Clock::fixed(now())))
}

/// What is seen of the resource's certificate where Resource Manager answers like that.
pub(crate) fn observe(
    root: &IotHubCertificate,
    manager: impl Fn(&Plan) -> Reply + Clone + Send + Sync + 'static,
) -> Result<Observed, CloudError> {
    let hub = connect(root, manager).expect("the account is good");
    cloud::wait(hub.observe(root, &Goal::Absent, Freshness::Live))
}

/// The name of the next call, if there is one.
pub(crate) fn next_call(goal: &Goal<Desired>, observed: &Observed) -> Option<&'static str> {
    match IotHub::next(goal, observed) {
        Next::Step(step) => Some(step.name()),
        Next::Done | Next::Wait { .. } | Next::Await { .. } | Next::Stuck { .. } => None,
    }
}
