//! The wiring of one kind: its watch, its queue, and the pass that each object gets.

use std::convert::Infallible;
use std::fmt::Debug;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt, TryStreamExt};
use kube::core::{ApiResource, DynamicObject, PartialObjectMeta};
use kube::{Api, Resource, ResourceExt};
use kube_runtime::controller::{Action, Config, Controller, Error};
use kube_runtime::reflector::{self, ObjectRef};
use kube_runtime::watcher::Event;
use kube_runtime::{Predicate, WatchStreamExt, predicates};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::Instant;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::dependents::RootKey;
use super::served::Scoped;
use super::{Engine, backoff};
use crate::metrics::Passed;
use crate::source::watch::Quiet;
use crate::source::{ObjectKey, ReferenceKind};

/// How many objects of a kind are worked on at a time; of one account fewer.
const CONCURRENCY: u16 = 256;

/// A pass that takes longer is given up and begun anew, whatever it waits for.
const DEADLINE: Duration = Duration::from_secs(120);

/// When an object that exists and is not listed yet is looked for again.
const UNLISTED: Duration = Duration::from_secs(2);

/// When one is looked for again of which the API server told nothing.
const UNREADABLE: Duration = Duration::from_secs(30);

/// Where `kubectl apply` keeps the whole manifest.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Watches a kind and gives each object its passes, until told to stop; a running pass is let finish.
///
/// Only metadata is watched: a pass reads its object itself, so that it never acts on an old view, and an object that
/// cannot be decoded harms no other. `refers_as` is set for kinds that other resources refer to.
pub async fn run<K, Fut>(
    engine: Arc<Engine>,
    refers_as: Option<ReferenceKind>,
    stop: CancellationToken,
    pass: impl Fn(RootKey) -> Fut + Send + Sync + 'static,
) where
    K: Resource<DynamicType = (), Scope: Scoped> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    Fut: Future<Output = Option<Duration>> + Send + 'static,
{
    let kind = kind_of::<K>();
    let (sender, triggers) = unbounded_channel();
    let memory = engine.memory.clone();
    engine.dependents.notify(kind, move |key| {
        memory.wakes(&key);
        let _ = sender.send(key); // fails only when the controller has ended
    });
    let woken = engine.metrics.clone();
    let triggers = UnboundedReceiverStream::new(triggers).map(move |key: RootKey| {
        woken.due(key.named(), Duration::ZERO);
        let reference = ObjectRef::new(&key.name);
        if key.namespace.is_empty() { reference } else { reference.within(&key.namespace) }
    });

    engine.metrics.may_work(kind, CONCURRENCY);
    let (reader, writer) = reflector::store();
    let observer = engine.clone();
    let changed = engine
        .served
        .watch::<K>(&engine.client)
        .inspect_ok(move |event| {
            observer.metrics.watched(kind);
            tell_dependents(&observer, kind, refers_as, event);
        })
        .modify(trim)
        .reflect(writer)
        .applied_objects()
        // Writes of our own to the status are no news to us. A deletion raises the generation.
        .predicate_filter(predicates::generation.combine(predicates::annotations), Default::default());
    let queue = engine.clone();
    let changed = changed.inspect_ok(move |it| {
        let key = root_key(kind, it);
        queue.memory.wakes(&key);
        queue.metrics.due(key.named(), Duration::ZERO);
    });

    let (gone, mut quiet) = (engine.clone(), Quiet::default());
    let pass = Arc::new(pass);
    let passing = engine.clone();
    Controller::for_stream(changed, reader)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(triggers)
        .graceful_shutdown_on(stop.cancelled_owned())
        .run(
            move |object, pass: Arc<_>| {
                let key = root_key(kind, &*object);
                let reconcile_id = format!("{:016x}", fastrand::u64(..));
                let (namespace, name) = (&*key.namespace, &*key.name);
                let span = tracing::info_span!("reconcile", kind, namespace, name, reconcile_id);
                one_pass(passing.clone(), pass, key).instrument(span)
            },
            |_, never: &Infallible, _| match *never {},
            pass,
        )
        .for_each(move |result| {
            match result {
                Ok(_) | Err(Error::ReconcilerFailed(..)) => {} // told where it happens
                Err(Error::ObjectNotFound(of)) => {
                    tracing::debug!(kind, %of, "the object went away while it was queued");
                    let namespace = of.namespace.unwrap_or_default().into();
                    let key = RootKey { kind, namespace, name: of.name.into() };
                    gone.metrics.forget(&key.named());
                    tokio::spawn(look_again::<K>(gone.clone(), key));
                }
                Err(error) if quiet.is_over() => {
                    tracing::warn!(%error, kind, "a watch was interrupted; it is begun anew");
                }
                Err(error) => tracing::debug!(%error, kind, "a watch was interrupted; it is begun anew"),
            }
            std::future::ready(())
        })
        .await;
}

/// An object that went before its watch began, or while its pass ran, is told by no event. One that is only not listed yet,
/// as a listing goes on for pages, keeps its claim and has its pass later.
async fn look_again<K: Resource<DynamicType = ()>>(engine: Arc<Engine>, key: RootKey) {
    let resource = ApiResource::erase::<K>(&());
    let api: Api<DynamicObject> = match &*key.namespace {
        "" => Api::all_with(engine.client.clone(), &resource),
        namespace => Api::namespaced_with(engine.client.clone(), namespace, &resource),
    };
    match api.get_metadata_opt(&key.name).await {
        Ok(None) => engine.forget(&key),
        found => {
            tokio::time::sleep(if found.is_ok() { UNLISTED } else { UNREADABLE }).await;
            engine.dependents.wake([key]);
        }
    }
}

/// The kind as it stands in manifests.
pub fn kind_of<K: Resource<DynamicType = ()>>() -> &'static str {
    match K::kind(&()) {
        std::borrow::Cow::Borrowed(kind) => kind,
        std::borrow::Cow::Owned(kind) => kind.leak(), // never: derived kinds are literals
    }
}

/// A pass that panics is an error of ours; it takes down neither the process nor any other object.
async fn one_pass<Fut>(
    engine: Arc<Engine>,
    pass: Arc<impl Fn(RootKey) -> Fut>,
    key: RootKey,
) -> Result<Action, Infallible>
where
    Fut: Future<Output = Option<Duration>>,
{
    // Woken twice for one thing, which the pass in between has seen.
    if let Some(left) = engine.memory.rest(&key) {
        engine.metrics.rests(key.named(), left);
        return Ok(Action::requeue(left));
    }
    engine.memory.begins(&key);
    let (begun, _working) = (Instant::now(), engine.metrics.working(&key.named()));
    let passed = tokio::time::timeout(DEADLINE, AssertUnwindSafe(pass(key.clone())).catch_unwind()).await;
    let again = || Some(backoff::after_failures(engine.memory.failed(&key), fastrand::f64()));
    let (due, how) = match passed {
        Ok(Ok(due)) => (due, if due.is_some() { Passed::RequeueAfter } else { Passed::Success }),
        Ok(Err(_)) => {
            engine.metrics.panicked(key.kind);
            tracing::error!("a pass panicked; it is repeated");
            (again(), Passed::Error)
        }
        Err(_) => {
            tracing::warn!("a pass took longer than {DEADLINE:?}; it is begun anew");
            (again(), Passed::Error)
        }
    };
    let took = begun.elapsed();
    engine.metrics.passed(key.kind, how, took);
    if let Some(due) = due {
        engine.metrics.due(key.named(), due);
        engine.memory.ends(&key, due);
    }
    tracing::debug!(result = how.name(), duration_ms = took.as_millis() as u64, "the pass ended");
    Ok(due.map_or_else(Action::await_change, Action::requeue))
}

/// Leaves what is looked at: the place, the generation, the annotations. The rest, who set which field above all, would be
/// most of what a replica holds for an object.
fn trim<K>(object: &mut PartialObjectMeta<K>) {
    object.types = None; // the watch is of one kind
    let metadata = &mut object.metadata;
    (metadata.managed_fields, metadata.labels, metadata.finalizers) = (None, None, None);
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED); // the spec over again; a change of it raises the generation
    }
}

fn tell_dependents<K>(
    engine: &Engine,
    kind: &'static str,
    refers_as: Option<ReferenceKind>,
    event: &Event<PartialObjectMeta<K>>,
) where
    PartialObjectMeta<K>: ResourceExt,
{
    let (object, version) = match event {
        Event::Apply(object) | Event::InitApply(object) => (object, object.resource_version()),
        Event::Delete(object) => (object, None),
        Event::Init | Event::InitDone => return,
    };
    let key = root_key(kind, object);
    match event {
        Event::Delete(_) => engine.forget(&key),
        Event::Apply(_) => engine.memory.changed(key.clone()),
        Event::InitApply(_) | Event::Init | Event::InitDone => {}
    }
    let RootKey { namespace, name, .. } = key;
    if let Some(kind) = refers_as {
        engine.dependents.changed(&ObjectKey { kind, namespace, name }, version.as_deref());
    }
}

fn root_key(kind: &'static str, object: &impl ResourceExt) -> RootKey {
    let namespace = object.namespace().unwrap_or_default().into();
    RootKey { kind, namespace, name: object.name_any().into() }
}

#[cfg(test)]
mod tests {
    use kube::core::{ObjectMeta, PartialObjectMetaExt};
    use serde_json::{from_value, json};

    use super::*;
    use crate::api::iot_hub::IotHubCertificate;

    #[test]
    fn the_place_the_generation_and_peoples_annotations_are_kept() {
        let metadata: ObjectMeta = from_value(json!({
            "name": "a", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7",
            "labels": { "l": "1" }, "finalizers": ["f"], "managedFields": [{ "manager": "m" }],
            "annotations": { "certferry.dev/sync-requested": "now", LAST_APPLIED: "{}" },
        }))
        .unwrap();
        let kept: ObjectMeta = from_value(json!({
            "name": "a", "namespace": "n", "uid": "u", "generation": 3, "resourceVersion": "7",
            "annotations": { "certferry.dev/sync-requested": "now" },
        }))
        .unwrap();
        let mut object = metadata.into_response_partial::<IotHubCertificate>();
        trim(&mut object);
        assert_eq!(object.metadata, kept);
    }
}
