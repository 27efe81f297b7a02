//! Watches that go wrong on their way from the API server.

use anyhow::{Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::{SOON, World, thumbprint};

/// What the source's change comes to.
async fn follows(world: &World, name: &str) -> Result<()> {
    let next = ca(name)?;
    world.tls_secret("factory-ca", &next).await?;
    world.hub_becomes("factory-root", &thumbprint(&next)).await?;
    world.ready("factory-root").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_says_nothing_any_more_is_opened_anew() -> Result<()> {
    let stage = Stage::set().await?;
    let relay = stage.cluster.relay().await?;
    let _operator = stage.cluster.relayed_operator(binary(), &relay, vec![]).await?;
    let world = stage.world("silent").await?;
    // No look of its own may come to the same.
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "resyncInterval: 24h"))
        .await?;
    world.ready("factory-root").await?;
    relay.silence_watches();
    follows(&world, "Factory root 2").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_asks_for_what_is_too_old_lists_again() -> Result<()> {
    const MANY: usize = 60;
    let stage = Stage::set().await?;
    let relay = stage.cluster.relay().await?;
    let _operator = stage.cluster.relayed_operator(binary(), &relay, vec![]).await?;
    let world = stage.world("expired").await?;
    world
        .apply(&world.certificate("factory-root").replace("resyncInterval: 1m", "resyncInterval: 24h"))
        .await?;
    world.ready("factory-root").await?;
    relay.expire_watches(MANY);
    // Among listings alone, whose watches all fail.
    follows(&world, "Factory root 2").await?;
    eventually(SOON, "all of them", async || {
        ensure!(relay.expired() == MANY, "{} told", relay.expired());
        Ok(())
    })
    .await?;
    // By a watch again.
    follows(&world, "Factory root 3").await?;
    world.stop().await
}
