//! What the operator may do: management, adoption and deletion policies, and the request for a pass now.

use anyhow::{Result, ensure};
use certferry_rig::installation::{CLIENT_SECRET, NAMESPACE, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use crate::world::{SOON, World, thumbprint};

#[tokio::test(flavor = "multi_thread")]
async fn who_only_observes_tells_the_drift_and_writes_nothing() -> Result<()> {
    let world = World::start("observe").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    let observing =
        world.certificate("factory-root").replace("resyncInterval: 1m", "managementPolicy: Observe");
    world.apply(&observing).await?;
    world.reason("factory-root", "DriftDetected").await?;
    let planned = ["get", "iothubcertificate", "factory-root", "-o", "jsonpath={.status.plannedWrite}"];
    ensure!(world.kubectl(&planned).await? == "Create", "the planned write is not told");

    let seeded = json!({ "certificate": root.certificate, "isVerified": true });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    world.nudge("factory-root").await?;
    world.reason("factory-root", "Observed").await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    ensure!(world.in_hub("factory-root").await.is_ok(), "an observed certificate was deleted");
    ensure!(world.writes().await? == 0, "something was written");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_makes_no_call_and_keeps_what_was_seen() -> Result<()> {
    let world = World::start("suspend").await?;
    world.tls_secret("factory-ca", &ca("Factory root 1")?).await?;
    let enforcing = world.certificate("factory-root");
    let suspended = enforcing.replace("resyncInterval: 1m", "managementPolicy: Suspend");
    world.apply(&enforcing).await?;
    world.ready("factory-root").await?;
    world.apply(&suspended).await?;
    world.reason("factory-root", "Suspended").await?;
    let calls = world.calls().await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.reason("factory-root", "DeletionBlocked").await?;
    ensure!(world.calls().await? == calls, "a suspended object made a call");
    world.apply(&enforcing).await?;
    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_identical_certificate_is_adopted_without_a_write_and_retained() -> Result<()> {
    let world = World::start("adopt").await?;
    let root = ca("Factory root")?;
    let seeded = json!({ "certificate": root.certificate, "isVerified": true });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    world.tls_secret("factory-ca", &root).await?;
    let manifest = world.certificate("factory-root").replace("  deletionPolicy: Delete\n", "");
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    let origin = ["get", "iothubcertificate", "factory-root", "-o", "jsonpath={.status.remote.origin}"];
    ensure!(world.kubectl(&origin).await? == "Adopted", "it is not adopted");
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    ensure!(world.in_hub("factory-root").await.is_ok(), "an adopted certificate was deleted");
    ensure!(world.writes().await? == 0, "something was written");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_is_replaced_only_when_that_is_said() -> Result<()> {
    let world = World::start("always").await?;
    let seeded = json!({ "certificate": ca("Foreign root")?.certificate });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    let always = world.certificate("factory-root").replace("resyncInterval: 1m", "adoptionPolicy: Always");
    world.apply(&always).await?;
    world.hub_becomes("factory-root", &thumbprint(&root)).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_certificate_blocks_its_deletion_until_somebody_decides() -> Result<()> {
    let world = World::start("blocked").await?;
    world.settled("factory-root").await?;
    let manifest = world.certificate("factory-root");
    // Suspended meanwhile, so that no pass repairs the drift before the deletion.
    world.apply(&manifest.replace("resyncInterval: 1m", "managementPolicy: Suspend")).await?;
    world.reason("factory-root", "Suspended").await?;
    let foreign = ca("Foreign root")?;
    let seeded = json!({ "certificate": foreign.certificate });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.says("factory-root", "DeletionBlocked", "suspended").await?;
    world.apply(&manifest).await?;
    world.says("factory-root", "DeletionBlocked", "another certificate").await?;
    world.apply(&manifest.replace("deletionPolicy: Delete", "deletionPolicy: Retain")).await?;
    world.kubectl(&["wait", "--for=delete", "--timeout=60s", "iothubcertificate/factory-root"]).await?;
    ensure!(world.in_hub("factory-root").await?.thumbprint == thumbprint(&foreign), "it changed");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deletion_without_credentials_is_told_and_heals() -> Result<()> {
    let world = World::start("no-secret").await?;
    world.settled("factory-root").await?;
    world.cluster.kubectl(&["delete", "secret", &world.namespace, "-n", NAMESPACE], None).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.reason("factory-root", "DeletionBlocked").await?;
    let blocked = world.condition("factory-root", "Ready").await?.to_string();
    ensure!(blocked.contains("'Retain'") && blocked.contains("SecretNotFound"), "{blocked}");
    world.client_secret(CLIENT_SECRET).await?;
    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_request_is_answered_once_and_echoed() -> Result<()> {
    let world = World::start("sync").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    world.tamper(Method::DELETE, "factory-root", None).await?;
    let request = "certferry.dev/sync-requested=2026-01-01T00:00:00Z";
    world.kubectl(&["annotate", "iothubcertificate", "factory-root", request]).await?;
    world.hub_becomes("factory-root", &thumbprint(&root)).await?;
    eventually(SOON, "the echo", async || {
        let path = "jsonpath={.status.lastHandledSyncRequest}";
        let echo = world.kubectl(&["get", "iothubcertificate", "factory-root", "-o", path]).await?;
        ensure!(echo == "2026-01-01T00:00:00Z", "{echo}");
        Ok(())
    })
    .await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_finalizer_follows_the_policy() -> Result<()> {
    let world = World::start("policy").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let deleting = world.certificate("factory-root");
    let retaining = deleting.replace("deletionPolicy: Delete", "deletionPolicy: Retain");
    let finalizers = async |expected: &str| {
        eventually(SOON, "the finalizer", async || {
            let path = "jsonpath={.metadata.finalizers}";
            let found = world.kubectl(&["get", "iothubcertificate", "factory-root", "-o", path]).await?;
            ensure!(found == expected, "{found}");
            Ok(())
        })
        .await
    };
    world.apply(&retaining).await?;
    world.ready("factory-root").await?;
    finalizers("").await?;
    world.apply(&deleting).await?;
    finalizers(r#"["certferry.dev/cleanup"]"#).await?;
    world.apply(&retaining).await?;
    finalizers("").await?;
    world.apply(&deleting).await?;
    finalizers(r#"["certferry.dev/cleanup"]"#).await?;
    world.is_removed("factory-root").await?;
    world.stop().await
}
