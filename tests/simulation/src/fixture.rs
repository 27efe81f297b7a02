//! What the suite has to know of a kind: how a wish is written down, and what the emulator holds of it.

use serde_json::{Value, json};

/// Certificates and keys that the suite works with.
pub const OURS: [Pair; 2] = [
    Pair {
        certificate: include_str!("../../data/pki/p-256.pem"),
        key: include_str!("../../data/pki/p-256.pkcs8.pem"),
    },
    Pair {
        certificate: include_str!("../../data/pki/p-384.pem"),
        key: include_str!("../../data/pki/p-384.pkcs8.pem"),
    },
];

/// Somebody else's certificates.
pub const FOREIGN: [&str; 2] =
    [include_str!("../../data/pki/p-521.pem"), include_str!("../../data/pki/rsa-2048.pem")];

/// A CA certificate and its key.
#[derive(Clone, Copy)]
pub struct Pair {
    pub certificate: &'static str,
    pub key: &'static str,
}

/// How a certificate is to be held as verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    Not,
    ByProof,
    ByUpload,
}

/// What a resource says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wish {
    pub verified: Verified,
    pub management: &'static str,
    pub adoption: &'static str,
    pub deletion: &'static str,
}

impl Default for Wish {
    fn default() -> Self {
        Self { verified: Verified::Not, management: "Enforce", adoption: "IfIdentical", deletion: "Delete" }
    }
}

/// A certificate as the emulator holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    pub thumbprint: String,
    pub verified: bool,
    pub etag: String,
}

/// A kind under test.
pub trait Fixture: Sync {
    fn kind(&self) -> &'static str;
    fn plural(&self) -> &'static str;
    /// The resource of that name, for the certificate in the Secret `source`.
    fn manifest(&self, name: &str, wish: &Wish) -> Value;
    /// Where the emulator's control endpoint has the certificate of that name.
    fn control_path(&self, name: &str) -> String;
    /// The body that puts a certificate there.
    fn seed(&self, certificate: &str, verified: bool) -> Value;
    /// What stands there.
    fn held(&self, shown: &Value) -> Held;
    /// Whether a request may change the certificate of that name.
    fn writes(&self, request: &Value, name: &str) -> bool;
}

/// The fixture of a kind.
pub fn of(kind: &str) -> Option<&'static dyn Fixture> {
    let all: [&'static dyn Fixture; 1] = [&IotHub];
    all.into_iter().find(|it| it.kind() == kind)
}

struct IotHub;

impl Fixture for IotHub {
    fn kind(&self) -> &'static str {
        "IotHubCertificate"
    }

    fn plural(&self) -> &'static str {
        "iothubcertificates"
    }

    fn manifest(&self, name: &str, wish: &Wish) -> Value {
        let mut spec = json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": "azure" },
            "iotHub": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444",
                "resourceGroup": "rg-devices", "name": "hub-1",
            },
            "managementPolicy": wish.management,
            "adoptionPolicy": wish.adoption,
            "deletionPolicy": wish.deletion,
            "source": { "secretRef": { "name": "source" } },
        });
        match wish.verified {
            Verified::Not => {}
            Verified::ByProof => spec["verification"] = json!({ "proofOfPossession": {} }),
            Verified::ByUpload => {
                spec["apiVersion"] = json!("2023-06-30");
                spec["verification"] = json!({ "attested": {} });
            }
        }
        json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "IotHubCertificate",
            "metadata": { "name": name, "namespace": "devices" },
            "spec": spec,
        })
    }

    fn control_path(&self, name: &str) -> String {
        format!("hubs/hub-1/certificates/{name}")
    }

    fn seed(&self, certificate: &str, verified: bool) -> Value {
        json!({ "certificate": certificate, "isVerified": verified })
    }

    fn held(&self, shown: &Value) -> Held {
        let text = |member: &str| shown[member].as_str().unwrap_or_default().to_owned();
        Held { thumbprint: text("thumbprint"), verified: shown["isVerified"] == true, etag: text("etag") }
    }

    fn writes(&self, request: &Value, name: &str) -> bool {
        let path = request["path"].as_str().unwrap_or_default();
        let mut rest = path.rsplit("/certificates/").next().unwrap_or_default().split('/');
        request["method"] != "GET" && path.contains("/certificates/") && rest.next() == Some(name)
    }
}
