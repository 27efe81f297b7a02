//! The delete brake: an accident that deletes many resources must not delete as many remote certificates before anybody
//! looks.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::dependents::RootKey;

/// The time in which deletions are counted.
const WINDOW: Duration = Duration::from_secs(600);

/// Counts remote deletions.
pub struct Brake {
    most: usize,
    recent: Mutex<VecDeque<(Instant, RootKey)>>,
}

impl Brake {
    /// Lets through so many in ten minutes.
    pub fn new(most: usize) -> Self {
        Self { most, recent: Mutex::default() }
    }

    /// Whether this resource's remote certificate may be deleted now; then it counts, once.
    pub fn admits(&self, key: &RootKey) -> bool {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        while recent.front().is_some_and(|(at, _)| at.elapsed() >= WINDOW) {
            recent.pop_front();
        }
        if recent.iter().any(|(_, counted)| counted == key) {
            return true;
        }
        if recent.len() >= self.most {
            return false;
        }
        recent.push_back((Instant::now(), key.clone()));
        true
    }

    /// How many go through in ten minutes.
    pub fn most(&self) -> usize {
        self.most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> RootKey {
        RootKey { kind: "Kind", namespace: "ns".into(), name: name.into() }
    }

    #[tokio::test(start_paused = true)]
    async fn so_many_go_through_in_ten_minutes() {
        let brake = Brake::new(3);
        assert!(["a", "b", "c"].into_iter().all(|name| brake.admits(&key(name))));
        assert!(brake.admits(&key("a")), "one that is tried again counts once");
        assert!(!brake.admits(&key("d")));
        tokio::time::advance(Duration::from_secs(599)).await;
        assert!(!brake.admits(&key("d")));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(brake.admits(&key("d")));
        assert!(!Brake::new(0).admits(&key("a")));
    }
}
