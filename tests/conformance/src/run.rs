//! Drives the operator over one resource in virtual time: pass, wait as long as the pass says, pass again; a process that
//! dies is followed by a new one on the same API server and the same cloud.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use certferry::engine::Engine;
use certferry::engine::clock::Clock;
use certferry::engine::dependents::RootKey;
use certferry::engine::preview::{Preview, Viewer};
use certferry::engine::stock;
use certferry::http::Http;
use certferry::providers::{Clouds, Passes, Registered};
use certferry::source::cluster::Cluster;
use certferry::source::{Operator, ServiceAccount};
use emulator::Embedded;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::api_server::ApiServer;
use crate::chaos::{Chaos, Life};
use crate::fixture::{End, Fixture, Remote, Shown, Which};
use crate::reached::Reached;
use crate::wire::{Cloud, Wire};
use crate::world::{HOME, NAME, NAMESPACE, World};

/// The longest that anything may take, on the virtual clock.
const LONGEST: Duration = Duration::from_secs(2 * 3600);

/// One life of the operator.
struct Process {
    engine: Arc<Engine>,
    passes: Passes,
    life: Life,
}

/// The operator at work in a world.
pub struct Run {
    /// The world.
    pub world: World,
    /// What goes wrong.
    pub chaos: Chaos,
    kind: &'static dyn Registered,
    key: RootKey,
    process: Option<Process>,
    begun: Instant,
}

impl Deref for Run {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.chaos.by(None); // it holds the world, which holds it
    }
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
        let world = World::new(server, cloud, fixture).await;
        let hand = world.clone();
        chaos.by(Some(Arc::new(move |act| {
            let hand = hand.clone();
            Box::pin(async move { hand.act(&act).await })
        })));
        let key = RootKey { kind: kind.kind(), namespace: NAMESPACE.into(), name: NAME.into() };
        Self { world, chaos, kind, key, process: None, begun: Instant::now() }
    }

    /// The process is killed between two passes.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.life.end();
        }
    }

    /// One pass; a process is started first if there is none, and followed by none if it dies.
    pub async fn pass(&mut self) -> Option<Duration> {
        self.server.pass_since.store(self.cloud.states(), Ordering::SeqCst);
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
            let process = self.process.insert(self.start());
            let clouds = stock::clouds(&process.engine).await;
            self.kind.take_stock(&process.engine, &clouds).await;
        }
        let process = self.process.as_ref()?;
        (process.passes)(self.key.clone()).await
    }

    /// Passes until the end is reached and nothing is on its way any more. Gives the calls that it took to get there.
    pub async fn settle(&mut self, wanted: impl Fn(&Self) -> bool) -> Result<usize, String> {
        self.reach(wanted, false).await
    }

    /// The same; `at_once` does not wait for what is on its way.
    pub async fn reach(&mut self, wanted: impl Fn(&Self) -> bool, at_once: bool) -> Result<usize, String> {
        let limit = Instant::now() + LONGEST;
        let mut reached = None;
        loop {
            let due = self.pass().await;
            if wanted(self) {
                reached.get_or_insert_with(|| self.chaos.counts().cloud);
                if (at_once || self.chaos.pending() == 0) && !self.is_dead() {
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

    /// What somebody is told who asks what a pass would do, if the resource is there. It writes nothing.
    pub async fn preview(&self) -> Result<Option<Preview>, String> {
        let Some(manifest) = self.object() else { return Ok(None) };
        let before = (self.cloud.writes(), self.server.writes());
        let (viewer, clouds, _life) = self.viewer();
        let preview = self.kind.preview(&viewer, &clouds, manifest).await.map_err(|it| it.to_string())?;
        if before != (self.cloud.writes(), self.server.writes()) {
            return Err("a preview wrote".into());
        }
        Ok(Some(preview))
    }

    /// The Ready condition, if it is for the present generation.
    pub fn told(&self) -> Value {
        let Some(object) = self.object() else { return Value::Null };
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default();
        if ready["observedGeneration"] == object["metadata"]["generation"] { ready } else { Value::Null }
    }

    /// Whether the user has deleted the resource.
    pub fn is_deleted(&self) -> bool {
        self.object().is_none_or(|it| !it["metadata"]["deletionTimestamp"].is_null())
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
        let place = self.fixture.place(&self.cloud.now());
        match remote {
            Remote::Absent => place.is_empty(),
            Remote::Untouched => place == self.fixture.place(before),
            Remote::Holds { which, verified } => {
                place.len() == 1 && self.is_alone(place.values().collect(), which, verified)
            }
            Remote::HoldsBesideAdopted { which, verified } => {
                let (adopted, own): (Vec<_>, _) = place.values().partition(|it| self.fixture.is_adopted(it));
                adopted.len() == 1 && self.is_alone(own, which, verified)
            }
        }
    }

    /// Whether all that is the resource's own is this certificate.
    fn is_alone(&self, own: Vec<&Value>, which: Which, verified: bool) -> bool {
        let wanted = Shown { thumbprint: which.pair().thumbprint.clone(), verified };
        matches!(own.as_slice(), [it] if self.fixture.shown(it) == wanted) && !self.has_retiring()
    }

    fn start(&self) -> Process {
        let (Viewer { client, cluster, clock }, clouds, life) = self.viewer();
        let engine = Engine::new(client, cluster, clock, None);
        let passes = self.kind.passes(&engine, &clouds);
        Process { engine, passes, life }
    }

    /// What is seen of cluster and clouds by a process of its own.
    fn viewer(&self) -> (Viewer, Clouds, Life) {
        let life = self.chaos.life();
        let reached = Reached { server: self.server.clone(), life: life.clone() };
        let client = kube::Client::new(reached, "default");
        let service_account = ServiceAccount { namespace: HOME.into(), name: "certferry".into() };
        let operator = Operator { service_account, installation: "certferry".into() };
        let cluster = Cluster::new(client.clone(), operator, "/nonexistent".into());
        let (first, begun) = (Timestamp::now(), self.begun);
        let clock = Clock::told_by(move || first.checked_add(begun.elapsed()).unwrap_or(Timestamp::MAX));
        let wire = Wire { cloud: self.cloud.clone(), life: life.clone() };
        (Viewer { client, cluster, clock }, Clouds::over(Http::over(wire)), life)
    }
}
