//! Whose a certificate in the hub is, and what becomes of those that are not ours.

use anyhow::{Result, ensure};
use certferry_rig::installation::{NAMESPACE, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::scope;
use crate::world::{SOON, World, thumbprint};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_adopted_under_never_not_even_the_same() -> Result<()> {
    let world = World::start("never").await?;
    let root = ca("Factory root")?;
    world.tamper(Method::PUT, "factory-root", Some(&json!({ "certificate": root.certificate }))).await?;
    world.tls_secret("factory-ca", &root).await?;
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Never"))
        .await?;
    world.says("factory-root", "NotOwned", "`spec.adoptionPolicy`").await?;
    world.delete("factory-root").await?;
    ensure!(world.in_hub("factory-root").await.is_ok(), "it was deleted");
    ensure!(world.writes().await? == 0, "something was written");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_certificate_is_deleted_when_that_is_said() -> Result<()> {
    let world = World::start("adopted-delete").await?;
    let root = ca("Factory root")?;
    let seeded = json!({ "certificate": root.certificate, "isVerified": true });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    ensure!(world.field("factory-root", ".status.remote.origin").await? == "Adopted", "it is not adopted");
    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retained_certificate_is_taken_over_without_a_write_by_a_manifest_without_status() -> Result<()> {
    let world = World::start("another-cluster").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let manifest =
        world.certificate("factory-root").replace("deletionPolicy: Delete", "deletionPolicy: Retain");
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    world.delete("factory-root").await?;
    let writes = world.writes().await?;
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    ensure!(world.field("factory-root", ".status.remote.origin").await? == "Adopted", "it is not adopted");
    ensure!(world.condition("factory-root", "Verified").await?["status"] == "True", "not verified");
    ensure!(world.writes().await? == writes, "something was written");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_certificates_beside_ours_are_never_touched() -> Result<()> {
    let world = World::start("beside").await?;
    for name in ["factory", "factory-root-2", "another"] {
        world.tamper(Method::PUT, name, Some(&json!({ "certificate": ca(name)?.certificate }))).await?;
    }
    let beside = async || {
        let hub = world.emulator.control_get("hubs/hub-1").await?;
        let all = hub["certificates"].as_array().cloned().unwrap_or_default();
        anyhow::Ok(all.into_iter().filter(|it| it["name"] != "factory-root").collect::<Vec<Value>>())
    };
    let before = beside().await?;
    ensure!(before.len() == 3, "the foreign certificates are not there");
    world.settled("factory-root").await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.tamper(Method::DELETE, "factory-root", None).await?;
    world.nudge("factory-root").await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.is_removed("factory-root").await?;
    ensure!(beside().await? == before, "a foreign certificate changed");
    world.stop().await
}

/// Two objects for one name: the older is Ready, the younger told to stand back.
async fn rivals(world: &World) -> Result<()> {
    for (name, secret) in [("older", "ca-1"), ("younger", "ca-2")] {
        world.tls_secret(secret, &ca(name)?).await?;
        let shared = if name == "older" { "shared" } else { "SHARED" };
        let manifest = world
            .certificate(name)
            .replace(&format!("certificateName: {name}"), &format!("certificateName: {shared}"))
            .replace("factory-ca", secret);
        world.apply(&manifest).await?;
        match name {
            "older" => world.ready(name).await?,
            _ => world.says(name, "NameConflict", "IotHubCertificate `older`").await?,
        }
        tokio::time::sleep(std::time::Duration::from_millis(1100)).await; // ages are told in seconds
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_objects_for_one_name_the_older_has_it_and_then_the_other() -> Result<()> {
    let world = World::start("rivals").await?;
    rivals(&world).await?;
    let writes = world.writes().await?;
    world.nudge("younger").await?;
    world.nudge("older").await?;
    ensure!(world.condition("younger", "Stalled").await?["status"] == "True", "it is not stalled");
    ensure!(world.writes().await? == writes, "the younger one wrote");
    world.delete("older").await?;
    world.ready("younger").await?;
    ensure!(world.in_hub("SHARED").await?.verified, "the younger one's is not verified");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rival_that_is_deleted_leaves_the_certificate_alone() -> Result<()> {
    let world = World::start("rival-deleted").await?;
    rivals(&world).await?;
    let held = world.in_hub("shared").await?;
    world.delete("younger").await?;
    ensure!(world.in_hub("shared").await?.thumbprint == held.thumbprint, "it changed");
    world.nudge("older").await?;
    world.ready("older").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_goes_with_everything_in_it() -> Result<()> {
    let world = World::start("namespace").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    for name in ["one", "two"] {
        world.apply(&world.certificate(name)).await?;
    }
    for name in ["one", "two"] {
        world.ready(name).await?;
    }
    if scope::is_named()? {
        // Of a namespace that was named the operator's rights go with it.
        let grant =
            ["create", "clusterrolebinding", "certferry-leaving", "--clusterrole=certferry-resources"];
        let to = format!("--serviceaccount={NAMESPACE}:certferry");
        world.cluster.kubectl(&[&grant[..], &[&to]].concat(), None).await?;
    }
    world.cluster.kubectl(&["delete", "namespace", &world.namespace, "--timeout=90s"], None).await?;
    for name in ["one", "two"] {
        ensure!(world.in_hub(name).await.is_err(), "`{name}` is still in the hub");
    }
    if scope::is_named()? {
        world.cluster.kubectl(&["delete", "clusterrolebinding", "certferry-leaving"], None).await?;
    }
    // A namespace that goes takes no events any more, and its RoleBinding may go first.
    world.stop_without_rights().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_stays_until_the_last_certificate_that_needs_it_is_gone() -> Result<()> {
    let world = World::start("account-first").await?;
    world.settled("factory-root").await?;
    let account = ["clustercloudaccount", world.namespace.as_str()];
    world.cluster.kubectl(&[&["delete", "--wait=false"], &account[..]].concat(), None).await?;
    eventually(SOON, "who uses the account", async || {
        let path = ["-o", "jsonpath={.status.conditions[?(@.type=='Ready')].message}"];
        let told = world.cluster.kubectl(&[&["get"], &account[..], &path[..]].concat(), None).await?;
        ensure!(told.contains(&format!("{}/factory-root", world.namespace)), "{told}");
        Ok(())
    })
    .await?;
    // It still serves those that need it.
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.is_removed("factory-root").await?;
    world.cluster.kubectl(&[&["wait", "--for=delete", "--timeout=60s"], &account[..]].concat(), None).await?;
    world.stop().await
}
