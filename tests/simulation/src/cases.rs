//! The scenarios: what stands in the service before, what happens, what is wanted in the end.

use anyhow::{Context, Result, ensure};

use crate::check;
use crate::faults::{Called, Fault};
use crate::fixture::{FOREIGN, Held, OURS, Verified, Wish};
use crate::simulation::{NAME, Simulation};

/// Where foreign certificates stand beside ours.
pub const BESIDE: [&str; 2] = ["root-2", "another"];

/// What stands under the wanted name before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    Nothing,
    Foreign,
    /// Somebody else put the wanted certificate there.
    Identical,
    /// The resource is Ready.
    Settled,
}

/// What happens while calls may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    Apply,
    Rotate,
    DriftContent,
    DriftFlag,
    DriftDeleted,
    Delete,
    DeleteChanged,
}

/// What has to be in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Ready, with the certificate of this number.
    Ours(usize),
    /// The resource is gone, and the certificate too.
    Gone,
    /// The resource is gone, and the certificate stays.
    Left,
    /// The resource says this, and what was there is as it was.
    Untouched(&'static str),
}

#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    pub name: &'static str,
    pub wish: Wish,
    pub before: Before,
    pub act: Act,
    pub end: End,
    /// External calls of a clean run, from the act until it is settled: to the cloud.
    pub cloud_calls: usize,
}

const PLAIN: Wish =
    Wish { verified: Verified::Not, management: "Enforce", adoption: "IfIdentical", deletion: "Delete" };
const PROOF: Wish = Wish { verified: Verified::ByProof, ..PLAIN };
const UPLOAD: Wish = Wish { verified: Verified::ByUpload, ..PLAIN };

const fn scenario(
    name: &'static str,
    wish: Wish,
    before: Before,
    act: Act,
    end: End,
    cloud_calls: usize,
) -> Scenario {
    Scenario { name, wish, before, act, end, cloud_calls }
}

/// All of them. The calls of the first pass count the one for a token.
pub const ALL: [Scenario; 18] = [
    scenario("create", PLAIN, Before::Nothing, Act::Apply, End::Ours(0), 4),
    scenario("create and prove", PROOF, Before::Nothing, Act::Apply, End::Ours(0), 7),
    scenario("create as verified", UPLOAD, Before::Nothing, Act::Apply, End::Ours(0), 4),
    scenario("rotate", PLAIN, Before::Settled, Act::Rotate, End::Ours(1), 3),
    scenario("rotate and prove", PROOF, Before::Settled, Act::Rotate, End::Ours(1), 6),
    scenario("rotate as verified", UPLOAD, Before::Settled, Act::Rotate, End::Ours(1), 3),
    scenario("repair content", PLAIN, Before::Settled, Act::DriftContent, End::Ours(0), 3),
    scenario("repair content as verified", UPLOAD, Before::Settled, Act::DriftContent, End::Ours(0), 3),
    scenario("repair the flag", UPLOAD, Before::Settled, Act::DriftFlag, End::Ours(0), 3),
    scenario("prove again", PROOF, Before::Settled, Act::DriftFlag, End::Ours(0), 4),
    scenario("repair a deletion", PLAIN, Before::Settled, Act::DriftDeleted, End::Ours(0), 3),
    scenario("adopt the same", PLAIN, Before::Identical, Act::Apply, End::Ours(0), 2),
    scenario("refuse another's", PLAIN, Before::Foreign, Act::Apply, End::Untouched("NotOwned"), 2),
    scenario(
        "take over another's",
        Wish { adoption: "Always", ..PLAIN },
        Before::Foreign,
        Act::Apply,
        End::Ours(0),
        4,
    ),
    scenario("delete", PLAIN, Before::Settled, Act::Delete, End::Gone, 3),
    scenario("retain", Wish { deletion: "Retain", ..PLAIN }, Before::Settled, Act::Delete, End::Left, 0),
    scenario(
        "delete what changed",
        PLAIN,
        Before::Settled,
        Act::DeleteChanged,
        End::Untouched("DeletionBlocked"),
        1,
    ),
    scenario(
        "observe",
        Wish { management: "Observe", ..PLAIN },
        Before::Nothing,
        Act::Apply,
        End::Untouched("DriftDetected"),
        2,
    ),
];

/// Runs a scenario with these faults; gives the calls of the run.
pub async fn run(
    simulation: &mut Simulation,
    scenario: &Scenario,
    plan: Vec<(usize, Fault)>,
) -> Result<Vec<Called>> {
    for (name, certificate) in BESIDE.into_iter().zip(FOREIGN) {
        simulation.seed(name, certificate, false).await?;
    }
    let mut beside = Vec::new();
    for name in BESIDE {
        beside.push(simulation.held(name).await.context("not seeded")?);
    }
    prepare(simulation, scenario).await.context("before anything failed")?;
    let (writes, asked) = (simulation.writes(NAME).await?, plan.len());
    simulation.arm(plan);
    let before = act(simulation, scenario).await?;
    simulation.settle_recording().await?;
    let calls = simulation.calls();
    let cloud = calls.iter().filter(|it| matches!(it, Called::Cloud(_))).count();
    match asked {
        0 => ensure!(cloud == scenario.cloud_calls, "{cloud} calls to the cloud: {calls:?}"),
        _ => {
            ensure!(cloud <= 3 * asked * (scenario.cloud_calls + 3), "{cloud} calls to the cloud: {calls:?}")
        }
    }
    check::end(simulation, scenario.end, &scenario.wish, before, writes).await?;
    check::beside(simulation, &beside).await?;
    check::secrets(simulation)?;
    Ok(calls)
}

async fn prepare(simulation: &mut Simulation, scenario: &Scenario) -> Result<()> {
    simulation.source(OURS[0]);
    match scenario.before {
        Before::Nothing => Ok(()),
        Before::Foreign => simulation.seed(NAME, FOREIGN[0], false).await,
        Before::Identical => simulation.seed(NAME, OURS[0].certificate, false).await,
        Before::Settled => {
            simulation.apply(&scenario.wish);
            simulation.settle().await
        }
    }
}

/// Does what happens; gives what stands under the name then.
async fn act(simulation: &mut Simulation, scenario: &Scenario) -> Result<Option<Held>> {
    match scenario.act {
        Act::Apply => simulation.apply(&scenario.wish),
        Act::Rotate => simulation.source(OURS[1]),
        Act::DriftContent => simulation.seed(NAME, FOREIGN[0], false).await?,
        Act::DriftFlag => simulation.seed(NAME, OURS[0].certificate, false).await?,
        Act::DriftDeleted => simulation.unseed(NAME).await?,
        Act::Delete => simulation.delete(),
        Act::DeleteChanged => {
            simulation.seed(NAME, FOREIGN[0], false).await?;
            simulation.delete();
        }
    }
    Ok(simulation.held(NAME).await)
}
