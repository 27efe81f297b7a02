//! Accounts: each is signed in with and says in its conditions how that went, so that GitOps waves can wait for it. One
//! that is in use stays until the last resource that uses it is gone.

mod hold;
mod kinds;
mod known;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Client, Resource};

use super::Engine;
use super::backoff;
use super::converge::Setback;
use super::dependents::RootKey;
use super::error::CloudError;
use super::served::Scoped;
use super::status::{self, Outcome};
use super::write::{self, WriteError, Written};
use crate::api::account::AccountStatus;
use crate::api::certificate::{AccountKind, AccountRef};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::{Invalid, Reason};
use crate::metrics::Credential;
use crate::source::account::Account;
use crate::source::cluster::{Cluster, FetchError, FetchedAccount};
use crate::source::expiry::Expiry;
use crate::source::{ObjectKey, Reference, ReferenceKind};
pub use hold::hold;
pub use known::Accounts;

/// How often an account that works is signed in with again.
const RECHECK: Duration = Duration::from_secs(3600);

/// Signs in to whatever cloud an account is for.
pub trait SignIn: Send + Sync + 'static {
    /// Obtains a token, or tells why not.
    fn sign_in(&self, account: &Account) -> impl Future<Output = Result<(), CloudError>> + Send;
}

/// A kind of account.
pub trait AccountResource: Written + Resource<Scope: Scoped> + Send + Sync + 'static {
    /// The kind, for references to it.
    const KIND: ReferenceKind;

    /// The API in which the account of that key stands.
    fn api(client: Client, key: &RootKey) -> Api<Self>;
    /// The status as it was last written.
    fn status(&self) -> Option<&AccountStatus>;
    /// The only installation that serves it, if it names one.
    fn installation(&self) -> Option<&str>;
    /// The Secret or ServiceAccount that it names.
    fn references(&self) -> Vec<Reference>;
    /// The namespace of these.
    fn references_namespace(&self, cluster: &Cluster) -> String;
    /// The account, ready to sign in with.
    fn resolve(&self, cluster: &Cluster) -> impl Future<Output = Result<FetchedAccount, FetchError>> + Send;
}

/// The object that an account reference names.
pub fn reference(account: &AccountRef) -> Reference {
    let kind = match account.kind {
        AccountKind::CloudAccount => ReferenceKind::CloudAccount,
        AccountKind::ClusterCloudAccount => ReferenceKind::ClusterCloudAccount,
    };
    Reference { kind, ..Reference::secret(&account.name) }
}

/// What decides whether a resource of that namespace may use an account: the account, and the namespace's labels.
pub fn access(account: &AccountRef, namespace: &str) -> Vec<ObjectKey> {
    let account = reference(account).within(namespace);
    match account.kind {
        ReferenceKind::ClusterCloudAccount => vec![account, ObjectKey::of_namespace(namespace)],
        _ => vec![account],
    }
}

/// What every pass over accounts shares.
pub struct Context<S> {
    /// The engine.
    pub engine: Arc<Engine>,
    /// The clouds.
    pub clouds: Arc<S>,
}

/// Looks at one account and signs in with it. Gives the time of the next pass, or nothing when it is gone.
pub async fn reconcile<K: AccountResource, S: SignIn>(
    context: &Context<S>,
    key: &RootKey,
) -> Option<Duration> {
    let again = |error: kube::Error| {
        tracing::warn!(%error, "the API server failed; trying again");
        Some(backoff::after_failures(context.engine.memory.failed(key), fastrand::f64()))
    };
    let api = K::api(context.engine.client.clone(), key);
    let mut root = match api.get_opt(&key.name).await {
        Ok(Some(root)) if context.engine.cluster.operator().serves(root.installation()) => root,
        // Gone, or another installation's: its finalizer and its status are that one's business.
        Ok(_) => {
            context.engine.forget(key);
            context.engine.accounts.forget(&object_of::<K>(key));
            return None;
        }
        Err(error) => return again(error),
    };
    let due = match in_use(context, key, &api, &mut root).await {
        Ok(Use::LetGo) => return None,
        Ok(Use::Waiting(due)) => Ok(due),
        Ok(Use::Alive) => pass(context, key, &api, &mut root).await,
        Err(error) => Err(error),
    };
    match due {
        Ok(due) => Some(due),
        Err(WriteError::Outdated) => Some(Duration::from_secs(1)),
        Err(WriteError::Api(error)) => again(error),
    }
}

/// What becomes of an account by who uses it.
enum Use {
    /// It lives on.
    Alive,
    /// It is being deleted and still in use; look again after that time.
    Waiting(Duration),
    /// It is being deleted, and nothing of ours keeps it.
    LetGo,
}

/// Puts the finalizer on an account that is in use, and takes it off one that is not.
async fn in_use<K: AccountResource, S>(
    context: &Context<S>,
    key: &RootKey,
    api: &Api<K>,
    root: &mut K,
) -> Result<Use, WriteError> {
    let user = context.engine.dependents.user(&object_of::<K>(key));
    let deleting = root.meta().deletion_timestamp.is_some();
    match (user, write::has_finalizer(root)) {
        (Some(user), true) if deleting => {
            let message = format!(
                "the account is in use, by {} `{}/{}` for one, and goes when nothing uses it any more",
                user.kind, user.namespace, user.name
            );
            let outcome = Outcome::Failed(Setback::new(Reason::DeletionBlocked, message));
            return report(context, key, api, root, &outcome).await.map(Use::Waiting);
        }
        (Some(_), false) if !deleting => write::add_finalizer(api, root).await?,
        (None, true) => write::release(api, root).await?,
        (Some(_), _) | (None, false) => {}
    }
    Ok(if deleting { Use::LetGo } else { Use::Alive })
}

fn object_of<K: AccountResource>(key: &RootKey) -> ObjectKey {
    ObjectKey { kind: K::KIND, namespace: key.namespace.clone(), name: key.name.clone() }
}

async fn pass<K: AccountResource, S: SignIn>(
    context: &Context<S>,
    key: &RootKey,
    api: &Api<K>,
    root: &mut K,
) -> Result<Duration, WriteError> {
    let seen =
        root.status().is_some_and(|it| condition::find(&it.conditions, ConditionType::Ready).is_some());
    if !seen {
        let message = "seen; signing in".to_owned();
        let pending = Outcome::Working {
            reason: Reason::Pending,
            message,
            wait: Duration::ZERO,
            serves: false,
            facts: None,
        };
        report(context, key, api, root, &pending).await?;
    }
    let outcome = match signed_in(context, key, root).await {
        Ok(()) => Outcome::SignedIn,
        Err(Failure::Api(error)) => return Err(WriteError::Api(error)),
        Err(Failure::Known(Setback { reason: Reason::Suspended, message, .. })) => {
            Outcome::Suspended { message }
        }
        Err(Failure::Known(setback)) => Outcome::Failed(setback),
    };
    report(context, key, api, root, &outcome).await
}

enum Failure {
    Api(kube::Error),
    Known(Setback),
}

async fn signed_in<K: AccountResource, S: SignIn>(
    context: &Context<S>,
    key: &RootKey,
    root: &K,
) -> Result<(), Failure> {
    let engine = &context.engine;
    let namespace = root.references_namespace(&engine.cluster);
    let references: Vec<_> = root.references().iter().map(|it| it.within(&namespace)).collect();
    engine.dependents.refers(key, references.iter().cloned());
    references.iter().for_each(|it| engine.watches.ensure(it));
    let fetched = root.resolve(&engine.cluster).await.map_err(|error| match error {
        FetchError::Api(error) => Failure::Api(error),
        FetchError::Invalid(Invalid { reason, message }) => Failure::Known(Setback::new(reason, message)),
    })?;
    engine.dependents.has_read(key, &fetched.versions);
    engine.metrics.credential(key.named(), fetched.expiry.map(credential));
    context.clouds.sign_in(&fetched.account).await.map_err(|error| Failure::Known(error.into()))?;
    engine.dependents.account_read(&object_of::<K>(key), &fetched.versions);
    Ok(())
}

fn credential(expiry: Expiry) -> Credential {
    Credential {
        temporary: expiry.is_temporary(),
        until: Box::new(move || expiry.at().map(|it| it.as_second())),
    }
}

async fn report<K: AccountResource, S>(
    context: &Context<S>,
    key: &RootKey,
    api: &Api<K>,
    root: &mut K,
    outcome: &Outcome,
) -> Result<Duration, WriteError> {
    if !context.engine.term.lasts() {
        return Err(WriteError::Outdated);
    }
    let old = root.status().cloned().unwrap_or_default();
    let generation = root.meta().generation.unwrap_or_default();
    let around = context.engine.around_any(key, generation, RECHECK, outcome);
    let (status, requeue) = status::account_report(&old, outcome, &around);
    if status != old {
        write::status(api, root, &status, None).await?;
        context.engine.events.announce(root, &old.conditions, &status.conditions).await;
    }
    context.engine.metrics.told(key.named(), &status.conditions, None);
    Ok(requeue)
}
