//! Which namespaces are served: all of them, or those that are named. Then each has a watch of its own, so that the
//! operator needs no right in any other.

use std::collections::{BTreeSet, HashMap};
use std::fmt::Debug;

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use k8s_openapi::{ClusterResourceScope, NamespaceResourceScope};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::{Api, Client, Resource, ResourceExt};
use kube_runtime::watcher::{Config, Event};
use kube_runtime::{WatchStreamExt, watcher};
use serde::de::DeserializeOwned;

use crate::source::watch::WATCH_SECONDS;

/// The namespaces whose resources are served; all of them where none is named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served(BTreeSet<String>);

/// What a watch tells of metadata.
type Told<K> = watcher::Result<Event<PartialObjectMeta<K>>>;

impl Served {
    /// Those, or all when there are none.
    pub fn namespaces(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Changes of a kind's metadata, wherever it is served, as if one watch told them.
    pub fn watch<K>(&self, client: &Client) -> BoxStream<'static, Told<K>>
    where
        K: Resource<DynamicType = (), Scope: Scoped> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let watch = |api| watcher(api, Config::default().timeout(WATCH_SECONDS)).default_backoff();
        match self.places::<K>() {
            None => watch(Api::all(client.clone())).boxed(),
            Some(namespaces) => {
                let apis = namespaces.iter().map(|it| K::Scope::within(client.clone(), it));
                merged(apis.map(|api| watch(api).boxed()))
            }
        }
    }

    /// The APIs of a kind whose objects are not decoded, wherever it is served, each with its namespace if that was named.
    pub fn undecoded<K>(&self, client: &Client) -> Vec<(Option<&str>, Api<DynamicObject>)>
    where
        K: Resource<DynamicType = (), Scope: Scoped>,
    {
        let kind = ApiResource::erase::<K>(&());
        match self.places::<K>() {
            None => vec![(None, Api::all_with(client.clone(), &kind))],
            Some(namespaces) => {
                let api = |it| Api::namespaced_with(client.clone(), it, &kind);
                namespaces.iter().map(|it| (Some(it.as_str()), api(it))).collect()
            }
        }
    }

    /// The namespaces that a kind is served in; `None` where it is served everywhere.
    fn places<K: Resource<DynamicType = (), Scope: Scoped>>(&self) -> Option<&BTreeSet<String>> {
        (K::Scope::NAMESPACED && !self.0.is_empty()).then_some(&self.0)
    }
}

/// Whether a kind's objects stand in namespaces.
pub trait Scoped: Sized {
    /// They do.
    const NAMESPACED: bool;

    /// The API of a kind in a namespace; without namespaces there is but one.
    fn within<K>(client: Client, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = Self>;
}

impl Scoped for NamespaceResourceScope {
    const NAMESPACED: bool = true;

    fn within<K>(client: Client, namespace: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = Self>,
    {
        Api::namespaced(client, namespace)
    }
}

impl Scoped for ClusterResourceScope {
    const NAMESPACED: bool = false;

    fn within<K>(client: Client, _: &str) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = Self>,
    {
        Api::all(client)
    }
}

/// One stream of several. A new listing of one of them must not make the others' objects forgotten, so only single
/// changes are passed on, what a listing no longer has among them.
fn merged<K>(watches: impl Iterator<Item = BoxStream<'static, Told<K>>>) -> BoxStream<'static, Told<K>>
where
    K: Resource<DynamicType = ()> + Clone + Send + 'static,
{
    // An empty listing in front: from now on the changes are all there is.
    let begin = stream::iter([Ok(Event::Init), Ok(Event::InitDone)]);
    let changes = watches.map(|watch| {
        let mut known = Known::default();
        watch.map_ok(move |event| stream::iter(known.changes(event).into_iter().map(Ok))).try_flatten()
    });
    begin.chain(stream::select_all(changes.map(StreamExt::boxed))).boxed()
}

/// The objects that one watch knows.
struct Known<K> {
    objects: HashMap<String, K>,
    listing: HashMap<String, K>,
}

impl<K> Default for Known<K> {
    fn default() -> Self {
        Self { objects: HashMap::new(), listing: HashMap::new() }
    }
}

impl<K: ResourceExt + Clone> Known<K> {
    fn changes(&mut self, event: Event<K>) -> Vec<Event<K>> {
        match event {
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listing.insert(object.name_any(), object.clone());
                vec![Event::Apply(object)]
            }
            Event::InitDone => {
                let before = std::mem::replace(&mut self.objects, std::mem::take(&mut self.listing));
                let gone = before.into_iter().filter(|(name, _)| !self.objects.contains_key(name));
                gone.map(|(_, object)| Event::Delete(object)).collect()
            }
            Event::Apply(object) => {
                self.objects.insert(object.name_any(), object.clone());
                vec![Event::Apply(object)]
            }
            Event::Delete(object) => {
                self.objects.remove(&object.name_any());
                vec![Event::Delete(object)]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn object(namespace: &str, name: &str) -> PartialObjectMeta<ConfigMap> {
        let mut object = PartialObjectMeta::<ConfigMap>::default();
        object.metadata.namespace = Some(namespace.into());
        object.metadata.name = Some(name.into());
        object
    }

    fn listing(namespace: &str, names: &[&str]) -> Vec<Event<PartialObjectMeta<ConfigMap>>> {
        let listed = names.iter().map(|name| Event::InitApply(object(namespace, name)));
        [Event::Init].into_iter().chain(listed).chain([Event::InitDone]).collect()
    }

    #[tokio::test]
    async fn a_new_listing_of_one_namespace_drops_what_is_gone_there_and_nothing_elsewhere() {
        let (store, mut writer) = kube_runtime::reflector::store();
        let first = [listing("a", &["old", "kept"]), listing("a", &["kept", "new"])].concat();
        let second = listing("b", &["other"]);
        let watches = [first, second].map(|it| stream::iter(it.into_iter().map(Ok)).boxed());
        let mut changes = merged(watches.into_iter());
        while let Some(Ok(event)) = changes.next().await {
            writer.apply_watcher_event(&event);
        }
        let mut held: Vec<_> = store.state().iter().map(|it| it.name_any()).collect();
        held.sort();
        assert_eq!(held, ["kept", "new", "other"]);
    }

    #[test]
    fn a_kind_without_namespaces_is_served_everywhere() {
        use crate::api::account::{CloudAccount, ClusterCloudAccount};
        let some = Served::namespaces(["a".to_owned()]);
        assert!(some.places::<CloudAccount>().is_some());
        assert!(some.places::<ClusterCloudAccount>().is_none());
        assert!(Served::default().places::<CloudAccount>().is_none());
    }
}
