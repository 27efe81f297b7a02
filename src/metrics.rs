//! What everyone records to, and what `/metrics` serves: OpenMetrics text, with no secret and no text of a service.
//!
//! Every label has a bound: kinds, operations and reasons are ours, codes are HTTP's. Only the expiry of a certificate and
//! the conditions behind it are told per object, so there are a few series for each. `docs/operations.md` lists all names.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

use crate::api::certificate::CertificateStatus;
use crate::api::condition::Condition;

/// The operation that gives a token.
pub const TOKEN: &str = "token";

/// All metrics. Clones are the same.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

/// How a pass ended, in the words of controller-runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// The object is looked at again after a while.
    RequeueAfter,
    /// The object is gone.
    Success,
    /// It panicked, or did not end in time.
    Error,
}

/// One object: kind, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for objects of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

struct Inner {
    registry: Registry,
    reconciles: Family<Reconcile, Counter>,
    reconcile_errors: Family<Controller, Counter>,
    reconcile_panics: Family<Controller, Counter>,
    reconcile_time: Family<Controller, Histogram, fn() -> Histogram>,
    active: Family<Controller, Gauge>,
    most_active: Family<Controller, Gauge>,
    requests: Family<Request, Counter>,
    durations: Family<Operation, Histogram, fn() -> Histogram>,
    writes: Family<Operation, Counter>,
    throttled: Family<Operation, Counter>,
    tokens: Family<Token, Counter>,
    time_to_ready: Family<OfKind, Histogram, fn() -> Histogram>,
    leader: Gauge,
    api_server: Family<ApiServer, Counter>,
    watches: Family<OfKind, Gauge<f64, AtomicU64>>,
    expiries: Family<OfObject, Gauge>,
    renewals: Family<OfObject, Gauge>,
    conditions: Family<OfCondition, Gauge>,
    objects: Mutex<HashMap<Named, Told>>,
}

/// What was last told of an object.
struct Told {
    expiry: Option<i64>,
    renewal: Option<i64>,
    /// Type, status and reason.
    conditions: Vec<(String, String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reconcile {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Operation {
    provider: &'static str,
    operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    provider: &'static str,
    operation: &'static str,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Token {
    provider: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ApiServer {
    method: String,
    code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfObject {
    namespace: String,
    name: String,
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCondition {
    kind: &'static str,
    r#type: String,
    status: String,
    reason: String,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Nothing is recorded yet.
    pub fn new() -> Self {
        let calls: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 2.0, 12));
        let passes: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 15));
        let waits: fn() -> Histogram = || Histogram::new(exponential_buckets(0.5, 2.0, 14));
        let mut registry = Registry::default();
        let version = [("version".into(), env!("CARGO_PKG_VERSION").into())];
        let build = register(
            registry.sub_registry_with_labels(version.into_iter()),
            "certferry_build_info",
            "What runs",
            Gauge::<i64>::default(),
        );
        build.set(1);
        let into = &mut registry;
        let inner = Inner {
            reconciles: register(into, "controller_runtime_reconcile", "Passes", Family::default()),
            reconcile_errors: register(
                into,
                "controller_runtime_reconcile_errors",
                "Passes that panicked or did not end in time",
                Family::default(),
            ),
            reconcile_panics: register(
                into,
                "controller_runtime_reconcile_panics",
                "Passes that panicked",
                Family::default(),
            ),
            reconcile_time: timed(into, "controller_runtime_reconcile_time", "How long passes take", passes),
            active: register(into, "controller_runtime_active_workers", "Passes at work", Family::default()),
            most_active: register(
                into,
                "controller_runtime_max_concurrent_reconciles",
                "Passes that may be at work at a time",
                Family::default(),
            ),
            requests: register(
                into,
                "certferry_cloud_requests",
                "Calls to the clouds, by HTTP status or by what came instead of one",
                Family::default(),
            ),
            durations: timed(
                into,
                "certferry_cloud_request_duration",
                "How long calls to the clouds take",
                calls,
            ),
            writes: register(
                into,
                "certferry_cloud_writes",
                "Calls that may change something in a cloud: none at rest",
                Family::default(),
            ),
            throttled: register(
                into,
                "certferry_cloud_throttled",
                "Calls that a cloud answered with 429",
                Family::default(),
            ),
            tokens: register(into, "certferry_token_requests", "Tokens asked for", Family::default()),
            time_to_ready: timed(
                into,
                "certferry_resource_time_to_ready",
                "From an object's creation until it is ready for the first time",
                waits,
            ),
            leader: register(
                into,
                "leader_election_master_status",
                "Whether this replica leads",
                Gauge::default(),
            ),
            api_server: register(
                into,
                "rest_client_requests",
                "Requests to the API server",
                Family::default(),
            ),
            watches: register_with_unit(
                into,
                "certferry_watch_last_progress_timestamp",
                "When the watch of a kind last said anything",
                Family::default(),
            ),
            expiries: register_with_unit(
                into,
                "certferry_certificate_expiration_timestamp",
                "When the certificate in the cloud expires",
                Family::default(),
            ),
            renewals: register_with_unit(
                into,
                "certferry_certificate_renewal_timestamp",
                "When a newer certificate is due",
                Family::default(),
            ),
            conditions: register(
                into,
                "certferry_resource_condition",
                "How many objects have a condition",
                Family::default(),
            ),
            objects: Mutex::default(),
            registry,
        };
        Self(Arc::new(inner))
    }

    /// So many passes of a controller may be at work at a time.
    pub fn may_work(&self, controller: &'static str, most: u16) {
        self.0.most_active.get_or_create(&Controller { controller }).set(i64::from(most));
    }

    /// A pass of a controller begins; it ends when this is dropped.
    pub fn working(&self, controller: &'static str) -> impl Drop + use<> {
        let gauge = self.0.active.get_or_create_owned(&Controller { controller });
        gauge.inc();
        Ended(gauge)
    }

    /// A pass ended.
    pub fn passed(&self, controller: &'static str, how: Passed, took: Duration) {
        let result = match how {
            Passed::RequeueAfter => "requeue_after",
            Passed::Success => "success",
            Passed::Error => "error",
        };
        self.0.reconciles.get_or_create(&Reconcile { controller, result }).inc();
        if how == Passed::Error {
            self.0.reconcile_errors.get_or_create(&Controller { controller }).inc();
        }
        self.0.reconcile_time.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// A pass panicked.
    pub fn panicked(&self, controller: &'static str) {
        self.0.reconcile_panics.get_or_create(&Controller { controller }).inc();
    }

    /// A cloud was called. `status` is that of the answer, if there was one.
    pub fn called(
        &self,
        provider: &'static str,
        operation: &'static str,
        write: bool,
        status: Option<u16>,
        took: Duration,
    ) {
        let code = status.map_or_else(|| "none".to_owned(), |it| it.to_string());
        self.0.requests.get_or_create(&Request { provider, operation, code }).inc();
        let of = Operation { provider, operation };
        self.0.durations.get_or_create(&of).observe(took.as_secs_f64());
        if write && operation != TOKEN {
            self.0.writes.get_or_create(&of).inc();
        }
        if status == Some(429) {
            self.0.throttled.get_or_create(&of).inc();
        }
        if operation == TOKEN {
            let result = if status == Some(200) { "success" } else { "error" };
            self.0.tokens.get_or_create(&Token { provider, result }).inc();
        }
    }

    /// The API server answered.
    pub fn api_server(&self, method: &str, status: u16) {
        let of = ApiServer { method: method.to_owned(), code: status.to_string() };
        self.0.api_server.get_or_create(&of).inc();
    }

    /// The watch of a kind said something, at that time in seconds since 1970.
    pub fn watched(&self, kind: &'static str, at: f64) {
        self.0.watches.get_or_create(&OfKind { kind }).set(at);
    }

    /// Whether this replica leads. One that does not any more knows of no object.
    pub fn leads(&self, leads: bool) {
        self.0.leader.set(i64::from(leads));
        if !leads {
            self.objects().clear();
        }
    }

    /// An object is ready for the first time, so long after its creation.
    pub fn became_ready(&self, kind: &'static str, after: Duration) {
        self.0.time_to_ready.get_or_create(&OfKind { kind }).observe(after.as_secs_f64());
    }

    /// What the status of an object says.
    pub fn told(&self, of: Named, conditions: &[Condition], certificate: Option<&CertificateStatus>) {
        let expiry = certificate.and_then(|it| it.certificate.as_ref()).map(|it| it.not_after.as_second());
        let renewal = certificate.and_then(|it| it.renewal_time).map(|it| it.as_second());
        let conditions = conditions
            .iter()
            .map(|it| (format!("{:?}", it.type_), format!("{:?}", it.status), it.reason.clone()))
            .collect();
        self.objects().insert(of, Told { expiry, renewal, conditions });
    }

    /// An object is gone.
    pub fn forget(&self, of: &Named) {
        self.objects().remove(of);
    }

    /// Everything, in the OpenMetrics text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        self.tell_objects();
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    /// Of objects, only what is known now.
    fn tell_objects(&self) {
        let Inner { expiries, renewals, conditions, .. } = &*self.0;
        expiries.clear();
        renewals.clear();
        conditions.clear();
        let mut counts = BTreeMap::<_, i64>::new();
        for (Named { kind, namespace, name }, told) in &*self.objects() {
            let of = || OfObject { namespace: namespace.clone(), name: name.clone(), kind };
            if let Some(at) = told.expiry {
                expiries.get_or_create(&of()).set(at);
            }
            if let Some(at) = told.renewal {
                renewals.get_or_create(&of()).set(at);
            }
            for condition in &told.conditions {
                *counts.entry((*kind, condition.clone())).or_default() += 1;
            }
        }
        for ((kind, (r#type, status, reason)), count) in counts {
            conditions.get_or_create(&OfCondition { kind, r#type, status, reason }).set(count);
        }
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<Named, Told>> {
        self.0.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pass at work.
struct Ended(Gauge);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn register<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register(name, help, metric.clone());
    metric
}

/// A time in seconds since 1970.
fn register_with_unit<M: Metric + Clone>(registry: &mut Registry, name: &str, help: &str, metric: M) -> M {
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// A histogram of seconds.
fn timed<L>(
    registry: &mut Registry,
    name: &str,
    help: &str,
    buckets: fn() -> Histogram,
) -> Family<L, Histogram, fn() -> Histogram>
where
    L: Clone + std::fmt::Debug + std::hash::Hash + Eq + EncodeLabelSet + Send + Sync + 'static,
{
    register_with_unit(registry, name, help, Family::new_with_constructor(buckets))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Named {
        Named { kind: "IotHubCertificate", namespace: "devices".into(), name: name.into() }
    }

    #[test]
    fn what_was_recorded_is_told_in_the_text_format() {
        let metrics = Metrics::new();
        let working = metrics.working("IotHubCertificate");
        metrics.passed("IotHubCertificate", Passed::RequeueAfter, Duration::from_millis(20));
        metrics.called("Azure", "Microsoft.Devices/read", false, Some(429), Duration::from_millis(5));
        metrics.called("Azure", "Microsoft.Devices/write", true, None, Duration::from_secs(30));
        let text = metrics.render().unwrap();
        for line in [
            r#"certferry_build_info{version="0.1.0"} 1"#,
            r#"controller_runtime_active_workers{controller="IotHubCertificate"} 1"#,
            r#"controller_runtime_reconcile_total{controller="IotHubCertificate",result="requeue_after"} 1"#,
            r#"certferry_cloud_throttled_total{provider="Azure",operation="Microsoft.Devices/read"} 1"#,
            r#"certferry_cloud_writes_total{provider="Azure",operation="Microsoft.Devices/write"} 1"#,
            r#"certferry_cloud_requests_total{provider="Azure",operation="Microsoft.Devices/write",code="none"} 1"#,
            "certferry_cloud_request_duration_seconds_count",
        ] {
            assert!(text.contains(line), "{line} is not in\n{text}");
        }
        drop(working);
        assert!(metrics.render().unwrap().contains("active_workers{controller=\"IotHubCertificate\"} 0"));
    }

    #[test]
    fn an_object_that_is_gone_is_told_no_more() {
        let metrics = Metrics::new();
        let status = serde_json::json!({
            "certificate": { "subject": "CN=a", "sha1Thumbprint": "AA", "notAfter": "2030-01-01T00:00:00Z" },
        });
        let status = serde_json::from_value(status).unwrap();
        metrics.told(named("a"), &[], Some(&status));
        let line = "certferry_certificate_expiration_timestamp_seconds{namespace=\"devices\",name=\"a\"";
        assert!(metrics.render().unwrap().contains(line), "{}", metrics.render().unwrap());
        metrics.forget(&named("a"));
        assert!(!metrics.render().unwrap().contains(line));
    }
}
