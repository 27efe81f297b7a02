//! What the operator does when the service refuses, throttles, or loses an answer.

use anyhow::{Result, bail, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::world::{SOON, World, thumbprint};

async fn strike(world: &World, operation: &str, times: Option<u32>, action: Value) -> Result<()> {
    let fault = json!({ "operation": operation, "times": times, "action": action });
    world.emulator.control_post("faults", &fault).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_proof_is_tried_once_more_and_then_left_until_something_changes() -> Result<()> {
    let world = World::start("proof").await?;
    let refused = json!({ "answer": { "status": 400, "json": {
        "code": 400_053, "httpStatusCode": "BadRequest", "message": "errorcode: IH400053.",
    } } });
    strike(&world, "iotHubCertificates.verify", None, refused).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "ProofRejected").await?;
    ensure!(world.condition("factory-root", "Stalled").await?["status"] == "True", "it is not stalled");
    ensure!(world.count("iotHubCertificates.verify").await? == 2, "not two proofs");

    let (writes, calls) = (world.writes().await?, world.calls().await?);
    world.nudge("factory-root").await?;
    eventually(SOON, "a pass after the refusal", async || {
        ensure!(world.calls().await? > calls, "no call yet");
        Ok(())
    })
    .await?;
    ensure!(world.writes().await? == writes, "the refused step was made again");

    world.emulator.control(reqwest::Method::DELETE, "faults", None).await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_create_is_settled_by_reading() -> Result<()> {
    let world = World::start("lost").await?;
    strike(&world, "iotHubCertificates.createOrUpdate", Some(1), json!({ "cut": { "when": "after" } }))
        .await?;
    let manifest = world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Never");
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    ensure!(world.count("iotHubCertificates.createOrUpdate").await? == 1, "it was created twice");
    let origin = world
        .kubectl(&["get", "iothubcertificate", "factory-root", "-o", "jsonpath={.status.remote.origin}"])
        .await?;
    ensure!(origin == "Created", "the origin is {origin}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_write_is_repeated_after_the_time_that_the_service_names() -> Result<()> {
    let world = World::start("throttle").await?;
    let throttled = json!({ "answer": { "status": 429, "headers": { "Retry-After": "3" } } });
    strike(&world, "iotHubCertificates.createOrUpdate", Some(1), throttled).await?;
    world.settled("factory-root").await?;
    eventually(SOON, "the event", async || {
        let events = world.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]).await?;
        ensure!(events.contains("Throttled"), "{events}");
        Ok(())
    })
    .await?;
    ensure!(world.count("iotHubCertificates.createOrUpdate").await? == 2, "not one repetition");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_permission_is_named() -> Result<()> {
    let world = World::start("denied").await?;
    let role = json!([{ "scope": "/", "actions": ["Microsoft.Devices/iotHubs/certificates/Read"] }]);
    let path = format!("clients/{}/roles", certferry_rig::installation::CLIENT);
    world.emulator.control(reqwest::Method::PUT, &path, Some(&role)).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "AccessDenied").await?;
    let stalled = world.condition("factory-root", "Stalled").await?;
    let text = stalled["message"].as_str().unwrap_or_default();
    ensure!(text.contains("Microsoft.Devices/iotHubs/certificates/Write"), "{text}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_shows_its_writes_late_comes_to_the_same() -> Result<()> {
    let world = World::start("stale").await?;
    for operation in ["iotHubCertificates.createOrUpdate", "iotHubCertificates.verify"] {
        strike(&world, operation, Some(2), json!({ "stale": { "reads": 2 } })).await?;
    }
    let first = ca("Factory root 1")?;
    world.tls_secret("factory-ca", &first).await?;
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Never"))
        .await?;
    world.hub_becomes("factory-root", &thumbprint(&first)).await?;
    world.ready("factory-root").await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;
    ensure!(
        world.field("factory-root", ".status.remote.origin").await? == "Created",
        "it is not known as ours"
    );
    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_lands_after_its_answer_was_lost_does_no_harm() -> Result<()> {
    let world = World::start("late").await?;
    for operation in ["iotHubCertificates.createOrUpdate", "iotHubCertificates.delete"] {
        strike(&world, operation, Some(1), json!({ "late": { "ms": 3000 } })).await?;
    }
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Never"))
        .await?;
    world.ready("factory-root").await?;
    tokio::time::sleep(std::time::Duration::from_secs(4)).await; // by then the late one has landed
    let held = world.in_hub("factory-root").await?;
    ensure!(held.thumbprint == thumbprint(&root) && held.verified, "{held:?}");
    // Nobody can tell that it has: the object goes once it no longer could.
    world.kubectl(&["delete", world.kind, "factory-root", "--wait=false"]).await?;
    world.reason("factory-root", "Deleting").await?;
    let (kind, name) = (world.kind, "factory-root");
    eventually(SOON, "the certificate's deletion", async || {
        ensure!(world.in_hub(name).await.is_err(), "it is still in the hub");
        Ok(())
    })
    .await?;
    world.kubectl(&["get", kind, name]).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn when_one_object_is_throttled_its_account_is_left_alone() -> Result<()> {
    let world = World::start("left-alone").await?;
    world.settled("root-0").await?;
    let throttled = json!({ "answer": { "status": 429, "headers": { "Retry-After": "8" } } });
    strike(&world, "iotHubCertificates.get", Some(1), throttled).await?;
    let calls = world.calls().await?;
    world.nudge("root-0").await?;
    eventually(SOON, "the answer that asks for a pause", async || {
        ensure!(world.calls().await? == calls + 1, "not yet");
        Ok(())
    })
    .await?;
    let manifests: Vec<_> = (1..6).map(|number| world.certificate(&format!("root-{number}"))).collect();
    world.apply(&manifests.join("---\n")).await?;
    for number in 0..6 {
        world.ready(&format!("root-{number}")).await?;
    }
    let journal = world.emulator.control_get("requests").await?;
    let requests = journal["requests"].as_array().into_iter().flatten();
    let hub = requests.filter(|it| it["operation"].as_str().is_some_and(|it| it.starts_with("iotHub")));
    let mut from_the_pause = hub.skip_while(|it| it["answer"]["sent"] != 429);
    let times =
        [from_the_pause.next(), from_the_pause.next()].map(|it| it.and_then(|it| it["timeMs"].as_i64()));
    let [Some(asked), Some(next)] = times else { bail!("no call after the pause: {times:?}") };
    ensure!(next - asked >= 7_500, "the account was called again after {} ms", next - asked);
    world.stop().await
}
