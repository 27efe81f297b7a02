//! What is remembered of each resource between passes. Losing it costs nothing but an early retry.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::converge::Setback;
use super::dependents::RootKey;
use super::status::Outcome;
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
}

impl Memory {
    /// Takes note of an outcome; gives the passing failures in a row, and since when no pass could read the service.
    pub fn record(&self, key: &RootKey, generation: i64, outcome: &Outcome) -> (u32, Option<Duration>) {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let track = tracks.entry(key.clone()).or_default();
        if track.generation != generation {
            *track = Track { generation, answered: track.answered, ..Track::default() };
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
                *track = Track { generation, answered: track.answered, ..Track::default() };
            }
        }
        (track.failures, track.unread_since.map(|it| it.elapsed()))
    }

    /// Counts a failure of the API server; gives the failures in a row.
    pub fn failed(&self, key: &RootKey) -> u32 {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        let track = tracks.entry(key.clone()).or_default();
        track.failures = track.failures.saturating_add(1);
        track.failures
    }

    /// Takes note that the write that was recorded at this time got its answer.
    pub fn answered(&self, key: &RootKey, recorded: Timestamp) {
        let mut tracks = self.tracks.lock().unwrap_or_else(PoisonError::into_inner);
        tracks.entry(key.clone()).or_default().answered = Some(recorded);
    }

    /// When the last write was recorded that got an answer.
    pub fn last_answered(&self, key: &RootKey) -> Option<Timestamp> {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).get(key)?.answered
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &RootKey) {
        self.tracks.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}
