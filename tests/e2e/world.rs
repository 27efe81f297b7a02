//! What a test stands on: a namespace on the shared control plane, an emulator and an account of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest;
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::installation::{CLIENT, Cluster, NAMESPACE, Pair, TENANT, ca, emulated_azure};
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::health::Seen;
use crate::shared::shared;
use crate::{invariants, metrics, scope};

pub const SUBSCRIPTION: &str = "44444444-4444-4444-8444-444444444444";

/// How long anything that a test waits for may take; many times what it takes when nothing else runs.
pub const SOON: Duration = Duration::from_secs(90);

/// A certificate as the hub shows it.
#[derive(Debug)]
pub struct Held {
    pub thumbprint: String,
    pub verified: bool,
}

pub struct World {
    pub emulator: Emulator,
    pub cluster: Arc<Cluster>,
    pub namespace: String,
    /// The kind that its tests are about.
    pub kind: &'static str,
    /// Whether the operator of all tests serves it.
    is_shared: bool,
    /// Whether the operator lacks a right on purpose.
    lacks_rights: bool,
    /// The spec last applied for each remote certificate.
    asked: Mutex<BTreeMap<String, Value>>,
    /// What the API server showed of its objects.
    seen: Seen,
}

/// SHA-1 of the certificate's DER form, as the hub writes it.
pub fn thumbprint(pair: &Pair) -> String {
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &pair.der);
    sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

impl World {
    pub async fn start(name: &str) -> Result<Self> {
        let world = Self::in_namespace(shared().await?.cluster.clone(), scope::namespace(name)?).await?;
        Ok(Self { is_shared: true, ..world })
    }

    /// The same, for certificates in vaults.
    pub async fn of_vaults(name: &str) -> Result<Self> {
        Ok(Self::start(&format!("vault-{name}")).await?.about("keyvaultcertificate"))
    }

    /// The same, for certificates in API Management.
    pub async fn of_services(name: &str) -> Result<Self> {
        Ok(Self::start(&format!("service-{name}")).await?.about("apimanagementcertificate"))
    }

    /// The same world, when its tests are about another kind.
    pub fn about(self, kind: &'static str) -> Self {
        Self { kind, ..self }
    }

    /// On a cluster of the test's own.
    pub async fn on(cluster: Arc<Cluster>, name: &str) -> Result<Self> {
        Self::in_namespace(cluster, format!("e2e-{name}")).await
    }

    /// The same, whose clouds have their hosts below that domain.
    pub async fn on_with_domain(cluster: Arc<Cluster>, name: &str, domain: &str) -> Result<Self> {
        Self::in_cloud(domain, cluster, format!("e2e-{name}")).await
    }

    /// In a cloud of its own: ports come again, and objects of a world that has ended would claim what this one makes.
    async fn in_namespace(cluster: Arc<Cluster>, namespace: String) -> Result<Self> {
        Self::in_cloud(&format!("{namespace}.localhost"), cluster, namespace).await
    }

    async fn in_cloud(domain: &str, cluster: Arc<Cluster>, namespace: String) -> Result<Self> {
        let args = ["--domain", domain].map(str::to_owned).to_vec();
        let emulator = Emulator::start(emulator::Options { args, ..Default::default() }).await?;
        cluster.granting_namespace(&namespace).await?;
        let seen = Seen::from_now(&cluster, &namespace, &namespace).await?;
        cluster.emulated_account(&namespace, &namespace, &emulator.urls).await?;
        let (kind, asked) = ("iothubcertificate", Mutex::default());
        let (is_shared, lacks_rights) = (false, false);
        Ok(Self { emulator, cluster, namespace, kind, is_shared, lacks_rights, asked, seen })
    }

    /// The end of a test: whatever it was about, the invariants hold.
    pub async fn stop(self) -> Result<()> {
        invariants::hold(&self).await?;
        if self.is_shared {
            metrics::have_closed_labels(&shared().await?.metrics).await?;
        }
        self.seen.is_kept(&self.namespace)?;
        self.seen.is_shown_rightly(&self.cluster).await?;
        self.emulator.stop().await
    }

    /// The same, of a world that lacks a right on purpose.
    pub async fn stop_without_rights(self) -> Result<()> {
        Self { lacks_rights: true, ..self }.stop().await
    }

    /// What the operator asked for and may not, in the world's namespace, its own, that of events about objects of the
    /// cluster, or in none: `verb resource`. In namespaces of other worlds tests take rights away on purpose; in its own
    /// they do so with tokens of ServiceAccounts that are called as their namespaces.
    pub fn refusals(&self) -> Result<BTreeSet<String>> {
        if self.lacks_rights {
            return Ok(BTreeSet::new());
        }
        let ours = self.cluster.refusals()?.into_iter().filter(|it| {
            it.user == "system:serviceaccount:certferry:certferry"
                && [&self.namespace, NAMESPACE, "default", ""].contains(&it.namespace.as_str())
                && (it.subresource != "token" || it.name == self.namespace || !self.is_shared)
        });
        Ok(ours.map(|it| format!("{} {} {}", it.verb, it.resource, it.subresource)).collect())
    }

    pub async fn apply(&self, manifests: &str) -> Result<()> {
        for manifest in serde_saphyr::from_multiple::<Value>(manifests)? {
            if let Some(id) = invariants::id(&manifest) {
                self.asked
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(id, manifest["spec"].clone());
            }
        }
        self.cluster.apply(&self.namespace, manifests).await
    }

    /// The spec last applied for each remote certificate.
    pub fn asked(&self) -> BTreeMap<String, Value> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        self.cluster.kubectl(&[args, &["--namespace", &self.namespace]].concat(), None).await
    }

    /// Makes this world's account sign in like that, to the tenant of the emulator's world.
    pub async fn account(&self, auth: &Value) -> Result<()> {
        self.account_of(TENANT, auth, json!({})).await
    }

    /// The same, to that tenant, with more members of the spec.
    pub async fn account_of(&self, tenant: &str, auth: &Value, more: Value) -> Result<()> {
        let mut spec = json!({
            "allowedNamespaces": { "names": [self.namespace] },
            "azure": emulated_azure(tenant, auth, &self.emulator.urls)?,
        });
        for (member, value) in more.as_object().into_iter().flatten() {
            spec[member] = value.clone();
        }
        self.cluster.cluster_account(&self.namespace, &spec).await
    }

    /// Sign-in by the client secret that is stored for this world.
    pub fn by_secret(&self) -> Value {
        json!({ "clientSecret": {
            "clientId": CLIENT, "secretRef": { "name": self.namespace, "key": "clientSecret" },
        } })
    }

    /// Replaces the client secret of this world's account.
    pub async fn client_secret(&self, value: &str) -> Result<()> {
        self.cluster.client_secret(&self.namespace, value).await
    }

    pub async fn tls_secret(&self, name: &str, pair: &Pair) -> Result<()> {
        self.cluster.tls_secret(&self.namespace, name, pair).await
    }

    /// A Secret with a PKCS#12 file as OpenSSL makes it, and its password.
    pub async fn pkcs12_secret(&self, name: &str, pair: &Pair) -> Result<()> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("both.pem"), format!("{}{}", pair.key, pair.certificate))?;
        let made = Command::new("openssl")
            .args([
                "pkcs12",
                "-export",
                "-in",
                "both.pem",
                "-out",
                "bundle.p12",
                "-passout",
                "pass:open sesame",
            ])
            .current_dir(folder.path())
            .output()?;
        ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
        let file = format!("--from-file={}", folder.path().join("bundle.p12").display());
        self.kubectl(&["create", "secret", "generic", name, &file, "--from-literal=password=open sesame"])
            .await
            .map(drop)
    }

    pub fn certificate(&self, name: &str) -> String {
        format!(
            "apiVersion: certferry.dev/v1alpha1
kind: IotHubCertificate
metadata: {{name: {name}}}
spec:
  accountRef: {{kind: ClusterCloudAccount, name: {account}}}
  iotHub: {{subscriptionId: {SUBSCRIPTION}, resourceGroup: rg-devices, name: hub-1}}
  certificateName: {name}
  resyncInterval: 1m
  deletionPolicy: Delete
  source: {{secretRef: {{name: factory-ca}}}}
  verification: {{proofOfPossession: {{}}}}
",
            account = self.namespace
        )
    }

    /// Has the operator look at an object now.
    pub async fn nudge(&self, name: &str) -> Result<()> {
        let seen = self.requests().await?.len();
        let nudge = format!("certferry-test/nudge={seen}");
        self.kubectl(&["annotate", "--overwrite", self.kind, name, &nudge]).await.map(drop)
    }

    /// The conditions, when the object has them for its present generation.
    pub async fn condition(&self, name: &str, type_: &str) -> Result<Value> {
        let object: Value =
            serde_json::from_str(&self.kubectl(&["get", self.kind, name, "-o", "json"]).await?)?;
        let conditions = object["status"]["conditions"].as_array().context("no conditions yet")?;
        let found = conditions.iter().find(|it| it["type"] == type_).context("no such condition")?;
        ensure!(found["observedGeneration"] == object["metadata"]["generation"], "old generation: {found}");
        Ok(found.clone())
    }

    pub async fn ready(&self, name: &str) -> Result<()> {
        eventually(SOON, "Ready=True", async || {
            let ready = self.condition(name, "Ready").await?;
            ensure!(ready["status"] == "True", "{ready}");
            Ok(())
        })
        .await
    }

    pub async fn reason(&self, name: &str, reason: &str) -> Result<()> {
        self.says(name, reason, "").await
    }

    /// The Ready condition comes to that reason, with a message that has this in it.
    pub async fn says(&self, name: &str, reason: &str, part: &str) -> Result<()> {
        eventually(SOON, reason, async || {
            let ready = self.condition(name, "Ready").await?;
            let message = ready["message"].as_str().unwrap_or_default();
            ensure!(ready["reason"] == reason && message.contains(part), "{ready}");
            Ok(())
        })
        .await
    }

    /// Some of an object's fields, as a JSONPath says.
    pub async fn field(&self, name: &str, path: &str) -> Result<String> {
        self.kubectl(&["get", self.kind, name, "-o", &format!("jsonpath={{{path}}}")]).await
    }

    pub async fn delete(&self, name: &str) -> Result<()> {
        self.kubectl(&["delete", self.kind, name, "--timeout=60s"]).await.map(drop)
    }

    /// Deleted, now or before, the object goes, and the certificate with it.
    pub async fn is_removed(&self, name: &str) -> Result<()> {
        self.kubectl(&["delete", self.kind, name, "--ignore-not-found", "--timeout=60s"]).await?;
        ensure!(self.in_hub(name).await.is_err(), "`{name}` is still in the hub");
        Ok(())
    }

    /// A certificate of that name, Ready.
    pub async fn settled(&self, name: &str) -> Result<()> {
        self.tls_secret("factory-ca", &ca("Factory root")?).await?;
        self.apply(&self.certificate(name)).await?;
        self.ready(name).await
    }

    /// The certificate of that name, read from the emulator's state.
    pub async fn in_hub(&self, name: &str) -> Result<Held> {
        let hub = self.emulator.control_get("hubs/hub-1").await?;
        let certificates = hub["certificates"].as_array().context("the hub lists no certificates")?;
        let found = certificates.iter().find(|it| it["name"] == name);
        let found = found.with_context(|| format!("the hub holds no `{name}`"))?;
        Ok(Held {
            thumbprint: found["thumbprint"].as_str().unwrap_or_default().to_owned(),
            verified: found["isVerified"] == true,
        })
    }

    pub async fn hub_becomes(&self, name: &str, thumbprint: &str) -> Result<()> {
        eventually(SOON, "the hub's certificate, verified", async || {
            let held = self.in_hub(name).await?;
            ensure!(held.thumbprint == thumbprint && held.verified, "{held:?}");
            Ok(())
        })
        .await
    }

    /// What was asked of the services, as the emulator's journal has it.
    pub async fn requests(&self) -> Result<Vec<Value>> {
        let journal = self.emulator.control_get("requests").await?;
        let Some(requests) = journal["requests"].as_array() else { bail!("no requests in {journal}") };
        Ok(requests
            .iter()
            .filter(|it| {
                let operation = it["operation"].as_str().unwrap_or_default();
                ["iotHub", "keyVault", "apiManagement", "iotda"].iter().any(|it| operation.starts_with(it))
            })
            .cloned()
            .collect())
    }

    /// How often the emulator was asked for an operation.
    pub async fn count(&self, operation: &str) -> Result<u64> {
        let counts = self.emulator.control_get("requests/counts").await?;
        Ok(counts["counts"][operation].as_u64().unwrap_or(0))
    }

    /// Requests to the hub or the vault.
    pub async fn calls(&self) -> Result<usize> {
        Ok(self.requests().await?.len())
    }

    /// Requests that may change the hub or the vault.
    pub async fn writes(&self) -> Result<usize> {
        Ok(self.requests().await?.iter().filter(|it| it["method"] != "GET").count())
    }

    /// Looked at a few times more, the object costs no write.
    pub async fn quiet(&self, name: &str) -> Result<()> {
        let writes = self.writes().await?;
        for _ in 0..3 {
            let calls = self.calls().await?;
            self.nudge(name).await?;
            eventually(SOON, "a look at the service", async || {
                ensure!(self.calls().await? > calls);
                Ok(())
            })
            .await?;
        }
        ensure!(self.writes().await? == writes, "written though nothing differs");
        Ok(())
    }

    /// Changes a certificate behind the operator's back.
    pub async fn tamper(&self, method: reqwest::Method, name: &str, body: Option<&Value>) -> Result<()> {
        let path = format!("hubs/hub-1/certificates/{name}");
        self.emulator.control(method, &path, body).await.map(drop)
    }
}
