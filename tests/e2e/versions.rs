//! Older versions of Kubernetes, as far as the API server of the tests can be one: their APIs and feature gates, not their
//! faults.

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::Options;
use serde_json::Value;

use crate::failover::Stage;
use crate::shared::binary;

/// The oldest that it can be.
const OLDEST: &str = "33";

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_version_that_can_be_had_is_enough() -> Result<()> {
    let older =
        Options { apiserver_args: vec![format!("--emulated-version=1.{OLDEST}")], ..Options::default() };
    let stage = Stage::bare(older).await?;
    let told = stage.cluster.kubectl(&["get", "--raw", "/version"], None).await?;
    let told: Value = serde_json::from_str(&told)?;
    ensure!(told["emulationMinor"] == OLDEST, "it is another: {told}");
    stage.cluster.install().await?;
    let operator = stage.cluster.deployed_operator(binary()).await?;
    let world = stage.world("older").await?;
    world.settled("factory-root").await.with_context(|| format!("on 1.{OLDEST}"))?;
    world.is_removed("factory-root").await?;
    operator.stop().await?;
    world.stop().await
}
