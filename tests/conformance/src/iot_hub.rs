//! IotHubCertificate.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Act, Control, End, Fixture, Remote, Scenario, Shown, Tamper, Which};
use crate::material::pairs;
use crate::wire::{Cloud, Look, Objects};

pub mod overlap;

const HUBS: [&str; 3] = ["hub-1", "hub-2", "hub-3"];
const NAME: &str = "device-ca";

/// The fixture.
pub struct IotHub;

fn look(cloud: &Cloud) -> Pin<Box<dyn Future<Output = Objects> + Send + '_>> {
    Box::pin(async move {
        let mut objects = Objects::new();
        for hub in HUBS {
            let shown = cloud.control(Method::GET, &format!("hubs/{hub}"), &Value::Null).await;
            for certificate in shown["certificates"].as_array().into_iter().flatten() {
                let name = certificate["name"].as_str().unwrap_or_default();
                objects.insert(format!("{hub}/{name}"), certificate.clone());
            }
        }
        objects
    })
}

fn put(place: &str, name: &str, certificate: &str) -> Control {
    Control {
        method: Method::PUT,
        path: format!("hubs/{place}/certificates/{name}"),
        body: json!({ "certificate": certificate }),
    }
}

impl Fixture for IotHub {
    fn kind(&self) -> &'static str {
        "IotHubCertificate"
    }

    fn plural(&self) -> &'static str {
        "iothubcertificates"
    }

    fn spec(&self) -> Value {
        json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": "emulated" },
            "iotHub": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444", "resourceGroup": "rg-devices", "name": "hub-1",
            },
            "certificateName": NAME,
            "resyncInterval": "5m",
            "source": { "secretRef": { "name": "source" } },
        })
    }

    fn look(&self) -> Look {
        look
    }

    fn is_in_place(&self, id: &str, _: &Value) -> bool {
        id == "hub-1/device-ca"
    }

    fn shown(&self, object: &Value) -> Shown {
        Shown {
            thumbprint: object["thumbprint"].as_str().unwrap_or_default().to_owned(),
            verified: object["isVerified"] == true,
        }
    }

    fn neighbours(&self) -> Vec<Control> {
        vec![
            put("hub-1", "device-ca-2", &pairs()[3].certificate),
            // The wanted certificate under a name that is not ours.
            put("hub-1", "another", &pairs()[0].certificate),
            put("hub-2", NAME, &pairs()[4].certificate),
            put("hub-3", NAME, &pairs()[0].certificate),
        ]
    }

    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control> {
        let path = format!("hubs/hub-1/certificates/{NAME}");
        match tamper {
            Tamper::Put(which) => Some(put("hub-1", NAME, &which.pair().certificate)),
            Tamper::Unverify => standing.map(|_| Control {
                method: Method::PATCH,
                path,
                body: json!({ "isVerified": false }),
            }),
            Tamper::Remove => standing.map(|_| Control { method: Method::DELETE, path, body: Value::Null }),
        }
    }

    fn has_preconditions(&self) -> bool {
        true
    }

    fn announces(&self, intent: &Value, object: &Value) -> bool {
        let made = self.shown(object).thumbprint;
        intent["contentHash"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&made))
    }

    fn first_write(&self, held: Option<&Shown>) -> &'static str {
        if held.is_some() { "Replace would be" } else { "Create would be" }
    }

    fn asks_verification(&self, spec: &Value) -> bool {
        spec.get("verification").is_some_and(|it| !it.is_null())
    }

    fn variants(&self) -> Vec<Value> {
        vec![
            json!({ "verification": null }),
            json!({ "apiVersion": "2023-06-30", "verification": { "attested": {} } }),
            json!({ "managementPolicy": "Observe" }),
            json!({ "managementPolicy": "Suspend" }),
            json!({ "managementPolicy": "Enforce" }),
            json!({ "adoptionPolicy": "Always" }),
            json!({ "adoptionPolicy": "Never" }),
            json!({ "deletionPolicy": "Retain" }),
            json!({ "deletionPolicy": "Delete" }),
            json!({ "resyncInterval": "10m" }),
        ]
    }

    fn scenarios(&self) -> Vec<Scenario> {
        use Which::{First, Foreign, Second};
        let ready = End::Ready("Ready");
        let plain = Scenario {
            name: "create-unverified",
            spec: json!({}),
            switches: json!({}),
            before: None,
            first: None,
            then: vec![],
            end: ready.clone(),
            remote: Remote::Holds { which: First, verified: false },
            calls: 4,
            slow: false,
        };
        let attested = json!({ "apiVersion": "2023-06-30", "verification": { "attested": {} } });
        let verified = Remote::Holds { which: First, verified: true };
        // An operator that begins anew looks at the hub's listing first.
        let settled = Scenario { first: Some(ready.clone()), calls: 5, ..plain.clone() };
        vec![
            plain.clone(),
            Scenario {
                name: "create-with-proof",
                spec: json!({ "verification": { "proofOfPossession": {} } }),
                remote: verified,
                calls: 7,
                slow: true,
                ..plain.clone()
            },
            Scenario { name: "create-attested", spec: attested.clone(), remote: verified, ..plain.clone() },
            Scenario {
                name: "replace-after-rotation",
                then: vec![Act::Rotate(Second)],
                remote: Remote::Holds { which: Second, verified: false },
                ..settled.clone()
            },
            Scenario {
                name: "repair-content",
                then: vec![Act::Tamper(Tamper::Put(Foreign))],
                ..settled.clone()
            },
            Scenario {
                name: "repair-verified",
                spec: attested,
                then: vec![Act::Tamper(Tamper::Unverify)],
                remote: verified,
                ..settled.clone()
            },
            Scenario { name: "repair-deleted", then: vec![Act::Tamper(Tamper::Remove)], ..settled.clone() },
            Scenario {
                name: "adopt-identical",
                before: Some(First),
                remote: Remote::Untouched,
                calls: 2,
                ..plain.clone()
            },
            Scenario {
                name: "refuse-foreign",
                before: Some(Foreign),
                end: End::Stuck("NotOwned", "another certificate"),
                remote: Remote::Untouched,
                calls: 2,
                ..plain.clone()
            },
            Scenario {
                name: "adopt-foreign",
                spec: json!({ "adoptionPolicy": "Always" }),
                before: Some(Foreign),
                ..plain.clone()
            },
            Scenario {
                name: "delete-created",
                then: vec![Act::Delete],
                end: End::Gone,
                remote: Remote::Absent,
                calls: 4,
                ..settled.clone()
            },
            Scenario {
                name: "delete-retained",
                spec: json!({ "deletionPolicy": "Retain" }),
                then: vec![Act::Delete],
                end: End::Gone,
                remote: Remote::Untouched,
                calls: 0,
                ..settled.clone()
            },
            Scenario {
                name: "retain-while-present",
                then: vec![Act::Spec(json!({ "deletionPolicy": "Retain" })), Act::Delete],
                end: End::Gone,
                remote: Remote::Untouched,
                calls: 0,
                ..settled.clone()
            },
            Scenario {
                name: "delete-adopted",
                before: Some(First),
                then: vec![Act::Delete],
                end: End::Gone,
                remote: Remote::Untouched,
                calls: 0,
                ..settled.clone()
            },
            Scenario {
                name: "delete-changed",
                then: vec![Act::Tamper(Tamper::Put(Foreign)), Act::Delete],
                end: End::Stuck("DeletionBlocked", "another certificate"),
                remote: Remote::Untouched,
                calls: 2,
                ..settled.clone()
            },
            Scenario {
                name: "observe",
                spec: json!({ "managementPolicy": "Observe" }),
                before: Some(First),
                end: End::Ready("Observed"),
                remote: Remote::Untouched,
                calls: 2,
                ..plain.clone()
            },
            Scenario {
                name: "observe-drift",
                spec: json!({ "managementPolicy": "Observe" }),
                end: End::Stuck("DriftDetected", "Create"),
                remote: Remote::Untouched,
                calls: 2,
                ..plain
            },
        ]
    }
}
