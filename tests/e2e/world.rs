//! What a test stands on: a namespace on the shared control plane, an emulator and an account of its own, and the one
//! operator that serves them all.

#![allow(clippy::expect_used, reason = "a test's own fixtures")]

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use aws_lc_rs::digest;
use certferry_rig::control_plane::{self, ControlPlane};
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::operator::{self, Operator};
use certferry_rig::wait::eventually;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

const SUBSCRIPTION: &str = "44444444-4444-4444-8444-444444444444";

/// A CA certificate and its key, in PEM.
pub struct Pair {
    pub certificate: String,
    pub key: String,
    pub thumbprint: String,
}

/// A new CA.
pub fn ca(name: &str) -> Pair {
    let key = KeyPair::generate().expect("a key can be made");
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a CA can sign itself");
    let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
    let thumbprint = sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
    Pair { certificate: certificate.pem(), key: key.serialize_pem(), thumbprint }
}

/// A certificate as the hub shows it.
#[derive(Debug)]
pub struct Held {
    pub thumbprint: String,
    pub verified: bool,
}

pub struct World {
    pub emulator: Emulator,
    plane: &'static ControlPlane,
    namespace: String,
}

/// The operator lives as long as the test process.
async fn operator(plane: &'static ControlPlane) -> Result<()> {
    static OPERATOR: OnceCell<Operator> = OnceCell::const_new();
    OPERATOR
        .get_or_try_init(|| async {
            let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/certferry");
            let rendered = plane
                .helm(
                    &["template", "certferry", chart, "--namespace", "certferry", "--kube-version", "1.36.3"],
                    None,
                )
                .await?;
            plane.kubectl(&["create", "namespace", "certferry"], None).await?;
            let manifests = String::from_utf8(rendered.stdout)?;
            apply(plane, "certferry", &manifests).await?;
            plane
                .kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"], None)
                .await?;
            let kubeconfig = plane.kubeconfig_for("certferry", "certferry").await?;
            Operator::start(operator::Options {
                binary: PathBuf::from(env!("CARGO_BIN_EXE_certferry")),
                kubeconfig,
                args: vec!["--log-format=text".into()],
                env: Vec::new(),
            })
        })
        .await?;
    Ok(())
}

async fn apply(plane: &ControlPlane, namespace: &str, manifests: &str) -> Result<()> {
    let done = plane
        .kubectl(&["apply", "--server-side", "--namespace", namespace, "-f", "-"], Some(manifests))
        .await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

impl World {
    pub async fn start(name: &str) -> Result<Self> {
        let plane = control_plane::shared().await?;
        operator(plane).await?;
        let emulator = Emulator::start(emulator::Options::default()).await?;
        let namespace = format!("e2e-{name}");
        plane.kubectl(&["create", "namespace", &namespace], None).await?;
        plane
            .kubectl(
                &[
                    "create",
                    "rolebinding",
                    "certferry-sources",
                    "--namespace",
                    &namespace,
                    "--clusterrole=certferry-sources",
                    "--serviceaccount=certferry:certferry",
                ],
                None,
            )
            .await?;
        let world = Self { emulator, plane, namespace };
        world.client_secret("emulator-secret").await?;
        world.apply(&world.account()?).await?;
        Ok(world)
    }

    pub async fn stop(self) -> Result<()> {
        self.emulator.stop().await
    }

    pub async fn apply(&self, manifests: &str) -> Result<()> {
        apply(self.plane, &self.namespace, manifests).await
    }

    pub async fn kubectl(&self, args: &[&str]) -> Result<String> {
        let namespace = ["--namespace", &self.namespace];
        let done = self.plane.kubectl(&[args, &namespace].concat(), None).await?;
        ensure!(done.status.success(), "kubectl {args:?}: {}", String::from_utf8_lossy(&done.stderr));
        Ok(String::from_utf8(done.stdout)?)
    }

    fn account(&self) -> Result<String> {
        let urls = &self.emulator.urls;
        let account = json!({
            "apiVersion": "certferry.dev/v1alpha1",
            "kind": "ClusterCloudAccount",
            "metadata": { "name": self.namespace },
            "spec": {
                "allowedNamespaces": { "names": [self.namespace] },
                "azure": {
                    "cloud": "Custom",
                    "tenantId": "11111111-1111-4111-8111-111111111111",
                    "auth": { "clientSecret": {
                        "clientId": "22222222-2222-4222-8222-000000000001",
                        "secretRef": { "name": self.namespace, "key": "clientSecret" },
                    } },
                    "endpoints": { "authority": urls.login, "resourceManager": urls.arm },
                    "caBundle": std::fs::read_to_string(&urls.ca)?,
                },
            },
        });
        Ok(account.to_string())
    }

    pub async fn client_secret(&self, value: &str) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": self.namespace },
            "stringData": { "clientSecret": value },
        });
        apply(self.plane, "certferry", &secret.to_string()).await
    }

    pub async fn tls_secret(&self, name: &str, pair: &Pair) -> Result<()> {
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": "kubernetes.io/tls",
            "stringData": { "tls.crt": pair.certificate, "tls.key": pair.key },
        });
        self.apply(&secret.to_string()).await
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

    /// The conditions, when the object has them for its present generation.
    async fn condition(&self, name: &str, type_: &str) -> Result<Value> {
        let object: Value =
            serde_json::from_str(&self.kubectl(&["get", "iothubcertificate", name, "-o", "json"]).await?)?;
        let conditions = object["status"]["conditions"].as_array().context("no conditions yet")?;
        let found = conditions.iter().find(|it| it["type"] == type_).context("no such condition")?;
        ensure!(found["observedGeneration"] == object["metadata"]["generation"], "old generation: {found}");
        Ok(found.clone())
    }

    pub async fn ready(&self, name: &str, within: Duration) -> Result<()> {
        eventually(within, "Ready=True", async || {
            let ready = self.condition(name, "Ready").await?;
            ensure!(ready["status"] == "True", "{ready}");
            Ok(())
        })
        .await
    }

    pub async fn reason(&self, name: &str, reason: &str, within: Duration) -> Result<()> {
        eventually(within, reason, async || {
            let ready = self.condition(name, "Ready").await?;
            ensure!(ready["reason"] == reason, "{ready}");
            Ok(())
        })
        .await
    }

    /// The certificate of that name, read from the emulator's state.
    pub async fn in_hub(&self, name: &str) -> Result<Held> {
        let state = self.emulator.control_get("hubs/hub-1").await?;
        let found = find(&state, name).with_context(|| format!("the hub holds no `{name}`"))?;
        Ok(Held {
            thumbprint: found["thumbprint"].as_str().unwrap_or_default().to_owned(),
            verified: found["isVerified"] == true,
        })
    }

    pub async fn hub_becomes(&self, name: &str, thumbprint: &str) -> Result<()> {
        eventually(Duration::from_secs(90), "the hub's certificate, verified", async || {
            let held = self.in_hub(name).await?;
            ensure!(held.thumbprint == thumbprint && held.verified, "{held:?}");
            Ok(())
        })
        .await
    }

    async fn requests(&self) -> Result<Vec<Value>> {
        let journal = self.emulator.control_get("requests").await?;
        let Some(requests) = journal["requests"].as_array() else { bail!("no requests in {journal}") };
        Ok(requests.iter().filter(|it| it["operation"] != "token").cloned().collect())
    }

    /// Requests to the hub.
    pub async fn calls(&self) -> Result<usize> {
        Ok(self.requests().await?.len())
    }

    /// Requests to the hub that may change it.
    pub async fn writes(&self) -> Result<usize> {
        Ok(self.requests().await?.iter().filter(|it| it["method"] != "GET").count())
    }

    pub async fn delete_in_hub(&self, name: &str) -> Result<()> {
        let path = format!("hubs/hub-1/certificates/{name}");
        self.emulator.control(reqwest::Method::DELETE, &path, None).await.map(drop)
    }
}

fn find<'a>(state: &'a Value, name: &str) -> Option<&'a Value> {
    match state {
        Value::Object(members)
            if members.get("name").is_some_and(|it| it == name) && members.contains_key("thumbprint") =>
        {
            Some(state)
        }
        Value::Object(members) => members.values().find_map(|it| find(it, name)),
        Value::Array(items) => items.iter().find_map(|it| find(it, name)),
        _ => None,
    }
}
