//! One of several replicas leads: the one that holds the Lease. The others stand by.
//!
//! A leader stops writing before anybody else may take over, by a clock that goes on while the process is frozen; every
//! write asks its [`Term`] just before it is sent.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams};
use kube::{Api, Client};
use rustix::time::{ClockId, clock_gettime};
use tokio::time::{sleep, timeout};

use crate::engine::term::Term;

/// How long a Lease that is not renewed keeps others out.
const LEASE: Duration = Duration::from_secs(15);

/// How long after a renewal began the leader may still write.
const TERM: Duration = Duration::from_secs(10);

/// How often a leader renews, and a standby looks.
const EVERY: Duration = Duration::from_secs(2);

/// How long the API server may take for one of these requests.
const CALL: Duration = Duration::from_secs(5);

/// A replica that leads or would.
pub struct Candidate {
    api: Api<Lease>,
    /// The Lease's name.
    name: String,
    identity: String,
    /// The Lease of another as it was last seen, and since when it is so.
    seen: Option<(LeaseSpec, Duration)>,
}

/// The time on a clock that counts suspension and never goes back.
fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

impl Candidate {
    /// A replica that would hold the Lease of that name, with an identity which no other process has or had.
    pub fn new(client: Client, namespace: &str, name: String, identity: String) -> Self {
        Self { api: Api::namespaced(client, namespace), name, identity, seen: None }
    }

    /// Stands by until the Lease is won.
    pub async fn win(&mut self) -> Term {
        loop {
            let began = uptime();
            match timeout(CALL, self.attempt()).await {
                Ok(Ok(Some(term))) => {
                    term.last_until(began + TERM);
                    tracing::info!(term = term.name(), "leading");
                    return term;
                }
                Ok(Ok(None)) => {}
                Ok(Err(error)) => tracing::warn!(%error, "the Lease cannot be read or taken; trying again"),
                Err(_) => tracing::warn!("the API server takes too long; trying again"),
            }
            sleep(EVERY).await;
        }
    }

    /// Renews the Lease until it is lost.
    pub async fn keep(&self, term: &Term) {
        while term.lasts() {
            sleep(EVERY).await;
            let began = uptime();
            match timeout(CALL, self.renew()).await {
                Ok(Ok(true)) if term.lasts() => term.last_until(began + TERM),
                Ok(Ok(_)) => break,
                Ok(Err(error)) => tracing::warn!(%error, "the Lease cannot be renewed; trying again"),
                Err(_) => tracing::warn!("the Lease cannot be renewed in time; trying again"),
            }
        }
        term.last_until(Duration::ZERO);
        tracing::warn!(term = term.name(), "the term is over; standing by");
    }

    /// Lets another replica take over at once.
    pub async fn resign(&self, term: &Term) {
        term.last_until(Duration::ZERO);
        let given_up = async {
            let mut lease = self.api.get(&self.name).await?;
            if let Some(spec) = lease.spec.as_mut().filter(|it| self.holds(it)) {
                spec.holder_identity = None;
                spec.renew_time = Some(MicroTime(Timestamp::now()));
                self.api.replace(&self.name, &PostParams::default(), &lease).await?;
            }
            Ok::<_, kube::Error>(())
        };
        if !matches!(timeout(CALL, given_up).await, Ok(Ok(()))) {
            tracing::info!("the Lease was not given up; it runs out by itself");
        }
    }

    async fn attempt(&mut self) -> Result<Option<Term>, kube::Error> {
        let Some(mut lease) = self.api.get_opt(&self.name).await? else {
            let lease = Lease {
                metadata: ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
                spec: Some(self.own(0)),
            };
            return self.taken(self.api.create(&PostParams::default(), &lease).await);
        };
        let spec = lease.spec.unwrap_or_default();
        if !self.is_free(&spec) {
            return Ok(None);
        }
        lease.spec = Some(self.own(spec.lease_transitions.unwrap_or_default().saturating_add(1)));
        self.taken(self.api.replace(&self.name, &PostParams::default(), &lease).await)
    }

    /// Whether nobody holds it, or nobody has renewed it for as long as it says, by our own clock.
    fn is_free(&mut self, spec: &LeaseSpec) -> bool {
        if spec.holder_identity.as_ref().is_none_or(String::is_empty) || self.holds(spec) {
            return true;
        }
        let now = uptime();
        let life = spec.lease_duration_seconds.and_then(|it| u64::try_from(it).ok()).map(Duration::from_secs);
        match &self.seen {
            Some((before, since)) if before == spec => now.saturating_sub(*since) >= life.unwrap_or(LEASE),
            _ => {
                self.seen = Some((spec.clone(), now));
                false
            }
        }
    }

    /// Somebody else may have been faster.
    fn taken(&self, answer: Result<Lease, kube::Error>) -> Result<Option<Term>, kube::Error> {
        match answer {
            Ok(lease) => {
                let transitions = lease.spec.and_then(|it| it.lease_transitions).unwrap_or_default();
                Ok(Some(Term::new(format!("{}/{transitions}", self.identity), uptime)))
            }
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn renew(&self) -> Result<bool, kube::Error> {
        let mut lease = self.api.get(&self.name).await?;
        let Some(spec) = lease.spec.as_mut().filter(|it| self.holds(it)) else { return Ok(false) };
        spec.renew_time = Some(MicroTime(Timestamp::now()));
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn holds(&self, spec: &LeaseSpec) -> bool {
        spec.holder_identity.as_ref() == Some(&self.identity)
    }

    fn own(&self, transitions: i32) -> LeaseSpec {
        let now = MicroTime(Timestamp::now());
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
            acquire_time: Some(now.clone()),
            renew_time: Some(now),
            lease_transitions: Some(transitions),
            ..LeaseSpec::default()
        }
    }
}
