//! The operator's own binary on a real API server, against the emulator.

mod accounts;
mod admission;
mod api_management;
mod bad_manifests;
mod chart;
mod check;
mod clock;
mod expiry;
mod failover;
mod faults;
mod gitops;
mod grants;
mod health;
mod installations;
mod instance;
mod invariants;
mod iotda;
mod key_vault;
mod key_vault_drift;
mod key_vault_exported;
mod key_vault_signed;
mod killed;
mod listings;
mod load;
mod metrics;
mod overlap;
mod ownership;
mod plugin;
mod policies;
mod proof;
mod proxy;
mod quick_start;
mod rest;
mod rights;
mod scope;
mod secrets;
mod service;
mod shared;
mod signatures;
mod taken;
mod telemetry;
mod vault;
mod vendor;
mod versions;
mod watches;
mod world;

use anyhow::{Result, ensure};
use certferry_rig::installation::{CLIENT_SECRET, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use world::{SOON, World, thumbprint};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_created_and_verified_and_deleted() -> Result<()> {
    let world = World::start("life").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    let held = world.in_hub("factory-root").await?;
    ensure!(held.thumbprint == thumbprint(&root) && held.verified, "the hub holds {held:?}");
    for (condition, status) in [("Synced", "True"), ("Verified", "True")] {
        let found = world.condition("factory-root", condition).await?;
        ensure!(found["status"] == status, "{found}");
    }
    let columns = world.kubectl(&["get", "iothubcertificate", "factory-root"]).await?;
    ensure!(columns.contains("VERIFIED") && columns.contains("EXPIRES"), "{columns}");

    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_reaches_the_hub() -> Result<()> {
    let world = World::start("rotate").await?;
    world.settled("factory-root").await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_config_map_is_uploaded_and_follows_it() -> Result<()> {
    let world = World::start("config-map").await?;
    let source = "{configMapRef: {name: factory-ca, key: ca.crt}}";
    let manifest = world
        .certificate("factory-root")
        .replace("{secretRef: {name: factory-ca}}", source)
        .replace("  verification: {proofOfPossession: {}}\n", "");
    world.apply(&manifest).await?;
    world.reason("factory-root", "ReferenceNotFound").await?;
    for name in ["Factory root 1", "Factory root 2"] {
        let root = ca(name)?;
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "factory-ca" },
            "data": { "ca.crt": root.certificate },
        });
        world.apply(&map.to_string()).await?;
        eventually(SOON, "the hub's certificate", async || {
            let held = world.in_hub("factory-root").await?;
            ensure!(held.thumbprint == thumbprint(&root) && !held.verified, "{held:?}");
            Ok(())
        })
        .await?;
    }
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_and_deletion_in_the_hub_are_repaired() -> Result<()> {
    let world = World::start("drift").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    let foreign = json!({ "certificate": ca("Foreign root")?.certificate, "isVerified": false });
    let unverified = json!({ "isVerified": false });
    for (method, body) in
        [(Method::PUT, Some(&foreign)), (Method::PATCH, Some(&unverified)), (Method::DELETE, None)]
    {
        world.tamper(method.clone(), "factory-root", body).await?;
        world.nudge("factory-root").await?;
        world.hub_becomes("factory-root", &thumbprint(&root)).await?;
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_version_of_the_api_is_spoken_when_asked() -> Result<()> {
    let world = World::start("version").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    let manifest = world
        .certificate("factory-root")
        .replace("{proofOfPossession: {}}", "{attested: {}}\n  apiVersion: \"2023-06-30\"");
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    world.hub_becomes("factory-root", &thumbprint(&root)).await?;
    ensure!(world.writes().await? == 1, "an attested upload is one write");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_told_and_heals() -> Result<()> {
    let world = World::start("missing").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "SecretNotFound").await?;
    ensure!(world.calls().await? == 0, "the hub was called for a certificate that is not there");
    world.tls_secret("factory-ca", &ca("Late root")?).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_does_not_grant_its_secrets_is_told_how_and_heals() -> Result<()> {
    let world = World::start("grant").await?;
    world.kubectl(&["delete", "rolebinding", "certferry-sources"]).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "SourcesNotGranted").await?;
    world.cluster.granting_namespace(&world.namespace).await?;
    world.ready("factory-root").await?;
    world.stop_without_rights().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_certificate_is_refused_before_any_call() -> Result<()> {
    let world = World::start("wrong-key").await?;
    let mut pair = ca("Factory root")?;
    pair.key = ca("Another root")?.key;
    world.tls_secret("factory-ca", &pair).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "KeyMismatch").await?;
    ensure!(world.calls().await? == 0, "the hub was called with a wrong key");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_secret_is_told_and_heals_when_it_is_replaced() -> Result<()> {
    let world = World::start("refused").await?;
    world.client_secret("wrong").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "AuthenticationFailed").await?;
    world.client_secret(CLIENT_SECRET).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_under_the_wanted_name_is_left_alone() -> Result<()> {
    let world = World::start("foreign").await?;
    let foreign = ca("Foreign root")?;
    let seeded = json!({ "certificate": foreign.certificate });
    world.tamper(Method::PUT, "factory-root", Some(&seeded)).await?;
    world.tls_secret("factory-ca", &ca("Our root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "NotOwned").await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    ensure!(world.in_hub("factory-root").await?.thumbprint == thumbprint(&foreign), "it changed");
    ensure!(world.writes().await? == 0, "the hub was written");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_away_is_told_and_catches_up() -> Result<()> {
    let mut world = World::start("down").await?;
    world.settled("factory-root").await?;
    world.emulator.process.stop(SOON).await?;
    // A change of the spec that the service cannot be asked about: Ready is no longer known.
    let slower = world.certificate("factory-root").replace("resyncInterval: 1m", "resyncInterval: 2m");
    world.apply(&slower).await?;
    world.reason("factory-root", "CloudUnavailable").await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.emulator.restart().await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;
    world.stop().await
}
