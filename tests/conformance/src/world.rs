//! What the operator stands between: the API server with one resource, its source and its account, and the cloud.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::api_server::ApiServer;
use crate::fixture::{Act, Control, Fixture, Shown, Tamper, Which};
use crate::material::base64;
use crate::path::Path;
use crate::wire::{Cloud, Objects};

/// The secrets that accounts sign in with; the emulator's world knows them.
pub const SECRETS: [&str; 2] = ["emulator-secret", "example-secret-key-of-the-emulator"];

/// The namespace of the resource.
pub const NAMESPACE: &str = "team";
/// The namespace of the operator.
pub const HOME: &str = "certferry";
/// The name of the resource.
pub const NAME: &str = "device-ca";

/// All of it.
#[derive(Clone)]
pub struct World {
    /// The API server.
    pub server: ApiServer,
    /// The cloud.
    pub cloud: Cloud,
    /// The kind's fixture.
    pub fixture: &'static dyn Fixture,
    /// The resource.
    pub path: Path,
    sources: Arc<Mutex<Vec<(usize, Which)>>>,
}

impl World {
    /// Empty but for account and source, and for objects of others in the cloud.
    pub async fn new(server: ApiServer, cloud: Cloud, fixture: &'static dyn Fixture) -> Self {
        for place in [NAMESPACE, HOME] {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {} });
            server.create(&Path::new("", "namespaces", "", place), namespace);
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {},
            "data": {
                "clientSecret": base64(SECRETS[0]),
                "accessKeyId": base64("HPUAEXAMPLEACCESSKEY"), "secretAccessKey": base64(SECRETS[1]),
            },
        });
        server.create(&Path::new("", "secrets", HOME, "emulated"), secret);
        server.create(
            &Path::new("certferry.dev", "clustercloudaccounts", "", "emulated"),
            account(&fixture.access()),
        );
        server.create(&source(), source_of(Which::First));
        for Control { method, path, body } in fixture.neighbours() {
            cloud.control(method, &path, &body).await;
        }
        cloud.shoot(None).await;
        let path = Path::new("certferry.dev", fixture.plural(), NAMESPACE, NAME);
        Self { server, cloud, fixture, path, sources: Arc::new(Mutex::new(vec![(0, Which::First)])) }
    }

    /// What the source has held, with the number of states that the cloud had had when it began to.
    pub fn sources(&self) -> Vec<(usize, Which)> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The user creates the resource.
    pub fn create(&self, more: &Value) {
        let mut spec = self.fixture.spec();
        json_patch::merge(&mut spec, more);
        let version = "certferry.dev/v1alpha1";
        let object =
            json!({ "apiVersion": version, "kind": self.fixture.kind(), "metadata": {}, "spec": spec });
        self.server.create(&self.path, object);
    }

    /// Something happens.
    pub async fn act(&self, act: &Act) {
        match act {
            Act::Rotate(which) => {
                self.server.change(&source(), &json!({ "data": source_of(*which)["data"] }));
                self.cloud.shoot(None).await; // tells versions before from those after
                let at = self.cloud.states();
                self.sources.lock().unwrap_or_else(PoisonError::into_inner).push((at, *which));
            }
            Act::Tamper(tamper) => {
                let standing = self.standing(&self.cloud.now()).map(|it| it.0);
                let control = self.fixture.tamper(*tamper, standing.as_deref());
                let control = control.filter(|_| !self.makes_a_twin(*tamper));
                if let Some(Control { method, path, body }) = control {
                    self.cloud.control(method, &path, &body).await;
                    self.cloud.shoot(None).await;
                }
            }
            Act::Delete => self.server.delete(&self.path),
            Act::Spec(change) => self.server.change(&self.path, &json!({ "spec": change })),
        }
    }

    /// Whether somebody would upload what is there already, or about to come. Most services refuse it; of one that does
    /// not, nobody could tell whose is whose.
    fn makes_a_twin(&self, tamper: Tamper) -> bool {
        let Tamper::Put(which) = tamper else { return false };
        let place = self.fixture.place(&self.cloud.now());
        let is_twin = |it: &Value| self.fixture.shown(it).thumbprint == which.pair().thumbprint;
        !self.fixture.has_names() && (self.cloud.has_pending() || place.values().any(is_twin))
    }

    /// The resource.
    pub fn object(&self) -> Option<Value> {
        self.server.get(&self.path)
    }

    /// Whether the resource's record names what is still to go.
    pub fn has_retiring(&self) -> bool {
        let object = self.object().unwrap_or_default();
        object["status"]["retiring"].as_array().is_some_and(|it| !it.is_empty())
    }

    /// Which of these objects stands for the resource.
    pub fn standing(&self, objects: &Objects) -> Option<(String, Value)> {
        let place = self.fixture.place(objects);
        let id = self.fixture.standing(&place, &self.object().unwrap_or_default()["status"])?;
        place.get(&id).cloned().map(|it| (id, it))
    }

    /// What that shows.
    pub fn held(&self) -> Option<Shown> {
        self.standing(&self.cloud.now()).map(|it| self.fixture.shown(&it.1))
    }
}

fn source() -> Path {
    Path::new("", "secrets", NAMESPACE, "source")
}

fn source_of(which: Which) -> Value {
    let pair = which.pair();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {}, "type": "kubernetes.io/tls",
        "data": { "tls.crt": base64(&pair.certificate), "tls.key": base64(&pair.key) },
    })
}

fn account(access: &Value) -> Value {
    let mut spec = json!({ "allowedNamespaces": { "names": [NAMESPACE] } });
    json_patch::merge(&mut spec, access);
    json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "ClusterCloudAccount", "metadata": {}, "spec": spec,
    })
}
