//! One pass over one resource: dereference, parse, connect, converge, report.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::{Api, Resource, ResourceExt};
use tokio::time::Instant;

use super::converge::{End, Setback, converge};
use super::deletion::{self, Removal};
use super::dependents::RootKey;
use super::gate::Recording;
use super::halt::{self, Halt};
use super::listing::Listings;
use super::status::{self, Outcome};
use super::turns::{self, Lane, Turn};
use super::{Engine, Goal, Provider, output, undecodable, write};
use crate::api::SYNC_REQUESTED;
use crate::api::certificate::{CertificateResource, CertificateStatus, ManagementPolicy};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::{Invalid, Reason};
use crate::source::account::Account;
use crate::source::cluster::FetchError;
use crate::source::{Fetched, ObjectKey, Reference, ReferenceKind};

/// Calls of a pass that take longer together are given up, while there is time left to tell so; each has a shorter limit
/// of its own.
const DEADLINE: Duration = Duration::from_secs(100);

/// What every pass over a kind shares.
pub struct Context<P: Provider> {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The cloud of the provider.
    pub cloud: Arc<P::Cloud>,
    /// What was listed of it.
    pub listings: Listings<P::Listing>,
}

/// Looks at one resource and does what is due. Gives the time of the next pass, or nothing when it is gone.
pub async fn reconcile<P: Provider>(context: &Context<P>, key: &RootKey) -> Option<Duration> {
    let Engine { dependents, memory, turns, .. } = &*context.engine;
    // What has just changed is read first: it may need no turn any more, or one of another account or parent.
    let changed = memory.take_change(key);
    let lane = memory.lane(key).filter(|_| !changed);
    let turn = lane.and_then(|it| turns.take(it));
    if lane.is_some() && turn.is_none() {
        return Some(context.later(key));
    }
    let _at_work = dependents.begins(key);
    let api = Api::<P::Root>::namespaced(context.engine.client.clone(), &key.namespace);
    // Always the API server's own word: a cache may not yet show what the last pass recorded.
    let mut root = match api.get_opt(&key.name).await {
        Ok(Some(root)) => root,
        Ok(None) => {
            context.engine.forget(key);
            return None;
        }
        Err(kube::Error::SerdeError(_)) => {
            return Some(undecodable::tell::<P::Root>(&context.engine, key).await);
        }
        Err(error) => return Some(context.again(key, &error)),
    };
    let pass = Pass { context, api, key };
    let due = if root.meta().deletion_timestamp.is_some() {
        pass.remove(&mut root, turn).await
    } else {
        pass.keep(&mut root, turn).await
    };
    match due {
        Ok(due) => due,
        Err(Halt::Api(error)) => Some(context.again(key, &error)),
        Err(Halt::Outdated) => Some(Duration::from_secs(1)),
        Err(Halt::Busy) => Some(context.later(key)),
        Err(Halt::Invalid(_) | Halt::Cloud(_) | Halt::StoodBack { .. }) => None, // reported where they arise
    }
}

impl<P: Provider> Context<P> {
    /// Nothing is listed yet.
    pub fn new(engine: Arc<Engine>, cloud: Arc<P::Cloud>) -> Self {
        Self { engine, cloud, listings: Listings::default() }
    }

    /// There is no turn left: the object stays due, and comes back soon.
    fn later(&self, key: &RootKey) -> Duration {
        self.engine.metrics.due(key.named(), Duration::ZERO);
        turns::later(fastrand::f64())
    }

    /// The API server failed: nothing is known, nothing is reported, the pass is repeated.
    fn again(&self, key: &RootKey, error: &kube::Error) -> Duration {
        tracing::warn!(%error, "the API server failed; trying again");
        super::backoff::after_failures(self.engine.memory.failed(key), fastrand::f64())
    }
}

pub(super) struct Pass<'a, P: Provider> {
    pub(super) context: &'a Context<P>,
    pub(super) api: Api<P::Root>,
    pub(super) key: &'a RootKey,
}

impl<P: Provider> Pass<'_, P> {
    /// Keeps the certificate in the service equal to the spec.
    async fn keep(&self, root: &mut P::Root, turn: Option<Turn>) -> Result<Option<Duration>, Halt> {
        self.first_look(root).await?;
        self.watch(root, &P::references(root));
        if root.common().management_policy == Some(ManagementPolicy::Suspend) {
            let message =
                "management is suspended by `spec.managementPolicy`; what was last seen stands".to_owned();
            return self.report(root, &Outcome::Suspended { message }).await.map(Some);
        }
        let _turn = self.turn(root, turn)?;
        let had_record = records(root);
        let outcome = self.enforce(root).await?;
        let due = self.report(root, &outcome).await?;
        self.align_finalizer(root).await?;
        if !had_record && records(root) {
            self.tell_rivals();
        }
        Ok(Some(due))
    }

    async fn enforce(&self, root: &mut P::Root) -> Result<Outcome, Halt> {
        match self.wish(root).await {
            Ok((account, provider, desired)) => {
                let goal = Goal::Present(desired);
                let end = self.converge(&provider, &account, root, &goal).await;
                match self.deliver(root, &goal, &end).await {
                    Ok(()) => halt::ended::<P>(&goal, end),
                    Err(why) => halt::undelivered::<P>(&goal, end, why),
                }
            }
            Err(why) => halt::halted(why),
        }
    }

    /// What belongs to the certificate in the resource's own namespace.
    async fn deliver(
        &self,
        root: &P::Root,
        goal: &Goal<P::Desired>,
        end: &End<P::Observed>,
    ) -> Result<(), Halt> {
        let (Goal::Present(desired), End::Settled(observed) | End::Waiting { observed, .. }) = (goal, end)
        else {
            return Ok(());
        };
        let outputs = P::outputs(desired, observed);
        if outputs.is_empty() || root.common().management_policy == Some(ManagementPolicy::Observe) {
            return Ok(());
        }
        self.leads()?;
        let engine = &self.context.engine;
        output::deliver(&engine.client, engine.cluster.operator(), root, outputs).await
    }

    /// The policy, or how we came to own the certificate, may have changed since the finalizer was last looked at.
    async fn align_finalizer(&self, root: &mut P::Root) -> Result<(), Halt> {
        self.leads()?;
        let owned = records(root);
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
        let outcome = Outcome::Working {
            reason: Reason::Pending,
            message,
            wait: Duration::ZERO,
            serves: false,
            facts: None,
        };
        self.report(root, &outcome).await.map(drop)
    }

    /// Dereference, parse, connect: what is wanted, and the service where it is wanted.
    async fn wish(&self, root: &mut P::Root) -> Result<(Arc<Account>, P, P::Desired), Halt> {
        root.common().resync_interval()?;
        root.common().renew_before()?;
        let found = self.fetch(&P::references(root)).await?;
        let desired = parsed::<P>(root, found, self.context.engine.clock.now()).await?;
        let account = self.account(root).await?;
        self.take_name(root, &account.cloud).await?;
        let provider = self.connect(root, &account).await?;
        Ok((account, provider, desired))
    }

    /// From here on the cloud is called, in a turn of the account and the parent that the resource names now.
    fn turn(&self, root: &P::Root, taken: Option<Turn>) -> Result<Turn, Halt> {
        let Engine { memory, turns, .. } = &*self.context.engine;
        let account = super::account::reference(&root.common().account_ref).within(&self.key.namespace);
        let lane = Lane::of(&account, &P::place(root));
        memory.runs_in(self.key, lane);
        taken.filter(|it| it.is_in(lane)).or_else(|| turns.take(lane)).ok_or(Halt::Busy)
    }

    /// From here on a change of anything that the resource refers to starts a new pass.
    fn watch(&self, root: &P::Root, references: &[Reference]) {
        let engine = &self.context.engine;
        let access = super::account::access(&root.common().account_ref, &self.key.namespace);
        let keys: Vec<_> = references.iter().map(|it| it.within(&self.key.namespace)).chain(access).collect();
        engine.dependents.refers(self.key, keys.iter().cloned());
        keys.iter().for_each(|key| engine.watches.ensure(key));
    }

    async fn fetch(&self, references: &[Reference]) -> Result<Fetched, Halt> {
        self.context.engine.dependents.reads(self.key);
        let found = self.context.engine.cluster.fetch(&self.key.namespace, references).await?;
        self.has_read(&found.versions);
        Ok(found)
    }

    /// The account, if it may be used for what the resource is pointed at.
    async fn account(&self, root: &P::Root) -> Result<Arc<Account>, Halt> {
        let engine = &self.context.engine;
        let account_ref = &root.common().account_ref;
        let key = super::account::reference(account_ref).within(&self.key.namespace);
        let fetched = match engine.cluster.account(&self.key.namespace, account_ref).await {
            Ok(fetched) => fetched,
            Err(FetchError::Invalid(invalid)) => return self.last_known_account(root, &key, invalid).await,
            Err(error) => return Err(error.into()),
        };
        self.has_read(&fetched.versions);
        let labels = ObjectKey::of_namespace(&self.key.namespace);
        if fetched.versions.iter().all(|(read, _)| *read != labels) {
            engine.dependents.ignores(self.key, &labels);
        }
        fetched.account.must_allow(&P::target(root))?;
        if !fetched.held {
            self.leads()?;
            super::account::hold(&engine.client, &key).await?;
        }
        Ok(engine.accounts.keep(key, fetched.account))
    }

    /// When a namespace is deleted, the Secret of its account goes before the resources that need it. What was read of it
    /// last serves to delete their certificates. A Secret of the operator's namespace is taken away on purpose.
    async fn last_known_account(
        &self,
        root: &P::Root,
        key: &ObjectKey,
        invalid: Invalid,
    ) -> Result<Arc<Account>, Halt> {
        let gone = matches!(
            invalid.reason,
            Reason::SecretNotFound | Reason::SecretKeyMissing | Reason::SourcesNotGranted
        );
        let engine = &self.context.engine;
        if gone
            && key.kind == ReferenceKind::CloudAccount
            && root.meta().deletion_timestamp.is_some()
            && let Some(account) = engine.accounts.last(key)
            && engine.cluster.is_terminating(&self.key.namespace).await?
        {
            return Ok(account);
        }
        Err(invalid.into())
    }

    fn has_read(&self, versions: &[(ObjectKey, String)]) {
        self.context.engine.dependents.has_read(self.key, versions);
    }

    /// Looks at the parent's listing where that will do, at the service itself where it does not.
    async fn converge(
        &self,
        provider: &P,
        account: &Account,
        root: &mut P::Root,
        goal: &Goal<P::Desired>,
    ) -> End<P::Observed> {
        let engine = &self.context.engine;
        let mut gate = Recording { engine, api: &self.api, key: self.key, differs: false };
        let work = async {
            if let Some(end) = self.at_rest(provider, account, root, goal).await {
                return end;
            }
            let end = converge(provider, root, goal, &mut gate).await;
            // After a read that failed nothing newer is known.
            if !matches!(end, End::Failed(Setback { attempt: None, behind: false, .. })) {
                self.has_looked();
            }
            end
        };
        let end = tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| {
            let message = "the calls of a pass took too long together; it begins anew with a read";
            End::Failed(Setback::new(Reason::TimedOut, message))
        });
        let differed = gate.differs;
        self.note(root, goal, differed, &end);
        end
    }

    /// Removes the certificate from the service, then lets the resource go.
    async fn remove(&self, root: &mut P::Root, turn: Option<Turn>) -> Result<Option<Duration>, Halt> {
        if !write::has_finalizer(root) {
            return Ok(None);
        }
        match deletion::removal(root) {
            Removal::LetGo => return self.release(root).await,
            Removal::Delete if self.is_anothers().await? => return self.release(root).await,
            Removal::Delete => {}
            Removal::Suspended => {
                self.keep_name(root).await?;
                let message = "management is suspended: set `spec.managementPolicy` to 'Enforce' to delete the \
                               remote certificate, or `spec.deletionPolicy` to 'Retain' to leave it";
                let outcome = Outcome::Failed(Setback::new(Reason::DeletionBlocked, message));
                return self.report_blocked(root, outcome, Some(Reason::Suspended)).await;
            }
        }
        self.watch(root, &[]);
        let _turn = self.turn(root, turn)?;
        let connected = match self.account(root).await {
            Ok(account) => self.connect(root, &account).await.map(|it| (account, it)),
            Err(why) => Err(why),
        };
        let outcome = match connected {
            Ok((account, provider)) => match self.converge(&provider, &account, root, &Goal::Absent).await {
                End::Settled(_) => match self.until_no_late_write(root) {
                    None => return self.release(root).await,
                    Some(wait) => Outcome::Working {
                        reason: Reason::Deleting,
                        message:
                            "an upload without an answer may still take effect; when it cannot any more, the \
                                  object goes"
                                .to_owned(),
                        wait,
                        serves: false,
                        facts: None,
                    },
                },
                End::Waived(Setback { reason, message, .. }) => {
                    self.context.engine.events.warn(root, reason, &message).await;
                    return self.release(root).await;
                }
                end => halt::ended::<P>(&Goal::Absent, end)?,
            },
            Err(why) => halt::halted(why)?,
        };
        let blocks = halt::blocks(&outcome);
        self.report_blocked(root, halt::blocked(outcome), blocks).await
    }

    /// Reports a removal that has not come to its end, and what is in its way.
    async fn report_blocked(
        &self,
        root: &mut P::Root,
        outcome: Outcome,
        blocks: Option<Reason>,
    ) -> Result<Option<Duration>, Halt> {
        let due = self.report(root, &outcome).await?;
        if let Some(reason) = blocks {
            self.context.engine.metrics.deletion_blocked(self.key.named(), reason);
        }
        Ok(Some(due))
    }

    fn until_no_late_write(&self, root: &P::Root) -> Option<Duration> {
        let Engine { memory, clock, .. } = &*self.context.engine;
        deletion::until_no_late_write(root, memory.last_answered(self.key), clock.now())
    }

    /// The service that the resource names.
    async fn connect(&self, root: &P::Root, account: &Account) -> Result<P, Halt> {
        let connected = P::connect(&self.context.cloud, account, root, &self.context.engine.clock).await;
        connected.map_err(Halt::from)
    }

    /// Nothing is written when the term is over: another replica goes on, from what it sees.
    fn leads(&self) -> Result<(), Halt> {
        if self.context.engine.term.lasts() { Ok(()) } else { Err(Halt::Outdated) }
    }

    /// Lets the resource go.
    async fn release(&self, root: &P::Root) -> Result<Option<Duration>, Halt> {
        self.leads()?;
        write::release(&self.api, root).await?;
        Ok(None)
    }

    /// Writes the status if the outcome changes it, announces what is new, and gives the time of the next pass.
    async fn report(&self, root: &mut P::Root, outcome: &Outcome) -> Result<Duration, Halt> {
        self.leads()?;
        let old = root.status().cloned().unwrap_or_default();
        let around = self.context.engine.around(self.key, root, outcome);
        let status::Report { mut status, requeue } = status::report(&old, outcome, &around);
        status.last_handled_sync_request = sync_request(root).or(status.last_handled_sync_request);
        if status != old {
            write::status(&self.api, root, &status, None).await?;
            self.context.engine.events.announce(root, &old.conditions, &status.conditions).await;
        }
        self.record(root, &old, &status);
        self.context.engine.memory.looks_again(self.key, Instant::now() + requeue);
        Ok(requeue)
    }
}

impl<P: Provider> Pass<'_, P> {
    fn record(&self, root: &P::Root, old: &CertificateStatus, new: &CertificateStatus) {
        let Engine { metrics, clock, .. } = &*self.context.engine;
        let is_ready = |it: &CertificateStatus| condition::is_true(&it.conditions, ConditionType::Ready);
        if old.remote.is_none()
            && is_ready(new)
            && let Some(created) = root.meta().creation_timestamp.as_ref()
        {
            let after = clock.now().duration_since(created.0);
            metrics.became_ready(self.key.kind, Duration::try_from(after).unwrap_or_default());
        }
        metrics.told(self.key.named(), &new.conditions, Some(new));
    }
}

/// What is wanted, by the resource and what was found of what it refers to.
pub(super) async fn parsed<P: Provider>(
    root: &P::Root,
    found: Fetched,
    now: Timestamp,
) -> Result<P::Desired, Halt> {
    let of = root.clone();
    // Opening a file with a password takes its time.
    let parsed = tokio::task::spawn_blocking(move || P::desired(&of, &found, now)).await;
    Ok(parsed.map_err(|_| Halt::Outdated)??) // a panic is told where it happens
}

/// Whether something is recorded of a remote object.
pub(super) fn records<R: CertificateResource>(root: &R) -> bool {
    root.status().is_some_and(|it| it.remote.is_some())
}

/// The sync request on the object, as far as the status has room for it.
pub(super) fn sync_request<R: CertificateResource>(root: &R) -> Option<String> {
    let value = root.annotations().get(SYNC_REQUESTED)?;
    Some(value.chars().filter(|it| !it.is_control()).take(64).collect())
}
