//! Whether the service was found otherwise than it was left, though nobody asked for anything else. It is counted, and
//! decides nothing.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::Resource;

use super::converge::{End, Setback};
use super::dependents::RootKey;
use super::reconcile::Pass;
use super::{Engine, Goal, Provider};
use crate::source::ObjectKey;

/// What each resource was last settled on, by this process.
#[derive(Default)]
pub struct Settled {
    /// The digests of what it was.
    bases: Mutex<HashMap<RootKey, u64>>,
    digests: RandomState,
}

/// What a resource asked for: its spec, and the versions of what that refers to.
#[derive(Hash)]
struct Basis {
    generation: i64,
    sources: Vec<(ObjectKey, String)>,
}

/// What a pass saw of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    /// A read shows the goal reached. It may have been otherwise at first.
    Settled { after_a_difference: bool },
    /// It differs from what is wanted.
    Otherwise,
    /// Nothing that tells.
    Nothing,
}

impl Settled {
    /// Forgets a resource that is gone.
    pub fn forget(&self, key: &RootKey) {
        self.lock().remove(key);
    }

    /// Takes note of what a pass saw. If that was drift, gives whether the pass corrected it.
    fn note(&self, key: &RootKey, basis: &Basis, seen: Seen) -> Option<bool> {
        let basis = self.digests.hash_one(basis);
        let mut settled = self.lock();
        let same = settled.get(key) == Some(&basis);
        match seen {
            Seen::Settled { after_a_difference } => {
                settled.insert(key.clone(), basis);
                (same && after_a_difference).then_some(true)
            }
            Seen::Otherwise => {
                settled.remove(key); // what is told once is not told again at each retry
                same.then_some(false)
            }
            Seen::Nothing => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<RootKey, u64>> {
        self.bases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<P: Provider> Pass<'_, P> {
    /// Records what a pass saw of the service. `differed`: a call was due that is no mere renewal.
    pub(super) fn note(
        &self,
        root: &P::Root,
        goal: &Goal<P::Desired>,
        differed: bool,
        end: &End<P::Observed>,
    ) {
        if matches!(goal, Goal::Absent) {
            return;
        }
        let Engine { metrics, dependents, settled, .. } = &*self.context.engine;
        let seen = match end {
            End::Settled(_) => Seen::Settled { after_a_difference: differed },
            End::Outdated => Seen::Nothing,
            End::Failed(Setback { behind: true, .. }) => Seen::Otherwise,
            End::Failed(_) | End::Waived(_) | End::Waiting { .. } if differed => Seen::Otherwise,
            End::Failed(_) | End::Waived(_) | End::Waiting { .. } => Seen::Nothing,
        };
        let generation = root.meta().generation.unwrap_or_default();
        let basis = Basis { generation, sources: dependents.sources(self.key) };
        if let Some(corrected) = settled.note(self.key, &basis, seen) {
            metrics.drifted(self.key.kind, corrected);
            tracing::info!(corrected, "the service was found otherwise than it was left");
        }
        if let End::Settled(_) = end
            && let Some(after) = dependents.confirmed(self.key)
        {
            metrics.followed_source(self.key.kind, after);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::ReferenceKind;

    fn basis(generation: i64, version: &str) -> Basis {
        let secret = ObjectKey::new(ReferenceKind::Secret, "ns", "factory-ca");
        Basis { generation, sources: vec![(secret, version.to_owned())] }
    }

    #[test]
    fn drift_is_a_difference_under_the_spec_and_source_that_were_settled_on() {
        let key = RootKey { kind: "Kind", namespace: "ns".into(), name: "a".into() };
        let (settled, written) =
            (Seen::Settled { after_a_difference: false }, Seen::Settled { after_a_difference: true });
        let record = Settled::default();
        for (why, generation, version, seen, drift) in [
            ("the first write", 1, "1", written, None),
            ("at rest", 1, "1", settled, None),
            ("repaired", 1, "1", written, Some(true)),
            ("another spec", 2, "1", written, None),
            ("another source", 2, "2", written, None),
            ("a failed read", 2, "2", Seen::Nothing, None),
            ("not repaired", 2, "2", Seen::Otherwise, Some(false)),
            ("still not", 2, "2", Seen::Otherwise, None),
            ("repaired later", 2, "2", written, None),
            ("once more", 2, "2", written, Some(true)),
        ] {
            assert_eq!(record.note(&key, &basis(generation, version), seen), drift, "{why}");
        }
        record.forget(&key);
        assert_eq!(record.note(&key, &basis(2, "2"), written), None, "nothing is known of it");
    }
}
