//! A service that throttles while there is much to do.

use anyhow::{Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use crate::world::{SOON, World};

/// How many certificates.
const MANY: usize = 40;

#[tokio::test(flavor = "multi_thread")]
async fn forty_certificates_come_to_be_in_a_hub_that_throttles() -> Result<()> {
    let world = World::start("load").await?;
    // A tenth of what the public cloud gives.
    let bucket = |size: f64, refill: f64| json!({ "size": size, "refillPerSecond": refill });
    let tight =
        json!({ "reads": bucket(25.0, 2.5), "writes": bucket(20.0, 5.0), "deletes": bucket(20.0, 5.0) });
    world.emulator.control(Method::PATCH, "throttle", Some(&tight)).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let names: Vec<_> = (0..MANY).map(|number| format!("root-{number}")).collect();
    let manifests: Vec<_> = names.iter().map(|it| world.certificate(it)).collect();
    world.apply(&manifests.join("---\n")).await?;
    for name in &names {
        eventually(SOON * 4, "Ready=True", async || {
            let ready = world.condition(name, "Ready").await?;
            ensure!(ready["status"] == "True", "{ready}");
            Ok(())
        })
        .await?;
    }
    let requests = world.requests().await?;
    let throttled = requests.iter().filter(|it| it["answer"]["sent"] == 429).count();
    println!("{} requests, {throttled} throttled", requests.len());
    ensure!(throttled > 0, "nothing was throttled: the buckets are too large for this test");
    // Each such answer holds the whole account back; so there cannot be many.
    ensure!(throttled * 2 < requests.len(), "{throttled} of {} were throttled", requests.len());
    for name in &names {
        let held = world.in_hub(name).await?;
        ensure!(held.verified, "{name}: {held:?}");
    }
    let puts = requests.iter().filter(|it| {
        it["operation"] == "iotHubCertificates.createOrUpdate" && it["answer"]["applied"] == 201
    });
    ensure!(puts.count() == MANY, "not one create each");
    world.stop().await
}

/// In each hub, and many more than an account has passes at a time.
const SLOW: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_hardly_answers_slows_no_other_account() -> Result<()> {
    let slow = World::start("slow").await?;
    slow.crowd_that_waits(&["hub-1", "hub-2"]).await?;
    let quick = World::start("quick").await?;
    quick.settled("factory-root").await?;
    quick.stop().await?;
    slow.end_of_waiting(8).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_hardly_answers_slows_no_other_of_its_account() -> Result<()> {
    let world = World::start("slow-hub").await?;
    world.crowd_that_waits(&["hub-2"]).await?;
    world.settled("factory-root").await?;
    world.end_of_waiting(4).await
}

impl World {
    /// Objects in hubs that hardly answer, the first of which have begun to wait.
    async fn crowd_that_waits(&self, hubs: &[&str]) -> Result<()> {
        self.tls_secret("factory-ca", &ca("Factory root")?).await?;
        for hub in hubs {
            let delay = json!({
                "operation": "iotHubCertificates.*", "path": format!("/{hub}/"), "times": null,
                "action": { "delay": { "ms": 25_000, "when": "before" } },
            });
            self.emulator.control_post("faults", &delay).await?;
            let observed = |number| {
                let manifest = self.certificate(&format!("{hub}-{number}"));
                let manifest = manifest.replace("name: hub-1", &format!("name: {hub}"));
                format!("{manifest}  managementPolicy: Observe\n")
            };
            self.apply(&(0..SLOW).map(observed).collect::<Vec<_>>().join("---\n")).await?;
        }
        eventually(SOON, "a call that hangs", async || {
            ensure!(self.hanging().await? > 0);
            Ok(())
        })
        .await
    }

    /// No more of their calls than that hang at a time.
    async fn end_of_waiting(self, most: usize) -> Result<()> {
        let hanging = self.hanging().await?;
        ensure!((1..=most).contains(&hanging), "{hanging} calls hang");
        self.kubectl(&["delete", "iothubcertificates", "--all", "--wait=false"]).await?;
        self.emulator.control(Method::DELETE, "faults", None).await?;
        self.stop().await
    }

    /// The calls that have no answer yet.
    async fn hanging(&self) -> Result<usize> {
        Ok(self.requests().await?.iter().filter(|it| it["answer"].is_null()).count())
    }
}
