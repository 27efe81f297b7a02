//! Listings of parents (a hub, a service, an instance), each read once for all resources there that are at rest.
//!
//! A listing serves a resource that was last looked at before the listing began: what the resource wrote since then is in
//! no older one. All that a listing served are looked at again at one time, by the next one.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::CloudError;

/// A parent that nobody asked for so long is forgotten: longer than the longest resync interval, which is a day.
const UNUSED: Duration = Duration::from_secs(2 * 24 * 3600);

/// A listing of many slow pages that takes longer counts as failed.
const PATIENCE: Duration = Duration::from_secs(40);

/// By how much of its interval a listing may come later than it is due, so that parents do not stay together.
const SPREAD: f64 = 0.2;

/// What is listed, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parent {
    /// The uid of the account.
    pub account: String,
    /// The parent, by the provider's own path.
    pub place: String,
}

/// The listings of one kind.
pub struct Listings<L>(Mutex<HashMap<Parent, Entry<L>>>);

struct Entry<L> {
    asked: Instant,
    last: Arc<tokio::sync::Mutex<Option<Attempt<L>>>>,
}

/// The last time that a parent was listed.
struct Attempt<L> {
    began: Instant,
    /// Nothing if it failed: then each resource is read by itself, and says what is wrong.
    listed: Option<Arc<Listed<L>>>,
}

/// A listing.
pub struct Listed<L> {
    /// When the call began.
    pub began: Instant,
    /// What it gave.
    pub items: L,
    late: f64,
}

impl<L> Listed<L> {
    /// When those with that resync interval are looked at again.
    pub fn due(&self, interval: Duration) -> Instant {
        self.began + interval.mul_f64(1.0 + self.late)
    }
}

impl<L> Default for Listings<L> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<L> Listings<L> {
    /// A listing that is younger than `age` and began after `looked`: the one that is there, or else a new one. The parent
    /// is listed by one caller at a time, and not again before that time where it cannot be listed.
    pub async fn recent(
        &self,
        parent: Parent,
        age: Duration,
        looked: Option<Instant>,
        list: impl Future<Output = Result<L, CloudError>>,
    ) -> Option<Arc<Listed<L>>> {
        let last = self.last(parent);
        let mut last = last.lock().await;
        let serves = |it: &&Attempt<L>| it.began.elapsed() < age && looked.is_none_or(|at| it.began > at);
        if let Some(attempt) = last.as_ref().filter(serves) {
            return attempt.listed.clone();
        }
        let (began, late) = (Instant::now(), SPREAD * fastrand::f64());
        // In the end each resource is read by itself, while there is time for it.
        let listed = tokio::time::timeout(PATIENCE, list).await.ok().and_then(Result::ok);
        let listed = listed.map(|items| Arc::new(Listed { began, items, late }));
        *last = Some(Attempt { began, listed: listed.clone() });
        listed
    }

    fn last(&self, parent: Parent) -> Arc<tokio::sync::Mutex<Option<Attempt<L>>>> {
        let now = Instant::now();
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_, it| now.saturating_duration_since(it.asked) < UNUSED);
        let entry = entries.entry(parent).or_insert_with(|| Entry { asked: now, last: Arc::default() });
        entry.asked = now;
        entry.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::future::join_all;
    use tokio::time::{advance, sleep};

    use super::*;
    use crate::api::reason::Reason;

    const HOUR: Duration = Duration::from_secs(3600);

    /// A hub that counts how often it is listed.
    struct Hub {
        listings: Listings<u32>,
        calls: AtomicU32,
        down: bool,
        /// How long it takes to answer, in seconds.
        takes: u64,
    }

    impl Default for Hub {
        fn default() -> Self {
            Self { listings: Listings::default(), calls: AtomicU32::new(0), down: false, takes: 1 }
        }
    }

    impl Hub {
        async fn look(&self, looked: Option<Instant>) -> Option<Arc<Listed<u32>>> {
            let parent = Parent { account: "uid".into(), place: "hub".into() };
            let list = async {
                let calls = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
                sleep(Duration::from_secs(self.takes)).await;
                if self.down { Err(CloudError::new(Reason::AccessDenied, "")) } else { Ok(calls) }
            };
            self.listings.recent(parent, HOUR, looked, list).await
        }

        fn calls(&self) -> u32 {
            self.calls.load(Ordering::SeqCst)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_come_together_share_one_call() {
        let hub = Hub::default();
        let all = join_all((0..25).map(|_| hub.look(None))).await;
        assert!(all.iter().all(|it| it.as_ref().is_some_and(|it| it.items == 1)));
        assert_eq!(hub.calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_listing_serves_until_it_is_as_old_as_the_interval() {
        let hub = Hub::default();
        hub.look(None).await;
        advance(HOUR - Duration::from_secs(2)).await;
        assert_eq!(hub.look(None).await.unwrap().items, 1);
        advance(Duration::from_secs(2)).await;
        assert_eq!(hub.look(None).await.unwrap().items, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_looked_at_since_is_not_judged_by_an_older_listing() {
        let hub = Hub::default();
        let first = hub.look(None).await.unwrap();
        assert_eq!(hub.look(Some(first.began)).await.unwrap().items, 2, "it has seen that one");
        assert_eq!(hub.look(Some(first.began)).await.unwrap().items, 2, "and not this one");
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_cannot_be_listed_is_left_alone_for_the_interval() {
        let hub = Hub { down: true, ..Hub::default() };
        let all = join_all((0..25).map(|_| hub.look(None))).await;
        assert!(all.iter().all(Option::is_none));
        assert_eq!(hub.calls(), 1);
        advance(HOUR).await;
        hub.look(None).await;
        assert_eq!(hub.calls(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_takes_very_long_counts_as_failed() {
        let hub = Hub { takes: 90, ..Hub::default() };
        assert!(hub.look(None).await.is_none() && hub.look(None).await.is_none());
        assert_eq!(hub.calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_gives_up_leaves_the_call_to_the_next() {
        let hub = Hub::default();
        let given_up = tokio::time::timeout(Duration::from_millis(10), hub.look(None)).await;
        assert!(given_up.is_err());
        assert_eq!(hub.look(None).await.unwrap().items, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_were_served_are_due_at_one_time_within_a_fifth_after_the_interval() {
        let hub = Hub::default();
        let listed = hub.look(None).await.unwrap();
        let due = listed.due(HOUR);
        assert_eq!(due, listed.due(HOUR));
        assert!(due >= listed.began + HOUR && due <= listed.began + HOUR.mul_f64(1.2));
    }
}
