//! What has to hold after every run.

use anyhow::{Context, Result, ensure};

use crate::cases::{BESIDE, End};
use crate::fixture::{Held, OURS, Verified, Wish};
use crate::simulation::{CLIENT_SECRET, NAME, Simulation};
use crate::wire::MARKER;

/// The wanted end: in the service, and in what the resource says of it.
pub async fn end(
    simulation: &Simulation,
    end: End,
    wish: &Wish,
    before: Option<Held>,
    writes: usize,
) -> Result<()> {
    let held = simulation.held(NAME).await;
    match end {
        End::Ours(number) => {
            let held = held.context("nothing is there")?;
            let ready = simulation.condition("Ready").context("no Ready")?;
            ensure!(ready["status"] == "True", "{ready}");
            let told =
                simulation.object().context("gone")?["status"]["certificate"]["sha1Thumbprint"].clone();
            ensure!(told == held.thumbprint.as_str(), "it says {told}, and there is {}", held.thumbprint);
            let twin = simulation.thumbprint_of(OURS[number].certificate).await?;
            ensure!(held.thumbprint == twin, "another certificate is there");
            ensure!(held.verified || wish.verified == Verified::Not, "it is not verified");
        }
        End::Gone => ensure!(simulation.object().is_none() && held.is_none(), "not gone: {held:?}"),
        End::Left => {
            ensure!(simulation.object().is_none(), "the resource is still there");
            ensure!(held == before, "what was to stay changed: {held:?}");
        }
        End::Untouched(reason) => {
            let ready = simulation.condition("Ready").context("no Ready")?;
            ensure!(ready["reason"] == reason, "{ready}");
            ensure!(held == before, "a foreign certificate changed: {held:?}");
            ensure!(simulation.writes(NAME).await? == writes, "a foreign certificate was written to");
        }
    }
    Ok(())
}

/// Foreign certificates beside ours are as they were, and nobody tried to change them.
pub async fn beside(simulation: &Simulation, before: &[Held]) -> Result<()> {
    for (name, before) in BESIDE.into_iter().zip(before) {
        let held = simulation.held(name).await;
        ensure!(held.as_ref() == Some(before), "`{name}` changed: {held:?}");
        ensure!(simulation.writes(name).await? == 0, "`{name}` was written to");
    }
    Ok(())
}

/// Nothing secret, and none of the service's own words, in an object or event.
pub fn secrets(simulation: &Simulation) -> Result<()> {
    let told = simulation.server.told();
    let key = OURS[0].key.lines().nth(1).context("a key of one line")?;
    for secret in [CLIENT_SECRET, key, MARKER] {
        ensure!(!told.contains(secret), "an object or event holds `{secret}`");
    }
    Ok(())
}
