//! Random schedules: what users and others do to a resource, with faults and deaths of the process in between, all of it
//! decided by a seed.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry::providers;
use certferry_simulation::cases::{BESIDE, End};
use certferry_simulation::check;
use certferry_simulation::faults::{CloudFault, Fault, ServerFault};
use certferry_simulation::fixture::{self, FOREIGN, OURS, Verified, Wish};
use certferry_simulation::simulation::{NAME, Simulation};
use certferry_simulation::workers;
use emulator::Embedded;
use fastrand::Rng;

/// How many seeds run; `SEED` in the environment runs that one alone.
const SEEDS: u64 = 2000;

/// A fault falls on one of so many calls; a run from nothing to Ready makes about fifteen.
const CALLS: usize = 40;

fn fault(rng: &mut Rng) -> Fault {
    let statuses = [401, 403, 404, 408, 409, 412, 429, 500, 502, 503, 504];
    match rng.u8(..14) {
        0 => Fault::CrashBefore,
        1 | 2 => Fault::CrashAfter,
        3 => Fault::Server(ServerFault::CutBefore),
        4 => Fault::Server(ServerFault::CutAfter),
        5 => Fault::Server(ServerFault::Status(rng.choice([409, 422, 429, 500, 503]).unwrap_or(500))),
        6 => Fault::Cloud(CloudFault::NotSent),
        7 => Fault::Cloud(CloudFault::CutAfter),
        8 => Fault::Cloud(CloudFault::SilentAfter),
        9 => Fault::Cloud(CloudFault::Late),
        10 => Fault::Cloud(CloudFault::StatusAfter(503)),
        11 => Fault::Cloud(CloudFault::Html),
        _ => Fault::Cloud(CloudFault::Status(rng.choice(statuses).unwrap_or(500), rng.bool().then_some(7))),
    }
}

/// A world on which a schedule plays.
struct Play {
    simulation: Simulation,
    rng: Rng,
    wish: Wish,
    source: usize,
}

impl Play {
    async fn act(&mut self) -> Result<()> {
        let simulation = &mut self.simulation;
        match self.rng.u8(..7) {
            0 | 1 => {
                self.source = 1 - self.source;
                simulation.source(OURS[self.source]);
            }
            2 => simulation.seed(NAME, FOREIGN[0], false).await?,
            3 => simulation.seed(NAME, OURS[self.source].certificate, false).await?,
            4 => simulation.unseed(NAME).await?,
            5 if self.wish.verified != Verified::ByProof => {
                let other =
                    if self.wish.verified == Verified::Not { Verified::ByUpload } else { Verified::Not };
                self.wish.verified = other;
                simulation.apply(&self.wish);
            }
            _ => {
                simulation.settle_recording().await.context("before a deletion")?;
                simulation.delete();
                self.arm();
                self.simulation.settle_recording().await.context("a deletion")?;
                ensure!(self.simulation.held(NAME).await.is_none(), "deleted, and still in the service");
                self.arm();
                self.simulation.apply(&self.wish);
                // Until it is Ready once, what others put under the name is theirs for good.
                self.simulation.settle_recording().await.context("created anew")?;
                self.arm();
            }
        }
        Ok(())
    }

    fn arm(&mut self) {
        let count = self.rng.usize(2..=4);
        let plan = (0..count).map(|_| (self.rng.usize(..CALLS), fault(&mut self.rng))).collect();
        self.simulation.arm(plan);
    }

    async fn some_passes(&mut self) -> Result<()> {
        for _ in 0..self.rng.usize(..5) {
            let due = self.simulation.pass().await?.unwrap_or_default();
            tokio::time::sleep(due.min(Duration::from_secs(self.rng.u64(1..600)))).await;
        }
        Ok(())
    }
}

async fn play(emulator: &Embedded, seed: u64) -> Result<()> {
    let mut rng = Rng::with_seed(seed);
    for provider in providers::all() {
        let fixture = fixture::of(provider.kind()).context("a registered kind has no fixture")?;
        let simulation = Simulation::start(emulator, provider, fixture).await?;
        let verified = match rng.u8(..20) {
            0 => Verified::ByProof,
            1..=10 => Verified::ByUpload,
            _ => Verified::Not,
        };
        let wish = Wish { verified, ..Wish::default() };
        let mut play = Play { simulation, rng: rng.fork(), wish, source: 0 };
        for (name, certificate) in BESIDE.into_iter().zip(FOREIGN) {
            play.simulation.seed(name, certificate, false).await?;
        }
        let mut beside = Vec::new();
        for name in BESIDE {
            beside.push(play.simulation.held(name).await.context("not seeded")?);
        }
        play.simulation.source(OURS[0]);
        play.simulation.apply(&wish);
        play.arm();
        play.simulation.settle_recording().await.context("the beginning")?;
        play.arm();
        for _ in 0..play.rng.usize(2..=5) {
            play.act().await?;
            play.some_passes().await?;
        }
        play.simulation.faults.disarm();
        play.simulation.settle().await.context("the end")?;
        check::end(&play.simulation, End::Ours(play.source), &play.wish, None, 0).await?;
        play.simulation.delete();
        play.simulation.settle().await.context("the last deletion")?;
        check::end(&play.simulation, End::Gone, &play.wish, None, 0).await?;
        check::beside(&play.simulation, &beside).await?;
        check::secrets(&play.simulation)?;
    }
    Ok(())
}

#[test]
fn any_schedule_ends_with_what_was_wanted() -> Result<()> {
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().context("SEED is no number")?],
        Err(_) => (0..SEEDS).collect(),
    };
    let name = |seed: &u64| format!("SEED={seed} cargo test -p certferry-simulation --test schedules");
    let count = workers::run(&seeds, name, async |emulator, seed| play(emulator, *seed).await)?;
    println!("{count} seeded schedules");
    Ok(())
}
