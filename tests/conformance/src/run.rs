//! Drives the operator over one resource in virtual time: pass, wait as long as the pass says, pass again; a process that
//! dies is followed by a new one on the same API server and the same cloud.

use std::sync::Arc;
use std::time::Duration;

use certferry::engine::Engine;
use certferry::engine::clock::Clock;
use certferry::engine::dependents::RootKey;
use certferry::engine::stock;
use certferry::http::Http;
use certferry::providers::{Clouds, Registered};
use certferry::source::ServiceAccount;
use certferry::source::cluster::Cluster;
use emulator::Embedded;
use http::Method;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::api_server::ApiServer;
use crate::chaos::{Chaos, Life};
use crate::fixture::{Act, Control, End, Fixture, Remote, Which};
use crate::material::base64;
use crate::path::Path;
use crate::reached::Reached;
use crate::wire::{Cloud, Wire};

/// The secret that the account signs in with; the emulator's world knows it.
pub const CLIENT_SECRET: &str = "emulator-secret";

/// The longest that anything may take, on the virtual clock.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

const NAMESPACE: &str = "team";
const HOME: &str = "certferry";

/// One life of the operator.
struct Process {
    engine: Arc<Engine>,
    clouds: Clouds,
    life: Life,
}

/// One resource, and all that it stands between.
pub struct Run {
    /// The API server.
    pub server: ApiServer,
    /// The cloud.
    pub cloud: Cloud,
    /// What goes wrong.
    pub chaos: Chaos,
    /// The kind's fixture.
    pub fixture: &'static dyn Fixture,
    /// The resource.
    pub path: Path,
    /// What the source has held, with the number of states that the cloud had had when it began to.
    pub sources: Vec<(usize, Which)>,
    kind: &'static dyn Registered,
    key: RootKey,
    process: Option<Process>,
    begun: Instant,
}

impl Run {
    /// An operator that has not begun, an empty cluster but for account and source, a cloud with objects of others.
    pub async fn new(
        kind: &'static dyn Registered,
        fixture: &'static dyn Fixture,
        emulator: Embedded,
        schema: Arc<jsonschema::Validator>,
    ) -> Self {
        let (server, chaos) = (ApiServer::default(), Chaos::default());
        server.checks_status(fixture.plural(), schema);
        let cloud = Cloud::new(emulator, fixture.look(), server.clone(), chaos.clone()).await;
        for place in [NAMESPACE, HOME] {
            let namespace = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": {} });
            server.create(&Path::new("", "namespaces", "", place), namespace);
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": {},
            "data": { "clientSecret": base64(CLIENT_SECRET) },
        });
        server.create(&Path::new("", "secrets", HOME, "emulated"), secret);
        let account = Path::new("certferry.dev", "clustercloudaccounts", "", "emulated");
        server.create(&account, self::account());
        let name = "device-ca";
        let key = RootKey { kind: kind.kind(), namespace: NAMESPACE.into(), name: name.into() };
        let path = Path::new("certferry.dev", fixture.plural(), NAMESPACE, name);
        let begun = Instant::now();
        let sources = vec![(0, Which::First)];
        let run = Self { server, cloud, chaos, fixture, path, sources, kind, key, process: None, begun };
        run.server.create(&source(), source_of(Which::First));
        for Control { method, path, body } in fixture.neighbours() {
            run.cloud.control(method, &path, &body).await;
        }
        run.cloud.shoot(None).await;
        run
    }

    /// The user creates the resource.
    pub fn create(&self, more: &Value) {
        let mut spec = self.fixture.spec();
        json_patch::merge(&mut spec, more);
        let version = "certferry.dev/v1alpha1";
        let object = json!({ "apiVersion": version, "kind": self.key.kind, "metadata": {}, "spec": spec });
        self.server.create(&self.path, object);
    }

    /// Something happens.
    pub async fn act(&mut self, act: &Act) {
        match act {
            Act::Rotate(which) => {
                self.server.change(&source(), &json!({ "data": source_of(*which)["data"] }));
                self.cloud.shoot(None).await; // tells versions before from those after
                self.sources.push((self.cloud.shots().len(), *which));
            }
            Act::Tamper(tamper) => {
                let Control { method, path, body } = self.fixture.tamper(*tamper);
                // Nothing to take away is as good as taken away.
                let there = self.cloud.now().contains_key(self.fixture.target());
                if method == Method::PUT || there {
                    self.cloud.control(method, &path, &body).await;
                }
                self.cloud.shoot(None).await;
            }
            Act::Delete => self.server.delete(&self.path),
            Act::Spec(change) => self.server.change(&self.path, &json!({ "spec": change })),
        }
    }

    /// The process is killed between two passes.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.life.end();
        }
    }

    /// One pass; a process is started first if there is none, and followed by none if it dies.
    pub async fn pass(&mut self) -> Option<Duration> {
        let done = {
            let chaos = self.chaos.clone();
            tokio::select! {
                biased;
                () = chaos.crashed() => Err(()),
                due = self.try_pass() => Ok(due),
            }
        };
        // A process that was doomed by its last answer is dead too.
        let dead = self.process.as_ref().is_some_and(|it| !it.life.lasts());
        match done {
            Ok(due) if !dead => due,
            Ok(_) | Err(()) => {
                self.process = None;
                Some(Duration::from_secs(1))
            }
        }
    }

    async fn try_pass(&mut self) -> Option<Duration> {
        if self.process.is_none() {
            let process = self.process.insert(start(&self.server, &self.cloud, &self.chaos, self.begun));
            let clouds = stock::clouds(&process.engine).await;
            self.kind.take_stock(&process.engine, &clouds).await;
        }
        let process = self.process.as_ref()?;
        self.kind.pass(&process.engine, &process.clouds, &self.key).await
    }

    /// The resource.
    pub fn object(&self) -> Option<Value> {
        self.server.get(&self.path)
    }

    /// Passes until the end is reached and nothing is on its way any more. Gives the calls that it took to get there.
    pub async fn settle(&mut self, wanted: impl Fn(&Self) -> bool) -> Result<usize, String> {
        let limit = Instant::now() + LONGEST;
        let mut reached = None;
        loop {
            let due = self.pass().await;
            if wanted(self) {
                reached.get_or_insert_with(|| self.chaos.counts().cloud);
                if self.chaos.pending() == 0 && !self.is_dead() {
                    return Ok(reached.unwrap_or_default());
                }
            }
            if Instant::now() > limit {
                return Err(format!("I5: not reached within two hours; it says {}", self.told()));
            }
            match due {
                Some(due) => sleep(due).await,
                None if self.chaos.pending() > 0 => sleep(Duration::from_secs(60)).await,
                None if self.object().is_some() => {
                    return Err(format!("I5: no next pass is due; it says {}", self.told()));
                }
                None if wanted(self) => return Ok(reached.unwrap_or_default()),
                None => return Err("I5: the resource is gone, and the cloud is not as it should be".into()),
            }
        }
    }

    fn is_dead(&self) -> bool {
        self.process.is_none() && self.object().is_some()
    }

    /// At rest: three more passes change nothing.
    pub async fn rest(&mut self) -> Result<(), String> {
        let before = (self.cloud.writes(), self.server.writes());
        for _ in 0..3 {
            let due = self.pass().await;
            sleep(due.unwrap_or(Duration::from_secs(300))).await;
        }
        let after = (self.cloud.writes(), self.server.writes());
        if before == after {
            return Ok(());
        }
        let (cloud, server) = (after.0 - before.0, after.1 - before.1);
        Err(format!("I6: at rest, yet {cloud} writes to the cloud and {server} to the API server"))
    }

    /// The Ready condition, if it is for the present generation.
    pub fn told(&self) -> Value {
        let Some(object) = self.object() else { return Value::Null };
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default();
        if ready["observedGeneration"] == object["metadata"]["generation"] { ready } else { Value::Null }
    }

    /// Whether the resource has come to that.
    pub fn has_come_to(&self, end: &End) -> bool {
        match end {
            End::Ready(reason) => self.told()["status"] == "True" && self.told()["reason"] == *reason,
            End::Stuck(reason, part) => {
                let told = self.told();
                let says = told["message"].as_str().is_some_and(|it| it.contains(part));
                told["status"] != "True" && told["reason"] == *reason && says
            }
            End::Gone => self.object().is_none(),
        }
    }

    /// Whether the cloud has come to that; `before` is how it was when the faults began.
    pub fn cloud_has_come_to(&self, remote: Remote, before: &crate::wire::Objects) -> bool {
        let (now, target) = (self.cloud.now(), self.fixture.target());
        match remote {
            Remote::Absent => !now.contains_key(target),
            Remote::Untouched => now.get(target) == before.get(target),
            Remote::Holds { which, verified } => self
                .fixture
                .held(&now)
                .is_some_and(|it| it.thumbprint == which.pair().thumbprint && it.verified == verified),
        }
    }
}

fn start(server: &ApiServer, cloud: &Cloud, chaos: &Chaos, begun: Instant) -> Process {
    let life = chaos.life();
    let reached = Reached { server: server.clone(), life: life.clone() };
    let client = kube::Client::new(reached, "default");
    let operator = ServiceAccount { namespace: HOME.into(), name: "certferry".into() };
    let cluster = Cluster::new(client.clone(), operator, "/nonexistent".into());
    let first = Timestamp::now();
    let clock = Clock::told_by(move || first.checked_add(begun.elapsed()).unwrap_or(Timestamp::MAX));
    let wire = Wire { cloud: cloud.clone(), life: life.clone() };
    Process {
        engine: Engine::new(client, cluster, clock, None),
        clouds: Clouds::over(Http::over(wire)),
        life,
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

fn account() -> Value {
    json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "ClusterCloudAccount", "metadata": {},
        "spec": {
            "allowedNamespaces": { "names": [NAMESPACE] },
            "azure": {
                "cloud": "Custom",
                "tenantId": "11111111-1111-4111-8111-111111111111",
                "auth": { "clientSecret": {
                    "clientId": "22222222-2222-4222-8222-000000000001",
                    "secretRef": { "name": "emulated", "key": "clientSecret" },
                } },
                "endpoints": {
                    "authority": "https://login.localhost", "resourceManager": "https://arm.localhost",
                },
            },
        },
    })
}
