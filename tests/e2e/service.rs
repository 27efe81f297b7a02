//! An API Management service as tests see it: manifests for it, and what stands in it.

use anyhow::{Result, ensure};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{SOON, SUBSCRIPTION, World};

/// The service of all tests.
pub const SERVICE: &str = "apim-1";

impl World {
    /// A certificate in the service with these members of the spec.
    pub fn in_service(&self, name: &str, members: Value) -> String {
        let mut manifest = json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "ApiManagementCertificate", "metadata": { "name": name },
            "spec": {
                "accountRef": { "kind": "ClusterCloudAccount", "name": self.namespace },
                "apiManagement": {
                    "subscriptionId": SUBSCRIPTION, "resourceGroup": "rg-devices", "serviceName": SERVICE,
                },
                "resyncInterval": "1m",
            },
        });
        for (member, value) in members.as_object().into_iter().flatten() {
            manifest["spec"][member] = value.clone();
        }
        manifest.to_string()
    }

    /// The certificate's state in the service.
    pub async fn stored(&self, name: &str) -> Result<Value> {
        self.emulator.control_get(&format!("services/{SERVICE}/certificates/{name}")).await
    }

    pub async fn service_becomes(&self, name: &str, thumbprint: &str) -> Result<()> {
        eventually(SOON, "the service's certificate", async || {
            let stored = self.stored(name).await?;
            ensure!(stored["thumbprint"] == thumbprint, "{stored}");
            Ok(())
        })
        .await
    }

    /// Changes a certificate behind the operator's back.
    pub async fn tamper_service(&self, method: Method, name: &str, body: Option<&Value>) -> Result<()> {
        let path = format!("services/{SERVICE}/certificates/{name}");
        self.emulator.control(method, &path, body).await.map(drop)
    }
}

/// From the Secret `client`.
pub fn from_secret() -> Value {
    json!({ "source": { "secretRef": { "name": "client" } } })
}

/// From the KeyVaultCertificate of that name.
pub fn from_vault(name: &str) -> Value {
    json!({ "keyVault": { "keyVaultCertificateRef": { "name": name } } })
}
