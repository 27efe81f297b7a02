//! KeyVaultCertificate, imported: what stands in the vault is told by its thumbprint. What a vault makes by itself has
//! another every time; that way is tried end to end. What the suite calls verified is here that the tag is there.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Act, Control, End, Fixture, Remote, Scenario, Shown, Tamper, Which};
use crate::material::{Pair, pairs};
use crate::wire::{Cloud, Look, Objects};

const VAULTS: [&str; 2] = ["vault-1", "vault-2"];
const NAME: &str = "device-ca";

/// The fixture.
pub struct KeyVault;

/// The latest version of each certificate that is there, and whether it carries the tag of its owner.
fn look(cloud: &Cloud) -> Pin<Box<dyn Future<Output = Objects> + Send + '_>> {
    Box::pin(async move {
        let mut objects = Objects::new();
        for vault in VAULTS {
            let shown = cloud.control(Method::GET, &format!("vaults/{vault}"), &Value::Null).await;
            let live = shown["certificates"].as_array().into_iter().flatten();
            for certificate in live.filter(|it| it["deleted"].is_null()) {
                let name = certificate["name"].as_str().unwrap_or_default();
                let versions = certificate["versions"].as_array();
                let latest = versions.and_then(|it| it.last()).cloned().unwrap_or_default();
                let object = json!({
                    "thumbprint": latest["thumbprint"],
                    "adopted": !latest["tags"]["certferry-adopted"].is_null(),
                    "marked": !latest["tags"]["certferry-owner"].is_null(),
                });
                objects.insert(format!("{vault}/{name}"), object);
            }
        }
        objects
    })
}

fn plant(vault: &str, name: &str, Pair { certificate, key, .. }: &Pair) -> Control {
    let import = json!({ "value": format!("{key}{certificate}") });
    Control {
        method: Method::PUT,
        path: format!("vaults/{vault}/certificates/{name}"),
        body: json!({ "import": import }),
    }
}

impl Fixture for KeyVault {
    fn kind(&self) -> &'static str {
        "KeyVaultCertificate"
    }

    fn plural(&self) -> &'static str {
        "keyvaultcertificates"
    }

    fn spec(&self) -> Value {
        json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": "emulated" },
            "vaultName": "vault-1",
            "certificateName": NAME,
            "resyncInterval": "5m",
            "import": { "secretRef": { "name": "source" }, "contentType": "application/x-pem-file" },
        })
    }

    fn look(&self) -> Look {
        look
    }

    fn is_in_place(&self, id: &str, _: &Value) -> bool {
        id == "vault-1/device-ca"
    }

    fn shown(&self, object: &Value) -> Shown {
        Shown {
            thumbprint: object["thumbprint"].as_str().unwrap_or_default().to_owned(),
            verified: object["marked"] == true,
        }
    }

    fn neighbours(&self) -> Vec<Control> {
        vec![
            plant("vault-1", "device-ca-2", &pairs()[3]),
            // The wanted certificate under a name that is not ours.
            plant("vault-1", "another", &pairs()[0]),
            plant("vault-2", NAME, &pairs()[4]),
        ]
    }

    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control> {
        let path = format!("vaults/vault-1/certificates/{NAME}");
        match tamper {
            Tamper::Put(which) => Some(plant("vault-1", NAME, which.pair())),
            Tamper::Unverify => {
                standing.map(|_| Control { method: Method::PATCH, path, body: json!({ "tags": {} }) })
            }
            Tamper::Remove => standing.map(|_| Control { method: Method::DELETE, path, body: Value::Null }),
        }
    }

    fn is_adopted(&self, object: &Value) -> bool {
        object["adopted"] == true
    }

    /// A vault keeps all versions, and takes another at any time.
    fn has_preconditions(&self) -> bool {
        false
    }

    fn announces(&self, intent: &Value, _: &Value) -> bool {
        intent["step"] == "Import"
    }

    fn first_write(&self, _: Option<&Shown>) -> &'static str {
        "would be the next write"
    }

    fn asks_verification(&self, _: &Value) -> bool {
        true // that it is marked
    }

    fn variants(&self) -> Vec<Value> {
        vec![
            json!({ "apiVersion": "2025-07-01" }),
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
        let holds = |which| Remote::Holds { which, verified: true };
        let plain = Scenario {
            name: "import",
            spec: json!({}),
            switches: json!({}),
            before: None,
            first: None,
            then: vec![],
            end: ready.clone(),
            remote: holds(First),
            calls: 5,
            slow: false,
        };
        let settled = Scenario { first: Some(ready), ..plain.clone() };
        vec![
            plain.clone(),
            Scenario {
                name: "import-pkcs12",
                spec: json!({ "import": { "contentType": "application/x-pkcs12" } }),
                slow: true,
                ..plain.clone()
            },
            Scenario {
                name: "replace-after-rotation",
                then: vec![Act::Rotate(Second)],
                remote: holds(Second),
                calls: 5,
                ..settled.clone()
            },
            Scenario {
                name: "repair-content",
                then: vec![Act::Tamper(Tamper::Put(Foreign))],
                calls: 5,
                ..settled.clone()
            },
            Scenario {
                name: "repair-tags",
                then: vec![Act::Tamper(Tamper::Unverify)],
                calls: 4,
                slow: true,
                ..settled.clone()
            },
            Scenario { name: "repair-deleted", then: vec![Act::Tamper(Tamper::Remove)], ..settled.clone() },
            Scenario {
                name: "adopt-identical",
                spec: json!({ "deletionPolicy": "Delete" }),
                before: Some(First),
                calls: 4,
                slow: true,
                ..plain.clone()
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
                name: "refuse-foreign",
                before: Some(Foreign),
                end: End::Stuck("NotOwned", "another certificate"),
                remote: Remote::Untouched,
                calls: 2,
                ..plain.clone()
            },
            Scenario {
                name: "adopt-foreign",
                spec: json!({ "adoptionPolicy": "Always", "deletionPolicy": "Delete" }),
                before: Some(Foreign),
                calls: 7,
                slow: true,
                ..plain.clone()
            },
            Scenario {
                name: "delete-created",
                then: vec![Act::Delete],
                end: End::Gone,
                remote: Remote::Absent,
                calls: 5,
                ..settled.clone()
            },
            Scenario {
                name: "purge",
                spec: json!({ "deletionPolicy": "Purge" }),
                then: vec![Act::Delete],
                end: End::Gone,
                remote: Remote::Absent,
                calls: 8,
                slow: true,
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
                name: "delete-changed",
                then: vec![Act::Tamper(Tamper::Put(Foreign)), Act::Delete],
                end: End::Stuck("DeletionBlocked", "another certificate"),
                remote: Remote::Untouched,
                calls: 2,
                ..settled.clone()
            },
            Scenario {
                name: "observe-drift",
                spec: json!({ "managementPolicy": "Observe" }),
                end: End::Stuck("DriftDetected", "Import"),
                remote: Remote::Untouched,
                calls: 3,
                ..plain
            },
        ]
    }
}
