//! What goes wrong and when. Every external call of the operator asks here first, so that calls are counted in one place
//! and a fault strikes at exactly the call that a case names.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::fixture::Act;

/// Where in a call the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Point {
    /// Nothing was sent.
    BeforeSend,
    /// The other side took it; no answer came.
    Unanswered,
    /// The answer came; what follows from it did not happen.
    Answered,
}

/// What a call to the cloud comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudFault {
    /// No connection.
    NotSent,
    /// The connection ended; the service has not seen the call.
    LostBefore,
    /// The connection ended; the call took effect.
    LostAfter,
    /// No answer; the service has not seen the call.
    TimeoutBefore,
    /// No answer; the call took effect.
    TimeoutAfter,
    /// No answer; the call takes effect so many minutes later.
    Late(u64),
    /// An answer of this status, without effect.
    Status(u16),
    /// 429 that says when to come back.
    Throttled,
    /// 200 of something else than the service.
    Html,
    /// An answer of this status, although the call took effect.
    StatusAfter(u16),
}

/// What a request to the API server comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KubeFault {
    /// An answer of this status, without effect.
    Status(u16),
    /// No answer; nothing happened.
    TimeoutBefore,
    /// No answer; it was applied.
    TimeoutAfter,
}

/// One of these.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// Counted in calls to the cloud.
    Cloud(CloudFault),
    /// Counted in requests to the API server.
    Kube(KubeFault),
    /// Counted in both.
    Crash(Point),
    /// Somebody else does that just before; counted in both.
    Meanwhile(Act),
}

/// A fault at a call, from 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Which call.
    pub at: usize,
    /// What happens there.
    pub what: What,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            What::Cloud(what) => write!(f, "cloud-{what:?}@{}", self.at),
            What::Kube(what) => write!(f, "kube-{what:?}@{}", self.at),
            What::Crash(point) => write!(f, "crash-{point:?}@{}", self.at),
            What::Meanwhile(act) => write!(f, "meanwhile-{act:?}@{}", self.at),
        }
    }
}

/// Calls so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To the cloud, for tokens too.
    pub cloud: usize,
    /// To the API server; watches and the listings that go with them are left out.
    pub kube: usize,
    /// Both.
    pub all: usize,
}

/// What becomes of one call.
#[derive(Clone, Debug)]
pub struct Ruling<F> {
    /// What somebody else does first.
    pub acts: Vec<Act>,
    /// What goes wrong.
    pub fault: Option<F>,
    /// Where the process dies.
    pub crash: Option<Point>,
}

/// How something is done behind the operator's back.
pub type Hand = Arc<dyn Fn(Act) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

#[derive(Default)]
struct State {
    hand: Option<Hand>,
    counts: Counts,
    faults: Vec<Fault>,
    log: Vec<String>,
    late: usize,
}

/// Shared by everything that a case's operator talks to.
#[derive(Clone, Default)]
pub struct Chaos(Arc<Mutex<State>>, Arc<Notify>);

/// One life of the operator: what is left of it after a crash must reach nobody.
#[derive(Clone)]
pub struct Life {
    alive: Arc<AtomicBool>,
    chaos: Chaos,
}

impl Chaos {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to count anew, with these faults.
    pub fn arm(&self, faults: &[Fault]) {
        let mut state = self.lock();
        state.counts = Counts::default();
        state.faults = faults.to_vec();
        state.log.clear();
    }

    /// Calls since then.
    pub fn counts(&self) -> Counts {
        self.lock().counts
    }

    /// What was called since then.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Whether a fault has not struck yet.
    pub fn is_armed(&self) -> bool {
        !self.lock().faults.is_empty()
    }

    /// No more faults.
    pub fn calm(&self) {
        self.lock().faults.clear();
    }

    /// An effect is on its way, or has landed.
    pub fn late(&self, landed: bool) {
        let mut state = self.lock();
        state.late = if landed { state.late - 1 } else { state.late + 1 };
    }

    /// Effects on their way.
    pub fn pending(&self) -> usize {
        self.lock().late
    }

    /// Comes when the process is to die.
    pub async fn crashed(&self) {
        self.1.notified().await;
    }

    /// A new life.
    pub fn life(&self) -> Life {
        Life { alive: Arc::new(AtomicBool::new(true)), chaos: self.clone() }
    }

    /// What does what is done meanwhile; `None` lets go of all that it holds.
    pub fn by(&self, hand: Option<Hand>) {
        self.lock().hand = hand;
    }

    /// Takes out what is to happen at this call.
    fn take<F>(state: &mut State, at: usize, fits: impl Fn(&What) -> Option<F>) -> Vec<F> {
        let due = |it: &Fault| if it.at == at { fits(&it.what) } else { None };
        let found = state.faults.iter().filter_map(due).collect();
        state.faults.retain(|it| due(it).is_none());
        found
    }

    fn rule<F: fmt::Debug>(state: &mut State, call: &str, fault: Option<F>) -> Ruling<F> {
        let at = state.counts.all;
        let crash = Self::take(state, at, |it| if let What::Crash(it) = it { Some(*it) } else { None }).pop();
        let acts =
            Self::take(state, at, |it| if let What::Meanwhile(it) = it { Some(it.clone()) } else { None });
        let mut line = format!("{at:3} {call}");
        acts.iter().for_each(|it| line.push_str(&format!(" <- {it:?}")));
        fault.iter().for_each(|it| line.push_str(&format!(" <- {it:?}")));
        crash.iter().for_each(|it| line.push_str(&format!(" <- crash {it:?}")));
        state.log.push(line);
        Ruling { acts, fault, crash }
    }
}

impl Life {
    /// Whether this process still runs.
    pub fn lasts(&self) -> bool {
        self.alive.load(Ordering::SeqCst)
    }

    /// It does not any more.
    pub fn end(&self) {
        self.alive.store(false, Ordering::SeqCst);
    }

    /// The process dies here: what waits for this waits for ever.
    pub async fn die<T>(&self) -> T {
        if self.lasts() {
            self.end();
            self.chaos.1.notify_one();
        }
        std::future::pending().await
    }

    /// The process dies as soon as it goes on.
    pub fn doom(&self) {
        self.end();
        self.chaos.1.notify_one();
    }

    /// Does what somebody else does before a call.
    pub async fn meanwhile(&self, acts: Vec<Act>) {
        for act in acts {
            let hand = self.chaos.lock().hand.clone();
            if let Some(hand) = hand {
                hand(act).await;
            }
        }
    }

    /// Counts a call to the cloud.
    pub fn cloud(&self, call: &str) -> Ruling<CloudFault> {
        let state = &mut *self.chaos.lock();
        state.counts.cloud += 1;
        state.counts.all += 1;
        let at = state.counts.cloud;
        let fault =
            Chaos::take(state, at, |it| if let What::Cloud(it) = it { Some(*it) } else { None }).pop();
        Chaos::rule(state, &format!("cloud {at:2} {call}"), fault)
    }

    /// Counts a request to the API server.
    pub fn kube(&self, call: &str, is_patch: bool) -> Ruling<KubeFault> {
        let state = &mut *self.chaos.lock();
        state.counts.kube += 1;
        state.counts.all += 1;
        let at = state.counts.kube;
        let fault = Chaos::take(state, at, |it| if let What::Kube(it) = it { Some(*it) } else { None }).pop();
        // What only a write can come to passes by a read.
        let fault = fault.filter(|it| is_patch || !matches!(it, KubeFault::Status(409 | 422)));
        Chaos::rule(state, &format!("kube  {at:2} {call}"), fault)
    }
}
