//! How many passes are at work at a time in one account, and in one parent (hub, service, vault, instance) of it. A cloud
//! or a parent that answers slowly, or has very many certificates, keeps no more of the workers than that: the resources of
//! the others go on.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::source::ObjectKey;
use crate::source::target::Target;

/// Of one account; each makes one call at a time.
const OF_ONE_ACCOUNT: usize = 8;
/// Of these in one parent, so that the others have some left.
const IN_ONE_PARENT: usize = 4;

/// When an object comes back for which there was no turn: in half a second to three, by chance.
pub fn later(chance: f64) -> Duration {
    Duration::from_secs_f64(0.5 + 2.5 * chance.clamp(0.0, 1.0))
}

/// An account and a parent in it, told apart by hashes: each of ten thousand resources remembers its own. Two that are taken
/// for one share their turns, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lane {
    account: u64,
    parent: u64,
}

impl Lane {
    /// Of that parent in that account.
    pub fn of(account: &ObjectKey, parent: &Target) -> Self {
        Self { account: hash(account), parent: hash(parent) }
    }
}

fn hash(value: &impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

/// The passes at work, by account and parent.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<u64, Parents>>>);

type Parents = HashMap<u64, usize>;

/// A pass at work; it ends when this is dropped.
pub struct Turn {
    turns: Turns,
    lane: Lane,
}

impl Turns {
    /// A turn, if the account has one left for that parent.
    pub fn take(&self, lane: Lane) -> Option<Turn> {
        let mut accounts = self.lock();
        let parents = accounts.entry(lane.account).or_default();
        let of_account: usize = parents.values().sum();
        let in_parent = parents.entry(lane.parent).or_default();
        if of_account >= OF_ONE_ACCOUNT || *in_parent >= IN_ONE_PARENT {
            parents.retain(|_, count| *count > 0);
            return None;
        }
        *in_parent += 1;
        Some(Turn { turns: self.clone(), lane })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Parents>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    /// Whether it is one of that lane.
    pub fn is_in(&self, lane: Lane) -> bool {
        self.lane == lane
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut accounts = self.turns.lock();
        let Some(parents) = accounts.get_mut(&self.lane.account) else { return };
        if let Some(count) = parents.get_mut(&self.lane.parent) {
            *count -= 1;
        }
        parents.retain(|_, count| *count > 0);
        if parents.is_empty() {
            accounts.remove(&self.lane.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ReferenceKind;

    fn lane(account: &str, parent: usize) -> Lane {
        let account = ObjectKey::new(ReferenceKind::ClusterCloudAccount, "", account);
        Lane::of(&account, &Target::new(["keyvault", &parent.to_string()]))
    }

    #[test]
    fn an_account_takes_no_turns_from_another_and_gets_its_own_back() {
        let turns = Turns::default();
        let take = |parent: usize| turns.take(lane("slow", parent));
        let mut slow: Vec<_> = (0..OF_ONE_ACCOUNT).map(|it| take(it).unwrap()).collect();
        assert!(take(100).is_none());
        assert!(turns.take(lane("other", 0)).is_some());
        slow.pop();
        slow.push(take(100).unwrap());
        assert!(take(101).is_none());
        drop(slow);
        assert!(turns.lock().is_empty());
    }

    #[test]
    fn a_parent_takes_no_turns_from_another_of_the_same_account() {
        let turns = Turns::default();
        let take = |parent: usize| turns.take(lane("one", parent));
        let mut slow: Vec<_> = (0..IN_ONE_PARENT).map(|_| take(0).unwrap()).collect();
        assert!(take(0).is_none());
        assert!(take(1).is_some_and(|it| it.is_in(lane("one", 1)) && !it.is_in(lane("one", 0))));
        slow.pop();
        assert!(take(0).is_some());
    }
}
