//! A vault as tests see it: manifests for it, and what stands in it.

use anyhow::{Context, Result, ensure};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::World;

/// The vault of most tests.
pub const VAULT: &str = "vault-1";

/// One version of a certificate, as the emulator's state has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    pub id: String,
    pub thumbprint: String,
    pub enabled: bool,
}

impl World {
    /// A certificate in the vault with these members of the spec.
    pub fn in_vault(&self, name: &str, members: Value) -> String {
        let mut manifest = json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "KeyVaultCertificate", "metadata": { "name": name },
            "spec": {
                "accountRef": { "kind": "ClusterCloudAccount", "name": self.namespace },
                "vaultName": VAULT, "resyncInterval": "1m",
            },
        });
        for (member, value) in members.as_object().into_iter().flatten() {
            manifest["spec"][member] = value.clone();
        }
        manifest.to_string()
    }

    /// The certificate's state in the vault.
    pub async fn held(&self, name: &str) -> Result<Value> {
        self.emulator.control_get(&format!("vaults/{VAULT}/certificates/{name}")).await
    }

    /// Its versions that are issued, oldest first.
    pub async fn versions(&self, name: &str) -> Result<Vec<Version>> {
        let held = self.held(name).await?;
        let versions = held["versions"].as_array().context("no versions")?;
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        Ok(versions
            .iter()
            .filter(|it| !it["thumbprint"].is_null())
            .map(|it| Version {
                id: text(&it["id"]),
                thumbprint: text(&it["thumbprint"]),
                enabled: it["enabled"] == true,
            })
            .collect())
    }

    /// The one version that there is.
    pub async fn only_version(&self, name: &str) -> Result<Version> {
        let mut versions = self.versions(name).await?;
        ensure!(versions.len() == 1, "there are {versions:?}");
        versions.pop().context("there is one")
    }

    /// Changes a certificate behind the operator's back.
    pub async fn tamper_vault(&self, method: Method, name: &str, body: Value) -> Result<()> {
        let path = format!("vaults/{VAULT}/certificates/{name}");
        let body = (method != Method::DELETE).then_some(&body);
        self.emulator.control(method.clone(), &path, body).await.map(drop)
    }

    /// Whether the vault holds the name at all, deleted or not.
    pub async fn knows(&self, name: &str) -> bool {
        self.held(name).await.is_ok()
    }
}

/// A policy with this issuer.
pub fn policy(issuer: &str) -> Value {
    json!({
        "keyProperties": { "keyType": "EC", "curve": "P-256", "exportable": true },
        "x509Properties": {
            "subject": "CN=web.example",
            "subjectAlternativeNames": { "dnsNames": ["web.example", "www.example"] },
        },
        "issuer": { "name": issuer },
    })
}

/// Puts the members of the patch into the target, at any depth.
pub fn merge(target: &mut Value, patch: &Value) {
    match patch.as_object() {
        Some(members) => members.iter().for_each(|(name, value)| merge(&mut target[name.as_str()], value)),
        None => *target = patch.clone(),
    }
}
