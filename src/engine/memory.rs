//! What is remembered of each resource between passes. Losing it costs nothing but an early pass.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::converge::Setback;
use super::dependents::RootKey;
use super::status::Outcome;
use super::turns::Lane;
use crate::api::reason::Class;

/// The memory of all kinds.
#[derive(Default)]
pub struct Memory {
    tracks: Mutex<HashMap<RootKey, Track>>,
}

#[derive(Clone, Copy, Default)]
struct Track {
    generation: i64,
    failures: u32,
    unread_since: Option<Instant>,
    answered: Option<Timestamp>,
    looked: Option<Look>,
    pass: LastPass,
    /// By what was last read of it.
    lane: Option<Lane>,
    /// Whether the object itself changed since a pass asked.
    changed: bool,
}

/// The last pass over a resource, as far as it makes the next one needless.
#[derive(Clone, Copy, Default)]
enum LastPass {
    /// There was none, or something is new since it began.
    #[default]
    Outdated,
    /// It is at work.
    AtWork,
    /// It ended; the next is due then.
    GoodUntil(Instant),
}

impl Track {
    /// Of a new generation, or after a pass that went well: what is not about failures stays.
    fn anew(self, generation: i64) -> Self {
        Self { generation, failures: 0, unread_since: None, ..self }
    }
}

/// When the service was last looked at for a resource.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// What was seen is at least as young as this.
    pub at: Instant,
    /// When the next look is due: of all that were seen together at one time, else as was reported.
    pub due: Option<Instant>,
}

impl Memory {
    /// Takes note of an outcome; gives the passing failures in a row, and since when no pass could read the service.
    pub fn record(&self, key: &RootKey, generation: i64, outcome: &Outcome) -> (u32, Option<Duration>) {
        let mut tracks = self.tracks();
        let track = tracks.entry(key.clone()).or_default();
        if track.generation != generation {
            *track = track.anew(generation);
        }
        match outcome {
            Outcome::Failed(Setback { reason, behind, .. }) if reason.class() == Class::Transient => {
                track.failures = track.failures.saturating_add(1);
                let since = track.unread_since.get_or_insert_with(Instant::now);
                if *behind {
                    *since = Instant::now();
                }
            }
            Outcome::Working { .. } => {}
            Outcome::Settled(_)
            | Outcome::SignedIn
            | Outcome::Suspended { .. }
            | Outcome::StoodBack { .. }
            | Outcome::Failed(_) => {
                *track = track.anew(generation);
            }
        }
        (track.failures, track.unread_since.map(|it| it.elapsed()))
    }

    /// Counts a failure of the API server; gives the failures in a row.
    pub fn failed(&self, key: &RootKey) -> u32 {
        let mut tracks = self.tracks();
        let track = tracks.entry(key.clone()).or_default();
        track.failures = track.failures.saturating_add(1);
        track.failures
    }

    /// Takes note that the write that was recorded at this time got its answer.
    pub fn answered(&self, key: &RootKey, recorded: Timestamp) {
        let mut tracks = self.tracks();
        tracks.entry(key.clone()).or_default().answered = Some(recorded);
    }

    /// When the last write was recorded that got an answer.
    pub fn last_answered(&self, key: &RootKey) -> Option<Timestamp> {
        self.tracks().get(key)?.answered
    }

    /// Takes note of the account and the parent that a resource names.
    pub fn runs_in(&self, key: &RootKey, lane: Lane) {
        self.tracks().entry(key.clone()).or_default().lane = Some(lane);
    }

    /// The lane of a resource, if it was ever read.
    pub fn lane(&self, key: &RootKey) -> Option<Lane> {
        self.tracks().get(key)?.lane
    }

    /// The object itself changed.
    pub fn changed(&self, key: RootKey) {
        self.tracks().entry(key).or_default().changed = true;
    }

    /// Whether it did, since this was asked last.
    pub fn take_change(&self, key: &RootKey) -> bool {
        self.tracks().get_mut(key).is_some_and(|it| std::mem::take(&mut it.changed))
    }

    /// Something is new about a resource, or about what it refers to. Told before its controller is, which may come to it
    /// late.
    pub fn wakes(&self, key: &RootKey) {
        if let Some(track) = self.tracks().get_mut(key) {
            track.pass = LastPass::Outdated;
        }
    }

    /// A pass begins, and reads all that is new.
    pub fn begins(&self, key: &RootKey) {
        self.tracks().entry(key.clone()).or_default().pass = LastPass::AtWork;
    }

    /// It ends, and asks for the next one. That of a resource which was forgotten meanwhile was over one of that name.
    pub fn ends(&self, key: &RootKey, due: Duration) {
        if let Some(track) = self.tracks().get_mut(key).filter(|it| matches!(it.pass, LastPass::AtWork)) {
            track.pass = LastPass::GoodUntil(Instant::now() + due);
        }
    }

    /// How long nothing is to be done: nothing is new since the last pass, and the next is not due.
    pub fn rest(&self, key: &RootKey) -> Option<Duration> {
        match self.tracks().get(key)?.pass {
            LastPass::GoodUntil(due) => time_until(due),
            LastPass::Outdated | LastPass::AtWork => None,
        }
    }

    /// Takes note of a look at the service.
    pub fn has_looked(&self, key: &RootKey, look: Look) {
        let mut tracks = self.tracks();
        tracks.entry(key.clone()).or_default().looked = Some(look);
    }

    /// Takes note of when the next look is due. Where others are looked at together with it, that was known before.
    pub fn looks_again(&self, key: &RootKey, due: Instant) {
        let mut tracks = self.tracks();
        if let Some(look) = tracks.get_mut(key).and_then(|it| it.looked.as_mut()) {
            look.due.get_or_insert(due);
        }
    }

    /// The last look at the service, since this process leads.
    pub fn looked(&self, key: &RootKey) -> Option<Look> {
        self.tracks().get(key)?.looked
    }

    /// How long until the next look that was found due. Nothing if its time has come.
    pub fn time_left(&self, key: &RootKey) -> Option<Duration> {
        time_until(self.looked(key)?.due?)
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &RootKey) {
        self.tracks().remove(key);
    }

    fn tracks(&self) -> MutexGuard<'_, HashMap<RootKey, Track>> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nothing if the time has come.
fn time_until(due: Instant) -> Option<Duration> {
    due.checked_duration_since(Instant::now()).filter(|it| !it.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[tokio::test(start_paused = true)]
    async fn an_object_rests_from_a_pass_until_the_next_is_due_or_there_is_news() {
        let memory = Memory::default();
        let key = RootKey { kind: "Kind", namespace: "ns".into(), name: "a".into() };
        memory.wakes(&key);
        assert_eq!(memory.rest(&key), None, "it had no pass yet");

        memory.begins(&key);
        assert_eq!(memory.rest(&key), None, "a pass is at work");
        memory.ends(&key, HOUR);
        tokio::time::advance(HOUR / 2).await;
        assert_eq!(memory.rest(&key), Some(HOUR / 2), "woken for what the pass has read");
        memory.wakes(&key);
        assert_eq!(memory.rest(&key), None);

        memory.begins(&key);
        memory.wakes(&key);
        memory.ends(&key, HOUR);
        assert_eq!(memory.rest(&key), None, "news while the pass was at work");

        memory.begins(&key);
        memory.forget(&key);
        memory.failed(&key);
        memory.ends(&key, HOUR);
        assert_eq!(memory.rest(&key), None, "created anew while the pass was at work");

        memory.begins(&key);
        memory.ends(&key, HOUR);
        tokio::time::advance(HOUR).await;
        assert_eq!(memory.rest(&key), None, "due");
    }
}
