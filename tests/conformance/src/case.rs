//! One case: a story with faults, and what is asked of it in the end.

use std::fmt;
use std::time::Duration;

use certferry::engine::preview::{Ahead, Preview};
use certferry::providers::Registered;
use http::Method;
use tokio::time::sleep;

use crate::chaos::{Counts, Fault, What};
use crate::check::check;
use crate::fixture::{End, Fixture, Remote, Scenario};
use crate::oracle::is_settled;
use crate::run::Run;
use crate::workers::Bench;

/// How much dearer a run may be for one fault.
const DEARER: usize = 3;

/// Longer than any story's time between two reads.
const RESYNC: Duration = Duration::from_secs(20 * 60);

/// A story with faults.
#[derive(Clone)]
pub struct Case {
    /// The kind.
    pub kind: &'static dyn Registered,
    /// Its fixture.
    pub fixture: &'static dyn Fixture,
    /// The story.
    pub scenario: Scenario,
    /// What goes wrong before the story's first end; the story goes on as soon as that is reached, whatever is still on
    /// its way.
    pub early: Vec<Fault>,
    /// What goes wrong; without any, the calls are compared with the committed figure.
    pub faults: Vec<Fault>,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.kind.kind(), self.scenario.name)?;
        if self.is_clean() {
            return f.write_str("clean");
        }
        let early = self.early.iter().map(|it| format!("early-{it}"));
        let faults: Vec<_> = early.chain(self.faults.iter().map(ToString::to_string)).collect();
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
    fn is_clean(&self) -> bool {
        self.early.is_empty() && self.faults.is_empty()
    }

    /// Plays it, and checks everything.
    pub async fn play(&self, bench: &Bench) -> Result<Told, String> {
        // By the name, so that a case that is played alone goes as it went among the others.
        fastrand::seed(self.to_string().bytes().fold(7, |sum: u64, it| sum.wrapping_mul(31) ^ u64::from(it)));
        let mut run = bench.run(self.kind, self.fixture).await;
        let story = &self.scenario;
        run.cloud.control(Method::PATCH, "switches", &story.switches).await;
        if let Some(which) = story.before {
            run.act(&crate::fixture::Act::Tamper(crate::fixture::Tamper::Put(which))).await;
        }
        run.create(&story.spec);
        if let Some(first) = &story.first {
            run.chaos.arm(&self.early);
            let reached = run.reach(|it| it.has_come_to(first), !self.early.is_empty()).await;
            reached
                .map_err(|why| format!("before the story: {why}\n    {}", run.chaos.log().join("\n    ")))?;
            run.kill();
        }
        for act in &story.then {
            run.act(act).await;
        }
        // Who else does something amid a run changes what it must come to.
        let meanwhile = self.faults.iter().any(|it| matches!(it.what, What::Meanwhile(_)));
        let (before, written) = (run.cloud.now(), run.cloud.writes());
        let ends = |it: &Run| match meanwhile {
            true => is_settled(it),
            false => it.has_come_to(&story.end) && it.cloud_has_come_to(story.remote, &before),
        };
        let foreseen = if self.is_clean() { run.preview().await? } else { None };
        run.chaos.arm(&self.faults);
        let mut reached = run.settle(ends).await;
        if meanwhile && reached.is_ok() {
            // What happened after the last read shows at the next one.
            sleep(RESYNC).await;
            reached = run.settle(ends).await;
        }
        let told = Told { counts: run.chaos.counts(), log: run.chaos.log() };
        let with_log = |why: String| format!("{why}\n    {}", told.log.join("\n    "));
        let calls = reached.map_err(with_log)?;
        if run.chaos.is_armed() {
            return Err(with_log("the fault did not strike: the run went another way".into()));
        }
        if self.is_clean() && calls != story.calls {
            let figure = story.calls;
            return Err(with_log(format!("I6: {calls} calls instead of the committed figure of {figure}")));
        }
        let most = story.calls * DEARER + self.fixture.patience();
        if calls > most && !meanwhile && self.early.is_empty() {
            return Err(with_log(format!("I6: {calls} calls, and {most} are allowed")));
        }
        let rested = run.rest().await;
        if story.remote == Remote::Untouched
            && !meanwhile
            && self.early.is_empty()
            && run.cloud.writes() != written
        {
            return Err(with_log("I4: a write was tried where none may be".into()));
        }
        rested.and_then(|()| check(&run)).map_err(with_log)?;
        if let Some(foreseen) = foreseen {
            came_true(&foreseen, run.cloud.writes() - written).map_err(with_log)?;
            let now = run.preview().await?.filter(|_| matches!(story.end, End::Ready(_)));
            now.as_ref().map_or(Ok(()), is_as_wanted).map_err(with_log)?;
        }
        if !ends(&run) {
            return Err(with_log("I5: the cloud did not stay as it had become".into()));
        }
        Ok(told)
    }
}

/// What was foreseen before the run is what happened in it.
fn came_true(foreseen: &Preview, writes: usize) -> Result<(), String> {
    let least = match &foreseen.next {
        Ahead::Step { follows, held_back: None, .. } => 1 + follows.len(),
        Ahead::Nothing | Ahead::Step { .. } | Ahead::Wait { .. } | Ahead::Stuck(_) => 0,
    };
    if writes < least || (foreseen.next == Ahead::Nothing && writes > 0) {
        return Err(format!("there were {writes} writes, and foreseen was {foreseen:?}"));
    }
    Ok(())
}

/// Of what is Ready, nothing is left to do, and everything is told to be as it is wanted.
fn is_as_wanted(preview: &Preview) -> Result<(), String> {
    let differs = preview.compared.is_empty() || preview.compared.iter().any(|it| it.differs);
    let is_done = preview.next == Ahead::Nothing && preview.ready.is_some();
    if differs || !is_done { Err(format!("it is Ready, and told to differ: {preview:?}")) } else { Ok(()) }
}
