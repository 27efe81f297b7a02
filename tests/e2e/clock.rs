//! The machine's clock is wrong, and set right again.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::{SOON, thumbprint};

/// Calls that a look at a settled object takes at most: a read, and what a token costs.
const LOOK: usize = 3;

/// Debian's libfaketime, which the set-up installs.
fn libfaketime() -> Result<PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").context("reading /usr/lib")?;
    let found =
        folders.flatten().map(|it| it.path().join("faketime/libfaketimeMT.so.1")).find(|it| it.exists());
    found.context("libfaketime is missing: run `make setup`")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_neither_storms_nor_writes_and_set_right_all_goes_on() -> Result<()> {
    let stage = Stage::set().await?;
    let folder = tempfile::tempdir()?;
    let offset = folder.path().join("offset");
    std::fs::write(&offset, "+0")?;
    let variables = [
        ("LD_PRELOAD", libfaketime()?.display().to_string()),
        ("FAKETIME_TIMESTAMP_FILE", offset.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let env = variables.map(|(name, value)| (name.to_owned(), value)).to_vec();
    // Not to the API server's certificate is the clock told, but to the cloud's.
    let relay = stage.cluster.relay().await?;
    let operator = stage.cluster.relayed_operator(binary(), &relay, env).await?;
    let world = stage.world("clock").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    for by in ["+15m", "-15m", "+25h", "-25h", "+10y", "-10y"] {
        let (calls, writes) = (world.calls().await?, world.writes().await?);
        std::fs::write(&offset, by)?;
        world.nudge("factory-root").await?;
        tokio::time::sleep(std::time::Duration::from_secs(10)).await;
        ensure!(world.writes().await? == writes, "written at {by}");
        let made = world.calls().await? - calls;
        ensure!(made <= 10 * LOOK, "{made} calls at {by}");

        std::fs::write(&offset, "+0")?;
        let next = ca(by)?;
        world.tls_secret("factory-ca", &next).await?;
        world.hub_becomes("factory-root", &thumbprint(&next)).await.with_context(|| by)?;
        world.ready("factory-root").await.with_context(|| by)?;
    }
    let log = operator.process.log()?;
    ensure!(!log.contains("panicked"), "it panicked");
    let year = jiff::Zoned::now().year() + 10;
    ensure!(log.contains(&format!("{year}-")), "the clock never was in {year}");
    eventually(SOON, "at rest", async || world.quiet("factory-root").await).await?;
    world.stop().await
}
