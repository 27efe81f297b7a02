//! All families of metrics, with the names and the help that a scrape shows.

use std::fmt::Debug;
use std::hash::Hash;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Metric, Registry, Unit};

use super::labels::*;

type Counts<L> = Family<L, Counter>;
type Gauges<L> = Family<L, Gauge>;
type Times<L> = Family<L, Histogram, fn() -> Histogram>;

/// The families.
pub(super) struct Families {
    pub(super) build: Gauges<Build>,
    pub(super) reconciles: Counts<Reconcile>,
    pub(super) reconcile_errors: Counts<Controller>,
    pub(super) terminal_errors: Counts<Controller>,
    pub(super) reconcile_panics: Counts<Controller>,
    pub(super) reconcile_time: Times<Controller>,
    pub(super) active: Gauges<Controller>,
    pub(super) most_active: Gauges<Controller>,
    pub(super) depth: Gauges<Queue>,
    pub(super) queued: Times<Queue>,
    pub(super) requests: Counts<Request>,
    pub(super) durations: Times<Operation>,
    pub(super) writes: Counts<Operation>,
    pub(super) throttled: Counts<Operation>,
    pub(super) tokens: Counts<Token>,
    pub(super) time_to_ready: Times<OfKind>,
    pub(super) source_to_remote: Times<OfKind>,
    pub(super) drift: Counts<Drift>,
    pub(super) leader: Gauge,
    pub(super) api_server: Counts<ApiServer>,
    pub(super) watches: Family<OfKind, Gauge<f64, AtomicU64>>,
    pub(super) expiries: Gauges<OfObject>,
    pub(super) renewals: Gauges<OfObject>,
    pub(super) credentials: Gauges<OfCredential>,
    pub(super) conditions: Gauges<OfCondition>,
    pub(super) object_conditions: Gauges<ConditionOfObject>,
    pub(super) blocked: Gauges<Blocked>,
}

/// The families, and the registry that tells them.
pub(super) fn families() -> (Registry, Families) {
    let calls: fn() -> Histogram = || Histogram::new(exponential_buckets(0.01, 2.0, 12));
    let passes: fn() -> Histogram = || Histogram::new(exponential_buckets(0.005, 2.0, 15));
    let waits: fn() -> Histogram = || Histogram::new(exponential_buckets(0.5, 2.0, 14));
    let mut registry = Registry::default();
    let into = &mut registry;
    let families = Families {
        build: family(into, "certferry_build_info", "What runs"),
        reconciles: family(into, "controller_runtime_reconcile", "Passes"),
        reconcile_errors: family(
            into,
            "controller_runtime_reconcile_errors",
            "Passes that panicked or did not end in time",
        ),
        terminal_errors: family(
            into,
            "controller_runtime_terminal_reconcile_errors",
            "Passes that left their object stalled",
        ),
        reconcile_panics: family(into, "controller_runtime_reconcile_panics", "Passes that panicked"),
        reconcile_time: timed(into, "controller_runtime_reconcile_time", "How long passes take", passes),
        active: family(into, "controller_runtime_active_workers", "Passes at work"),
        most_active: family(
            into,
            "controller_runtime_max_concurrent_reconciles",
            "Passes that may be at work at a time",
        ),
        depth: family(into, "workqueue_depth", "Objects whose pass is due and has not begun"),
        queued: timed(
            into,
            "workqueue_queue_duration",
            "How long objects whose pass is due wait for it to begin",
            passes,
        ),
        requests: family(
            into,
            "certferry_cloud_requests",
            "Calls to the clouds, by HTTP status or by what came instead of one",
        ),
        durations: timed(
            into,
            "certferry_cloud_request_duration",
            "How long calls to the clouds take",
            calls,
        ),
        writes: family(
            into,
            "certferry_cloud_writes",
            "Calls that may change something in a cloud: none at rest",
        ),
        throttled: family(into, "certferry_cloud_throttled", "Calls that a cloud answered with 429"),
        tokens: family(into, "certferry_token_requests", "Tokens asked for"),
        time_to_ready: timed(
            into,
            "certferry_resource_time_to_ready",
            "From an object's creation until it is ready for the first time",
            waits,
        ),
        source_to_remote: timed(
            into,
            "certferry_source_to_remote",
            "From noticing a changed source until a read confirms that the cloud has it",
            waits,
        ),
        drift: family(
            into,
            "certferry_drift_detected",
            "Settled objects found otherwise in a cloud, though neither spec nor source changed",
        ),
        leader: one(into, "leader_election_master_status", "Whether this replica leads"),
        api_server: family(into, "rest_client_requests", "Requests to the API server"),
        watches: times(
            into,
            "certferry_watch_last_progress_timestamp",
            "When the watch of a kind was last answered or told a change",
        ),
        expiries: times(
            into,
            "certferry_certificate_expiration_timestamp",
            "When the certificate in the cloud expires",
        ),
        renewals: times(into, "certferry_certificate_renewal_timestamp", "When a newer certificate is due"),
        credentials: times(
            into,
            "certferry_credential_expiration_timestamp",
            "When what an account signs in with expires, where that is known",
        ),
        conditions: family(into, "certferry_resource_condition", "How many objects have a condition"),
        object_conditions: family(into, "certferry_object_condition", "The conditions of each object"),
        blocked: family(
            into,
            "certferry_deletion_blocked",
            "Objects whose deletion needs somebody, by what is in the way",
        ),
    };
    (registry, families)
}

fn one<M: Metric + Clone + Default>(registry: &mut Registry, name: &str, help: &str) -> M {
    let metric = M::default();
    registry.register(name, help, metric.clone());
    metric
}

fn family<L: Label, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    M: Default,
    Family<L, M>: Metric + Clone + Default,
{
    one(registry, name, help)
}

/// Points in time, in seconds since 1970.
fn times<L: Label, M>(registry: &mut Registry, name: &str, help: &str) -> Family<L, M>
where
    M: Default,
    Family<L, M>: Metric + Clone + Default,
{
    let metric = Family::default();
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// Histograms of seconds.
fn timed<L: Label>(registry: &mut Registry, name: &str, help: &str, buckets: fn() -> Histogram) -> Times<L> {
    let metric = Family::new_with_constructor(buckets);
    registry.register_with_unit(name, help, Unit::Seconds, metric.clone());
    metric
}

/// What tells the series of a family apart.
trait Label: Clone + Debug + Hash + Eq + EncodeLabelSet + Send + Sync + 'static {}
impl<L: Clone + Debug + Hash + Eq + EncodeLabelSet + Send + Sync + 'static> Label for L {}
