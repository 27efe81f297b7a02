//! Every scenario, with every fault at every external call, and a death of the process at every one.

use anyhow::{Context, Result, ensure};
use certferry::providers::{self, Registered};
use certferry_simulation::cases::{self, ALL, Scenario};
use certferry_simulation::faults::{Called, CloudFault, Fault, ServerFault};
use certferry_simulation::fixture::{self, Verified};
use certferry_simulation::simulation::Simulation;
use certferry_simulation::workers;
use emulator::Embedded;

/// Fewer would mean that a family is skipped.
const FLOOR: usize = 2000;

const CLOUD: [CloudFault; 22] = [
    CloudFault::NotSent,
    CloudFault::CutBefore,
    CloudFault::CutAfter,
    CloudFault::SilentBefore,
    CloudFault::SilentAfter,
    CloudFault::Late,
    CloudFault::Html,
    CloudFault::StatusAfter(500),
    CloudFault::StatusAfter(503),
    CloudFault::Status(302, None),
    CloudFault::Status(401, None),
    CloudFault::Status(403, None),
    CloudFault::Status(404, None),
    CloudFault::Status(408, None),
    CloudFault::Status(409, None),
    CloudFault::Status(412, None),
    CloudFault::Status(429, None),
    CloudFault::Status(429, Some(30)),
    CloudFault::Status(500, None),
    CloudFault::Status(502, None),
    CloudFault::Status(503, Some(5)),
    CloudFault::Status(504, None),
];

/// For scenarios with proofs, each of which takes a new RSA key: the most telling.
const FEW: [CloudFault; 5] = [
    CloudFault::CutAfter,
    CloudFault::SilentAfter,
    CloudFault::Late,
    CloudFault::Status(412, None),
    CloudFault::Status(503, Some(5)),
];

const SERVER: [ServerFault; 7] = [
    ServerFault::CutBefore,
    ServerFault::CutAfter,
    ServerFault::Status(409),
    ServerFault::Status(422),
    ServerFault::Status(429),
    ServerFault::Status(500),
    ServerFault::Status(503),
];

struct Case {
    provider: &'static dyn Registered,
    scenario: Scenario,
    plan: Vec<(usize, Fault)>,
}

async fn run(emulator: &Embedded, case: &Case) -> Result<Vec<Called>> {
    let fixture = fixture::of(case.provider.kind()).context("a registered kind has no fixture")?;
    let mut simulation = Simulation::start(emulator, case.provider, fixture).await?;
    cases::run(&mut simulation, &case.scenario, case.plan.clone()).await
}

/// The calls of a clean run.
fn clean(provider: &'static dyn Registered, scenario: Scenario) -> Result<Vec<Called>> {
    let folder = tempfile::tempdir()?;
    let emulator = Embedded::new(folder.path())?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build()?;
    let case = Case { provider, scenario, plan: Vec::new() };
    runtime.block_on(run(&emulator, &case)).with_context(|| format!("{}, and nothing fails", scenario.name))
}

/// What may go wrong at a call.
fn faults(called: &Called, scenario: &Scenario) -> Vec<Fault> {
    let mut faults: Vec<_> = match called {
        Called::Cloud(_) if scenario.wish.verified == Verified::ByProof => {
            FEW.into_iter().map(Fault::Cloud).collect()
        }
        Called::Cloud(_) => CLOUD.into_iter().map(Fault::Cloud).collect(),
        Called::Server(_) => SERVER.into_iter().map(Fault::Server).collect(),
    };
    faults.extend([Fault::CrashBefore, Fault::CrashAfter]);
    faults
}

#[test]
fn a_clean_run_makes_the_calls_that_are_written_down() -> Result<()> {
    let mut wrong = Vec::new();
    for provider in providers::all() {
        let runs = ALL.into_iter().map(|scenario| clean(provider, scenario));
        wrong.extend(runs.filter_map(|run| run.err().map(|error| format!("{error:#}"))));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    Ok(())
}

#[test]
fn every_fault_at_every_call_ends_as_if_it_had_not_been() -> Result<()> {
    let mut all = Vec::new();
    for provider in providers::all() {
        for scenario in ALL {
            for (at, called) in clean(provider, scenario)?.iter().enumerate() {
                for fault in faults(called, &scenario) {
                    all.push(Case { provider, scenario, plan: vec![(at, fault)] });
                }
            }
        }
    }
    let name = |case: &Case| format!("{} {}, {:?}", case.provider.kind(), case.scenario.name, case.plan);
    let count = workers::run(&all, name, async |emulator, case| run(emulator, case).await.map(drop))?;
    println!("{count} directed cases");
    ensure!(count >= FLOOR, "only {count} cases");
    Ok(())
}
