//! A successor that stands beside its predecessor in the hub.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use aws_lc_rs::digest;
use certferry_rig::installation::{Pair, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use crate::bad_manifests::offline;
use crate::failover::Stage;
use crate::killed::hold;
use crate::world::{SOON, World, thumbprint};

/// The name beside a predecessor.
fn beside(name: &str, pair: &Pair) -> String {
    let sha256 = digest::digest(&digest::SHA256, &pair.der);
    let digits: String = sha256.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{name}-{digits}")
}

fn overlapping(world: &World, name: &str, grace: &str) -> String {
    world.certificate(name) + &format!("  rotation: {{strategy: Overlap, gracePeriod: {grace}}}\n")
}

/// What the hub holds under the names of one resource: thumbprint, and whether it is verified.
async fn standing(world: &World, name: &str) -> Result<BTreeMap<String, (String, bool)>> {
    let hub = world.emulator.control_get("hubs/hub-1").await?;
    let certificates = hub["certificates"].as_array().context("the hub lists no certificates")?;
    let text = |it: &serde_json::Value| it.as_str().unwrap_or_default().to_owned();
    Ok(certificates
        .iter()
        .filter(|it| it["name"].as_str().is_some_and(|it| it.starts_with(name)))
        .map(|it| (text(&it["name"]), (text(&it["thumbprint"]), it["isVerified"] == true)))
        .collect())
}

/// The hub comes to hold just these, all verified, and the resource is Ready with that name as the current one.
async fn comes_to(world: &World, name: &str, current: &str, all: &[(&str, &Pair)]) -> Result<()> {
    let expected: BTreeMap<_, _> =
        all.iter().map(|(name, pair)| ((*name).to_owned(), (thumbprint(pair), true))).collect();
    eventually(SOON, "what stands in the hub", async || {
        let found = standing(world, name).await?;
        ensure!(found == expected, "{found:?} instead of {expected:?}");
        let ready = world.condition(name, "Ready").await?;
        ensure!(ready["status"] == "True", "{ready}");
        let id = world.field(name, ".status.remote.id").await?;
        ensure!(id.ends_with(&format!("/{current}")), "{id} instead of {current}");
        let retiring = world.field(name, ".status.retiring[*].until").await?;
        let count = retiring.split_whitespace().count();
        ensure!(count + 1 == all.len(), "retiring: {retiring}");
        Ok(())
    })
    .await
}

/// The writes that took effect so far, as operation and name.
async fn written(world: &World) -> Result<Vec<String>> {
    let requests = world.requests().await?;
    let took_effect = requests.iter().filter(|it| {
        it["method"] != "GET" && matches!(it["answer"]["applied"].as_u64(), Some(status) if status < 300)
    });
    Ok(took_effect
        .map(|it| {
            let path = it["path"].as_str().unwrap_or_default();
            let name = path.split("/certificates/").nth(1).and_then(|it| it.split('/').next());
            let operation = it["operation"].as_str().unwrap_or_default();
            let operation = operation.trim_start_matches("iotHubCertificates.");
            format!("{operation} {}", name.unwrap_or_default())
        })
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_one_goes_after_the_new_one_is_verified_and_the_grace_time_is_over() -> Result<()> {
    let world = World::start("overlap").await?;
    let (first, second) = (ca("Root 1")?, ca("Root 2")?);
    world.tls_secret("factory-ca", &first).await?;
    world.apply(&overlapping(&world, "root", "0s")).await?;
    comes_to(&world, "root", "root", &[("root", &first)]).await?;
    let before = written(&world).await?.len();

    world.tls_secret("factory-ca", &second).await?;
    let new = beside("root", &second);
    comes_to(&world, "root", &new, &[(&new, &second)]).await?;
    let order = ["createOrUpdate", "generateVerificationCode", "verify"].map(|it| format!("{it} {new}"));
    let expected = [order.as_slice(), &["delete root".to_owned()]].concat();
    let found = written(&world).await?.split_off(before);
    ensure!(found == expected, "{found:?}");
    world.quiet("root").await?;
    world.delete("root").await?;
    ensure!(standing(&world, "root").await?.is_empty(), "something is left");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_the_grace_time_all_stand_and_a_source_that_is_back_finds_its_own() -> Result<()> {
    let world = World::start("grace").await?;
    let (first, second, third) = (ca("Root 1")?, ca("Root 2")?, ca("Root 3")?);
    world.tls_secret("factory-ca", &first).await?;
    world.apply(&overlapping(&world, "root", "1h")).await?;
    world.ready("root").await?;
    let (two, three) = (beside("root", &second), beside("root", &third));

    world.tls_secret("factory-ca", &second).await?;
    comes_to(&world, "root", &two, &[("root", &first), (&two, &second)]).await?;
    let until = world.field("root", ".status.retiring[0].until").await?;
    let left = until.parse::<jiff::Timestamp>()?.duration_since(jiff::Timestamp::now()).as_secs();
    ensure!((3000..=3600).contains(&left), "{until} is in {left} s");
    world.quiet("root").await?;

    let all = [("root", &first), (two.as_str(), &second), (three.as_str(), &third)];
    world.tls_secret("factory-ca", &third).await?;
    comes_to(&world, "root", &three, &all).await?;
    ensure!(world.field("root", ".status.retiring[0].until").await? == until, "its time began anew");
    let writes = world.writes().await?;
    world.tls_secret("factory-ca", &first).await?;
    comes_to(&world, "root", "root", &all).await?;
    ensure!(world.writes().await? == writes, "written though all stand there");

    // At rest a read for each.
    let calls = world.calls().await?;
    world.nudge("root").await?;
    eventually(SOON, "a look", async || {
        ensure!(world.calls().await? >= calls + 3);
        Ok(())
    })
    .await?;
    ensure!(world.calls().await? == calls + 3, "more than a read for each");
    world.delete("root").await?;
    ensure!(standing(&world, "root").await?.is_empty(), "something is left");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_successor_that_never_served_leaves_no_trace() -> Result<()> {
    let world = World::start("never-served").await?;
    let (first, second, third) = (ca("Root 1")?, ca("Root 2")?, ca("Root 3")?);
    let good = overlapping(&world, "root", "1h");
    world.tls_secret("factory-ca", &first).await?;
    world.apply(&good).await?;
    world.ready("root").await?;
    let (two, three) = (beside("root", &second), beside("root", &third));

    // The hub refuses the proof: nothing but the intent tells whose it is.
    let refused = json!({ "operation": "iotHubCertificates.verify", "times": null, "action": { "answer": {
        "status": 400, "json": { "code": 400_053, "message": "errorcode: IH400053." },
    } } });
    world.emulator.control_post("faults", &refused).await?;
    world.tls_secret("factory-ca", &second).await?;
    world.reason("root", "ProofRejected").await?;
    ensure!(standing(&world, "root").await?.len() == 2, "the new one does not stand beside");
    world.emulator.control(Method::DELETE, "faults", None).await?;
    world.tls_secret("factory-ca", &third).await?;
    comes_to(&world, "root", &three, &[("root", &first), (&three, &third)]).await?;

    // A signature is waited for: the new one is recorded, and devices go by the old ones.
    let waits = "{proofOfPossession: {signedCertificateSecretRef: {name: proof, key: tls.crt}}}";
    world.apply(&good.replace("{proofOfPossession: {}}", waits)).await?;
    world.tls_secret("factory-ca", &second).await?;
    world.reason("root", "SecretNotFound").await?;
    eventually(SOON, "the code of the new one", async || {
        let id = world.field("root", ".status.remote.id").await?;
        ensure!(
            id.ends_with(&two) && !world.field("root", ".status.verificationCode.code").await?.is_empty()
        );
        Ok(())
    })
    .await?;
    let untils = world.field("root", ".status.retiring[*].until").await?;
    ensure!(untils.split_whitespace().count() == 1, "the successor does not serve yet: {untils}");
    world.tls_secret("factory-ca", &third).await?;
    comes_to(&world, "root", &three, &[("root", &first), (&three, &third)]).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_under_the_successors_name_is_left_alone() -> Result<()> {
    let world = World::start("foreign-beside").await?;
    let (first, second, foreign) = (ca("Root 1")?, ca("Root 2")?, ca("Foreign root")?);
    let new = beside("root", &second);
    world.tamper(Method::PUT, &new, Some(&json!({ "certificate": foreign.certificate }))).await?;
    world.tls_secret("factory-ca", &first).await?;
    let manifest = overlapping(&world, "root", "0s");
    world.apply(&manifest).await?;
    world.ready("root").await?;
    world.tls_secret("factory-ca", &second).await?;
    world.says("root", "NotOwned", &new).await?;
    // In place again, no name but the current one matters.
    world.apply(&manifest.replace("{strategy: Overlap, gracePeriod: 0s}", "{strategy: InPlace}")).await?;
    world.hub_becomes("root", &thumbprint(&second)).await?;
    world.ready("root").await?;
    world.delete("root").await?;
    let left = standing(&world, "root").await?;
    ensure!(left.len() == 1 && left[&new].0 == thumbprint(&foreign), "{left:?}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn in_place_again_the_current_name_is_kept() -> Result<()> {
    let world = World::start("in-place-again").await?;
    let (first, second, third) = (ca("Root 1")?, ca("Root 2")?, ca("Root 3")?);
    world.tls_secret("factory-ca", &first).await?;
    let manifest = overlapping(&world, "root", "0s");
    world.apply(&manifest).await?;
    world.ready("root").await?;
    world.tls_secret("factory-ca", &second).await?;
    let new = beside("root", &second);
    comes_to(&world, "root", &new, &[(&new, &second)]).await?;
    world.apply(&manifest.replace("{strategy: Overlap, gracePeriod: 0s}", "{strategy: InPlace}")).await?;
    world.tls_secret("factory-ca", &third).await?;
    comes_to(&world, "root", &new, &[(&new, &third)]).await?;
    world.delete("root").await?;
    ensure!(standing(&world, "root").await?.is_empty(), "something is left");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_use_one_name_only_does_not_write_another() -> Result<()> {
    let world = World::start("overlap-targets").await?;
    let target = format!("iothub/{}/rg-devices/hub-1/root", crate::world::SUBSCRIPTION);
    let tenant = certferry_rig::installation::TENANT;
    let allowed = |targets: &[&str]| json!({ "allowedTargets": targets });
    world.account_of(tenant, &world.by_secret(), allowed(&[&target])).await?;
    world.tls_secret("factory-ca", &ca("Root 1")?).await?;
    world.apply(&overlapping(&world, "root", "0s")).await?;
    world.says("root", "AccountNotAllowed", "root-*").await?;
    ensure!(world.writes().await? == 0, "the hub was written");
    let more = format!("{target}-*");
    world.account_of(tenant, &world.by_secret(), allowed(&[&target, &more])).await?;
    world.ready("root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leaves_no_room_for_the_fingerprint_is_refused() -> Result<()> {
    let world = World::start("overlap-names").await?;
    for (length, fits) in [(55, true), (56, false)] {
        let name = "r".repeat(length);
        let named = overlapping(&world, &name, "1h");
        let unnamed = named.replace(&format!("  certificateName: {name}\n"), "");
        for manifest in [named, unnamed] {
            let offline = offline(&serde_saphyr::from_str(&manifest)?)?;
            ensure!(offline.is_none() == fits, "{length}: {offline:?}");
            let applied = world.apply(&manifest).await;
            ensure!(applied.is_ok() == fits, "{length}: {applied:?}");
            if let Err(why) = applied {
                ensure!(format!("{why:#}").contains("certificateName"), "{why:#}");
            }
            world.kubectl(&["delete", world.kind, &name, "--ignore-not-found", "--timeout=60s"]).await?;
        }
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_call_of_an_overlapping_rotation_it_leaves_just_what_is_wanted() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("overlap-killed").await?;
    let mut killed = 0;
    // A clean run makes so many calls: nine until the successor is recorded, five until the old one is gone; then two
    // reads before each deletion, and after the last. For `again`, the source changes while nobody looks.
    for (work, calls) in [("rotate", 14), ("again", 9), ("delete", 8)] {
        for call in 0..calls {
            let name = format!("{work}-{call}");
            let secret = format!("ca-{name}");
            let [first, second, third] = [ca("Root 1")?, ca("Root 2")?, ca("Root 3")?];
            let grace = if work == "delete" { "1h" } else { "0s" };
            let manifest = overlapping(&world, &name, grace).replace("factory-ca", &secret);
            let mut operator = stage.operator(&alone).await?;
            world.tls_secret(&secret, &first).await?;
            world.apply(&manifest).await?;
            world.ready(&name).await?;
            let new = beside(&name, &second);
            if work == "delete" {
                world.tls_secret(&secret, &second).await?;
                comes_to(&world, &name, &new, &[(&name, &first), (&new, &second)]).await?;
            }
            let held = hold(&world, "iotHubCertificates.*", call).await?;
            if work == "delete" {
                world.kubectl(&["delete", world.kind, &name, "--wait=false"]).await?;
            } else {
                world.tls_secret(&secret, &second).await?;
            }
            held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
            killed += 1;
            if work == "again" {
                world.tls_secret(&secret, &third).await?;
            }
            let operator = stage.operator(&alone).await?;
            if work == "delete" {
                let object = format!("{}/{name}", world.kind);
                world.kubectl(&["wait", "--for=delete", "--timeout=90s", &object]).await?;
            } else {
                let last = if work == "again" { &third } else { &second };
                let new = beside(&name, last);
                comes_to(&world, &name, &new, &[(&new, last)]).await.with_context(|| name.clone())?;
                let origin = world.field(&name, ".status.remote.origin").await?;
                ensure!(origin == "Created", "{name} is {origin}");
            }
            if work == "again" {
                // The unanswered upload holds up a deletion for ten minutes; the invariants see to what is left.
                let suspended = r#"{"spec": {"managementPolicy": "Suspend"}}"#;
                world.kubectl(&["patch", world.kind, &name, "--type=merge", "-p", suspended]).await?;
                world.reason(&name, "Suspended").await?;
            } else {
                world.is_removed(&name).await?;
                let left = standing(&world, &name).await?;
                ensure!(left.is_empty(), "{name}: {left:?}");
            }
            operator.stop().await?;
        }
    }
    println!("killed {killed} times");
    world.stop().await
}
