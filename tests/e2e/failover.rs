//! Replicas that are frozen, killed and stopped, and an API server that goes away: each test has a cluster and operators
//! of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::{ControlPlane, Options};
use certferry_rig::installation::{Cluster, ca};
use certferry_rig::operator::Operator;
use certferry_rig::ports;
use certferry_rig::wait::eventually;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::shared::binary;
use crate::world::{SOON, World, thumbprint};

/// A control plane takes half a gigabyte and a good part of a processor: two of these tests run at a time.
static TURNS: Semaphore = Semaphore::const_new(2);

/// A cluster of a test's own, with the chart installed.
pub struct Stage {
    pub plane: ControlPlane,
    pub cluster: Arc<Cluster>,
    _turn: SemaphorePermit<'static>,
}

impl Stage {
    pub async fn set() -> Result<Self> {
        let stage = Self::bare(Options::default()).await?;
        stage.cluster.install().await?;
        Ok(stage)
    }

    /// The same, with nothing installed.
    pub async fn bare(options: Options) -> Result<Self> {
        let turn = TURNS.acquire().await?;
        let plane = ControlPlane::start(Options { audit: true, ..options }).await?;
        let cluster = Arc::new(Cluster::of(&plane)?);
        Ok(Self { plane, cluster, _turn: turn })
    }

    pub async fn operator(&self, more: &[&str]) -> Result<Operator> {
        self.cluster.operator(binary(), "info", more).await
    }

    pub async fn world(&self, name: &str) -> Result<World> {
        let world = World::on(self.cluster.clone(), name).await?;
        world.tls_secret("factory-ca", &ca("Factory root 1")?).await?;
        Ok(world)
    }
}

async fn logs(operator: &Operator, text: &str) -> Result<()> {
    eventually(SOON, text, async || {
        ensure!(operator.process.log()?.contains(text), "not yet");
        Ok(())
    })
    .await
}

/// Every request to the hub that may have changed it, as operation and status.
async fn written(world: &World) -> Result<Vec<String>> {
    let journal = world.emulator.control_get("requests").await?;
    let requests = journal["requests"].as_array().cloned().unwrap_or_default();
    Ok(requests
        .iter()
        .filter(|it| {
            it["method"] != "GET" && it["operation"].as_str().is_some_and(|it| it.starts_with("iotHub"))
        })
        .map(|it| {
            it["operation"].as_str().unwrap_or_default().trim_start_matches("iotHubCertificates.").to_owned()
        })
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_frozen_in_a_write_and_woken_after_its_term_writes_no_more() -> Result<()> {
    let stage = Stage::set().await?;
    let old = stage.operator(&[]).await?;
    logs(&old, "leading").await?;
    let new = stage.operator(&[]).await?;
    let world = stage.world("frozen").await?;
    let slow = json!({
        "operation": "iotHubCertificates.createOrUpdate", "times": 1,
        "action": { "delay": { "ms": 4000, "when": "before" } },
    });
    world.emulator.control_post("faults", &slow).await?;
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Never"))
        .await?;
    eventually(SOON, "the create is on its way", async || {
        ensure!(!written(&world).await?.is_empty(), "not yet");
        Ok(())
    })
    .await?;
    old.process.signal(Signal::STOP)?;
    logs(&new, "leading").await?;
    world.ready("factory-root").await?;
    ensure!(
        world.field("factory-root", ".status.remote.origin").await? == "Created",
        "it is not known as ours"
    );

    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;
    old.process.signal(Signal::CONT)?;
    logs(&old, "the term is over").await?;
    let third = ca("Factory root 3")?;
    world.tls_secret("factory-ca", &third).await?;
    world.hub_becomes("factory-root", &thumbprint(&third)).await?;
    world.ready("factory-root").await?;
    let writes = written(&world).await?;
    let once = ["createOrUpdate", "generateVerificationCode", "verify"];
    ensure!(writes == [once, once, once].concat(), "{writes:?}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_takes_over_at_once_from_a_leader_that_ends() -> Result<()> {
    let stage = Stage::set().await?;
    let [port] = ports::free::<1>()?;
    let first = stage.operator(&[]).await?;
    logs(&first, "leading").await?;
    let second = stage.operator(&[&format!("--health-address=127.0.0.1:{port}")]).await?;
    for probe in ["readyz", "healthz"] {
        eventually(SOON, "a standby's probe", async || {
            let answer = reqwest::get(format!("http://127.0.0.1:{port}/{probe}")).await?;
            ensure!(answer.status() == 200, "{probe}: {}", answer.status());
            Ok(())
        })
        .await?;
    }
    ensure!(!second.process.log()?.contains("leading"), "two leaders");
    let world = stage.world("resigned").await?;
    // Whatever hangs: a read that is never answered.
    let hangs = json!({ "operation": "iotHubCertificates.*", "times": 1, "action": { "delay": { "ms": 60_000, "when": "before" } } });
    world.emulator.control_post("faults", &hangs).await?;
    world.apply(&world.certificate("factory-root")).await?;
    eventually(SOON, "a call that hangs", async || {
        ensure!(world.calls().await? > 0, "not yet");
        Ok(())
    })
    .await?;
    let status = first.stop().await?;
    ensure!(status.code() == Some(0), "it ended with {status}");
    logs(&second, "leading").await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_or_etcd_that_is_restarted_is_watched_on() -> Result<()> {
    let mut stage = Stage::set().await?;
    let _operator = stage.operator(&[]).await?;
    let world = stage.world("restarted").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    for (round, what) in ["API server", "etcd"].into_iter().enumerate() {
        match round {
            0 => stage.plane.restart_apiserver().await?,
            _ => stage.plane.restart_etcd().await?,
        }
        let next = ca(what)?;
        world.tls_secret("factory-ca", &next).await?;
        world.hub_becomes("factory-root", &thumbprint(&next)).await.with_context(|| what)?;
    }
    // An API server that has just begun does not know every role yet.
    world.stop_without_rights().await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_deletions_at_once_wait_for_somebodys_approval() -> Result<()> {
    let stage = Stage::set().await?;
    let operator = stage.operator(&["--max-deletes=2"]).await?;
    let world = stage.world("brake").await?;
    let names = ["one", "two", "three", "four"];
    for name in names {
        world.apply(&world.certificate(name)).await?;
    }
    for name in names {
        world.ready(name).await?;
    }
    world.kubectl(&["delete", "iothubcertificates", "--all", "--wait=false"]).await?;
    let left = async |count: usize| {
        eventually(SOON, "what is left", async || {
            let found: Value =
                serde_json::from_str(&world.kubectl(&["get", "iothubcertificates", "-o", "json"]).await?)?;
            let items = found["items"].as_array().cloned().unwrap_or_default();
            ensure!(items.len() == count, "{} left", items.len());
            for item in &items {
                ensure!(item.to_string().contains("certferry.dev/delete-approved=true"), "not told: {item}");
            }
            Ok(())
        })
        .await
    };
    left(2).await?;
    drop(operator);
    let _operator = stage.operator(&["--max-deletes=2"]).await?; // a restart is no approval
    tokio::time::sleep(Duration::from_secs(20)).await;
    left(2).await?;
    world.kubectl(&["annotate", "iothubcertificates", "--all", "certferry.dev/delete-approved=true"]).await?;
    left(0).await?;
    for name in names {
        ensure!(world.in_hub(name).await.is_err(), "`{name}` is still in the hub");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_cannot_be_read_is_told_so_and_harms_no_other() -> Result<()> {
    let stage = Stage::set().await?;
    let world = stage.world("undecodable").await?;
    let policies = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/managementPolicy/enum";
    let patch = async |policies_are: Value| {
        let patch = json!([{ "op": "replace", "path": policies, "value": policies_are }]).to_string();
        let args = ["patch", "crd", "iothubcertificates.certferry.dev", "--type=json", "-p", &patch];
        stage.cluster.kubectl(&args, None).await.map(drop)
    };
    patch(json!(["Enforce", "Observe", "Suspend", "Strange"])).await?;
    let strange = world.certificate("strange").replace("resyncInterval: 1m", "managementPolicy: Strange");
    eventually(SOON, "the loosened schema", async || world.apply(&strange).await).await?;
    patch(json!(["Enforce", "Observe", "Suspend"])).await?;
    let _operator = stage.operator(&[]).await?;
    world.apply(&world.certificate("plain")).await?;
    world.ready("plain").await?;
    world.says("strange", "SpecInvalid", "does not fit the schema").await?;
    let calls = written(&world).await?;
    ensure!(calls.len() == 3, "{calls:?}");
    world.stop().await
}
