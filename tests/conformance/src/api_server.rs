//! An API server in memory, as strict as the real one where the operator can notice: versions, generations, finalizers,
//! fences, patches whose test fails. It keeps every version that there ever was.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::Method;
use serde_json::{Value, json};

use crate::patch;
use crate::path::Path;
use crate::reached::Sent;

/// What made a version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The user.
    User,
    /// The operator, of the object itself.
    Patch,
    /// The operator, of the status.
    Status,
    /// Nobody: the operator read it.
    Read,
}

/// A version of an object.
#[derive(Clone, Debug)]
pub struct Version {
    /// Which object.
    pub path: Path,
    /// As it was then; `None` when it was gone.
    pub object: Option<Value>,
    /// Who made it.
    pub cause: Cause,
    /// How many states the cloud had had by then.
    pub cloud: usize,
    /// How many it had had when the pass began.
    pub since: usize,
}

/// A refusal: status, reason, message.
pub type Refused = (u16, &'static str, String);

#[derive(Default)]
struct Store {
    version: u64,
    uids: u64,
    objects: BTreeMap<Path, Value>,
    history: Vec<Version>,
    events: Vec<Value>,
    status_schemas: BTreeMap<String, Arc<jsonschema::Validator>>,
}

/// The server.
#[derive(Clone, Default)]
pub struct ApiServer {
    store: Arc<Mutex<Store>>,
    /// Counts the states of the cloud, so that versions can be placed between them.
    pub cloud_states: Arc<AtomicUsize>,
    /// How many there were when the present pass began.
    pub pass_since: Arc<AtomicUsize>,
}

impl ApiServer {
    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Objects of this kind must have a status that fits.
    pub fn checks_status(&self, plural: &str, schema: Arc<jsonschema::Validator>) {
        self.lock().status_schemas.insert(plural.to_owned(), schema);
    }

    /// The user creates an object.
    pub fn create(&self, path: &Path, mut object: Value) {
        let mut store = self.lock();
        store.uids += 1;
        let uid = format!("00000000-0000-4000-8000-{:012}", store.uids);
        let meta = &mut object["metadata"];
        meta["name"] = json!(path.name);
        if !path.namespace.is_empty() {
            meta["namespace"] = json!(path.namespace);
        }
        meta["uid"] = json!(uid);
        meta["generation"] = json!(1);
        meta["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        self.put(&mut store, path, object, Cause::User);
    }

    /// The user changes an object by a merge patch.
    pub fn change(&self, path: &Path, change: &Value) {
        let mut store = self.lock();
        let Some(old) = store.objects.get(path).cloned() else { return };
        let mut new = old.clone();
        json_patch::merge(&mut new, change);
        let _ = self.replace(&mut store, path, &old, new, Cause::User);
    }

    /// The user deletes an object.
    pub fn delete(&self, path: &Path) {
        let mut store = self.lock();
        let Some(mut object) = store.objects.get(path).cloned() else { return };
        if finalizers(&object).is_empty() {
            self.drop_object(&mut store, path, Cause::User);
        } else if object["metadata"].get("deletionTimestamp").is_none() {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z");
            object["metadata"]["deletionGracePeriodSeconds"] = json!(0);
            raise_generation(&mut object);
            self.put(&mut store, path, object, Cause::User);
        }
    }

    /// An object as it is now.
    pub fn get(&self, path: &Path) -> Option<Value> {
        self.lock().objects.get(path).cloned()
    }

    /// All versions that there were.
    pub fn history(&self) -> Vec<Version> {
        self.lock().history.clone()
    }

    /// All events that were told.
    pub fn events(&self) -> Vec<Value> {
        self.lock().events.clone()
    }

    /// How many versions the operator made.
    pub fn writes(&self) -> usize {
        self.lock().history.iter().filter(|it| matches!(it.cause, Cause::Patch | Cause::Status)).count()
    }

    fn put(&self, store: &mut Store, path: &Path, mut object: Value, cause: Cause) -> Value {
        store.version += 1;
        object["metadata"]["resourceVersion"] = json!(store.version.to_string());
        store.objects.insert(path.clone(), object.clone());
        self.keep(store, path, Some(object.clone()), cause);
        object
    }

    fn keep(&self, store: &mut Store, path: &Path, object: Option<Value>, cause: Cause) {
        let cloud = self.cloud_states.load(Ordering::SeqCst);
        let since = self.pass_since.load(Ordering::SeqCst);
        store.history.push(Version { path: path.clone(), object, cause, cloud, since });
    }

    fn drop_object(&self, store: &mut Store, path: &Path, cause: Cause) {
        store.version += 1;
        store.objects.remove(path);
        self.keep(store, path, None, cause);
    }

    /// Stores a changed object, if anything changed; one that waited for nothing but its finalizers goes.
    fn replace(
        &self,
        store: &mut Store,
        path: &Path,
        old: &Value,
        mut new: Value,
        cause: Cause,
    ) -> Result<Value, Refused> {
        for fixed in ["uid", "name", "namespace", "generation", "creationTimestamp", "deletionTimestamp"] {
            if new["metadata"].get(fixed) != old["metadata"].get(fixed) {
                return Err((422, "Invalid", format!("metadata.{fixed}: field is immutable")));
            }
        }
        if new["metadata"]["resourceVersion"] != old["metadata"]["resourceVersion"] {
            return Err((409, "Conflict", "the object has been modified".into()));
        }
        let terminating = old["metadata"].get("deletionTimestamp").is_some();
        let added = finalizers(&new).iter().any(|it| !finalizers(old).contains(it));
        if terminating && added {
            return Err((
                422,
                "Invalid",
                "no new finalizers can be added if the object is being deleted".into(),
            ));
        }
        if new == *old {
            return Ok(new);
        }
        if without_own_marks(&new) != without_own_marks(old) {
            raise_generation(&mut new);
        }
        if terminating && finalizers(&new).is_empty() {
            self.drop_object(store, path, cause);
            return Ok(new);
        }
        Ok(self.put(store, path, new, cause))
    }

    pub(crate) fn answer(
        &self,
        method: &Method,
        path: &Path,
        request: &Sent,
    ) -> Result<(u16, Value), Refused> {
        let mut store = self.lock();
        if path.plural == "events" {
            let event: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            store.events.push(event.clone());
            return Ok((if *method == Method::POST { 201 } else { 200 }, event));
        }
        if *method == Method::GET && path.name.is_empty() {
            return Ok((200, list(&store, path, request.metadata_only)));
        }
        let missing = || (404, "NotFound", format!("{} \"{}\" not found", path.plural, path.name));
        let old = store.objects.get(&path.object()).cloned().ok_or_else(missing)?;
        match (method.as_str(), path.sub.as_str(), request.content_type.as_str()) {
            ("GET", "", _) => {
                self.keep(&mut store, path, Some(old.clone()), Cause::Read);
                Ok((200, old))
            }
            ("PATCH", "", "application/json-patch+json") => {
                let mut new = patch::json(&old, &request.body)?;
                new["status"] = old["status"].clone(); // the main resource takes no status
                let new = if old.get("status").is_none() { without(new, "status") } else { new };
                Ok((200, self.replace(&mut store, &path.object(), &old, new, Cause::Patch)?))
            }
            ("PATCH", "status", "application/apply-patch+yaml") => {
                let new = patch::applied_status(&old, request.field_manager, &request.body)?;
                if let Some(schema) = store.status_schemas.get(&path.plural)
                    && let Err(error) = schema.validate(&new["status"])
                {
                    return Err((422, "Invalid", format!("status: {error}")));
                }
                Ok((200, self.replace(&mut store, &path.object(), &old, new, Cause::Status)?))
            }
            (_, _, other) => Err((415, "UnsupportedMediaType", format!("{method} {} {other}", path.sub))),
        }
    }
}

fn list(store: &Store, path: &Path, metadata_only: bool) -> Value {
    let wanted = |it: &Path| {
        it.group == path.group
            && it.plural == path.plural
            && (path.namespace.is_empty() || it.namespace == path.namespace)
    };
    let found = store.objects.iter().filter(|(it, _)| wanted(it)).map(|(_, object)| match metadata_only {
        false => object.clone(),
        true => json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"],
        }),
    });
    let items: Vec<_> = found.collect();
    let metadata = json!({ "resourceVersion": store.version.to_string() });
    json!({ "apiVersion": "v1", "kind": "List", "metadata": metadata, "items": items })
}

fn finalizers(object: &Value) -> Vec<Value> {
    object["metadata"]["finalizers"].as_array().cloned().unwrap_or_default()
}

fn raise_generation(object: &mut Value) {
    let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
    object["metadata"]["generation"] = json!(generation + 1);
}

/// What counts for the generation.
fn without_own_marks(object: &Value) -> Value {
    without(without(object.clone(), "metadata"), "status")
}

fn without(mut object: Value, member: &str) -> Value {
    if let Some(members) = object.as_object_mut() {
        members.remove(member);
    }
    object
}

#[cfg(test)]
#[path = "api_server_tests.rs"]
mod tests;
