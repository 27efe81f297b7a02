//! A service that throttles while there is much to do.

use anyhow::{Result, ensure};
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
    world.tls_secret("factory-ca", &certferry_rig::installation::ca("Factory root")?).await?;
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

/// So many that they would keep all workers for longer than the other test's patience: a pass over each takes as long as
/// a pass may.
const SLOW: usize = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_hardly_answers_slows_no_other_account() -> Result<()> {
    let slow = World::start("slow").await?;
    let delay = json!({ "operation": "iotHubCertificates.*", "times": null, "action": { "delay": { "ms": 25_000, "when": "before" } } });
    slow.emulator.control_post("faults", &delay).await?;
    slow.tls_secret("factory-ca", &certferry_rig::installation::ca("Factory root")?).await?;
    let observed =
        |number| format!("{}  managementPolicy: Observe\n", slow.certificate(&format!("root-{number}")));
    let manifests: Vec<_> = (0..SLOW).map(observed).collect();
    slow.apply(&manifests.join("---\n")).await?;
    eventually(SOON, "a call that hangs", async || {
        ensure!(slow.count("iotHubCertificates.get").await? > 0);
        Ok(())
    })
    .await?;

    let quick = World::start("quick").await?;
    quick.settled("factory-root").await?;
    quick.stop().await?;

    slow.kubectl(&["delete", "iothubcertificates", "--all", "--wait=false"]).await?;
    slow.emulator.control(Method::DELETE, "faults", None).await?;
    slow.stop().await
}
