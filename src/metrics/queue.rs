//! When each object is to be looked at: what a controller's queue is. kube-runtime keeps the same in its scheduler, and
//! tells nobody.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::Named;

/// The queues of all controllers.
#[derive(Default)]
pub(super) struct Queue(Mutex<State>);

#[derive(Default)]
struct State {
    kinds: BTreeSet<&'static str>,
    /// The times of all objects that no pass has begun for since.
    due: HashMap<Named, Instant>,
}

impl Queue {
    /// Objects of this kind will be queued.
    pub(super) fn open(&self, kind: &'static str) {
        self.lock().kinds.insert(kind);
    }

    /// The object is to be looked at then, or before if so was said already.
    pub(super) fn add(&self, of: Named, at: Instant) {
        let due = &mut self.lock().due;
        let known = due.entry(of).or_insert(at);
        *known = at.min(*known);
    }

    /// The object is to be looked at then, whatever was said before.
    pub(super) fn put(&self, of: Named, at: Instant) {
        self.lock().due.insert(of, at);
    }

    /// Takes the object out; gives how long its time has been over, if it was in.
    pub(super) fn take(&self, of: &Named, now: Instant) -> Option<Duration> {
        self.lock().due.remove(of).map(|at| now.saturating_duration_since(at))
    }

    /// Nobody looks at anything any more.
    pub(super) fn clear(&self) {
        self.lock().due.clear();
    }

    /// How many objects of each kind there are whose time is over.
    pub(super) fn depth(&self, now: Instant) -> BTreeMap<&'static str, i64> {
        let state = self.lock();
        let mut depth: BTreeMap<_, _> = state.kinds.iter().map(|kind| (*kind, 0)).collect();
        for of in state.due.iter().filter(|(_, at)| **at <= now).map(|(of, _)| of) {
            *depth.entry(of.kind).or_default() += 1;
        }
        depth
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Named {
        Named { kind: "Kind", namespace: "ns".into(), name: name.into() }
    }

    #[test]
    fn an_object_waits_from_its_earliest_time_until_a_pass_begins() {
        let queue = Queue::default();
        queue.open("Kind");
        let begin = Instant::now();
        let at = |seconds| begin + Duration::from_secs(seconds);
        queue.add(named("a"), at(60));
        queue.add(named("a"), at(10));
        queue.add(named("a"), at(30));
        queue.add(named("b"), at(100));
        assert_eq!(queue.depth(at(9)), BTreeMap::from([("Kind", 0)]));
        assert_eq!(queue.depth(at(12)), BTreeMap::from([("Kind", 1)]));
        assert_eq!(queue.take(&named("a"), at(12)), Some(Duration::from_secs(2)));
        assert_eq!(queue.take(&named("a"), at(12)), None);
        assert_eq!(queue.depth(at(100)), BTreeMap::from([("Kind", 1)]));
        queue.put(named("b"), at(200));
        assert_eq!(queue.depth(at(150)), BTreeMap::from([("Kind", 0)]), "what it waited for was seen before");
        queue.clear();
        assert_eq!(queue.depth(at(200)), BTreeMap::from([("Kind", 0)]));
    }
}
