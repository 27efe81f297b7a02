//! Watches on what resources of ours refer to: Secrets, ConfigMaps and ServiceAccounts of their namespaces, and the
//! labels of Namespaces.
//!
//! Only metadata is watched; values are read on use. A namespace that does not grant the read is tried again, so a
//! grant is noticed within half a minute.

use std::collections::HashSet;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use kube::core::PartialObjectMeta;
use kube::{Api, Client, Resource, ResourceExt};
use kube_runtime::watcher::Event;
use kube_runtime::{WatchStreamExt, predicates, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::cert_manager::CertificateRequest;
use super::{ObjectKey, ReferenceKind, status_code};
use crate::api::iotda::IotdaCertificate;
use crate::api::key_vault::KeyVaultCertificate;

/// Seconds after which a silent watch is opened anew, so that a dead connection is noticed.
pub const WATCH_SECONDS: u32 = 50;

/// A watch that is interrupted again and again is told of once in this time.
const QUIET: Duration = Duration::from_secs(600);

/// Whether a resource refers to anything of that kind in that namespace.
type IsReferredTo = dyn Fn(ReferenceKind, &str) -> bool + Send + Sync;

/// A referenced object changed, to this `resourceVersion`; `None` when it is gone.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which object.
    pub key: ObjectKey,
    /// Its version now.
    pub version: Option<String>,
}

/// The open watches: one for each kind and namespace that was asked for. They end with this.
pub struct SourceWatches {
    client: Client,
    changes: UnboundedSender<Change>,
    open: Arc<Open>,
    tasks: Mutex<JoinSet<()>>,
}

/// Which watches are open.
struct Open {
    places: Mutex<HashSet<(ReferenceKind, Arc<str>)>>,
    is_referred_to: Box<IsReferredTo>,
}

impl SourceWatches {
    /// Watches with this client and reports to that channel. A watch that is refused ends when nothing is referred to
    /// there.
    pub fn new(
        client: Client,
        changes: UnboundedSender<Change>,
        is_referred_to: impl Fn(ReferenceKind, &str) -> bool + Send + Sync + 'static,
    ) -> Self {
        let open = Open { places: Mutex::default(), is_referred_to: Box::new(is_referred_to) };
        Self { client, changes, open: Arc::new(open), tasks: Mutex::default() }
    }

    /// Sees to it that changes of this object are reported.
    pub fn ensure(&self, key: &ObjectKey) {
        if !self.open.begins(key.kind, &key.namespace) {
            return;
        }
        match key.kind {
            ReferenceKind::Secret => self.spawn::<Secret>(key.kind, &key.namespace),
            ReferenceKind::ConfigMap => self.spawn::<ConfigMap>(key.kind, &key.namespace),
            ReferenceKind::CertificateRequest => {
                self.spawn::<CertificateRequest>(key.kind, &key.namespace);
            }
            ReferenceKind::KeyVaultCertificate => {
                self.spawn::<KeyVaultCertificate>(key.kind, &key.namespace);
            }
            ReferenceKind::IotdaCertificate => self.spawn::<IotdaCertificate>(key.kind, &key.namespace),
            ReferenceKind::ServiceAccount => self.spawn::<ServiceAccount>(key.kind, &key.namespace),
            ReferenceKind::Namespace => self.spawn_labels(),
            // Accounts are watched by their own controllers.
            ReferenceKind::CloudAccount | ReferenceKind::ClusterCloudAccount => {}
        }
    }

    /// Only a change of labels is told: they decide what an account allows.
    fn spawn_labels(&self) {
        let api = Api::<PartialObjectMeta<Namespace>>::all(self.client.clone());
        let changes = self.changes.clone();
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let config = watcher::Config::default().timeout(WATCH_SECONDS);
            let labelled = watcher(api, config)
                .default_backoff()
                .applied_objects()
                .predicate_filter(predicates::labels, Default::default());
            let mut labelled = std::pin::pin!(labelled);
            let mut interruptions = Interruptions::default();
            while let Some(event) = labelled.next().await {
                let namespace = match event {
                    Ok(namespace) => namespace,
                    Err(error) => {
                        interruptions.tell(ReferenceKind::Namespace, "", &error);
                        continue;
                    }
                };
                let key = ObjectKey::of_namespace(&namespace.name_any());
                if changes.send(Change { key, version: namespace.resource_version() }).is_err() {
                    return; // the operator is shutting down
                }
            }
        });
    }

    fn spawn<K>(&self, kind: ReferenceKind, namespace: &Arc<str>)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api = Api::<PartialObjectMeta<K>>::namespaced(self.client.clone(), namespace);
        let (changes, open, namespace) = (self.changes.clone(), self.open.clone(), namespace.clone());
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).spawn(async move {
            let config = watcher::Config::default().timeout(WATCH_SECONDS);
            let mut events = watcher(api, config).default_backoff().boxed();
            let (mut known, mut interruptions) = (Known::default(), Interruptions::default());
            while let Some(event) = events.next().await {
                let event = match event {
                    Ok(event) => event,
                    Err(error) => {
                        if is_refusal(&error) && open.ends(kind, &namespace) {
                            return;
                        }
                        interruptions.tell(kind, &namespace, &error);
                        continue;
                    }
                };
                for (name, version) in known.changes(event) {
                    let key = ObjectKey::new(kind, namespace.clone(), name);
                    if changes.send(Change { key, version }).is_err() {
                        return; // the operator is shutting down
                    }
                }
            }
        });
    }
}

impl Open {
    /// Whether this one was not open before.
    fn begins(&self, kind: ReferenceKind, namespace: &Arc<str>) -> bool {
        self.lock().insert((kind, namespace.clone()))
    }

    /// Whether this one is of no use any more. What is referred to from here on has it opened anew.
    fn ends(&self, kind: ReferenceKind, namespace: &Arc<str>) -> bool {
        let mut places = self.lock();
        !(self.is_referred_to)(kind, namespace) && places.remove(&(kind, namespace.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, HashSet<(ReferenceKind, Arc<str>)>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time in which what goes on is not told again.
#[derive(Default)]
pub struct Quiet(Option<Instant>);

impl Quiet {
    /// Whether it is to be told; then the next such time begins.
    pub fn is_over(&mut self) -> bool {
        let is_over = self.0.is_none_or(|told| told.elapsed() > QUIET);
        if is_over {
            self.0 = Some(Instant::now());
        }
        is_over
    }
}

/// What a watch is interrupted by. It goes on by itself, in vain where it is refused: then somebody has to know.
#[derive(Default)]
struct Interruptions(Quiet);

impl Interruptions {
    fn tell(&mut self, kind: ReferenceKind, namespace: &str, error: &watcher::Error) {
        if is_refusal(error) && self.0.is_over() {
            tracing::warn!(?kind, namespace, %error, "changes are not noticed, as their watch is refused");
        } else {
            tracing::debug!(?kind, namespace, %error, "a watch was interrupted; it is begun anew");
        }
    }
}

fn is_refusal(error: &watcher::Error) -> bool {
    let code = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => status_code(error),
        watcher::Error::WatchError(status) => Some(status.code),
        watcher::Error::NoResourceVersion => None,
    };
    code == Some(403)
}

/// The names that a watch knows, so that what vanished while it was interrupted is noticed at the next listing.
#[derive(Default)]
struct Known {
    names: HashSet<String>,
    listing: HashSet<String>,
}

impl Known {
    /// What an event says of which objects: their version, or that they are gone.
    fn changes<K>(&mut self, event: Event<PartialObjectMeta<K>>) -> Vec<(String, Option<String>)>
    where
        PartialObjectMeta<K>: ResourceExt,
    {
        match event {
            Event::Init => {
                self.listing.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listing.insert(object.name_any());
                vec![(object.name_any(), object.resource_version())]
            }
            Event::InitDone => {
                let gone = self.names.difference(&self.listing).map(|name| (name.clone(), None)).collect();
                self.names = std::mem::take(&mut self.listing);
                gone
            }
            Event::Apply(object) => {
                self.names.insert(object.name_any());
                vec![(object.name_any(), object.resource_version())]
            }
            Event::Delete(object) => {
                self.names.remove(&object.name_any());
                vec![(object.name_any(), None)]
            }
        }
    }
}
