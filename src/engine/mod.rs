//! The engine: it brings a certificate in a service to what a resource says, whatever the service is.
//!
//! A provider says what it needs from the cluster, what is wanted, what it observes and what the next call is; the
//! engine fetches, decides when, records, retries and reports. Nothing here knows a cloud.

pub mod account;
mod at_rest;
pub mod backoff;
pub mod brake;
mod circumstances;
pub mod claims;
pub mod clock;
pub mod controller;
pub mod converge;
pub mod deletion;
pub mod dependents;
mod drift;
pub mod error;
pub mod event;
pub mod explained;
mod gate;
mod halt;
pub mod listing;
pub mod memory;
mod output;
pub mod preview;
pub mod reconcile;
mod rivalry;
pub mod served;
pub mod sight;
pub mod status;
pub mod stock;
pub mod term;
pub mod turns;
mod undecodable;
pub mod write;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::Client;
use tokio::sync::mpsc::unbounded_channel;
use zeroize::Zeroizing;

use crate::api::certificate::{CertificateResource, CertificateSummary, IssuedCode, Remote, Retiring};
use crate::api::reason::{Invalid, Reason};
use crate::metrics::Metrics;
use crate::source::account::Account;
use crate::source::cert_manager::CertificateRequestSpec;
use crate::source::cluster::Cluster;
use crate::source::target::Target;
use crate::source::watch::{Change, SourceWatches};
use crate::source::{Fetched, Reference};
use account::Accounts;
use brake::Brake;
use claims::Claims;
use clock::Clock;
use dependents::Dependents;
use drift::Settled;
use error::CloudError;
use event::Events;
use memory::Memory;
use served::Served;
use term::Term;
use turns::Turns;

/// What all controllers share.
pub struct Engine {
    /// The API server.
    pub client: Client,
    /// Reads on behalf of resources.
    pub cluster: Cluster,
    /// Which resources refer to which objects.
    pub dependents: Arc<Dependents>,
    /// Which resource each remote name belongs to.
    pub claims: Claims,
    /// The accounts as they were last read.
    pub accounts: Accounts,
    /// Which namespaces are served.
    pub served: Served,
    /// What is remembered of resources between passes.
    pub memory: Arc<Memory>,
    /// The passes at work, by account and parent.
    pub turns: Turns,
    /// What each resource was last settled on.
    pub settled: Settled,
    /// Watches on what they refer to.
    pub watches: SourceWatches,
    /// Events about them.
    pub events: Events,
    /// What stops many deletions at once.
    pub brake: Brake,
    /// What passes are recorded to.
    pub metrics: Metrics,
    /// Until when this process may write.
    pub term: Term,
    /// The time.
    pub clock: Clock,
}

/// What an administrator limits.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Remote deletions within ten minutes.
    pub max_deletes: usize,
    /// Namespaces served.
    pub served: Served,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_deletes: 10, served: Served::default() }
    }
}

impl Engine {
    /// An engine that speaks to this API server and goes by this clock, where nobody else writes. It tells events in the
    /// name of `instance`.
    pub fn new(client: Client, cluster: Cluster, clock: Clock, instance: Option<String>) -> Arc<Self> {
        Self::leading(
            Term::endless("only"),
            client,
            cluster,
            clock,
            instance,
            Limits::default(),
            Metrics::default(),
        )
    }

    /// The same for one term.
    pub fn leading(
        term: Term,
        client: Client,
        cluster: Cluster,
        clock: Clock,
        instance: Option<String>,
        limits: Limits,
        metrics: Metrics,
    ) -> Arc<Self> {
        let (sender, mut changes) = unbounded_channel::<Change>();
        let dependents = Arc::new(Dependents::default());
        let (told, referring) = (dependents.clone(), dependents.clone());
        tokio::spawn(async move {
            while let Some(change) = changes.recv().await {
                told.changed(&change.key, change.version.as_deref());
            }
        });
        Arc::new(Self {
            watches: SourceWatches::new(client.clone(), sender, move |kind, namespace| {
                referring.refer_to(kind, namespace)
            }),
            events: Events::new(client.clone(), instance),
            cluster,
            dependents,
            claims: Claims::default(),
            accounts: Accounts::default(),
            memory: Arc::default(),
            turns: Turns::default(),
            settled: Settled::default(),
            brake: Brake::new(limits.max_deletes),
            served: limits.served,
            metrics,
            term,
            clock,
            client,
        })
    }
}

/// What a resource asks for: its certificate present in the service, or absent.
pub enum Goal<T> {
    /// Present, as described.
    Present(T),
    /// Absent: the resource is being deleted.
    Absent,
}

/// What to do next to reach a goal.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<S> {
    /// Nothing: what was observed is what is wanted.
    Done,
    /// One call.
    Step(S),
    /// Nothing yet: the service, or somebody beside it, is at work. What was observed is recorded in the status.
    Wait {
        /// The reason for the condition.
        reason: Reason,
        /// What is waited for.
        message: String,
        /// When to look again.
        wait: Duration,
        /// Whether what stands there serves meanwhile.
        serves: bool,
    },
    /// Nothing, until somebody supplies what the observation asks for; it is recorded in the status.
    Await {
        /// The reason for the condition.
        reason: Reason,
        /// What is asked for.
        message: String,
    },
    /// Nothing, until somebody changes something.
    Stuck {
        /// The reason for the condition.
        reason: Reason,
        /// What is in the way and what to do.
        message: String,
    },
}

/// How fresh an observation must be.
#[derive(Debug)]
pub enum Freshness<'a, L> {
    /// Read from the service now.
    Live,
    /// As the parent's listing shows it. What it does not show is as our records say, or cannot be told.
    Listed(&'a L),
}

impl<L> Clone for Freshness<'_, L> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<L> Copy for Freshness<'_, L> {}

/// One call that changes the service.
pub trait Step: Send + Sync {
    /// Its name, in CamelCase.
    fn name(&self) -> &'static str;

    /// What the service will show of the content once the call took effect.
    fn content_hash(&self) -> String;

    /// Whether the content has to be recorded before the call, because only the record tells later whose it is.
    fn needs_intent(&self) -> bool;

    /// What is going on, for conditions.
    fn progress(&self) -> Reason;

    /// The ids of what is there before the call, where that tells what the call made: it stands beside them.
    fn known_ids(&self) -> Option<Vec<String>> {
        None
    }

    /// The id of what it takes back, of all that the write may have made which was recorded before.
    fn takes_back(&self) -> Option<String> {
        None
    }

    /// Whether what stands there serves meanwhile: a renewal takes nothing away.
    fn serves(&self) -> bool {
        false
    }
}

/// What an observation of our own object says for the status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The remote object.
    pub remote: Remote,
    /// Its certificate, once there is one.
    pub certificate: Option<CertificateSummary>,
    /// Whether the service holds it as verified; `None` where verification was not asked.
    pub verified: Option<bool>,
    /// Whether the service lets nobody use it.
    pub disabled: bool,
    /// Who brings a newer certificate in time.
    pub renewal: Renewal,
    /// A code that waits for somebody's signature.
    pub verification_code: Option<IssuedCode>,
    /// What the service is at work on.
    pub operation: Option<Work>,
    /// A request (PEM) that waits for somebody's signature.
    pub signing_request: Option<String>,
    /// What stands beside it until its time is over.
    pub retiring: Vec<Retiring>,
}

/// Work of the service that goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// The service's id of it.
    pub id: String,
    /// What it is to make, as in the step's intent.
    pub content_hash: String,
}

/// Who brings a newer certificate in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// Whoever keeps the source.
    Source,
    /// The operator: it asks the service for a new one.
    Operator,
    /// The service by itself.
    Service,
    /// Nobody: the spec names one version of it.
    Nobody,
}

/// An object of the resource's namespace that is to be written, because what is there is not as wanted. It belongs to
/// the resource and goes with it.
pub enum Output {
    /// A Secret of type kubernetes.io/tls.
    TlsSecret {
        /// Its name.
        name: String,
        /// The certificate and its issuers, in PEM.
        certificates: String,
        /// The private key, in PEM.
        private_key: Zeroizing<String>,
    },
    /// A question to cert-manager.
    CertificateRequest {
        /// Its name.
        name: String,
        /// What is asked.
        spec: CertificateRequestSpec,
    },
}

/// One kind of certificate in one service.
pub trait Provider: Sized + Send + Sync + 'static {
    /// The custom resource.
    type Root: CertificateResource;
    /// What all providers of a cloud share: credentials, limits.
    type Cloud: Send + Sync + 'static;
    /// The parsed wish.
    type Desired: Send + Sync + 'static;
    /// What the service says, and what our records hold of it.
    type Observed: Send + Sync;
    /// One call.
    type Step: Step;
    /// What the listing of a parent shows, where that proves enough; else what nothing can be.
    type Listing: Send + Sync + 'static;

    /// The remote name that the resource is for. Pure; it never changes.
    fn target(root: &Self::Root) -> Target;

    /// The hub, service, vault or instance that it is in. Pure.
    fn place(root: &Self::Root) -> Target {
        Self::target(root).parent()
    }

    /// All Secrets and ConfigMaps that the resource refers to. Pure.
    fn references(root: &Self::Root) -> Vec<Reference>;

    /// What is wrong with the spec, as far as it tells by itself. Pure.
    fn check(root: &Self::Root) -> Result<(), Invalid>;

    /// The wish, or what is wrong with it. Pure; `now` decides whether a certificate is expired.
    fn desired(root: &Self::Root, found: &Fetched, now: Timestamp) -> Result<Self::Desired, Invalid>;

    /// What to do next. Pure.
    fn next(goal: &Goal<Self::Desired>, observed: &Self::Observed) -> Next<Self::Step>;

    /// What the status tells of an observation that is as desired, or that waits for something. Pure.
    fn facts(desired: &Self::Desired, observed: &Self::Observed) -> Option<Facts>;

    /// What has to be written in the resource's namespace. Pure.
    fn outputs(desired: &Self::Desired, observed: &Self::Observed) -> Vec<Output>;

    /// The id that the service gave to what was made, where a call's answer shows it. Pure.
    fn made(_answered: &Self::Observed) -> Option<String> {
        None
    }

    /// The service that the resource names, reached with that account.
    fn connect(
        cloud: &Self::Cloud,
        account: &Account,
        root: &Self::Root,
        clock: &Clock,
    ) -> impl Future<Output = Result<Self, Unusable>> + Send;

    /// Reads the remote object, as far as the goal makes it matter; `root` tells what our records hold of it. Never
    /// writes.
    fn observe(
        &self,
        root: &Self::Root,
        goal: &Goal<Self::Desired>,
        freshness: Freshness<'_, Self::Listing>,
    ) -> impl Future<Output = Result<Self::Observed, CloudError>> + Send;

    /// What the certificate is listed with, and the call that lists it; nothing where an item proves too little.
    fn listing(&self) -> Option<(String, impl Future<Output = Result<Self::Listing, CloudError>> + Send)>;

    /// Makes one call. An observation is returned only where no read shows it.
    fn apply(
        &self,
        step: Self::Step,
    ) -> impl Future<Output = Result<Option<Self::Observed>, CloudError>> + Send;
}

/// Why a service could not be connected.
#[derive(Debug)]
pub enum Unusable {
    /// The resource does not say what is needed.
    Invalid(Invalid),
    /// Sign-in failed.
    Cloud(CloudError),
}
