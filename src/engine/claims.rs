//! Whose a remote name is when several resources ask for it: the oldest's, by creation time and then by uid.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use kube::ResourceExt;

use super::dependents::RootKey;
use crate::source::target::Target;

/// The names that resources ask for.
#[derive(Default)]
pub struct Claims(Mutex<Index>);

#[derive(Default)]
struct Index {
    /// Who asks for each, the senior first.
    targets: HashMap<Target, Vec<(Seniority, RootKey)>>,
    claims: HashMap<RootKey, (Target, Seniority)>,
}

/// How resources that ask for the same name are ordered: the least of them has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seniority {
    /// Seconds since 1970; the API server tells no more.
    created: i64,
    uid: String,
}

impl Seniority {
    /// Of this resource.
    pub fn of(root: &impl ResourceExt) -> Self {
        let created = root.creation_timestamp().map_or(i64::MAX, |it| it.0.as_second());
        Self { created, uid: root.uid().unwrap_or_default() }
    }
}

/// Where a resource stands among those that ask for the same name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The name is this resource's.
    Holder {
        /// Those that ask for it too.
        rivals: Vec<RootKey>,
    },
    /// The name is another's.
    Rival {
        /// Whose it is.
        holder: RootKey,
    },
}

impl Claims {
    /// Records what a resource asks for, and tells where it stands. The second list is of those whose standing that
    /// changed.
    pub fn claim(&self, key: &RootKey, target: Target, seniority: Seniority) -> (Standing, Vec<RootKey>) {
        let mut index = self.lock();
        let claim = (target.clone(), seniority.clone());
        let disturbed = if index.claims.get(key) == Some(&claim) {
            Vec::new()
        } else {
            let mut disturbed = index.let_go(key);
            disturbed.extend(index.others(&target, key));
            // One, as a rule.
            let claimants = index.targets.entry(target.clone()).or_insert_with(|| Vec::with_capacity(1));
            let at = claimants.partition_point(|(other, _)| *other < seniority);
            claimants.insert(at, (seniority, key.clone()));
            index.claims.insert(key.clone(), claim);
            disturbed
        };
        (index.standing(&target, key), disturbed)
    }

    /// Where a resource stands by what it claimed; `None` if it claims nothing.
    pub fn standing(&self, key: &RootKey) -> Option<Standing> {
        let index = self.lock();
        let (target, _) = index.claims.get(key)?;
        Some(index.standing(target, key))
    }

    /// Whether a resource still claims with that seniority: one that was created anew does not.
    pub fn holds(&self, key: &RootKey, seniority: &Seniority) -> bool {
        self.lock().claims.get(key).is_some_and(|(_, it)| it == seniority)
    }

    /// Forgets a resource that is gone; gives those that may have its name now.
    pub fn let_go(&self, key: &RootKey) -> Vec<RootKey> {
        self.lock().let_go(key)
    }

    fn lock(&self) -> MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Index {
    fn let_go(&mut self, key: &RootKey) -> Vec<RootKey> {
        let Some((target, _)) = self.claims.remove(key) else { return Vec::new() };
        let Some(claimants) = self.targets.get_mut(&target) else { return Vec::new() };
        claimants.retain(|(_, it)| it != key);
        let left: Vec<_> = claimants.iter().map(|(_, it)| it.clone()).collect();
        if left.is_empty() {
            self.targets.remove(&target);
        }
        left
    }

    fn others(&self, target: &Target, key: &RootKey) -> Vec<RootKey> {
        let claimants = self.targets.get(target).into_iter().flatten();
        claimants.map(|(_, it)| it).filter(|it| *it != key).cloned().collect()
    }

    fn standing(&self, target: &Target, key: &RootKey) -> Standing {
        match self.targets.get(target).and_then(|it| it.first()) {
            Some((_, holder)) if holder != key => Standing::Rival { holder: holder.clone() },
            _ => Standing::Holder { rivals: self.others(target, key) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> RootKey {
        RootKey { kind: "Kind", namespace: "ns".into(), name: name.into() }
    }

    fn seniority(created: i64, uid: &str) -> Seniority {
        Seniority { created, uid: uid.into() }
    }

    fn name(text: &str) -> Target {
        Target::new(["hub", text])
    }

    fn holder(rivals: &[&str]) -> Standing {
        Standing::Holder { rivals: rivals.iter().map(|it| key(it)).collect() }
    }

    fn rival_of(name: &str) -> Standing {
        Standing::Rival { holder: key(name) }
    }

    #[test]
    fn the_oldest_has_the_name_in_whatever_order_they_come() {
        let claims = Claims::default();
        assert_eq!(claims.claim(&key("b"), name("ca"), seniority(2, "1")), (holder(&[]), vec![]));
        assert_eq!(claims.claim(&key("c"), name("CA"), seniority(2, "2")), (rival_of("b"), vec![key("b")]));
        let (standing, disturbed) = claims.claim(&key("a"), name("ca"), seniority(1, "9"));
        assert_eq!((standing, disturbed), (holder(&["b", "c"]), vec![key("b"), key("c")]));
        assert_eq!(claims.claim(&key("b"), name("ca"), seniority(2, "1")), (rival_of("a"), vec![]));
        assert_eq!(claims.claim(&key("x"), name("other"), seniority(9, "x")), (holder(&[]), vec![]));
    }

    #[test]
    fn a_name_that_is_let_go_is_the_next_ones() {
        let claims = Claims::default();
        for (name_of, created) in [("a", 1), ("b", 2), ("c", 3)] {
            claims.claim(&key(name_of), name("ca"), seniority(created, name_of));
        }
        assert_eq!(claims.let_go(&key("a")), [key("b"), key("c")]);
        assert!(claims.let_go(&key("a")).is_empty());
        assert_eq!(claims.claim(&key("b"), name("ca"), seniority(2, "b")), (holder(&["c"]), vec![]));
        // Deleted and created anew, it is the youngest.
        let (standing, _) = claims.claim(&key("b"), name("ca"), seniority(4, "b2"));
        assert_eq!(standing, rival_of("c"));
        claims.let_go(&key("b"));
        claims.let_go(&key("c"));
        assert!(claims.lock().targets.is_empty() && claims.lock().claims.is_empty());
    }
}
