//! The examples as a Git repository of theirs, kept by Argo CD's own engine: waves, health, no difference, pruning.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use certferry_argocd::customizations;
use certferry_rig::control_plane::{ControlPlane, Options};
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::installation::{
    ACCESS_KEY, CLIENT_SECRET, Cluster, Pair, SECRET_KEY, TENANT, ca, emulated_azure,
};
use certferry_rig::operator::Operator;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::health::Seen;
use crate::key_vault_signed::sign;
use crate::proof::signed;
use crate::shared::binary;
use crate::world::SOON;

/// The namespace that the examples are for.
const DEVICES: &str = "devices";

/// Every example of a certificate.
const REPOSITORY: [&str; 14] = [
    "api-management/from-a-secret.yaml",
    "api-management/from-a-vault.yaml",
    "huawei-iotda/device-ca.yaml",
    "huawei-iotda/no-self-registration.yaml",
    "iot-hub-offline-key/certificate.yaml",
    "iot-hub-overlap/certificate.yaml",
    "iot-hub-policies/adopt.yaml",
    "iot-hub-policies/observe.yaml",
    "iot-hub/config-map.yaml",
    "iot-hub/secret.yaml",
    "key-vault-signed/ca-secret.yaml",
    "key-vault-signed/cert-manager.yaml",
    "key-vault/imported.yaml",
    "key-vault/made-by-the-vault.yaml",
];

/// What kubectl calls the kinds of wave 1.
const CERTIFICATES: &str =
    "iothubcertificates,keyvaultcertificates,apimanagementcertificates,iotdacertificates";

/// The accounts that they name, and another, in wave 0. Those of a namespace cannot be pointed at an emulator.
const ACCOUNTS: [&str; 3] =
    ["accounts/cluster-cloud-account.yaml", "accounts/huawei-cloud.yaml", "accounts/managed-identity.yaml"];

/// The CA of most examples for hubs.
const FACTORY: &str = "factory-ca";

/// A cluster of the test's own: the examples name accounts of the cluster.
struct Site {
    plane: ControlPlane,
    cluster: Arc<Cluster>,
    operator: Operator,
    emulator: Emulator,
    factory: Pair,
    seen: Seen,
    /// The manifests, as they would stand in Git.
    folder: tempfile::TempDir,
}

impl Site {
    async fn start() -> Result<Self> {
        let plane = ControlPlane::start(Options::default()).await?;
        let cluster = Arc::new(Cluster::of(&plane)?);
        cluster.install().await?;
        let operator = cluster.operator(binary(), "info", &["--max-deletes=1000"]).await?;
        let emulator = Emulator::start(emulator::Options::default()).await?;
        cluster.granting_namespace(DEVICES).await?;
        cluster.grant(DEVICES, "certferry-outputs").await?;
        let definition =
            format!("{}/tests/data/cert_manager/certificaterequests.yaml", env!("CARGO_MANIFEST_DIR"));
        cluster.kubectl(&["apply", "--server-side", "-f", &definition], None).await?;
        let factory = ca("Factory root")?;
        cluster.tls_secret(DEVICES, FACTORY, &factory).await?;
        for name in ["public-web-tls", "billing-client-tls", "device-ca", "meters-ca", "internal-ca"] {
            cluster.tls_secret(DEVICES, name, &ca(name)?).await?;
        }
        let seen = Seen::from_now(&cluster, DEVICES, "").await?;
        let site = Self { plane, cluster, operator, emulator, factory, seen, folder: tempfile::tempdir()? };
        site.others_prepare().await?;
        Ok(site)
    }

    /// What the examples find: a CA without its key, and a certificate in the hub that is to be looked at only.
    async fn others_prepare(&self) -> Result<()> {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "factory-root" },
            "data": { "ca.crt": self.factory.certificate },
        });
        self.cluster.apply(DEVICES, &map.to_string()).await?;
        let verified = json!({ "certificate": self.factory.certificate, "isVerified": true });
        let path = "hubs/hub-1/certificates/observed-root";
        self.emulator.control(Method::PUT, path, Some(&verified)).await.map(drop)
    }

    /// Who keeps a key offline, and cert-manager, do their part.
    async fn others_sign(&self) -> Result<()> {
        let code =
            self.told("iothubcertificate", "offline-factory-root", "{.status.verificationCode.code}").await?;
        let proof = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "factory-root-proof" },
            "stringData": { "tls.crt": signed("Factory root", &self.factory, &code)? },
        });
        self.cluster.apply(DEVICES, &proof.to_string()).await?;
        let (kind, name) = ("certificaterequests.cert-manager.io", "issued-web-key-vault");
        let request = self.told(kind, name, "{.spec.request}").await?;
        let issued = json!({ "status": {
            "certificate": sign(&request)?, "conditions": [{ "type": "Ready", "status": "True", "reason": "Issued" }],
        } });
        let patch = ["patch", kind, name, "-n", DEVICES, "--subresource=status", "--type=merge", "-p"];
        self.cluster.kubectl(&[&patch[..], &[&issued.to_string()]].concat(), None).await.map(drop)
    }

    /// That field of an object, when it is there.
    async fn told(&self, kind: &str, name: &str, path: &str) -> Result<String> {
        let path = format!("jsonpath={path}");
        eventually(SOON, &path, async || {
            let told = self.cluster.kubectl(&["get", kind, name, "-n", DEVICES, "-o", &path], None).await?;
            ensure!(!told.is_empty(), "{kind} {name} does not tell");
            Ok(told)
        })
        .await
    }

    async fn stop(self) -> Result<()> {
        self.seen.is_shown_rightly(&self.cluster).await?;
        self.operator.stop().await?;
        self.emulator.stop().await?;
        self.plane.stop().await
    }

    /// The accounts of the examples, pointed at the emulator; their Secrets stand in the operator's namespace.
    async fn accounts(&self) -> Result<Vec<PathBuf>> {
        self.cluster.client_secret("azure", CLIENT_SECRET).await?;
        self.cluster.access_key("huawei", ACCESS_KEY, SECRET_KEY).await?;
        let urls = &self.emulator.urls;
        let bundle = std::fs::read_to_string(&urls.ca)?;
        let endpoints = json!({
            "iotda": urls.iotda_basic, "iotdaInstance": urls.iotda, "iam": urls.iam, "signing": "Basic",
        });
        let mut files = Vec::new();
        for path in ACCOUNTS {
            let mut account: Value = serde_saphyr::from_str(&std::fs::read_to_string(example(path))?)?;
            match account["spec"].get_mut("azure") {
                Some(azure) => *azure = emulated_azure(TENANT, &azure["auth"], urls)?,
                None => {
                    account["spec"]["huaweiCloud"]["endpoints"] = endpoints.clone();
                    account["spec"]["huaweiCloud"]["caBundle"] = json!(bundle);
                }
            }
            let file = self.folder.path().join(path.replace('/', "-"));
            std::fs::write(&file, serde_saphyr::to_string(&account)?)?;
            files.push(file);
        }
        Ok(files)
    }

    /// What becomes of each object when these manifests are synced, in order.
    async fn sync(&self, flags: &[&str], files: &[PathBuf]) -> Result<Vec<Value>> {
        let script = customizations().join("_/health.lua").to_string_lossy().into_owned();
        let files: Vec<_> = files.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let args = ["sync", "--namespace", DEVICES].into_iter().chain(flags.iter().copied());
        let args: Vec<_> = args.chain([script.as_str()]).chain(files.iter().map(String::as_str)).collect();
        let outcomes = self.cluster.gitops(&args, None).await?;
        Ok(outcomes.as_array().context("no list of outcomes")?.clone())
    }

    /// What Argo CD makes of all objects.
    async fn is_healthy(&self) -> Result<()> {
        let listed = self.cluster.kubectl(&["get", CERTIFICATES, "-n", DEVICES, "-o", "json"], None).await?;
        let listed: Value = serde_json::from_str(&listed)?;
        let script = customizations().join("_/health.lua");
        let args = ["judge", &script.to_string_lossy()];
        let verdicts = self.cluster.gitops(&args, Some(&listed["items"].to_string())).await?;
        let verdicts = verdicts.as_array().context("no verdicts")?;
        ensure!(verdicts.len() >= REPOSITORY.len(), "only {} objects", verdicts.len());
        ensure!(verdicts.iter().all(|it| it["status"] == "Healthy"), "{verdicts:#?}");
        Ok(())
    }

    /// No way to compare finds a difference.
    async fn is_in_sync(&self, files: &[PathBuf]) -> Result<()> {
        let files: Vec<_> = files.iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let args: Vec<_> =
            ["diff", "--namespace", DEVICES].into_iter().chain(files.iter().map(String::as_str)).collect();
        let differences = self.cluster.gitops(&args, None).await?;
        ensure!(differences == json!([]), "out of sync: {differences:#}");
        Ok(())
    }
}

fn example(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(path)
}

fn is_account(outcome: &Value) -> bool {
    outcome["kind"] == "ClusterCloudAccount"
}

/// Accounts come before certificates, or after them.
fn come_first(outcomes: &[Value], accounts: bool) -> bool {
    outcomes.iter().skip_while(|it| is_account(it) == accounts).all(|it| is_account(it) != accounts)
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_syncs_the_examples_finds_no_difference_and_prunes_them() -> Result<()> {
    let site = Site::start().await?;
    let mut files = site.accounts().await?;
    files.extend(REPOSITORY.map(example));

    // Client-side, as Argo CD applies unless told otherwise; then server-side, over it.
    for flags in [&[][..], &["--server-side"][..]] {
        let outcomes = site.sync(flags, &files).await?;
        ensure!(outcomes.len() == ACCOUNTS.len() + REPOSITORY.len() + 1, "{outcomes:#?}");
        ensure!(outcomes.iter().all(|it| it["status"] == "Synced"), "not all is synced: {outcomes:#?}");
        let healthy = outcomes.iter().filter(|it| is_account(it)).all(|it| it["phase"] == "Succeeded");
        ensure!(healthy, "certificates did not wait for their accounts: {outcomes:#?}");
        let waves: Vec<_> = outcomes.iter().filter(|it| it["kind"] != "ConfigMap").cloned().collect();
        ensure!(come_first(&waves, true), "certificates before their accounts: {outcomes:#?}");
        if flags.is_empty() {
            site.others_sign().await?;
        }
        // A sync does not wait for what is in its last wave; the application's health does.
        let wait = ["wait", "-n", DEVICES, "--for=condition=Ready", "--timeout=120s", CERTIFICATES, "--all"];
        site.cluster.kubectl(&wait, None).await?;
        site.is_healthy().await?;
        site.is_in_sync(&files).await?;
    }

    // The action is no difference to Git.
    let action = customizations().join("IotHubCertificate/actions/sync/action.lua");
    let get = ["get", "-n", DEVICES, "iothubcertificate", "factory-root", "-o", "json"];
    let object = site.cluster.kubectl(&get, None).await?;
    let asked = site.cluster.gitops(&["act", &action.to_string_lossy()], Some(&object)).await?;
    let patch = json!({ "metadata": { "annotations": asked["metadata"]["annotations"] } }).to_string();
    let args = ["patch", "-n", DEVICES, "iothubcertificate", "factory-root", "--type=merge", "-p", &patch];
    site.cluster.kubectl(&args, None).await?;
    site.is_in_sync(&files).await?;

    let pruned = site.sync(&["--prune"], &[]).await?;
    ensure!(pruned.iter().all(|it| it["status"] == "Pruned"), "not all went: {pruned:#?}");
    let waves: Vec<_> = pruned.iter().filter(|it| it["kind"] != "ConfigMap").cloned().collect();
    ensure!(come_first(&waves, false), "accounts before their certificates: {pruned:#?}");
    let wait = ["wait", "-n", DEVICES, "--for=delete", "--timeout=60s", CERTIFICATES, "--all"];
    site.cluster.kubectl(&wait, None).await?;
    let hub = site.emulator.control_get("hubs/hub-1").await?;
    let left = hub["certificates"].as_array().into_iter().flatten().map(|it| &it["name"]);
    let stays = [json!("legacy-root"), json!("observed-root")]; // retained, and never ours
    ensure!(left.eq(&stays), "left in the hub: {hub}");
    site.stop().await
}

#[test]
fn every_example_of_a_certificate_is_synced() -> Result<()> {
    let mut found = Vec::new();
    for folder in std::fs::read_dir(example(""))? {
        let folder = folder?;
        for file in std::fs::read_dir(folder.path())? {
            let of = |it: std::ffi::OsString| it.to_string_lossy().into_owned();
            found.push(format!("{}/{}", of(folder.file_name()), of(file?.file_name())));
        }
    }
    found.retain(|it| !it.starts_with("accounts/"));
    found.sort();
    ensure!(found == REPOSITORY, "{found:#?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wave_whose_account_is_refused_holds_the_certificates_back() -> Result<()> {
    let site = Site::start().await?;
    let mut files = site.accounts().await?;
    site.cluster.client_secret("azure", "wrong").await?;
    files.push(example("iot-hub/secret.yaml"));
    let outcomes = site.sync(&[], &files).await?;
    let refused = outcomes.iter().find(|it| it["name"] == "azure").context("no account")?;
    ensure!(refused["phase"] == "Failed", "{outcomes:#?}");
    ensure!(outcomes.iter().all(is_account), "a certificate was applied: {outcomes:#?}");
    site.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_example_differs_from_what_the_api_server_keeps() -> Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let cluster = Cluster::of(&plane)?;
    cluster.install().await?;
    cluster.granting_namespace(DEVICES).await?;
    let folder = tempfile::tempdir()?;
    let files = tracked_examples(folder.path())?;
    ensure!(files.len() > 15, "only {} examples", files.len());
    let server_side = ["--server-side", "--force-conflicts", "--field-manager=argocd-controller"];
    for flags in [&[][..], &server_side] {
        for file in &files {
            cluster.kubectl(&[&["apply", "-n", DEVICES, "-f", file], flags].concat(), None).await?;
        }
        let args = ["diff", "--namespace", DEVICES].into_iter().chain(files.iter().map(String::as_str));
        let differences = cluster.gitops(&args.collect::<Vec<_>>(), None).await?;
        ensure!(differences == json!([]), "out of sync: {differences:#}");
    }
    plane.stop().await
}

/// Copies of all examples, as they are when Argo CD has marked them as its own.
fn tracked_examples(folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for examples in std::fs::read_dir(example(""))? {
        for path in std::fs::read_dir(examples?.path())? {
            let text = std::fs::read_to_string(path?.path())?;
            for mut manifest in serde_saphyr::from_multiple::<Value>(&text)? {
                manifest["metadata"]["annotations"]["argocd.argoproj.io/tracking-id"] =
                    json!(format!("certferry:{DEVICES}"));
                let file = folder.join(format!("{}.yaml", files.len()));
                std::fs::write(&file, manifest.to_string())?;
                files.push(file.to_string_lossy().into_owned());
            }
        }
    }
    Ok(files)
}
