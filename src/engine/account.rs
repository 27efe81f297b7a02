//! Accounts: each is signed in with and says in its conditions how that went, so that GitOps waves can wait for it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use kube::{Api, Client, ResourceExt};

use super::Engine;
use super::backoff;
use super::converge::Setback;
use super::dependents::RootKey;
use super::error::CloudError;
use super::status::{self, Outcome};
use super::write::{self, WriteError, Written};
use crate::api::account::{AccountStatus, CloudAccount, ClusterCloudAccount};
use crate::api::certificate::{AccountKind, AccountRef};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::{Invalid, Reason};
use crate::source::account::Account;
use crate::source::cluster::{Cluster, FetchError, FetchedAccount};
use crate::source::{ObjectKey, Reference, ReferenceKind};

/// How often an account that works is signed in with again.
const RECHECK: Duration = Duration::from_secs(3600);

/// Signs in to whatever cloud an account is for.
pub trait SignIn: Send + Sync + 'static {
    /// Obtains a token, or tells why not.
    fn sign_in(&self, account: &Account) -> impl Future<Output = Result<(), CloudError>> + Send;
}

/// A kind of account.
pub trait AccountResource: Written + Send + Sync + 'static {
    /// The kind, for references to it.
    const KIND: ReferenceKind;

    /// The API in which the account of that key stands.
    fn api(client: Client, key: &RootKey) -> Api<Self>;
    /// The status as it was last written.
    fn status(&self) -> Option<&AccountStatus>;
    /// The Secret that it names.
    fn secret(&self) -> Option<&str>;
    /// The namespace of that Secret.
    fn secret_namespace(&self, cluster: &Cluster) -> String;
    /// The account, ready to sign in with.
    fn resolve(&self, cluster: &Cluster) -> impl Future<Output = Result<FetchedAccount, FetchError>> + Send;
}

/// The object that an account reference names.
pub fn reference(account: &AccountRef) -> Reference {
    let kind = match account.kind {
        AccountKind::CloudAccount => ReferenceKind::CloudAccount,
        AccountKind::ClusterCloudAccount => ReferenceKind::ClusterCloudAccount,
    };
    Reference { kind, name: account.name.clone() }
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
        Ok(Some(root)) => root,
        Ok(None) => {
            context.engine.forget(key);
            return None;
        }
        Err(error) => return again(error),
    };
    if root.meta().deletion_timestamp.is_some() {
        return None;
    }
    match pass(context, key, &api, &mut root).await {
        Ok(due) => Some(due),
        Err(WriteError::Outdated) => Some(Duration::from_secs(1)),
        Err(WriteError::Api(error)) => again(error),
    }
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
        let pending = Outcome::Working { reason: Reason::Pending, message, wait: Duration::ZERO };
        report(context, key, api, root, &pending).await?;
    }
    let outcome = match signed_in(context, key, root).await {
        Ok(()) => Outcome::SignedIn,
        Err(Failure::Api(error)) => return Err(WriteError::Api(error)),
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
    let secret = root.secret().map(|name| ObjectKey {
        kind: ReferenceKind::Secret,
        namespace: root.secret_namespace(&engine.cluster),
        name: name.to_owned(),
    });
    engine.dependents.refers(key, secret.iter().cloned());
    secret.iter().for_each(|it| engine.watches.ensure(it));
    let fetched = root.resolve(&engine.cluster).await.map_err(|error| match error {
        FetchError::Api(error) => Failure::Api(error),
        FetchError::Invalid(Invalid { reason, message }) => Failure::Known(Setback::new(reason, message)),
    })?;
    engine.dependents.has_read(key, &fetched.versions);
    context.clouds.sign_in(&fetched.account).await.map_err(|error| Failure::Known(error.into()))
}

async fn report<K: AccountResource, S>(
    context: &Context<S>,
    key: &RootKey,
    api: &Api<K>,
    root: &mut K,
    outcome: &Outcome,
) -> Result<Duration, WriteError> {
    let old = root.status().cloned().unwrap_or_default();
    let generation = root.meta().generation.unwrap_or_default();
    let around = context.engine.around_any(key, generation, RECHECK, outcome);
    let (status, requeue) = status::account_report(&old, outcome, &around);
    if status != old {
        write::status(api, root, &status, None).await?;
        context.engine.events.announce(root, &old.conditions, &status.conditions).await;
    }
    Ok(requeue)
}

impl AccountResource for CloudAccount {
    const KIND: ReferenceKind = ReferenceKind::CloudAccount;

    fn api(client: Client, key: &RootKey) -> Api<Self> {
        Api::namespaced(client, &key.namespace)
    }

    fn status(&self) -> Option<&AccountStatus> {
        self.status.as_ref()
    }

    fn secret(&self) -> Option<&str> {
        let auth = &self.spec.azure.as_ref()?.auth;
        auth.client_secret.as_ref().map(|it| it.secret_ref.name.as_str())
    }

    fn secret_namespace(&self, _: &Cluster) -> String {
        self.namespace().unwrap_or_default()
    }

    async fn resolve(&self, cluster: &Cluster) -> Result<FetchedAccount, FetchError> {
        cluster.namespaced(self).await
    }
}

impl AccountResource for ClusterCloudAccount {
    const KIND: ReferenceKind = ReferenceKind::ClusterCloudAccount;

    fn api(client: Client, _: &RootKey) -> Api<Self> {
        Api::all(client)
    }

    fn status(&self) -> Option<&AccountStatus> {
        self.status.as_ref()
    }

    fn secret(&self) -> Option<&str> {
        let auth = &self.spec.azure.as_ref()?.auth;
        auth.client_secret.as_ref().map(|it| it.secret_ref.name.as_str())
    }

    fn secret_namespace(&self, cluster: &Cluster) -> String {
        cluster.operator_namespace().to_owned()
    }

    async fn resolve(&self, cluster: &Cluster) -> Result<FetchedAccount, FetchError> {
        cluster.clusterwide(self).await
    }
}
