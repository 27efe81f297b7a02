//! What is told of a certificate's validity, at the moments when it changes.

use std::time::{Duration, SystemTime};

use anyhow::{Result, ensure};
use certferry_rig::installation::{Pair, ca};
use certferry_rig::wait::eventually;

use crate::world::{SOON, World};

/// A CA that is valid from and until so many seconds from now.
fn valid(from: i64, until: i64) -> Result<Pair> {
    let moment = |seconds: i64| {
        let offset = Duration::from_secs(seconds.unsigned_abs());
        let now = SystemTime::now();
        if seconds < 0 { now - offset } else { now + offset }.into()
    };
    certferry_rig::installation::ca_with("Short root", |params| {
        params.not_before = moment(from);
        params.not_after = moment(until);
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_told_as_expiring_and_then_as_expired() -> Result<()> {
    let world = World::start("expiry").await?;
    world.tls_secret("factory-ca", &valid(-60, 75)?).await?;
    let manifest = world.certificate("factory-root").replace("resyncInterval: 1m", "renewBefore: 1m");
    world.apply(&manifest).await?;
    world.ready("factory-root").await?;
    ensure!(world.condition("factory-root", "Ready").await?["reason"] == "Ready", "expiring already");
    ensure!(!world.field("factory-root", ".status.renewalTime").await?.is_empty(), "no renewal time");
    world.says("factory-root", "Expiring", "put a newer one").await?;
    ensure!(world.condition("factory-root", "Ready").await?["status"] == "True", "not usable any more");
    world.says("factory-root", "CertificateExpired", "put a newer one").await?;
    ensure!(world.condition("factory-root", "Stalled").await?["status"] == "True", "not stalled");
    eventually(SOON, "the events", async || {
        let events = world.kubectl(&["get", "events", "-o", "jsonpath={.items[*]['type','reason']}"]).await?;
        ensure!(events.contains("Expiring") && events.contains("CertificateExpired"), "{events}");
        Ok(())
    })
    .await?;
    world.tls_secret("factory-ca", &ca("Factory root 2")?).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_the_future_becomes_ready_when_it_becomes_valid() -> Result<()> {
    let world = World::start("future").await?;
    world.tls_secret("factory-ca", &valid(25, 86400 * 90)?).await?;
    world
        .apply(&world.certificate("factory-root").replace("  verification: {proofOfPossession: {}}\n", ""))
        .await?;
    world.says("factory-root", "CertificateNotYetValid", "becomes valid at").await?;
    ensure!(world.condition("factory-root", "Synced").await?["status"] == "True", "it is not in place");
    let calls = world.calls().await?;
    world.ready("factory-root").await?;
    ensure!(world.calls().await? == calls + 1, "not one read, just then");
    world.stop().await
}
