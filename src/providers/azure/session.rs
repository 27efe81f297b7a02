//! One session per account, remade when anything that it was made from changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::time::Instant;

use super::credential::{Credential, Identity, Maker};
use super::environment::{Environment, trust, untrusted};
use super::pace::{Pace, Writers};
use super::rest::Rest;
use super::transport::Issuer;
use crate::engine::error::CloudError;
use crate::engine::term::Term;
use crate::http::{Endpoint, Http, Trust};
use crate::source::account::{AccountId, AzureAccount, AzureEndpoints, AzureEnvironment, AzureIdentity};

/// A session that nobody asked for so long is dropped: longer than any backoff of a sign-in, shorter than a leak.
const UNUSED: Duration = Duration::from_secs(2 * 3600);

/// The sessions of all accounts.
pub struct Azure {
    sessions: Mutex<HashMap<String, Entry>>,
    /// The client for the clouds themselves, made when it is first needed: reading CA certificates may fail.
    clouds: OnceLock<Http>,
    /// The one client for everything, in a simulation.
    only: Option<Http>,
    writers: Arc<Writers>,
    /// Until when this process may write.
    term: Term,
}

struct Entry {
    /// Over everything that the session was made from; a hash, so that the map holds no second copy of the secret.
    made_from: [u8; 32],
    session: Arc<Session>,
    used: Instant,
}

/// An account's way into Azure.
pub struct Session {
    credential: Arc<Credential>,
    arm: Rest,
    vaults: Vaults,
}

/// The vaults that were called in the account's name.
struct Vaults {
    known: Mutex<HashMap<String, Arc<Rest>>>,
    http: Http,
    environment: Environment,
    credential: Arc<Credential>,
    writers: Arc<Writers>,
    term: Term,
}

impl Session {
    /// Whether the account can sign in: a token was issued and lasts, or why none was.
    pub async fn sign_in(&self) -> Result<(), CloudError> {
        self.credential.token().await.map(drop)
    }

    /// Resource Manager in the account's name.
    pub fn arm(&self) -> &Rest {
        &self.arm
    }

    /// Where a key vault of the account's cloud answers.
    pub fn vault_endpoint(&self, name: &str) -> Result<Endpoint, CloudError> {
        self.vaults.environment.vault(name)
    }

    /// Whether an address begins as a vault's of any cloud, or of the account's own endpoints.
    pub fn is_in_a_vault(&self, address: &str) -> bool {
        self.vaults.environment.is_in_a_vault(address)
    }

    /// A key vault in the account's name. Its pace is its own.
    pub fn vault(&self, name: &str) -> Result<Arc<Rest>, CloudError> {
        let Vaults { known, http, environment, credential, writers, term } = &self.vaults;
        let endpoint = environment.vault(name)?;
        let made = || {
            let (credential, writers) = (credential.clone(), writers.clone());
            Arc::new(Rest::new(http.clone(), endpoint, credential, Pace::key_vault(), writers, term.clone()))
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(name.to_ascii_lowercase()).or_insert_with(made).clone())
    }
}

impl Azure {
    /// No sessions yet.
    pub fn new(term: Term) -> Self {
        Self {
            sessions: Mutex::default(),
            clouds: OnceLock::new(),
            only: None,
            writers: Arc::default(),
            term,
        }
    }

    /// No sessions yet, and all of them over this client.
    pub fn over(http: Http, term: Term) -> Self {
        Self { only: Some(http), ..Self::new(term) }
    }

    /// The account's session: the one before, or a new one if the account or its Secret has changed since.
    pub fn session(&self, id: &AccountId, account: &AzureAccount) -> Result<Arc<Session>, CloudError> {
        let made_from = hash_of(account);
        let now = Instant::now();
        // Nothing that panics runs under this lock.
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = sessions.get_mut(&id.uid)
            && entry.made_from == made_from
        {
            entry.used = now;
            return Ok(entry.session.clone());
        }
        sessions.remove(&id.uid); // a changed account must not go on with its old secret
        sessions.retain(|_, entry| now.saturating_duration_since(entry.used) < UNUSED);
        let session = Arc::new(self.connect(account)?);
        sessions.insert(id.uid.clone(), Entry { made_from, session: session.clone(), used: now });
        Ok(session)
    }

    /// Drops the session of an account that is gone.
    pub fn forget(&self, id: &AccountId) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).remove(&id.uid);
    }

    fn connect(&self, account: &AzureAccount) -> Result<Session, CloudError> {
        let environment = Environment::of(&account.environment)?;
        let http = self.http(&account.environment)?;
        let identity = match &account.identity {
            AzureIdentity::ClientSecret { client_id, secret } => {
                Identity::Secret { client: client_id.clone(), secret: secret.clone() }
            }
            AzureIdentity::Federated { client_id, assertion } => {
                Identity::Federated { client: client_id.clone(), assertion: assertion.clone() }
            }
            AzureIdentity::Managed { client_id } => Identity::Managed { client: client_id.clone() },
        };
        let issuer = match &account.identity {
            AzureIdentity::Managed { .. }
                if environment.instance_metadata == Endpoint::instance_metadata() =>
            {
                Issuer::metadata(
                    Http::new(&Trust::instance_metadata()).map_err(untrusted)?,
                    environment.instance_metadata.clone(),
                )
            }
            AzureIdentity::Managed { .. } => {
                Issuer::metadata(http.clone(), environment.instance_metadata.clone())
            }
            AzureIdentity::ClientSecret { .. } | AzureIdentity::Federated { .. } => {
                Issuer::authority(http.clone(), environment.authority.clone(), account.tenant_id.clone())
            }
        };
        let maker = Maker {
            issuer,
            authority: environment.authority.clone(),
            tenant: account.tenant_id.clone(),
            identity,
        };
        let scoped = |scope: &String| Arc::new(Credential::new(maker.clone(), scope.clone()));
        let credential = scoped(&environment.resource_manager_scope);
        let arm = Rest::new(
            http.clone(),
            environment.resource_manager.clone(),
            credential.clone(),
            Pace::resource_manager(),
            self.writers.clone(),
            self.term.clone(),
        );
        let vaults = Vaults {
            known: Mutex::default(),
            http,
            credential: scoped(&environment.key_vault_scope),
            environment,
            writers: self.writers.clone(),
            term: self.term.clone(),
        };
        Ok(Session { arm, credential, vaults })
    }

    fn http(&self, environment: &AzureEnvironment) -> Result<Http, CloudError> {
        if let Some(only) = &self.only {
            return Ok(only.clone());
        }
        if let AzureEnvironment::Custom(_) = environment {
            return Http::new(&trust(environment)?).map_err(untrusted);
        }
        if let Some(http) = self.clouds.get() {
            return Ok(http.clone());
        }
        let http = Http::new(&Trust::clouds()).map_err(untrusted)?;
        Ok(self.clouds.get_or_init(|| http).clone())
    }
}

/// A hash over every member, each with its length before it. Destructured without `..`: a new member does not compile
/// until it is in the hash.
fn hash_of(account: &AzureAccount) -> [u8; 32] {
    let AzureAccount { environment, tenant_id, identity } = account;
    let assertion;
    let identity = match identity {
        AzureIdentity::ClientSecret { client_id, secret } => ["secret", client_id, secret],
        AzureIdentity::Federated { client_id, assertion: token } => {
            assertion = token.to_string();
            ["federated", client_id, &assertion]
        }
        AzureIdentity::Managed { client_id } => ["managed", client_id.as_deref().unwrap_or_default(), ""],
    };
    let mut parts = match environment {
        AzureEnvironment::Public => vec!["public"],
        AzureEnvironment::UsGovernment => vec!["us-government"],
        AzureEnvironment::China => vec!["china"],
        AzureEnvironment::Custom(AzureEndpoints {
            authority,
            resource_manager,
            resource_manager_scope,
            key_vault,
            key_vault_scope,
            instance_metadata,
            ca_bundle,
        }) => vec![
            "custom",
            authority,
            resource_manager,
            resource_manager_scope,
            key_vault.as_deref().unwrap_or("none"),
            key_vault_scope,
            instance_metadata.as_deref().unwrap_or("none"),
            ca_bundle.as_deref().unwrap_or("none"),
        ],
    };
    parts.push(tenant_id);
    parts.extend(identity);
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref()); // SHA-256 gives 32 bytes
    hash
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
