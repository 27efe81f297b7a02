//! Which resources refer to which objects, so that a change of a Secret or an account reaches those that use it.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::metrics::Named;
use crate::source::{ObjectKey, ReferenceKind};

/// One resource of ours: its kind and place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RootKey {
    /// The kind, as in manifests.
    pub kind: &'static str,
    /// The namespace; empty for a cluster-wide kind.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl RootKey {
    /// As metrics name it.
    pub fn named(&self) -> Named {
        Named { kind: self.kind, namespace: self.namespace.clone(), name: self.name.clone() }
    }
}

/// The index from objects to the resources that refer to them.
#[derive(Default)]
pub struct Dependents(Mutex<Index>);

#[derive(Default)]
struct Index {
    /// For each resource: what it refers to, and the version that its last pass read.
    references: HashMap<RootKey, Vec<Referred>>,
    /// The same the other way round, in order.
    dependents: BTreeSet<(ObjectKey, RootKey)>,
    /// For each resource with a pass at work: the versions it was told of before it read any.
    told: HashMap<RootKey, HashMap<ObjectKey, String>>,
    /// For each resource: since when its source is known to have changed.
    noticed: HashMap<RootKey, Noticed>,
    /// What tells the controller of each kind to look at a resource.
    controllers: HashMap<&'static str, Box<dyn Fn(RootKey) + Send>>,
}

/// What a resource refers to, and the version that its last pass read.
type Referred = (ObjectKey, Option<String>);

/// Changes of a source on their way to the cloud.
#[derive(Default)]
struct Noticed {
    /// The first since the source was last read.
    unread: Option<Instant>,
    /// The first that was read and is not yet confirmed.
    read: Option<Instant>,
}

impl Dependents {
    /// Resources of this kind are to be told there when something that they refer to changed.
    pub fn notify(&self, kind: &'static str, controller: impl Fn(RootKey) + Send + 'static) {
        self.lock().controllers.insert(kind, Box::new(controller));
    }

    /// A pass over a resource begins. What it is told of before it reads that, it most likely reads: so at a start, when
    /// the first passes and the first watches begin together.
    pub fn begins<'a>(&'a self, root: &'a RootKey) -> AtWork<'a> {
        self.lock().told.insert(root.clone(), HashMap::new());
        AtWork { dependents: self, root }
    }

    /// Records what a resource refers to, before it is read: a change from now on is noticed.
    pub fn refers(&self, root: &RootKey, keys: impl IntoIterator<Item = ObjectKey>) {
        let index = &mut *self.lock();
        let (root, before) =
            index.references.remove_entry(root).unwrap_or_else(|| (root.clone(), Vec::new()));
        let mut after: Vec<_> = keys.into_iter().map(|key| (key, None)).collect();
        after.sort();
        after.dedup();
        for (key, version) in before {
            match after.iter_mut().find(|(it, _)| *it == key) {
                Some(same) => *same = (key, version),
                None => index.unlink(&key, &root),
            }
        }
        let pairs = after.iter().map(|(key, _)| (key.clone(), root.clone()));
        index.dependents.extend(pairs);
        index.references.insert(root, after);
    }

    /// A pass found that the resource does not depend on the object after all.
    pub fn ignores(&self, root: &RootKey, key: &ObjectKey) {
        let index = &mut *self.lock();
        if let Some(told) = index.told.get_mut(root) {
            told.remove(key);
        }
        if let Some(references) = index.references.get_mut(root) {
            references.retain(|(it, _)| it != key);
            index.unlink(key, root);
        }
    }

    /// Records the versions that a pass read; an event about just these is no news to it.
    pub fn has_read(&self, root: &RootKey, versions: &[(ObjectKey, String)]) {
        if let Some(references) = self.lock().references.get_mut(root) {
            for (key, version) in versions {
                match references.iter_mut().find(|(it, _)| it == key) {
                    Some((_, read)) => *read = Some(version.clone()),
                    None => references.push((key.clone(), Some(version.clone()))),
                }
            }
        }
    }

    /// A pass reads what the resource refers to from here on: with it, every change that was noticed before.
    pub fn reads(&self, root: &RootKey) {
        if let Some(Noticed { unread, read }) = self.lock().noticed.get_mut(root) {
            *read = read.or(unread.take());
        }
    }

    /// The cloud has what was read; gives the time since the first change of it was noticed, if there was one.
    pub fn confirmed(&self, root: &RootKey) -> Option<Duration> {
        self.lock().noticed.get_mut(root)?.read.take().map(|at| at.elapsed())
    }

    /// The versions of what the pass read besides its account, in a fixed order.
    pub fn sources(&self, root: &RootKey) -> Vec<(ObjectKey, String)> {
        let index = self.lock();
        let read = index.references.get(root).into_iter().flatten();
        let mut sources: Vec<_> = read
            .filter(|(key, _)| key.kind.is_source())
            .filter_map(|(key, version)| Some((key.clone(), version.clone()?)))
            .collect();
        sources.sort();
        sources
    }

    /// Whether a resource refers to anything of that kind in that namespace.
    pub fn refer_to(&self, kind: ReferenceKind, namespace: &str) -> bool {
        let index = self.lock();
        let first = index.from(ObjectKey::new(kind, namespace, "")).next();
        first.is_some_and(|(key, _)| key.kind == kind && &*key.namespace == namespace)
    }

    /// A resource that refers to the object: the first, if several do.
    pub fn user(&self, key: &ObjectKey) -> Option<RootKey> {
        self.lock().dependents_of(key).next().cloned()
    }

    /// Has the controllers of these resources look at them.
    pub fn wake(&self, roots: impl IntoIterator<Item = RootKey>) {
        let index = self.lock();
        roots.into_iter().for_each(|root| index.wake(root));
    }

    /// Forgets a resource that is gone.
    pub fn forget(&self, root: &RootKey) {
        let index = &mut *self.lock();
        index.noticed.remove(root);
        for (key, _) in index.references.remove(root).unwrap_or_default() {
            index.unlink(&key, root);
        }
    }

    /// Sends every resource that refers to the object and has not read this version of it to its controller.
    pub fn changed(&self, key: &ObjectKey, version: Option<&str>) {
        let index = &mut *self.lock();
        for root in index.dependents_of(key).cloned().collect::<Vec<_>>() {
            let read = index.read(&root, key);
            if version.is_some() && read == version {
                continue;
            }
            if version.is_some() && read.is_some() && key.kind.holds_data() {
                index.noticed.entry(root.clone()).or_default().unread.get_or_insert_with(Instant::now);
            }
            index.tell(root, key, version);
        }
    }

    /// Sends every resource that uses the account, and has not read it with these versions of its Secret, to its
    /// controller. Where a cloud has no sign-in of its own, the account's status does not tell of other keys.
    pub fn account_read(&self, account: &ObjectKey, versions: &[(ObjectKey, String)]) {
        let index = &mut *self.lock();
        for root in index.dependents_of(account).cloned().collect::<Vec<_>>() {
            for (key, version) in versions.iter().filter(|(key, _)| key != account) {
                if index.read(&root, key) != Some(version) {
                    index.tell(root.clone(), key, Some(version));
                }
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Index> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass at work, until this is dropped. Then it is known whether it read what it was told of.
pub struct AtWork<'a> {
    dependents: &'a Dependents,
    root: &'a RootKey,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        let mut index = self.dependents.lock();
        let told = index.told.remove(self.root).unwrap_or_default();
        if told.iter().any(|(key, version)| index.read(self.root, key) != Some(version)) {
            index.wake(self.root.clone());
        }
    }
}

impl Index {
    fn dependents_of(&self, key: &ObjectKey) -> impl Iterator<Item = &RootKey> {
        self.from(key.clone()).take_while(move |(it, _)| it == key).map(|(_, root)| root)
    }

    /// What is referred to from that object on, with who refers to it.
    fn from(&self, key: ObjectKey) -> impl Iterator<Item = &(ObjectKey, RootKey)> {
        self.dependents.range((key, RootKey { kind: "", namespace: "".into(), name: "".into() })..)
    }

    /// The version of the object that the last pass over the resource read.
    fn read(&self, root: &RootKey, key: &ObjectKey) -> Option<&str> {
        self.references.get(root)?.iter().find(|(it, _)| it == key)?.1.as_deref()
    }

    /// Has the controller look at the resource. A pass at work that has not read the object yet does so first.
    fn tell(&mut self, root: RootKey, key: &ObjectKey, version: Option<&str>) {
        let is_unread = self.read(&root, key).is_none();
        match (version, self.told.get_mut(&root)) {
            (Some(version), Some(told)) if is_unread => {
                told.insert(key.clone(), version.to_owned());
            }
            _ => self.wake(root),
        }
    }

    fn unlink(&mut self, key: &ObjectKey, root: &RootKey) {
        let was_linked = self.dependents.remove(&(key.clone(), root.clone()));
        if was_linked && self.dependents_of(key).next().is_none() {
            self.unused(key);
        }
    }

    /// An account that nobody refers to any more may be let go.
    fn unused(&self, key: &ObjectKey) {
        let kind = match key.kind {
            ReferenceKind::CloudAccount => "CloudAccount",
            ReferenceKind::ClusterCloudAccount => "ClusterCloudAccount",
            ReferenceKind::Secret | ReferenceKind::ConfigMap => return,
            ReferenceKind::ServiceAccount
            | ReferenceKind::Namespace
            | ReferenceKind::CertificateRequest
            | ReferenceKind::KeyVaultCertificate
            | ReferenceKind::IotdaCertificate => {
                return;
            }
        };
        self.wake(RootKey { kind, namespace: key.namespace.clone(), name: key.name.clone() });
    }

    fn wake(&self, root: RootKey) {
        if let Some(tell) = self.controllers.get(root.kind) {
            tell(root);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use super::*;

    fn secret(name: &str) -> ObjectKey {
        ObjectKey::new(ReferenceKind::Secret, "ns", name)
    }

    fn root(name: &str) -> RootKey {
        RootKey { kind: "Kind", namespace: "ns".into(), name: name.into() }
    }

    fn controller() -> (impl Fn(RootKey) + Send + 'static, Receiver<RootKey>) {
        let (sender, queue) = channel();
        (move |root| drop(sender.send(root)), queue)
    }

    fn drain(queue: &Receiver<RootKey>) -> Vec<String> {
        let mut names: Vec<_> =
            std::iter::from_fn(|| queue.try_recv().ok()).map(|it| it.name.to_string()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_change_reaches_those_that_refer_to_the_object_and_have_not_read_it() {
        let (tell, queue) = controller();
        let dependents = Dependents::default();
        dependents.notify("Kind", tell);
        dependents.refers(&root("a"), [secret("s"), secret("t")]);
        dependents.refers(&root("b"), [secret("s")]);

        dependents.changed(&secret("s"), Some("1"));
        assert_eq!(drain(&queue), ["a", "b"]);
        let refer_to = |namespace| dependents.refer_to(ReferenceKind::Secret, namespace);
        assert!(refer_to("ns") && !refer_to("n") && !refer_to("ns2"));
        assert!(!dependents.refer_to(ReferenceKind::ConfigMap, "ns"));
        dependents.has_read(&root("a"), &[(secret("s"), "1".into())]);
        dependents.changed(&secret("s"), Some("1"));
        assert_eq!(drain(&queue), ["b"]);
        dependents.changed(&secret("s"), None);
        assert_eq!(drain(&queue), ["a", "b"]);

        dependents.refers(&root("a"), [secret("t")]);
        dependents.forget(&root("b"));
        dependents.changed(&secret("s"), Some("2"));
        assert!(drain(&queue).is_empty());
        dependents.changed(&secret("t"), Some("1"));
        assert_eq!(drain(&queue), ["a"]);
    }

    #[test]
    fn what_a_pass_reads_after_it_was_told_of_it_is_no_news() {
        let (tell, queue) = controller();
        let dependents = Dependents::default();
        dependents.notify("Kind", tell);
        for (read, woken) in [("1", false), ("2", true)] {
            let a = root("a");
            dependents.refers(&a, [secret("s"), secret("t")]);
            let at_work = dependents.begins(&a);
            dependents.changed(&secret("s"), Some("2"));
            dependents.changed(&secret("s"), Some("1"));
            assert!(drain(&queue).is_empty());
            dependents.has_read(&a, &[(secret("s"), read.into())]);
            drop(at_work);
            assert_eq!(!drain(&queue).is_empty(), woken, "read {read}, told of 1 last");

            let at_work = dependents.begins(&a);
            dependents.changed(&secret("s"), Some("3"));
            dependents.changed(&secret("t"), None);
            assert_eq!(drain(&queue), ["a", "a"], "newer than what was read; gone");
            dependents.changed(&secret("t"), Some("1"));
            drop(at_work);
            assert_eq!(drain(&queue), ["a"], "not read");
            dependents.forget(&a);
        }
    }

    #[test]
    fn what_a_pass_finds_not_to_matter_wakes_nobody() {
        let (tell, queue) = controller();
        let (dependents, namespace) = (Dependents::default(), ObjectKey::of_namespace("ns"));
        dependents.notify("Kind", tell);
        let a = root("a");
        dependents.refers(&a, [namespace.clone()]);
        let at_work = dependents.begins(&a);
        dependents.changed(&namespace, Some("1"));
        dependents.ignores(&a, &namespace);
        dependents.changed(&namespace, Some("2"));
        drop(at_work);
        dependents.changed(&namespace, Some("3"));
        assert!(drain(&queue).is_empty());
        dependents.refers(&a, [namespace.clone()]);
        dependents.changed(&namespace, Some("4"));
        assert_eq!(drain(&queue), ["a"], "another account may go by it");
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_source_is_on_its_way_from_its_notice_until_what_was_read_of_it_is_confirmed() {
        let dependents = Dependents::default();
        let (a, pass) = (root("a"), Duration::from_secs(1));
        dependents.refers(&a, [secret("s")]);
        dependents.changed(&secret("s"), Some("1"));
        dependents.reads(&a);
        assert_eq!(dependents.confirmed(&a), None, "what is read for the first time is no change");
        dependents.has_read(&a, &[(secret("s"), "1".into())]);

        dependents.changed(&secret("s"), Some("2"));
        tokio::time::advance(pass).await;
        dependents.changed(&secret("s"), Some("3"));
        dependents.reads(&a);
        dependents.changed(&secret("s"), Some("4"));
        tokio::time::advance(pass).await;
        assert_eq!(dependents.confirmed(&a), Some(2 * pass), "since the first of the two");
        assert_eq!(dependents.confirmed(&a), None, "the third was not read");
        dependents.reads(&a);
        assert_eq!(dependents.confirmed(&a), Some(pass));
    }

    #[test]
    fn who_used_an_account_with_another_secret_looks_again() {
        let account = ObjectKey::new(ReferenceKind::CloudAccount, "ns", "huawei");
        let (tell, queue) = controller();
        let dependents = Dependents::default();
        dependents.notify("Kind", tell);
        for name in ["a", "b"] {
            dependents.refers(&root(name), [account.clone()]);
        }
        let versions = |own: &str, of_secret: &str| {
            [(account.clone(), own.to_owned()), (secret("keys"), of_secret.to_owned())]
        };
        dependents.has_read(&root("a"), &versions("1", "1"));
        dependents.account_read(&account, &versions("2", "1"));
        assert_eq!(drain(&queue), ["b"]);
        dependents.has_read(&root("b"), &versions("2", "1"));
        dependents.account_read(&account, &versions("3", "1"));
        assert!(drain(&queue).is_empty());
        dependents.account_read(&account, &versions("3", "2"));
        assert_eq!(drain(&queue), ["a", "b"]);
    }

    #[test]
    fn an_account_is_told_when_its_last_user_is_gone() {
        let account = ObjectKey::new(ReferenceKind::CloudAccount, "ns", "azure");
        let (tell, queue) = controller();
        let dependents = Dependents::default();
        dependents.notify("CloudAccount", tell);
        for name in ["b", "a"] {
            dependents.refers(&root(name), [account.clone()]);
        }
        assert_eq!(dependents.user(&account), Some(root("a")));
        dependents.forget(&root("a"));
        assert_eq!(dependents.user(&account), Some(root("b")));
        assert!(drain(&queue).is_empty());
        dependents.refers(&root("b"), []);
        assert_eq!(dependents.user(&account), None);
        assert_eq!(drain(&queue), ["azure"]);
    }
}
