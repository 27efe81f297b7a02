//! A cloud, an API server and an operator that can die, in virtual time.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use certferry::engine::clock::Clock;
use certferry::engine::dependents::RootKey;
use certferry::engine::{Engine, stock};
use certferry::providers::{Clouds, Registered};
use certferry::source::ServiceAccount;
use certferry::source::cluster::Cluster;
use emulator::Embedded;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::api_server::ApiServer;
use crate::faults::{Called, Fault, Faults};
use crate::fixture::{Fixture, Held, Pair, Wish};
use crate::wire::{self, control};

/// The resource under test, and its remote name.
pub const NAME: &str = "root";

/// In the account's Secret, and nowhere else.
pub const CLIENT_SECRET: &str = "emulator-secret";

/// How long a resource may take to settle, in virtual time: slow checks are a quarter of an hour apart.
const PATIENCE: Duration = Duration::from_secs(2 * 3600);

/// Passes in which nothing may be written once a resource is settled.
const REST: usize = 3;

pub struct Simulation {
    pub emulator: Embedded,
    pub server: ApiServer,
    pub faults: Faults,
    pub fixture: &'static dyn Fixture,
    provider: &'static dyn Registered,
    running: Running,
    crashes: usize,
    recorded: Vec<Called>,
}

/// One life of the operator.
struct Running {
    engine: Arc<Engine>,
    clouds: Clouds,
}

impl Simulation {
    /// A fresh cluster with an account, and the emulator as it was seeded.
    pub async fn start(
        emulator: &Embedded,
        provider: &'static dyn Registered,
        fixture: &'static dyn Fixture,
    ) -> Result<Self> {
        let (server, faults) = (ApiServer::default(), Faults::default());
        control(emulator, "POST", "reset", None).await?;
        control(emulator, "PATCH", "throttle", Some(&json!({ "enabled": false }))).await?;
        server.put(
            "namespaces",
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": "devices" } }),
        );
        server.put("secrets", secret("certferry", "azure", &[("clientSecret", CLIENT_SECRET)]));
        server.put("clustercloudaccounts", account());
        let running = boot(&server, emulator, &faults, provider).await;
        Ok(Self {
            emulator: emulator.clone(),
            server,
            faults,
            fixture,
            provider,
            running,
            crashes: 0,
            recorded: Vec::new(),
        })
    }

    /// Stores the pair as the resource's source.
    pub fn source(&self, pair: Pair) {
        let data = [("tls.crt", pair.certificate), ("tls.key", pair.key)];
        self.server.put("secrets", secret("devices", "source", &data));
    }

    pub fn apply(&self, wish: &Wish) {
        self.server.put(self.fixture.plural(), self.fixture.manifest(NAME, wish));
    }

    pub fn delete(&self) {
        self.server.delete(self.fixture.plural(), "devices", NAME);
    }

    pub fn object(&self) -> Option<Value> {
        self.server.get(self.fixture.plural(), "devices", NAME)
    }

    /// Somebody else puts a certificate there.
    pub async fn seed(&self, name: &str, certificate: &str, verified: bool) -> Result<()> {
        let (path, body) = (self.fixture.control_path(name), self.fixture.seed(certificate, verified));
        control(&self.emulator, "PUT", &path, Some(&body)).await.map(drop)
    }

    /// Somebody else takes it away.
    pub async fn unseed(&self, name: &str) -> Result<()> {
        let _ = control(&self.emulator, "DELETE", &self.fixture.control_path(name), None).await;
        Ok(())
    }

    pub async fn held(&self, name: &str) -> Option<Held> {
        let shown = control(&self.emulator, "GET", &self.fixture.control_path(name), None).await.ok()?;
        Some(self.fixture.held(&shown))
    }

    /// The thumbprint that the service would show of a certificate.
    pub async fn thumbprint_of(&self, certificate: &str) -> Result<String> {
        self.seed("probe", certificate, false).await?;
        let held = self.held("probe").await.context("the probe is not there")?;
        self.unseed("probe").await?;
        Ok(held.thumbprint)
    }

    /// Requests so far that may have changed that certificate.
    pub async fn writes(&self, name: &str) -> Result<usize> {
        let journal = control(&self.emulator, "GET", "requests", None).await?;
        let requests = journal["requests"].as_array().context("no journal")?.clone();
        Ok(requests.iter().filter(|it| self.fixture.writes(it, name)).count())
    }

    /// One pass; after a crash the operator is started anew. Gives the time until the next.
    pub async fn pass(&mut self) -> Result<Option<Duration>> {
        let key =
            RootKey { kind: self.provider.kind(), namespace: "devices".to_owned(), name: NAME.to_owned() };
        self.faults.pass();
        let pass = self.provider.pass(&self.running.engine, &self.running.clouds, &key);
        let due = tokio::select! {
            biased;
            () = self.faults.crash() => None,
            due = pass => Some(due),
        };
        self.is_honest().await?;
        match due {
            Some(due) => Ok(due),
            None => {
                self.crashes += 1;
                ensure!(self.crashes < 20, "it dies again and again");
                self.running = loop {
                    tokio::select! {
                        biased;
                        () = self.faults.crash() => {}
                        running = boot(&self.server, &self.emulator, &self.faults, self.provider) => break running,
                    }
                };
                Ok(Some(Duration::ZERO))
            }
        }
    }

    /// Passes until the resource is settled, and then some in which nothing may be written.
    pub async fn settle(&mut self) -> Result<()> {
        self.settle_recording().await?;
        self.recorded.clear();
        Ok(())
    }

    /// The calls that it took to settle.
    pub fn calls(&mut self) -> Vec<Called> {
        std::mem::take(&mut self.recorded)
    }

    /// The same, and the calls until it was settled are kept.
    pub async fn settle_recording(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let due = self.pass().await?;
            if self.is_settled() {
                break;
            }
            ensure!(
                begin.elapsed() < PATIENCE,
                "not settled: {:?}",
                self.object().map(|it| it["status"].clone())
            );
            tokio::time::sleep(due.unwrap_or(Duration::from_secs(60))).await;
        }
        self.recorded = self.faults.disarm();
        tokio::time::sleep(Duration::from_secs(300)).await; // what lands late has landed
        self.pass().await?;
        let (remote, local) = (self.writes(NAME).await?, self.server.writes());
        for _ in 0..REST {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            self.pass().await?;
        }
        ensure!(self.writes(NAME).await? == remote, "the service was written at rest");
        ensure!(self.server.writes() == local, "the API server was written at rest");
        Ok(())
    }

    /// Gone, or Ready for its spec, or told that somebody has to decide: faults that pass do not count.
    fn is_settled(&self) -> bool {
        let Some(object) = self.object() else { return true };
        let Some(ready) = self.condition("Ready") else { return false };
        let decided = ["NotOwned", "DriftDetected", "DeletionBlocked", "Suspended"];
        let reason = ready["reason"].as_str().unwrap_or_default();
        let blocked_by_fault =
            reason == "DeletionBlocked" && !ready["message"].to_string().contains("another certificate");
        ready["observedGeneration"] == object["metadata"]["generation"]
            && object["metadata"]["deletionTimestamp"].is_null() == (reason != "DeletionBlocked")
            && !blocked_by_fault
            && (ready["status"] == "True" || decided.contains(&reason))
    }

    pub fn condition(&self, type_: &str) -> Option<Value> {
        let object = self.object()?;
        object["status"]["conditions"].as_array()?.iter().find(|it| it["type"] == type_).cloned()
    }

    /// Ready says what the service holds just now, as nobody else wrote since the pass read it.
    async fn is_honest(&self) -> Result<()> {
        let Some(object) = self.object() else { return Ok(()) };
        let Some(ready) = self.condition("Ready") else { return Ok(()) };
        if ready["status"] != "True" || ready["observedGeneration"] != object["metadata"]["generation"] {
            return Ok(());
        }
        if ready["reason"] == "Suspended" || !object["metadata"]["deletionTimestamp"].is_null() {
            return Ok(());
        }
        // A pass that could not read the service leaves Ready as it was, for two resyncs.
        if !self.faults.undisturbed() {
            return Ok(());
        }
        let held = self.held(NAME).await.context("Ready, and there is no certificate")?;
        let told = object["status"]["certificate"]["sha1Thumbprint"].as_str().unwrap_or_default();
        ensure!(held.thumbprint == told, "Ready with {told}, and the service holds {}", held.thumbprint);
        let verified = self.condition("Verified").is_none_or(|it| it["status"] != "True" || held.verified);
        ensure!(verified, "Verified, and the service says no");
        Ok(())
    }

    /// Calls that the next act makes meet these faults.
    pub fn arm(&self, plan: Vec<(usize, Fault)>) {
        self.faults.arm(plan);
    }
}

async fn boot(
    server: &ApiServer,
    emulator: &Embedded,
    faults: &Faults,
    provider: &'static dyn Registered,
) -> Running {
    let began = (Timestamp::now(), Instant::now());
    let clock = Clock::told_by(move || {
        let elapsed = SignedDuration::try_from(began.1.elapsed()).unwrap_or_default();
        began.0.saturating_add(elapsed).unwrap_or(began.0)
    });
    let client = server.client(faults.clone());
    let operator = ServiceAccount { namespace: "certferry".to_owned(), name: "certferry".to_owned() };
    let cluster = Cluster::new(client.clone(), operator, Path::new("/nonexistent").to_owned());
    let engine = Engine::new(client, cluster, clock, None);
    let clouds = Clouds::over(wire::http(emulator.clone(), faults.clone()));
    let accounts = stock::clouds(&engine).await;
    provider.take_stock(&engine, &accounts).await;
    Running { engine, clouds }
}

fn secret(namespace: &str, name: &str, data: &[(&str, &str)]) -> Value {
    let encoded: serde_json::Map<String, Value> =
        data.iter().map(|(key, value)| ((*key).to_owned(), json!(STANDARD.encode(value)))).collect();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "namespace": namespace, "name": name }, "data": encoded,
    })
}

fn account() -> Value {
    json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "ClusterCloudAccount", "metadata": { "name": "azure" },
        "spec": {
            "allowedNamespaces": { "names": ["devices"] },
            "azure": {
                "cloud": "Custom",
                "tenantId": "11111111-1111-4111-8111-111111111111",
                "auth": { "clientSecret": {
                    "clientId": "22222222-2222-4222-8222-000000000001",
                    "secretRef": { "name": "azure", "key": "clientSecret" },
                } },
                "endpoints": { "authority": "https://login.localhost", "resourceManager": "https://arm.localhost" },
            },
        },
    })
}
