//! A changed certificate: the old one stays until the new one is verified and its time is over. Nothing is deleted first.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use super::{UPDATE, UPLOAD, as_set};
use crate::instance::{INSTANCE, TEMPLATE, all_settings};
use crate::world::{SOON, World, thumbprint};

const VERIFY: &str = "iotdaCertificates.verify";

fn grace(period: &str) -> Value {
    json!({ "rotation": { "gracePeriod": period } })
}

/// The only certificate that retires, as the status has it.
async fn retiring(world: &World) -> Result<Value> {
    let listed = world.field("devices", ".status.retiring").await?;
    let listed: Vec<Value> = if listed.is_empty() { Vec::new() } else { serde_json::from_str(&listed)? };
    let [one] = listed.as_slice() else { anyhow::bail!("{listed:?}") };
    Ok(one.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_goes_once_the_new_one_is_verified_and_set() -> Result<()> {
    let world = World::of_instances("rotate").await?;
    let (first, second) = (ca("devices")?, ca("devices")?); // of the same name and dates
    let mut members = all_settings();
    members["rotation"] = json!({ "gracePeriod": "0s" });
    // A certificate is not deleted while a template is bound to it.
    world.switch(json!({ "deleteWhileBound": "refused" })).await?;
    world.uploaded(&first, members).await?;
    world.tls_secret("ca", &second).await?;
    world.holds(&[&second]).await?;
    world.settings_become(&as_set()).await?;
    world.ready("devices").await?;
    let once = ["upload", "verify", "update"];
    let expected = [once.as_slice(), &once, &["update", "delete"]].concat();
    ensure!(world.written().await? == expected, "{:?}", world.written().await?);
    ensure!(world.field("devices", ".status.certificate.sha1Thumbprint").await? == thumbprint(&second));
    eventually(SOON, "nothing retires", async || {
        ensure!(world.field("devices", ".status.retiring").await?.is_empty());
        Ok(())
    })
    .await?;
    world.quiet("devices").await?;
    world.delete("devices").await?;
    ensure!(world.all_in(INSTANCE).await?.is_empty(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_stays_for_the_grace_time_and_may_come_back() -> Result<()> {
    let world = World::of_instances("grace").await?;
    let (first, second) = (ca("first")?, ca("second")?);
    world.uploaded(&first, grace("1h")).await?;
    let old = world.only_in(INSTANCE).await?;
    world.tls_secret("ca", &second).await?;
    world.holds(&[&first, &second]).await?;
    eventually(SOON, "the old one retires", async || {
        let entry = retiring(&world).await?;
        let until: jiff::Timestamp = entry["until"].as_str().context("no time")?.parse()?;
        let left = until.duration_since(jiff::Timestamp::now());
        ensure!(entry["id"] == old.id && (3000..=3600).contains(&left.as_secs()), "{entry}");
        Ok(())
    })
    .await?;
    world.ready("devices").await?;
    world.quiet("devices").await?;

    // The first one again: it is there, and the second one retires.
    let writes = world.writes().await?;
    world.tls_secret("ca", &first).await?;
    eventually(SOON, "the first one again", async || {
        ensure!(world.field("devices", ".status.remote.id").await? == old.id);
        ensure!(retiring(&world).await?["id"] != old.id);
        Ok(())
    })
    .await?;
    world.ready("devices").await?;
    world.holds(&[&first, &second]).await?;
    ensure!(world.writes().await? == writes, "it was written though all stood there");

    // The time may be shortened only for what begins to retire; both go with the object.
    world.delete("devices").await?;
    ensure!(world.all_in(INSTANCE).await?.is_empty(), "something is left");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_removed_when_its_time_is_over_without_a_nudge() -> Result<()> {
    let world = World::of_instances("due").await?;
    let (first, second) = (ca("first")?, ca("second")?);
    let mut members = grace("8s");
    members["resyncInterval"] = "24h".into();
    world.uploaded(&first, members).await?;
    world.tls_secret("ca", &second).await?;
    world.holds(&[&first, &second]).await?;
    world.ready("devices").await?;
    world.holds(&[&second]).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_stays_while_the_new_one_cannot_be_verified() -> Result<()> {
    let world = World::of_instances("unproven").await?;
    let (first, second) = (ca("first")?, ca("second")?);
    world.uploaded(&first, grace("0s")).await?;
    let refusal = json!({
        "operation": VERIFY, "times": null,
        "action": { "answer": { "status": 400, "json": { "error_code": "IOTDA.014308", "error_msg": "no" } } },
    });
    world.emulator.control_post("faults", &refusal).await?;
    world.tls_secret("ca", &second).await?;
    world.says("devices", "ProofRejected", "IOTDA.014308").await?;
    for _ in 0..2 {
        world.nudge("devices").await?;
    }
    let all = world.all_in(INSTANCE).await?;
    ensure!(all.len() == 2 && all[0].verified && !all[1].verified, "{all:?}");
    ensure!(world.count(VERIFY).await? == 2, "what was refused was sent again");
    world.emulator.control(Method::DELETE, "faults", None).await?;
    world.kubectl(&["annotate", world.kind, "devices", "certferry.dev/sync-requested=again"]).await?;
    world.holds(&[&second]).await?;
    world.ready("devices").await?;
    ensure!(world.written().await?.last().is_some_and(|it| it == "delete"));
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_manages_moves_to_the_new_one() -> Result<()> {
    let world = World::of_instances("inherit").await?;
    let (first, second) = (ca("first")?, ca("second")?);
    world.uploaded(&first, grace("0s")).await?;
    let by_hand = json!({ "settings": { "provisionEnable": true, "templateId": TEMPLATE } });
    world.tamper_instance(Method::PATCH, Some(&by_hand)).await?;
    world.tls_secret("ca", &second).await?;
    world.holds(&[&second]).await?;
    world.settings_become(&json!({ "provisionEnable": true, "templateId": TEMPLATE })).await?;
    ensure!(world.count(UPLOAD).await? == 2);
    ensure!(world.count(UPDATE).await? == 2, "more than the new one's settings and the old one's release");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_for_a_source_that_changed_back_is_no_orphan() -> Result<()> {
    let world = World::of_instances("back").await?;
    let (first, second) = (ca("first")?, ca("second")?);
    world.uploaded(&first, grace("1h")).await?;
    let late = json!({ "operation": UPLOAD, "action": { "late": { "ms": 5000 } } });
    world.emulator.control_post("faults", &late).await?;
    world.tls_secret("ca", &second).await?;
    eventually(SOON, "the upload", async || {
        ensure!(world.count(UPLOAD).await? == 2);
        Ok(())
    })
    .await?;
    world.tls_secret("ca", &first).await?;
    eventually(SOON, "the upload is undone", async || {
        ensure!(
            world.written().await?.last().is_some_and(|it| it == "delete"),
            "{:?}",
            world.written().await?
        );
        Ok(())
    })
    .await?;
    world.holds(&[&first]).await?;
    world.ready("devices").await?;
    world.stop().await
}
