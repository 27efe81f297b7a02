//! The kubectl plugin, as people run it: what it prints, how it ends, and that it writes nothing to a service and tells no
//! secret.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::{CLIENT_SECRET, ca};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::instance::{INSTANCE, PROJECT};
use crate::service::SERVICE;
use crate::shared::shared;
use crate::vault::VAULT;
use crate::world::{World, thumbprint};

pub const PLUGIN: &str = env!("CARGO_BIN_EXE_kubectl-certferry");

/// How a command ended, and what it printed.
pub struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    pub fn json(&self) -> Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {} {}", self.out, self.err))
    }

    /// It ended with that code, and printed this.
    pub fn says(&self, code: i32, parts: &[&str]) -> Result<()> {
        let Self { code: ended, out, err } = self;
        ensure!(*ended == Some(code), "it ended with {ended:?}:\n{out}{err}");
        for part in parts {
            ensure!(out.contains(part) || err.contains(part), "no `{part}` in:\n{out}{err}");
        }
        Ok(())
    }
}

/// Runs a program with that kubeconfig and nothing else in its environment. No secret is ever told.
pub async fn run(program: &Path, kubeconfig: &Path, args: &[&str], stdin: &str) -> Result<Ended> {
    let mut command = Command::new(program);
    command.args(args).env_clear().env("KUBECONFIG", kubeconfig);
    command.stdin(std::process::Stdio::piped());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    child.stdin.take().context("no standard input")?.write_all(stdin.as_bytes()).await.ok();
    let output = child.wait_with_output().await?;
    let (out, err) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    for secret in [CLIENT_SECRET, "PRIVATE KEY", "\u{1b}["] {
        ensure!(!out.contains(secret) && !err.contains(secret), "`{secret}` is told by {args:?}");
    }
    Ok(Ended { code: output.status.code(), out, err })
}

impl World {
    /// The plugin, with the rights of the cluster's administrator, in the world's namespace.
    pub async fn plugin(&self, args: &[&str]) -> Result<Ended> {
        self.plugin_reading(args, "").await
    }

    async fn plugin_reading(&self, args: &[&str], stdin: &str) -> Result<Ended> {
        let kubeconfig = shared().await?.plane.admin_kubeconfig();
        let args = [&["--namespace", &self.namespace], args].concat();
        run(Path::new(PLUGIN), &kubeconfig, &args, stdin).await
    }

    /// A kubeconfig of a ServiceAccount of the namespace that may do that to certificates, and no more.
    async fn somebody(&self, name: &str, verbs: &str) -> Result<PathBuf> {
        self.kubectl(&["create", "serviceaccount", name]).await?;
        let verbs = format!("--verb={verbs}");
        self.kubectl(&["create", "role", name, &verbs, "--resource=iothubcertificates.certferry.dev"])
            .await?;
        let to = format!("--serviceaccount={}:{name}", self.namespace);
        self.kubectl(&["create", "rolebinding", name, "--role", name, &to]).await?;
        shared().await?.plane.kubeconfig_for(name, &self.namespace).await
    }

    async fn patch(&self, name: &str, spec: Value) -> Result<()> {
        let patch = json!({ "spec": spec }).to_string();
        self.kubectl(&["patch", self.kind, name, "--type=merge", "-p", &patch]).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_status_explains_a_ready_and_a_stalled_object() -> Result<()> {
    let world = World::start("plugin-status").await?;
    world.settled("factory-root").await?;
    let told = world.plugin(&["status", "iothubcertificate/factory-root"]).await?;
    told.says(
        0,
        &["factory-root: Ready", "Fingerprint:  SHA-256", "Expires:", "Verified=True", "Next:         none"],
    )?;
    let told = world.plugin(&["status", "iothubcert", "factory-root", "--remote", "-o", "json"]).await?;
    told.says(0, &[])?;
    let report = told.json()?;
    ensure!(report["state"] == "Ready" && report["service"]["isAsWanted"] == true, "{report}");
    let wanted = &report["service"]["compared"][0];
    ensure!(wanted["wanted"] == wanted["found"] && wanted["differs"] == false, "{wanted}");
    ensure!(report["events"].as_array().is_some_and(|it| !it.is_empty()), "no events: {report}");

    let foreign = json!({ "certificate": ca("Foreign root")?.certificate });
    world.tamper(Method::PUT, "other-root", Some(&foreign)).await?;
    world.apply(&world.certificate("other-root")).await?;
    world.reason("other-root", "NotOwned").await?;
    let told = world.plugin(&["status", "iothubcertificate/other-root"]).await?;
    told.says(1, &["other-root: Stalled", "`spec.adoptionPolicy`"])?;
    world.plugin(&["status", "iothubcertificate/nobody"]).await?.says(2, &["does not exist"])?;
    world.plugin(&["status", "pods/x"]).await?.says(2, &["no kind `pods`"])?;
    let account = format!("clustercloudaccount/{}", world.namespace);
    world.plugin(&["status", &account]).await?.says(0, &["Ready=True"])?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_plan_tells_the_next_write_and_makes_none() -> Result<()> {
    let world = World::start("plugin-plan").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    let manifest = world.certificate("factory-root");
    let told = world.plugin_reading(&["plan", "-f", "-"], &manifest).await?;
    told.says(1, &["not as wanted", "Create, then RequestCode, Verify", &thumbprint(&root)])?;
    ensure!(world.writes().await? == 0, "the hub was written");

    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    let writes = world.writes().await?;
    let told = world.plugin(&["plan", "iothubcert/factory-root"]).await?;
    told.says(0, &["as wanted", "no write (Ready: "])?;

    // Under `Observe` the operator does not repair what is to be seen.
    world.patch("factory-root", json!({ "managementPolicy": "Observe" })).await?;
    world.reason("factory-root", "Observed").await?;
    let foreign = ca("Foreign root")?;
    let tampered = json!({ "certificate": foreign.certificate });
    world.tamper(Method::PUT, "factory-root", Some(&tampered)).await?;
    let told = world.plugin(&["plan", "iothubcert/factory-root", "-o", "json"]).await?;
    told.says(1, &[])?;
    let plan = told.json()?;
    ensure!(plan["next"]["step"] == "Replace" && plan["isAsWanted"] == false, "{plan}");
    ensure!(plan["next"]["heldBack"]["reason"] == "DriftDetected", "{plan}");
    let compared = plan["compared"].as_array().context("nothing is compared")?;
    let differing = compared.iter().find(|it| it["differs"] == true).context("nothing differs")?;
    ensure!(differing["found"] == thumbprint(&foreign).as_str(), "{differing}");
    ensure!(world.writes().await? == writes, "the hub was written");

    let younger = world.certificate("factory-root").replace("{name: factory-root}", "{name: younger}");
    let told = world.plugin_reading(&["plan", "-f", "-"], &younger).await?;
    told.says(1, &["NameConflict", "`factory-root`"])?;
    world.patch("factory-root", json!({ "managementPolicy": "Enforce" })).await?;
    world.hub_becomes("factory-root", &thumbprint(&root)).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_users_without_a_right_are_told_which() -> Result<()> {
    let world = World::start("plugin-rights").await?;
    world.settled("factory-root").await?;
    let object = ["iothubcertificate/factory-root"];
    let nobody = world.somebody("nobody", "patch").await?;
    let told = run(Path::new(PLUGIN), &nobody, &[&["status"], &object[..]].concat(), "").await?;
    told.says(2, &["a right is missing", "cannot get resource", "iothubcertificates"])?;
    let reader = world.somebody("reader", "get,list").await?;
    let told = run(Path::new(PLUGIN), &reader, &[&["status"], &object[..]].concat(), "").await?;
    told.says(0, &["factory-root: Ready", "you may not list events"])?;
    let told = run(Path::new(PLUGIN), &reader, &[&["plan"], &object[..]].concat(), "").await?;
    told.says(2, &["Secrets may not be read by you", "`get`"])?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_sync_waits_until_the_request_is_handled() -> Result<()> {
    let world = World::start("plugin-sync").await?;
    world.settled("factory-root").await?;
    let calls = world.calls().await?;
    let told = world.plugin(&["sync", "iothubcertificate/factory-root", "-o", "json"]).await?;
    told.says(0, &[])?;
    ensure!(told.json()?["state"] == "Ready", "{}", told.out);
    ensure!(world.calls().await? > calls, "the hub was not read");
    let text = world.kubectl(&["get", world.kind, "factory-root", "-o", "json"]).await?;
    let object: Value = serde_json::from_str(&text)?;
    let asked = &object["metadata"]["annotations"]["certferry.dev/sync-requested"];
    ensure!(asked.is_string() && *asked == object["status"]["lastHandledSyncRequest"], "{object}");
    let account = format!("clustercloudaccount/{}", world.namespace);
    world.plugin(&["sync", &account]).await?.says(2, &["name a certificate"])?;
    world.stop().await
}

const HUB: &str = "/subscriptions/44444444-4444-4444-8444-444444444444/resourceGroups/rg-devices/providers/\
                   Microsoft.Devices/IotHubs/hub-1";

#[tokio::test(flavor = "multi_thread")]
async fn plugin_import_prints_manifests_that_adopt_without_a_write() -> Result<()> {
    let world = World::start("plugin-import").await?;
    let pairs = [("Plant_1.Root", ca("Plant 1")?), ("plant-2", ca("Plant 2")?)];
    for (name, pair) in &pairs {
        world.tamper(Method::PUT, name, Some(&json!({ "certificate": pair.certificate }))).await?;
    }
    let account = format!("clustercloudaccount/{}", world.namespace);
    let import = ["import", "iothubcertificate", HUB, "--account", account.as_str()];
    let told = world.plugin(&[&import[..], &["plant_1.root"]].concat()).await?;
    told.says(0, &["name: plant-1-root", &thumbprint(&pairs[0].1), "adoptionPolicy: IfIdentical"])?;
    world.tls_secret("factory-ca", &pairs[0].1).await?;
    world.apply(&told.out.replace("fill-in-the-secret", "factory-ca")).await?;
    world.ready("plant-1-root").await?;
    let origin = world.field("plant-1-root", ".status.remote.origin").await?;
    ensure!(origin == "Adopted" && world.writes().await? == 0, "{origin}, or it was written");

    // What is declared is left out, and told.
    let told = world.plugin(&[&import[..], &["--all", "-o", "json"]].concat()).await?;
    told.says(1, &["is declared by IotHubCertificate"])?;
    let list = told.json()?;
    let names: Vec<_> =
        list["items"].as_array().into_iter().flatten().map(|it| &it["metadata"]["name"]).collect();
    ensure!(names == [&json!("plant-2")], "{list}");
    ensure!(list["items"][0]["spec"]["deletionPolicy"] == "Retain", "{list}");
    world.plugin(&[&import[..], &["nobody"]].concat()).await?.says(2, &["holds no certificate `nobody`"])?;
    let odd = ["import", "iothubcertificate", "hub-1", "--all", "--account", account.as_str()];
    world.plugin(&odd).await?.says(2, &["write /subscriptions/ID/resourceGroups/GROUP"])?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_import_declares_a_vault_by_its_policies() -> Result<()> {
    let world = World::of_vaults("plugin-import").await?;
    // A page has 25.
    let names: Vec<_> = (0..26).map(|number| format!("web-{number}")).collect();
    for name in &names {
        let policy = json!({
            "key_props": { "kty": "EC", "crv": "P-256" }, "issuer": { "name": "Self" },
            "x509_props": { "subject": format!("CN={name}") },
        });
        world.tamper_vault(Method::PUT, name, json!({ "policy": policy })).await?;
    }
    let account = format!("clustercloudaccount/{}", world.namespace);
    let import = ["import", "keyvaultcertificate", VAULT, "--account", &account];
    let told = world.plugin(&[&import[..], &["--all", "-o", "json"]].concat()).await?;
    told.says(0, &[])?;
    let list = told.json()?;
    let items = list["items"].as_array().context("no items")?;
    for name in &names {
        let found = items.iter().find(|it| it["spec"]["certificateName"] == name.as_str());
        let found = found.with_context(|| format!("no {name}: {list}"))?;
        ensure!(found["spec"]["policy"]["issuer"]["name"] == "Self", "{found}");
    }
    let told = world.plugin(&[&import[..], &["web-7"]].concat()).await?;
    told.says(0, &["by: Vault"])?;
    world.apply(&told.out).await?;
    world.ready("web-7").await?;
    ensure!(world.field("web-7", ".status.remote.origin").await? == "Adopted");
    ensure!(world.only_version("web-7").await.is_ok(), "a new version was made");
    ensure!(world.writes().await? == 1, "more was written than the tags");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn plugin_import_adopts_in_an_instance_and_in_a_service() -> Result<()> {
    let world = World::of_instances("plugin-import").await?;
    let root = ca("Devices of plant 3")?;
    let planted = world.plant(&root).await?;
    let parent = format!("cn-north-4/{PROJECT}/{}/app/app-1", world.host(INSTANCE));
    let account = format!("clustercloudaccount/{}", world.huawei());
    let told =
        world.plugin(&["import", "iotdacertificate", &parent, &planted.id, "--account", &account]).await?;
    told.says(0, &["name: devices-of-plant-3", &planted.id, "appId: app-1"])?;
    let other = world.plant(&ca("Devices of plant 4")?).await?;
    let all = world.plugin(&["import", "iotdacertificate", &parent, "--all", "--account", &account]).await?;
    all.says(0, &[&planted.id, &other.id, "name: devices-of-plant-4"])?;
    world.tls_secret("ca", &root).await?;
    world.apply(&told.out.replace("fill-in-the-secret", "ca")).await?;
    world.ready("devices-of-plant-3").await?;
    ensure!(
        world.field("devices-of-plant-3", ".status.remote.id").await? == planted.id,
        "another is declared"
    );
    ensure!(world.writes().await? == 0, "the instance was written");
    world.stop().await?;

    let world = World::of_services("plugin-import").await?;
    let client = ca("client")?;
    let theirs = json!({ "certificate": client.certificate });
    world.tamper_service(Method::PUT, "held-client", Some(&theirs)).await?;
    let parent =
        HUB.replace("Microsoft.Devices/IotHubs/hub-1", &format!("Microsoft.ApiManagement/service/{SERVICE}"));
    let account = format!("clustercloudaccount/{}", world.namespace);
    let told = world
        .plugin(&["import", "apimanagementcertificate", &parent, "--all", "--account", &account])
        .await?;
    told.says(0, &["certificateId: held-client", &thumbprint(&client)])?;
    world.tls_secret("held-client", &client).await?;
    world.apply(&told.out.replace("fill-in-the-secret", "held-client")).await?;
    world.ready("held-client").await?;
    ensure!(world.field("held-client", ".status.remote.origin").await? == "Adopted");
    ensure!(world.writes().await? == 0, "the service was written");
    world.stop().await
}

#[tokio::test]
async fn plugin_completion_is_printed() -> Result<()> {
    let nowhere = Path::new("/nonexistent");
    for (shell, part) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef kubectl-certferry"),
        ("fish", "complete -c kubectl-certferry"),
        ("powershell", "Register-ArgumentCompleter"),
        ("kubectl", "kubectl certferry __complete"),
    ] {
        run(Path::new(PLUGIN), nowhere, &["completion", shell], "").await?.says(0, &[part])?;
    }
    let told = run(Path::new(PLUGIN), nowhere, &["__complete", "--", "st"], "").await?;
    ensure!(told.out == "status\n:4\n", "{}", told.out);
    Ok(())
}
