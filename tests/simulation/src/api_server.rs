//! A Kubernetes API server in memory, as far as the engine uses one: reads, status by server-side apply, JSON patches with
//! tests, resource versions, generations, finalizers. Watches are never answered: passes are driven by the simulation.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::{Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use crate::faults::{Called, Fault, Faults, ServerFault};

/// Clones are the same server.
#[derive(Clone, Default)]
pub struct ApiServer(Arc<Mutex<Store>>);

#[derive(Default)]
struct Store {
    version: u64,
    objects: BTreeMap<Place, Value>,
    history: Vec<Value>,
    events: Vec<Value>,
    writes: usize,
}

/// Plural, namespace, name.
type Place = (String, String, String);

impl ApiServer {
    /// A client of it, past the faults.
    pub fn client(&self, faults: Faults) -> Client {
        let server = self.clone();
        Client::new(service_fn(move |request| answer(server.clone(), faults.clone(), request)), "default")
    }

    /// Creates an object, or replaces its spec or data as a user would.
    pub fn put(&self, plural: &str, mut object: Value) {
        let mut store = self.lock();
        let place = place(plural, &object);
        store.version += 1;
        let version = store.version;
        let old = store.objects.get(&place).cloned();
        let generation = match &old {
            Some(old) if old["spec"] == object["spec"] => old["metadata"]["generation"].clone(),
            Some(old) => json!(old["metadata"]["generation"].as_u64().unwrap_or_default() + 1),
            None => json!(1),
        };
        if let Some(old) = &old {
            for member in ["uid", "creationTimestamp", "finalizers", "deletionTimestamp"] {
                if !old["metadata"][member].is_null() {
                    object["metadata"][member] = old["metadata"][member].clone();
                }
            }
            if !old["status"].is_null() {
                object["status"] = old["status"].clone();
            }
        } else {
            object["metadata"]["uid"] = json!(format!("uid-{version}"));
            object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        object["metadata"]["generation"] = generation;
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        store.history.push(object.clone());
        store.objects.insert(place, object);
    }

    /// Deletes an object as a user would: it goes at once, or when its last finalizer does.
    pub fn delete(&self, plural: &str, namespace: &str, name: &str) {
        let mut store = self.lock();
        let place = (plural.to_owned(), namespace.to_owned(), name.to_owned());
        let Some(mut object) = store.objects.remove(&place) else { return };
        if object["metadata"]["finalizers"].as_array().is_some_and(|it| !it.is_empty()) {
            let generation = object["metadata"]["generation"].as_u64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            store.replace(place, object);
        }
    }

    /// An object as it is.
    pub fn get(&self, plural: &str, namespace: &str, name: &str) -> Option<Value> {
        self.lock().objects.get(&(plural.to_owned(), namespace.to_owned(), name.to_owned())).cloned()
    }

    /// How often a client changed something.
    pub fn writes(&self) -> usize {
        self.lock().writes
    }

    /// All versions of all objects of ours, and all events, as text.
    pub fn told(&self) -> String {
        let store = self.lock();
        let ours = store.history.iter().filter(|it| it["kind"] != "Secret");
        ours.chain(&store.events).map(Value::to_string).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn place(plural: &str, object: &Value) -> Place {
    let text = |member: &str| object["metadata"][member].as_str().unwrap_or_default().to_owned();
    (plural.to_owned(), text("namespace"), text("name"))
}

impl Store {
    fn replace(&mut self, place: Place, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.history.push(object.clone());
        let metadata = &object["metadata"];
        let finalized = metadata["finalizers"].as_array().is_none_or(Vec::is_empty);
        if !metadata["deletionTimestamp"].is_null() && finalized {
            self.objects.remove(&place);
        } else {
            self.objects.insert(place, object.clone());
        }
        object
    }

    fn apply_status(&mut self, place: Place, body: &Value) -> (StatusCode, Value) {
        let Some(mut object) = self.objects.get(&place).cloned() else { return missing() };
        for member in ["uid", "resourceVersion"] {
            let wanted = &body["metadata"][member];
            if !wanted.is_null() && *wanted != object["metadata"][member] {
                return failure(StatusCode::CONFLICT, "Conflict");
            }
        }
        if object["status"] == body["status"] {
            return (StatusCode::OK, object);
        }
        object["status"] = body["status"].clone();
        self.writes += 1;
        (StatusCode::OK, self.replace(place, object))
    }

    fn json_patch(&mut self, place: Place, body: &Value) -> (StatusCode, Value) {
        let Some(mut object) = self.objects.get(&place).cloned() else { return missing() };
        let Ok(patch) = serde_json::from_value::<json_patch::Patch>(body.clone()) else {
            return failure(StatusCode::BAD_REQUEST, "BadRequest");
        };
        if json_patch::patch(&mut object, &patch).is_err() {
            return failure(StatusCode::UNPROCESSABLE_ENTITY, "Invalid");
        }
        self.writes += 1;
        (StatusCode::OK, self.replace(place, object))
    }
}

fn missing() -> (StatusCode, Value) {
    failure(StatusCode::NOT_FOUND, "NotFound")
}

fn failure(status: StatusCode, reason: &str) -> (StatusCode, Value) {
    let body = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": reason, "message": reason,
        "code": status.as_u16(),
    });
    (status, body)
}

async fn answer(
    server: ApiServer,
    faults: Faults,
    request: Request<Body>,
) -> Result<Response<Body>, std::io::Error> {
    let cut = || Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset));
    let accept = request.headers().get(http::header::ACCEPT);
    let partial =
        accept.and_then(|it| it.to_str().ok()).is_some_and(|it| it.contains("PartialObjectMetadata"));
    if partial || request.uri().query().is_some_and(|it| it.contains("watch=true")) {
        return std::future::pending().await;
    }
    let called = Called::Server(format!("{} {}", request.method(), request.uri().path()));
    match faults.at(called) {
        None | Some(Fault::Cloud(_)) => Ok(respond(serve(&server, request).await)),
        Some(Fault::CrashBefore) => faults.die().await,
        Some(Fault::CrashAfter) => {
            serve(&server, request).await;
            faults.die().await
        }
        Some(Fault::Server(ServerFault::CutBefore)) => cut(),
        Some(Fault::Server(ServerFault::CutAfter)) => {
            serve(&server, request).await;
            cut()
        }
        Some(Fault::Server(ServerFault::Status(status))) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            Ok(respond(failure(status, "Fault")))
        }
    }
}

fn respond((status, body): (StatusCode, Value)) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string().into_bytes()));
    *response.status_mut() = status;
    response
}

async fn serve(server: &ApiServer, request: Request<Body>) -> (StatusCode, Value) {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(|it| it.to_bytes()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    let rest = if path[0] == "api" { &path[2..] } else { &path[3..] };
    let (namespace, rest) = match rest {
        ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
        rest => ("", rest),
    };
    let place = |name: &str| (rest[0].to_owned(), namespace.to_owned(), name.to_owned());
    let mut store = server.lock();
    match (&parts.method, &rest[1..]) {
        (&Method::GET, [name]) => {
            store.objects.get(&place(name)).cloned().map_or_else(missing, |it| (StatusCode::OK, it))
        }
        (&Method::GET, []) => {
            let all = store.objects.iter().filter(|((plural, ..), _)| plural == rest[0]);
            let items: Vec<_> = all.map(|(_, object)| object.clone()).collect();
            (StatusCode::OK, json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": items }))
        }
        (&Method::PATCH, [name, "status"]) => store.apply_status(place(name), &body),
        (&Method::PATCH, [name]) if rest[0] != "events" => store.json_patch(place(name), &body),
        (&Method::POST | &Method::PATCH, _) if rest[0] == "events" => {
            store.events.push(body.clone());
            (StatusCode::CREATED, body)
        }
        _ => failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed"),
    }
}
