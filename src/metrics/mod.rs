//! What everyone records to, and what `/metrics` serves: OpenMetrics text, with no secret and no text of a service.
//!
//! Every label has a bound (`labels`). What is told per object is the few times that only it has, and its conditions where
//! so asked (`objects`). `docs/operations.md` lists all names.

mod labels;
mod objects;
mod queue;
mod registry;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::api::certificate::CertificateStatus;
use crate::api::condition::{self, Condition, ConditionType};
use crate::api::reason::Reason;
use labels::{ApiServer, Build, Controller, Drift, OfKind, Operation, Reconcile, Request, Token};
pub use objects::Credential;
use objects::Objects;
use queue::Queue;
use registry::Families;

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

impl Passed {
    /// As it stands in labels and logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::RequeueAfter => "requeue_after",
            Self::Success => "success",
            Self::Error => "error",
        }
    }
}

/// One object: kind, namespace, name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Named {
    /// Its kind.
    pub kind: &'static str,
    /// Its namespace; empty for objects of the cluster.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

struct Inner {
    registry: Registry,
    families: Families,
    objects: Objects,
    queue: Queue,
    /// Whether the conditions of each object are told.
    object_conditions: bool,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new(false)
    }
}

impl Metrics {
    /// Nothing is recorded yet. The conditions of each object are told, or only how many have which.
    pub fn new(object_conditions: bool) -> Self {
        let (registry, families) = registry::families();
        let build = Build {
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("CERTFERRY_COMMIT").unwrap_or("unknown"),
            tls: "aws-lc-rs",
        };
        families.build.get_or_create(&build).set(1);
        let (objects, queue) = (Objects::default(), Queue::default());
        Self(Arc::new(Inner { registry, families, objects, queue, object_conditions }))
    }

    /// So many passes of a controller may be at work at a time.
    pub fn may_work(&self, controller: &'static str, most: u16) {
        self.families().most_active.get_or_create(&Controller { controller }).set(i64::from(most));
        self.0.queue.open(controller);
    }

    /// An object is to be looked at after that time, or before if so was said already.
    pub fn due(&self, of: Named, after: Duration) {
        self.0.queue.add(of, moment(after));
    }

    /// An object has nothing to be looked at for until then, though it was queued.
    pub fn rests(&self, of: Named, left: Duration) {
        self.0.queue.put(of, moment(left));
    }

    /// A pass over an object begins; it ends when this is dropped.
    pub fn working(&self, of: &Named) -> impl Drop + use<> {
        if let Some(waited) = self.0.queue.take(of, Instant::now()) {
            let queue = labels::Queue::of(of.kind);
            self.families().queued.get_or_create(&queue).observe(waited.as_secs_f64());
        }
        let gauge = self.families().active.get_or_create_owned(&Controller { controller: of.kind });
        gauge.inc();
        Ended(gauge)
    }

    /// A pass of a controller ended.
    pub fn passed(&self, controller: &'static str, how: Passed, took: Duration) {
        let families = self.families();
        families.reconciles.get_or_create(&Reconcile { controller, result: how.name() }).inc();
        if how == Passed::Error {
            families.reconcile_errors.get_or_create(&Controller { controller }).inc();
        }
        families.reconcile_time.get_or_create(&Controller { controller }).observe(took.as_secs_f64());
    }

    /// A pass panicked.
    pub fn panicked(&self, controller: &'static str) {
        self.families().reconcile_panics.get_or_create(&Controller { controller }).inc();
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
        let families = self.families();
        let code = status.map_or_else(|| "none".to_owned(), labels::code);
        families.requests.get_or_create(&Request { provider, operation, code }).inc();
        let of = Operation { provider, operation };
        families.durations.get_or_create(&of).observe(took.as_secs_f64());
        if write && operation != TOKEN {
            families.writes.get_or_create(&of).inc();
        }
        if status == Some(429) {
            families.throttled.get_or_create(&of).inc();
        }
        if operation == TOKEN {
            let result = if status == Some(200) { "success" } else { "error" };
            families.tokens.get_or_create(&Token { provider, result }).inc();
        }
    }

    /// The API server answered.
    pub fn api_server(&self, method: &str, status: u16) {
        let of = ApiServer { method: method.to_owned(), code: labels::code(status) };
        self.families().api_server.get_or_create(&of).inc();
    }

    /// The watch of a kind was answered, or told a change.
    pub fn watched(&self, kind: &'static str) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.families().watches.get_or_create(&OfKind { kind }).set(now.as_secs_f64());
    }

    /// Whether this replica leads. One that does not any more knows of no object, and watches none.
    pub fn leads(&self, leads: bool) {
        self.families().leader.set(i64::from(leads));
        if !leads {
            self.0.objects.clear();
            self.0.queue.clear();
            self.families().watches.clear();
        }
    }

    /// An object is ready for the first time, so long after its creation.
    pub fn became_ready(&self, kind: &'static str, after: Duration) {
        self.families().time_to_ready.get_or_create(&OfKind { kind }).observe(after.as_secs_f64());
    }

    /// A read confirmed that the cloud has a changed source, so long after the change was noticed.
    pub fn followed_source(&self, kind: &'static str, after: Duration) {
        self.families().source_to_remote.get_or_create(&OfKind { kind }).observe(after.as_secs_f64());
    }

    /// A settled object was found otherwise in the cloud. `corrected`: the same pass brought it back.
    pub fn drifted(&self, kind: &'static str, corrected: bool) {
        let corrected = if corrected { "true" } else { "false" };
        self.families().drift.get_or_create(&Drift { kind, corrected }).inc();
    }

    /// A pass ended with this status of its object.
    pub fn told(&self, of: Named, conditions: &[Condition], certificate: Option<&CertificateStatus>) {
        if condition::is_true(conditions, ConditionType::Stalled) {
            self.families().terminal_errors.get_or_create(&Controller { controller: of.kind }).inc();
        }
        self.0.objects.told(of, conditions, certificate);
    }

    /// The deletion of an object needs somebody: more than its conditions say, what is in the way.
    pub fn deletion_blocked(&self, of: Named, reason: Reason) {
        self.0.objects.blocked(of, reason);
    }

    /// When the credential of an account ends, as far as anybody tells.
    pub fn credential(&self, of: Named, credential: Option<Credential>) {
        self.0.objects.credential(of, credential);
    }

    /// An object is gone.
    pub fn forget(&self, of: &Named) {
        self.0.objects.forget(of);
        self.0.queue.take(of, Instant::now());
    }

    /// Everything, in the OpenMetrics text format.
    pub fn render(&self) -> Result<String, std::fmt::Error> {
        self.0.objects.tell(self.families(), self.0.object_conditions);
        for (controller, depth) in self.0.queue.depth(Instant::now()) {
            self.families().depth.get_or_create(&labels::Queue::of(controller)).set(depth);
        }
        let mut text = String::new();
        encode(&mut text, &self.0.registry)?;
        Ok(text)
    }

    fn families(&self) -> &Families {
        &self.0.families
    }
}

/// So long from now; a time that no clock can tell is now.
fn moment(after: Duration) -> Instant {
    let now = Instant::now();
    now.checked_add(after).unwrap_or(now)
}

/// A pass at work.
struct Ended(Gauge);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.dec();
    }
}

#[cfg(test)]
mod tests;
