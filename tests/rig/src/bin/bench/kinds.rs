//! What differs from kind to kind: how parents are made in the emulator, what a manifest says, and the fewest calls that
//! the service lets the work be done in.

use anyhow::{Context, Result};
use certferry_rig::emulator::Urls;
use certferry_rig::installation::Pair;
use reqwest::{Method, Url};
use serde_json::{Value, json};

pub(crate) const SUBSCRIPTION: &str = "44444444-4444-4444-8444-444444444444";
const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const GROUP: &str = "rg-devices";
const SPACE: &str = "app-1";

/// One kind of certificate.
pub(crate) struct Kind {
    pub(crate) name: &'static str,
    pub(crate) plural: &'static str,
    /// In names of namespaces, accounts and parents.
    pub(crate) short: &'static str,
    /// How its operations begin in the emulator's journal.
    pub(crate) operations: &'static str,
    /// The operation that brings a changed certificate.
    pub(crate) upload: &'static str,
    pub(crate) cloud: Cloud,
    /// How many accounts the large set has: as many as bring the bucket's limit of its creation to about a minute.
    pub(crate) accounts: usize,
    pub(crate) create: Bound,
    pub(crate) rotate: Bound,
    pub(crate) delete: Bound,
    /// The writes in which a certificate is adopted.
    pub(crate) adopt: usize,
    /// Whether a listing of the parent shows all that is to be seen of its certificates.
    pub(crate) listed: bool,
    parent: fn(&Parent, &[String]) -> (String, Value),
    /// What the emulator is told of a certificate that somebody put there.
    planted: fn(&Pair) -> Value,
    place: fn(&Parent, &Urls) -> Result<Value>,
}

/// Whose accounts and limits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    ResourceManager,
    KeyVault,
    Huawei,
}

/// The fewest calls: those writes, and a read before and after them.
#[derive(Clone, Copy)]
pub(crate) struct Bound {
    pub(crate) reads: usize,
    pub(crate) writes: usize,
}

impl Bound {
    const fn of(writes: usize) -> Self {
        // What is there must be seen before anything is written, and what came of it after.
        Self { reads: 2, writes }
    }

    pub(crate) const fn calls(self) -> usize {
        self.reads + self.writes
    }
}

/// A hub, service, vault or instance.
#[derive(Clone)]
pub(crate) struct Parent {
    pub(crate) name: String,
    /// No two of a kind have the same.
    pub(crate) number: usize,
    /// The account that its certificates are kept in the name of.
    pub(crate) account: String,
}

/// All kinds, with the writes that their services need:
///
/// - IoT Hub: upload, code, proof; the same for a changed certificate, as it loses its verification.
/// - API Management and Key Vault: one upload. In a vault a tag tells whose an adopted one is.
/// - IoTDA: upload (which tells the code) and proof; for a changed certificate the old one is deleted too.
pub(crate) static KINDS: [Kind; 4] = [
    Kind {
        name: "IotHubCertificate",
        plural: "iothubcertificates",
        short: "iot-hub",
        operations: "iotHubCertificates.",
        upload: "iotHubCertificates.createOrUpdate",
        cloud: Cloud::ResourceManager,
        accounts: 4,
        create: Bound::of(3),
        rotate: Bound::of(3),
        delete: Bound::of(1),
        adopt: 0,
        listed: true,
        parent: |it, _| (format!("hubs/{}", it.name), in_group()),
        planted: |it| json!({ "certificate": it.certificate, "isVerified": true }),
        place: |it, _| {
            Ok(json!({
                "iotHub": { "subscriptionId": SUBSCRIPTION, "resourceGroup": GROUP, "name": it.name },
                "verification": { "proofOfPossession": {} },
            }))
        },
    },
    Kind {
        name: "ApiManagementCertificate",
        plural: "apimanagementcertificates",
        short: "apim",
        operations: "apiManagementCertificates.",
        upload: "apiManagementCertificates.createOrUpdate",
        cloud: Cloud::ResourceManager,
        accounts: 2,
        create: Bound::of(1),
        rotate: Bound::of(1),
        delete: Bound::of(1),
        adopt: 0,
        listed: true,
        parent: |it, _| (format!("services/{}", it.name), in_group()),
        planted: |it| json!({ "certificate": it.certificate }),
        place: |it, _| {
            Ok(json!({ "apiManagement": {
                "subscriptionId": SUBSCRIPTION, "resourceGroup": GROUP, "serviceName": it.name,
            } }))
        },
    },
    Kind {
        name: "KeyVaultCertificate",
        plural: "keyvaultcertificates",
        short: "vault",
        operations: "keyVaultCertificates.",
        upload: "keyVaultCertificates.import",
        cloud: Cloud::KeyVault,
        accounts: 1,
        create: Bound::of(1),
        rotate: Bound::of(1),
        delete: Bound::of(1),
        adopt: 1,
        listed: false,
        parent: |it, clients| {
            let all =
                |client: &String| json!({ "clientId": client, "certificates": ["all"], "secrets": ["get"] });
            (format!("vaults/{}", it.name), json!({ "access": clients.iter().map(all).collect::<Vec<_>>() }))
        },
        planted: |it| {
            let policy = json!({ "secret_props": { "contentType": "application/x-pem-file" } });
            json!({ "import": { "value": format!("{}{}", it.key, it.certificate), "policy": policy } })
        },
        place: |it, _| {
            // As it is planted; the default is PKCS#12.
            Ok(json!({ "vaultName": it.name, "import": { "contentType": "application/x-pem-file" } }))
        },
    },
    Kind {
        name: "IotdaCertificate",
        plural: "iotdacertificates",
        short: "iotda",
        operations: "iotdaCertificates.",
        upload: "iotdaCertificates.upload",
        cloud: Cloud::Huawei,
        accounts: 8,
        create: Bound::of(2),
        rotate: Bound::of(3),
        delete: Bound::of(1),
        adopt: 0,
        listed: true,
        parent: |it, _| {
            let body = json!({
                "id": format!("55555555-5555-4555-8555-{:012}", 1000 + it.number),
                "edition": "standard", "region": "cn-north-4", "projectId": PROJECT, "apps": [SPACE],
            });
            (format!("instances/{}", it.name), body)
        },
        planted: |it| json!({ "content": it.certificate, "appId": SPACE, "status": true }),
        place: |it, urls| {
            let url = Url::parse(&urls.iotda.replace("{instance}", &it.name))?;
            Ok(json!({
                "iotda": {
                    "region": "cn-north-4", "projectId": PROJECT,
                    "host": url.host_str().context("IoTDA's URL has no host")?,
                },
                "appId": SPACE,
                "verification": { "proofOfPossession": {} },
                // Otherwise the old certificate would stay for a day.
                "rotation": { "gracePeriod": "0s" },
            }))
        },
    },
];

fn in_group() -> Value {
    json!({ "subscriptionId": SUBSCRIPTION, "resourceGroup": GROUP, "location": "westeurope" })
}

impl Kind {
    /// What the emulator's control endpoint is told, and where, so that the parent is there for those clients.
    pub(crate) fn parent(&self, parent: &Parent, clients: &[String]) -> (String, Value) {
        (self.parent)(parent, clients)
    }

    /// What the emulator's control endpoint is told, and where, so that a certificate is there.
    pub(crate) fn planted(&self, parent: &Parent, name: &str, pair: &Pair) -> (Method, String, Value) {
        let certificates = format!("{}/certificates", (self.parent)(parent, &[]).0);
        let body = (self.planted)(pair);
        match self.cloud {
            Cloud::ResourceManager | Cloud::KeyVault => (Method::PUT, format!("{certificates}/{name}"), body),
            Cloud::Huawei => (Method::POST, certificates, body), // the service gives the id
        }
    }

    /// The manifest of a certificate that is in the Secret of the same name.
    pub(crate) fn manifest(&self, name: &str, parent: &Parent, interval: &str, urls: &Urls) -> Result<Value> {
        let mut spec = (self.place)(parent, urls)?;
        spec["accountRef"] = json!({ "kind": "ClusterCloudAccount", "name": parent.account });
        spec["resyncInterval"] = interval.into();
        let source = if self.cloud == Cloud::KeyVault { "import" } else { "source" };
        spec[source]["secretRef"] = json!({ "name": name });
        Ok(json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": self.name, "metadata": { "name": name }, "spec": spec,
        }))
    }

    /// How long the buckets let so many objects, evenly spread over accounts and parents, not be created, in seconds.
    pub(crate) fn limit(&self, objects: usize, parents: usize) -> f64 {
        let (reads, writes, sharing) = match self.cloud {
            Cloud::ResourceManager => ((250.0, 25.0), (200.0, 10.0), self.accounts),
            Cloud::Huawei => ((100.0, 10.0), (50.0, 5.0), self.accounts),
            Cloud::KeyVault => ((4000.0, 400.0), (20.0, 2.0), parents * self.accounts),
        };
        let each = objects as f64 / sharing as f64;
        let limit = |calls: usize, (size, rate): (f64, f64)| {
            ((each * calls as f64 - size * SHARE) / (rate * SHARE)).max(0.0)
        };
        limit(self.create.reads, reads).max(limit(self.create.writes, writes))
    }
}

/// Of the published limits, what the operator uses: `docs/operations.md`, "Pace".
const SHARE: f64 = 0.95;

/// Whether a call changes something.
pub(crate) fn writes(operation: &str) -> bool {
    let call = operation.rsplit('.').next().unwrap_or(operation);
    !["get", "list", "head"].iter().any(|it| call.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_buckets_bound_a_thousand_creates() {
        let limits = KINDS.each_ref().map(|it| (it.short, it.limit(1000, 40).round()));
        assert_eq!(limits, [("iot-hub", 59.0), ("apim", 33.0), ("vault", 3.0), ("iotda", 43.0)]);
    }

    #[test]
    fn only_reads_are_no_writes() {
        for kind in &KINDS {
            assert!(writes(kind.upload), "{}", kind.upload);
        }
        assert!(writes("iotHubCertificates.generateVerificationCode"));
        assert!(!writes("keyVaultCertificates.getPolicy") && !writes("iotdaCertificates.list"));
    }
}
