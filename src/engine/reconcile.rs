//! One pass over one resource: dereference, parse, connect, converge, report.

use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Resource, ResourceExt};

use super::converge::{End, Setback, converge};
use super::deletion::{self, Removal};
use super::dependents::RootKey;
use super::error::CloudError;
use super::gate::Recording;
use super::status::{self, Outcome};
use super::write::{self, WriteError};
use super::{Engine, Facts, Goal, Provider, Unusable};
use crate::api::SYNC_REQUESTED;
use crate::api::certificate::{CertificateResource, ManagementPolicy};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::{Class, Invalid, Reason};
use crate::source::account::Account;
use crate::source::cluster::FetchError;
use crate::source::{Fetched, ObjectKey, Reference};

/// A pass that takes longer is given up and begun anew; every call in it has a shorter limit of its own.
const DEADLINE: Duration = Duration::from_secs(120);

/// What every pass over a kind shares.
pub struct Context<P: Provider> {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The cloud of the provider.
    pub cloud: Arc<P::Cloud>,
}

/// Why a pass ended before it could converge.
enum Halt {
    Invalid(Invalid),
    Cloud(CloudError),
    Api(kube::Error),
    /// The resource changed meanwhile: start over.
    Outdated,
}

impl From<Invalid> for Halt {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<FetchError> for Halt {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Invalid(invalid) => Self::Invalid(invalid),
            FetchError::Api(error) => Self::Api(error),
        }
    }
}

impl From<Unusable> for Halt {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Invalid(invalid) => Self::Invalid(invalid),
            Unusable::Cloud(error) => Self::Cloud(error),
        }
    }
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Outdated => Self::Outdated,
            WriteError::Api(error) => Self::Api(error),
        }
    }
}

/// Looks at one resource and does what is due. Gives the time of the next pass, or nothing when it is gone.
pub async fn reconcile<P: Provider>(context: &Context<P>, key: &RootKey) -> Option<Duration> {
    let api = Api::<P::Root>::namespaced(context.engine.client.clone(), &key.namespace);
    // Always the API server's own word: a cache may not yet show what the last pass recorded.
    let mut root = match api.get_opt(&key.name).await {
        Ok(Some(root)) => root,
        Ok(None) => {
            context.engine.forget(key);
            return None;
        }
        Err(error) => return Some(context.again(key, &error)),
    };
    let pass = Pass { context, api, key };
    let due = if root.meta().deletion_timestamp.is_some() {
        pass.remove(&mut root).await
    } else {
        pass.keep(&mut root).await
    };
    match due {
        Ok(due) => due,
        Err(Halt::Api(error)) => Some(context.again(key, &error)),
        Err(Halt::Outdated) => Some(Duration::from_secs(1)),
        Err(Halt::Invalid(_) | Halt::Cloud(_)) => None, // reported where they arise
    }
}

impl<P: Provider> Context<P> {
    /// The API server failed: nothing is known, nothing is reported, the pass is repeated.
    fn again(&self, key: &RootKey, error: &kube::Error) -> Duration {
        tracing::warn!(%error, "the API server failed; trying again");
        super::backoff::after_failures(self.engine.memory.failed(key), fastrand::f64())
    }
}

struct Pass<'a, P: Provider> {
    context: &'a Context<P>,
    api: Api<P::Root>,
    key: &'a RootKey,
}

impl<P: Provider> Pass<'_, P> {
    /// Keeps the certificate in the service equal to the spec.
    async fn keep(&self, root: &mut P::Root) -> Result<Option<Duration>, Halt> {
        self.first_look(root).await?;
        if root.common().management_policy == Some(ManagementPolicy::Suspend) {
            return self.report(root, &Outcome::Suspended).await.map(Some);
        }
        let outcome = match self.wish(root).await {
            Ok((provider, desired)) => {
                let goal = Goal::Present(desired);
                match self.converge(&provider, root, &goal).await {
                    End::Settled(observed) => settled::<P>(&goal, &observed)?,
                    end => unsettled(end)?,
                }
            }
            Err(halt) => failed(halt)?,
        };
        let due = self.report(root, &outcome).await?;
        self.align_finalizer(root).await?;
        Ok(Some(due))
    }

    /// The policy, or how we came to own the certificate, may have changed since the finalizer was last looked at.
    async fn align_finalizer(&self, root: &mut P::Root) -> Result<(), Halt> {
        let owned = root.status().is_some_and(|it| it.remote.is_some());
        match (write::has_finalizer(root), deletion::deletes(root)) {
            (false, true) if owned => write::add_finalizer(&self.api, root).await?,
            (true, false) => write::release(&self.api, root).await?,
            (true, true) | (false, _) => {}
        }
        Ok(())
    }

    /// Before any remote call a new object says that it has been seen: one without conditions would count as done.
    async fn first_look(&self, root: &mut P::Root) -> Result<(), Halt> {
        if root.status().is_some_and(|it| condition::find(&it.conditions, ConditionType::Ready).is_some()) {
            return Ok(());
        }
        let message = "seen; work on it begins".to_owned();
        let outcome = Outcome::Working { reason: Reason::Pending, message, wait: Duration::ZERO };
        self.report(root, &outcome).await.map(drop)
    }

    /// Dereference, parse, connect: what is wanted, and the service where it is wanted.
    async fn wish(&self, root: &P::Root) -> Result<(P, P::Desired), Halt> {
        root.common().resync_interval()?;
        root.common().renew_before()?;
        let references = P::references(root);
        self.watch(root, &references);
        let found = self.fetch(&references).await?;
        let desired = P::desired(root, &found, self.context.engine.clock.now())?;
        let account = self.account(root).await?;
        let provider = P::connect(&self.context.cloud, &account, root, &self.context.engine.clock).await?;
        Ok((provider, desired))
    }

    /// From here on a change of anything that the resource refers to starts a new pass.
    fn watch(&self, root: &P::Root, references: &[Reference]) {
        let engine = &self.context.engine;
        let account = super::account::reference(&root.common().account_ref);
        let keys: Vec<_> =
            references.iter().chain([&account]).map(|it| it.within(&self.key.namespace)).collect();
        engine.dependents.refers(self.key, keys.iter().cloned());
        keys.iter().for_each(|key| engine.watches.ensure(key));
    }

    async fn fetch(&self, references: &[Reference]) -> Result<Fetched, Halt> {
        let found = self.context.engine.cluster.fetch(&self.key.namespace, references).await?;
        self.has_read(&found.versions);
        Ok(found)
    }

    async fn account(&self, root: &P::Root) -> Result<Account, Halt> {
        let account_ref = &root.common().account_ref;
        let fetched = self.context.engine.cluster.account(&self.key.namespace, account_ref).await?;
        self.has_read(&fetched.versions);
        Ok(fetched.account)
    }

    fn has_read(&self, versions: &[(ObjectKey, String)]) {
        self.context.engine.dependents.has_read(self.key, versions);
    }

    async fn converge(&self, provider: &P, root: &mut P::Root, goal: &Goal<P::Desired>) -> End<P::Observed> {
        let mut gate = Recording { engine: &self.context.engine, api: &self.api, key: self.key };
        let work = converge(provider, root, goal, &mut gate);
        tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| {
            let message = "the pass took longer than two minutes; it begins anew with a read";
            End::Failed(Setback::new(Reason::TimedOut, message))
        })
    }

    /// Removes the certificate from the service, then lets the resource go.
    async fn remove(&self, root: &mut P::Root) -> Result<Option<Duration>, Halt> {
        if !write::has_finalizer(root) {
            return Ok(None);
        }
        match deletion::removal(root) {
            Removal::Delete => {}
            Removal::LetGo => {
                write::release(&self.api, root).await?;
                return Ok(None);
            }
            Removal::Suspended => {
                let message = "management is suspended: set `spec.managementPolicy` to 'Enforce' to delete the \
                               remote certificate, or `spec.deletionPolicy` to 'Retain' to leave it";
                let outcome = Outcome::Failed(Setback::new(Reason::DeletionBlocked, message));
                return self.report(root, &outcome).await.map(Some);
            }
        }
        self.watch(root, &[]);
        let connected = async {
            let account = self.account(root).await?;
            P::connect(&self.context.cloud, &account, root, &self.context.engine.clock)
                .await
                .map_err(Halt::from)
        };
        let outcome = match connected.await {
            Ok(provider) => match self.converge(&provider, root, &Goal::Absent).await {
                End::Settled(_) => {
                    write::release(&self.api, root).await?;
                    return Ok(None);
                }
                end => unsettled(end)?,
            },
            Err(halt) => failed(halt)?,
        };
        self.report(root, &blocked(outcome)).await.map(Some)
    }

    /// Writes the status if the outcome changes it, announces what is new, and gives the time of the next pass.
    async fn report(&self, root: &mut P::Root, outcome: &Outcome) -> Result<Duration, Halt> {
        let old = root.status().cloned().unwrap_or_default();
        let around = self.context.engine.around(self.key, root, outcome);
        let status::Report { mut status, requeue } = status::report(&old, outcome, &around);
        status.last_handled_sync_request = sync_request(root).or(status.last_handled_sync_request);
        if status != old {
            write::status(&self.api, root, &status, None).await?;
            self.context.engine.events.announce(root, &old.conditions, &status.conditions).await;
        }
        Ok(requeue)
    }
}

/// The sync request on the object, as far as the status has room for it.
fn sync_request<R: CertificateResource>(root: &R) -> Option<String> {
    let value = root.annotations().get(SYNC_REQUESTED)?;
    Some(value.chars().filter(|it| !it.is_control()).take(64).collect())
}

fn settled<P: Provider>(goal: &Goal<P::Desired>, observed: &P::Observed) -> Result<Outcome, Halt> {
    let facts: Option<Facts> = match goal {
        Goal::Present(desired) => P::facts(desired, observed),
        Goal::Absent => None,
    };
    facts.map(Outcome::Settled).ok_or(Halt::Outdated)
}

fn unsettled<O>(end: End<O>) -> Result<Outcome, Halt> {
    match end {
        End::Wait(wait) => Ok(Outcome::Working {
            reason: Reason::Updating,
            message: "the service is at work".to_owned(),
            wait,
        }),
        End::Failed(setback) => Ok(Outcome::Failed(setback)),
        End::Outdated | End::Settled(_) => Err(Halt::Outdated),
    }
}

fn failed(halt: Halt) -> Result<Outcome, Halt> {
    match halt {
        Halt::Invalid(Invalid { reason, message }) => Ok(Outcome::Failed(Setback::new(reason, message))),
        Halt::Cloud(error) => Ok(Outcome::Failed(error.into())),
        Halt::Api(_) | Halt::Outdated => Err(halt),
    }
}

/// What keeps a deletion from going on needs somebody, and says how to end it without the service.
fn blocked(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(Setback { reason, message, after, behind, attempt })
            if matches!(reason.class(), Class::Missing | Class::User | Class::Grant) =>
        {
            let message = format!(
                "cannot delete the remote certificate: {reason}: {message}. To leave it there, set \
                 `spec.deletionPolicy` to 'Retain'"
            );
            Outcome::Failed(Setback { reason: Reason::DeletionBlocked, message, after, behind, attempt })
        }
        other => other,
    }
}
