//! What one account calls Azure with: its credential, Resource Manager, its vaults.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::credential::{Credential, Identity, Maker};
use super::environment::Environment;
use super::rest::Rest;
use super::transport::Issuer;
use crate::engine::error::CloudError;
use crate::engine::term::Term;
use crate::http::{Endpoint, Http};
use crate::providers::clients::Clients;
use crate::providers::pace::{Pace, Writers};
use crate::providers::sessions::{Sessions, hash_of};
use crate::source::account::{AccountId, AzureAccount, AzureEndpoints, AzureEnvironment, AzureIdentity};

/// The sessions of all accounts.
pub struct Azure {
    sessions: Sessions<Session>,
    clients: Clients,
    writers: Arc<Writers>,
    /// Until when this process may write.
    term: Term,
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
            Arc::new(Rest::new(http.clone(), endpoint, credential, vaults_pace(), writers, term.clone()))
        };
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(known.entry(name.to_ascii_lowercase()).or_insert_with(made).clone())
    }
}

impl Azure {
    /// No sessions yet.
    pub fn new(term: Term) -> Self {
        Self { sessions: Sessions::new(), clients: Clients::default(), writers: Arc::default(), term }
    }

    /// The same, calling by these clients.
    #[must_use]
    pub(in crate::providers) fn by(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    /// No sessions yet, and all of them over this client.
    pub fn over(http: Http, term: Term) -> Self {
        Self::new(term).by(Clients::over(http))
    }

    /// The account's session: the one before, or a new one if the account or its Secret has changed since.
    pub fn session(&self, id: &AccountId, account: &AzureAccount) -> Result<Arc<Session>, CloudError> {
        self.sessions.of(id, fingerprint(account), || self.connect(account))
    }

    /// Drops the session of an account that is gone.
    pub fn forget(&self, id: &AccountId) {
        self.sessions.forget(id);
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
                Issuer::metadata(self.clients.instance_metadata()?, environment.instance_metadata.clone())
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
            resource_managers_pace(),
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
        match environment {
            AzureEnvironment::Public | AzureEnvironment::UsGovernment | AzureEnvironment::China => {
                self.clients.clouds()
            }
            AzureEnvironment::Custom(endpoints) => self.clients.administrator(endpoints.ca_bundle.as_deref()),
        }
    }
}

/// A hash over every member. Destructured without `..`: a new member does not compile
/// until it is in the hash.
fn fingerprint(account: &AzureAccount) -> [u8; 32] {
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
    hash_of(&parts)
}

/// Resource Manager's pace. Source: Azure Resource Manager throttling, limits of subscriptions since 2024: bucket and
/// refill per second of reads 250 and 25, of writes and of deletes 200 and 10.
fn resource_managers_pace() -> Pace {
    Pace::new((250.0, 25.0), (200.0, 10.0), (200.0, 10.0))
}

/// One vault's pace. Source: Azure Key Vault service limits: in 10 s some 4,000 transactions, and 20 that make a key in
/// software, which every created certificate does.
fn vaults_pace() -> Pace {
    Pace::new((4000.0, 400.0), (20.0, 2.0), (20.0, 2.0))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
