//! The operator's own binary on a real API server, against the emulator.

mod world;

use std::time::Duration;

use anyhow::{Result, ensure};
use certferry_rig::wait::eventually;

use world::{World, ca};

const SOON: Duration = Duration::from_secs(40);

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_created_verified_rotated_repaired_and_deleted() -> Result<()> {
    let world = World::start("life").await?;
    let first = ca("Factory root 1");
    world.tls_secret("factory-ca", &first).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root", SOON).await?;
    let held = world.in_hub("factory-root").await?;
    ensure!(held.thumbprint == first.thumbprint && held.verified, "the hub holds {held:?}");

    let second = ca("Factory root 2");
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &second.thumbprint).await?;

    world.delete_in_hub("factory-root").await?;
    world.kubectl(&["annotate", "iothubcertificate", "factory-root", "nudge=1"]).await?;
    world.hub_becomes("factory-root", &second.thumbprint).await?;

    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    ensure!(world.in_hub("factory-root").await.is_err(), "the certificate is still in the hub");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_secret_is_told_and_heals() -> Result<()> {
    let world = World::start("missing").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "SecretNotFound", SOON).await?;
    ensure!(world.calls().await? == 0, "the hub was called for a certificate that is not there");
    world.tls_secret("factory-ca", &ca("Late root")).await?;
    world.ready("factory-root", SOON).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_another_certificate_is_refused_before_any_call() -> Result<()> {
    let world = World::start("wrong-key").await?;
    let mut pair = ca("Factory root");
    pair.key = ca("Another root").key;
    world.tls_secret("factory-ca", &pair).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "KeyMismatch", SOON).await?;
    ensure!(world.calls().await? == 0, "the hub was called with a wrong key");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_client_secret_is_told_and_heals_when_it_is_replaced() -> Result<()> {
    let world = World::start("refused").await?;
    world.client_secret("wrong").await?;
    world.tls_secret("factory-ca", &ca("Factory root")).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "AuthenticationFailed", SOON).await?;
    world.client_secret("emulator-secret").await?;
    world.ready("factory-root", SOON).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_under_the_wanted_name_is_left_alone() -> Result<()> {
    let world = World::start("foreign").await?;
    world.tls_secret("factory-ca", &ca("Foreign root")).await?;
    world
        .apply(&world.certificate("factory-root").replace("deletionPolicy: Delete", "deletionPolicy: Retain"))
        .await?;
    world.ready("factory-root", SOON).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    let foreign = world.in_hub("factory-root").await?;

    world.tls_secret("factory-ca", &ca("Our root")).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "NotOwned", SOON).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--timeout=60s"]).await?;
    ensure!(
        world.in_hub("factory-root").await?.thumbprint == foreign.thumbprint,
        "the foreign certificate changed"
    );
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_manifests_are_refused_with_the_field_named() -> Result<()> {
    let world = World::start("bad").await?;
    let good = world.certificate("factory-root");
    for (from, to, named) in [
        ("name: hub-1}", "name: ..}", "spec.iotHub.name"),
        ("certificateName: factory-root", "certificateName: a..b", "must not contain '..'"),
        ("certificateName: factory-root", "certificateName: a/b", "spec.certificateName"),
        ("resyncInterval: 1m", "resyncInterval: 59s", "at least '1m'"),
        ("{proofOfPossession: {}}", "{attested: {}}", "needs `apiVersion` '2023-06-30'"),
        ("{secretRef: {name: factory-ca}}", "{}", "exactly one of"),
    ] {
        ensure!(good.contains(from), "the manifest has no `{from}`");
        let refused = world.apply(&good.replace(from, to)).await;
        let text = format!("{:#}", refused.err().ok_or_else(|| anyhow::anyhow!("`{to}` was accepted"))?);
        ensure!(text.contains(named), "`{to}` was refused without `{named}`: {text}");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_emulator_that_goes_and_comes_back_changes_nothing_at_rest() -> Result<()> {
    let mut world = World::start("down").await?;
    world.tls_secret("factory-ca", &ca("Factory root")).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root", SOON).await?;
    let writes = world.writes().await?;
    world.emulator.restart().await?;
    world.kubectl(&["annotate", "iothubcertificate", "factory-root", "nudge=1"]).await?;
    eventually(SOON, "a read after the restart", async || {
        let calls = world.calls().await?;
        ensure!(calls > 0, "{calls} calls");
        Ok(())
    })
    .await?;
    world.ready("factory-root", SOON).await?;
    ensure!(world.writes().await? <= writes, "something was written");
    world.stop().await
}
