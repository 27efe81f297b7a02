//! Random schedules: a seed decides what there is, what the user, the source and others do, what goes wrong and when.
//! In the end all of it stops, and the resource must come to what the oracle says.

use std::time::Duration;

use certferry::providers::Registered;
use fastrand::Rng;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::chaos::{CloudFault, Fault, KubeFault, Point, What};
use crate::check::check;
use crate::directed::{CLOUD, KUBE};
use crate::fixture::{Act, End, Fixture, Tamper, Which};
use crate::oracle::is_settled;
use crate::run::Run;
use crate::workers::Bench;

/// A schedule.
pub struct Schedule {
    /// The kind.
    pub kind: &'static dyn Registered,
    /// Its fixture.
    pub fixture: &'static dyn Fixture,
    /// What decides.
    pub seed: u64,
}

/// The longest that a schedule waits between two passes while it disturbs.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

impl Schedule {
    /// Plays it, and checks everything.
    pub async fn play(&self, bench: &Bench) -> Result<(), String> {
        fastrand::seed(self.seed);
        let mut dice = Rng::with_seed(self.seed);
        let mut run = bench.run(self.kind, self.fixture).await;
        let mut told = Vec::new();
        let outcome = self.disturb(&mut run, &mut dice, &mut told).await;
        outcome.and_then(|()| check(&run)).map_err(|why| format!("{why}\n    {}", told.join("\n    ")))
    }

    async fn disturb(&self, run: &mut Run, dice: &mut Rng, told: &mut Vec<String>) -> Result<(), String> {
        if let Some(which) = dice.choice([None, None, Some(Which::First), Some(Which::Foreign)]).flatten() {
            run.act(&Act::Tamper(Tamper::Put(which))).await;
            told.push(format!("before: {which:?}"));
        }
        let mut spec = json!({});
        for _ in 0..dice.usize(0..3) {
            json_patch::merge(&mut spec, &self.variant(dice));
        }
        run.create(&spec);
        told.push(format!("created: {spec}"));
        for _ in 0..dice.usize(2..7) {
            let act = self.act(dice);
            if let Some(act) = &act {
                run.act(act).await;
            } else if dice.bool() {
                run.kill();
            }
            let faults: Vec<_> = (0..dice.usize(0..4)).map(|_| self.fault(dice)).collect();
            run.chaos.arm(&faults);
            told.push(format!("act: {act:?}"));
            for _ in 0..dice.usize(1..4) {
                let due = run.pass().await.unwrap_or(PATIENCE).min(PATIENCE);
                sleep(if dice.bool() { due } else { due.mul_f64(dice.f64()) }).await;
            }
            told.extend(run.chaos.log());
        }
        self.calm(run, dice, told).await
    }

    /// Nothing disturbs any more: the resource must come to its end.
    async fn calm(&self, run: &mut Run, dice: &mut Rng, told: &mut Vec<String>) -> Result<(), String> {
        let end = json!({ "managementPolicy": dice.choice([None, None, None, Some("Observe")]).flatten() });
        run.chaos.arm(&[]);
        run.act(&Act::Spec(end.clone())).await;
        if dice.bool() {
            run.act(&Act::Delete).await;
        }
        told.push(format!("calm: {end}, deleted: {}", run.is_deleted()));
        let settled = run.settle(is_settled).await;
        told.extend(run.chaos.log());
        told.push(format!(
            "it says {}, the cloud holds {:?}",
            run.told(),
            self.fixture.place(&run.cloud.now())
        ));
        settled?;
        run.rest().await?;
        if !is_settled(run) {
            return Err("I5: it did not stay as it had become".into());
        }
        if run.object().is_some() && run.is_deleted() {
            // A deletion that waits for a decision ends by this one.
            run.act(&Act::Spec(json!({ "deletionPolicy": "Retain" }))).await;
            run.settle(|it| it.has_come_to(&End::Gone)).await?;
        }
        Ok(())
    }

    fn variant(&self, dice: &mut Rng) -> Value {
        dice.choice(self.fixture.variants()).unwrap_or_default()
    }

    fn act(&self, dice: &mut Rng) -> Option<Act> {
        Some(match dice.u8(0..20) {
            0..4 => Act::Rotate(if dice.bool() { Which::First } else { Which::Second }),
            4..6 => Act::Tamper(Tamper::Put(Which::Foreign)),
            6 => Act::Tamper(Tamper::Put(Which::First)),
            7 => Act::Tamper(Tamper::Put(Which::Second)),
            8..10 => Act::Tamper(Tamper::Remove),
            10 => Act::Tamper(Tamper::Unverify),
            11..14 => Act::Spec(self.variant(dice)),
            14 => Act::Delete,
            _ => return None,
        })
    }

    fn fault(&self, dice: &mut Rng) -> Fault {
        let points = [Point::BeforeSend, Point::Unanswered, Point::Answered];
        match dice.u8(0..10) {
            0..5 => {
                let what = dice.choice(CLOUD).copied().unwrap_or(CloudFault::Late(3));
                Fault { at: dice.usize(1..9), what: What::Cloud(what) }
            }
            5..7 => {
                let what = dice.choice(KUBE).copied().unwrap_or(KubeFault::TimeoutAfter);
                Fault { at: dice.usize(1..18), what: What::Kube(what) }
            }
            7..9 => {
                let point = dice.choice(points).unwrap_or(Point::Unanswered);
                Fault { at: dice.usize(1..24), what: What::Crash(point) }
            }
            _ => match self.act(dice) {
                Some(act) => Fault { at: dice.usize(1..24), what: What::Meanwhile(act) },
                None => Fault { at: dice.usize(1..9), what: What::Cloud(CloudFault::Late(9)) },
            },
        }
    }
}
