//! How many passes of one account are at work at a time. A cloud that answers slowly, or an account with very many
//! certificates, keeps no more of the workers than that: the resources of all others go on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::source::ObjectKey;

/// More than the calls that an account makes at a time, so that none of these waits for a pass to begin.
const AT_A_TIME: usize = 8;

/// When an object comes back whose account has no turn left: in one to five seconds, by chance.
pub fn later(chance: f64) -> Duration {
    Duration::from_secs_f64(1.0 + 4.0 * chance.clamp(0.0, 1.0))
}

/// The passes at work, by account.
#[derive(Clone, Default)]
pub struct Turns(Arc<Mutex<HashMap<ObjectKey, usize>>>);

/// A pass at work; it ends when this is dropped.
pub struct Turn {
    turns: Turns,
    account: ObjectKey,
}

impl Turns {
    /// A turn, if the account has one left.
    pub fn take(&self, account: &ObjectKey) -> Option<Turn> {
        let mut at_work = self.lock();
        let count = at_work.entry(account.clone()).or_default();
        if *count >= AT_A_TIME {
            return None;
        }
        *count += 1;
        Some(Turn { turns: self.clone(), account: account.clone() })
    }

    /// Whether the account has none left.
    pub fn are_taken(&self, account: &ObjectKey) -> bool {
        self.lock().get(account).is_some_and(|count| *count >= AT_A_TIME)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut at_work = self.turns.lock();
        if let Some(count) = at_work.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                at_work.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ReferenceKind;

    fn account(name: &str) -> ObjectKey {
        ObjectKey::new(ReferenceKind::ClusterCloudAccount, "", name)
    }

    #[test]
    fn an_account_takes_no_turns_from_another_and_gets_its_own_back() {
        let turns = Turns::default();
        let mut slow: Vec<_> = (0..AT_A_TIME).map(|_| turns.take(&account("slow")).unwrap()).collect();
        assert!(turns.take(&account("slow")).is_none() && turns.are_taken(&account("slow")));
        assert!(turns.take(&account("other")).is_some() && !turns.are_taken(&account("other")));
        slow.pop();
        slow.push(turns.take(&account("slow")).unwrap());
        assert!(turns.take(&account("slow")).is_none());
        drop(slow);
        assert!(turns.lock().is_empty());
    }
}
