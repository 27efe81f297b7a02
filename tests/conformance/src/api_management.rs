//! ApiManagementCertificate, from a file. What the service reads from a vault by itself changes without the operator;
//! that way is tried end to end.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Act, Control, End, Fixture, Remote, Scenario, Shown, Tamper, Which};
use crate::material::pairs;
use crate::wire::{Cloud, Look, Objects};

const SERVICES: [&str; 2] = ["apim-1", "apim-2"];
const NAME: &str = "device-ca";

/// The fixture.
pub struct ApiManagement;

fn look(cloud: &Cloud) -> Pin<Box<dyn Future<Output = Objects> + Send + '_>> {
    Box::pin(async move {
        let mut objects = Objects::new();
        for service in SERVICES {
            let shown = cloud.control(Method::GET, &format!("services/{service}"), &Value::Null).await;
            for certificate in shown["certificates"].as_array().into_iter().flatten() {
                let name = certificate["name"].as_str().unwrap_or_default();
                objects.insert(format!("{service}/{name}"), certificate.clone());
            }
        }
        objects
    })
}

fn put(service: &str, name: &str, certificate: &str) -> Control {
    Control {
        method: Method::PUT,
        path: format!("services/{service}/certificates/{name}"),
        body: json!({ "certificate": certificate }),
    }
}

impl Fixture for ApiManagement {
    fn kind(&self) -> &'static str {
        "ApiManagementCertificate"
    }

    fn plural(&self) -> &'static str {
        "apimanagementcertificates"
    }

    fn spec(&self) -> Value {
        json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": "emulated" },
            "apiManagement": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444", "resourceGroup": "rg-devices",
                "serviceName": "apim-1",
            },
            "certificateId": NAME,
            "resyncInterval": "5m",
            "source": { "secretRef": { "name": "source" } },
        })
    }

    fn look(&self) -> Look {
        look
    }

    fn is_in_place(&self, id: &str, _: &Value) -> bool {
        id == "apim-1/device-ca"
    }

    fn shown(&self, object: &Value) -> Shown {
        let thumbprint = object["thumbprint"].as_str().unwrap_or_default().to_owned();
        Shown { thumbprint, verified: false }
    }

    fn neighbours(&self) -> Vec<Control> {
        vec![
            put("apim-1", "device-ca-2", &pairs()[3].certificate),
            // The wanted certificate under an id that is not ours.
            put("apim-1", "another", &pairs()[0].certificate),
            put("apim-2", NAME, &pairs()[4].certificate),
        ]
    }

    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control> {
        match tamper {
            Tamper::Put(which) => Some(put("apim-1", NAME, &which.pair().certificate)),
            Tamper::Unverify => None,
            Tamper::Remove => standing.map(|_| Control {
                method: Method::DELETE,
                path: format!("services/apim-1/certificates/{NAME}"),
                body: Value::Null,
            }),
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

    fn asks_verification(&self, _: &Value) -> bool {
        false
    }

    fn variants(&self) -> Vec<Value> {
        vec![
            json!({ "apiVersion": "2022-08-01" }),
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
        let holds = |which| Remote::Holds { which, verified: false };
        let plain = Scenario {
            name: "upload",
            spec: json!({}),
            switches: json!({}),
            before: None,
            first: None,
            then: vec![],
            end: ready.clone(),
            remote: holds(First),
            calls: 4,
            slow: false,
        };
        // An operator that begins anew looks at the service's listing first.
        let settled = Scenario { first: Some(ready), calls: 5, ..plain.clone() };
        let gone = Scenario { end: End::Gone, remote: Remote::Untouched, calls: 0, ..settled.clone() };
        vec![
            plain.clone(),
            Scenario {
                name: "upload-aes",
                spec: json!({ "pkcs12": { "encryption": "Aes256" } }),
                slow: true,
                ..plain.clone()
            },
            Scenario {
                name: "replace-after-rotation",
                then: vec![Act::Rotate(Second)],
                remote: holds(Second),
                ..settled.clone()
            },
            Scenario {
                name: "repair-content",
                then: vec![Act::Tamper(Tamper::Put(Foreign))],
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
                remote: Remote::Absent,
                calls: 4,
                ..gone.clone()
            },
            Scenario {
                name: "delete-retained",
                spec: json!({ "deletionPolicy": "Retain" }),
                then: vec![Act::Delete],
                ..gone.clone()
            },
            Scenario { name: "delete-adopted", before: Some(First), then: vec![Act::Delete], ..gone.clone() },
            Scenario {
                name: "delete-changed",
                then: vec![Act::Tamper(Tamper::Put(Foreign)), Act::Delete],
                end: End::Stuck("DeletionBlocked", "another certificate"),
                calls: 2,
                ..gone
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
