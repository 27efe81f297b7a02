//! One case: a story with faults, and what is asked of it in the end.

use std::fmt;

use certferry::providers::Registered;

use crate::chaos::{Counts, Fault};
use crate::check::check;
use crate::fixture::{Fixture, Remote, Scenario};
use crate::workers::Bench;

/// How much dearer a run may be for one fault.
const DEARER: usize = 3;

/// A story with faults.
#[derive(Clone)]
pub struct Case {
    /// The kind.
    pub kind: &'static dyn Registered,
    /// Its fixture.
    pub fixture: &'static dyn Fixture,
    /// The story.
    pub scenario: Scenario,
    /// What goes wrong; without any, the calls are compared with the committed figure.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.kind.kind(), self.scenario.name)?;
        if self.faults.is_empty() {
            return f.write_str("clean");
        }
        let faults: Vec<_> = self.faults.iter().map(ToString::to_string).collect();
        f.write_str(&faults.join("+"))
    }
}

/// What a run was like.
pub struct Told {
    /// Calls.
    pub counts: Counts,
    /// Each of them.
    pub log: Vec<String>,
}

impl Case {
    /// Plays it, and checks everything.
    pub async fn play(&self, bench: &Bench) -> Result<Told, String> {
        // By the name, so that a case that is played alone goes as it went among the others.
        fastrand::seed(self.to_string().bytes().fold(7, |sum: u64, it| sum.wrapping_mul(31) ^ u64::from(it)));
        let mut run = bench.run(self.kind, self.fixture).await;
        let story = &self.scenario;
        if let Some(which) = story.before {
            run.act(&crate::fixture::Act::Tamper(crate::fixture::Tamper::Put(which))).await;
        }
        run.create(&story.spec);
        if let Some(first) = &story.first {
            run.settle(|it| it.has_come_to(first)).await.map_err(|why| format!("before any fault: {why}"))?;
            run.kill();
        }
        for act in &story.then {
            run.act(act).await;
        }
        let (before, written) = (run.cloud.now(), run.cloud.writes());
        run.chaos.arm(&self.faults);
        let reached =
            run.settle(|it| it.has_come_to(&story.end) && it.cloud_has_come_to(story.remote, &before)).await;
        let told = Told { counts: run.chaos.counts(), log: run.chaos.log() };
        let with_log = |why: String| format!("{why}\n    {}", told.log.join("\n    "));
        let calls = reached.map_err(with_log)?;
        if run.chaos.is_armed() {
            return Err(with_log("the fault did not strike: the run went another way".into()));
        }
        if self.faults.is_empty() && calls != story.calls {
            let figure = story.calls;
            return Err(with_log(format!("I6: {calls} calls instead of the committed figure of {figure}")));
        }
        if calls > story.calls * DEARER {
            let most = story.calls * DEARER;
            return Err(with_log(format!("I6: {calls} calls, and {most} are allowed")));
        }
        let rested = run.rest().await;
        if story.remote == Remote::Untouched && run.cloud.writes() != written {
            return Err(with_log("I4: a write was tried where none may be".into()));
        }
        rested.and_then(|()| check(&run)).map_err(with_log)?;
        if !run.cloud_has_come_to(story.remote, &before) {
            return Err(with_log("I5: the cloud did not stay as it had become".into()));
        }
        Ok(told)
    }
}
