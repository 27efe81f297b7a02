//! Certificates in Azure key vaults.
//!
//! Source: Azure REST reference, Key Vault, Certificates, api-versions 7.0 to 2026-04-01. The service is asynchronous: a
//! create is taken with 202 and is done later; a deleted certificate keeps its name. Whose a certificate is stands in its
//! tags.

mod compare;
mod content;
mod declared;
mod error;
mod explained;
mod next;
mod observed;
mod policy;
mod question;
mod step;
mod tags;
mod wire;
mod wish;

use std::convert::Infallible;
use std::future::{Future, Pending};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use self::content::{file, issued};
use self::error::{Operation as Asked, classify, unread};
use self::next::{needs_operation, needs_secret};
use self::observed::{Bundle, HandedOut, Held, Observed, Operation, State};
use self::step::{Create, Import, Merge, Signed, Step};
use self::wish::{Desired, Export, Signer, Wish};
use super::{Azure, Failure, Rest, RestCall, Service};
use crate::api::certificate::{CertificateResource, Remote};
use crate::api::key_vault::{KeyVaultApiVersion, KeyVaultCertificate};
use crate::api::reason::{Invalid, Reason};
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable, Work};
use crate::http::{Answer, Body, Limit, Method};
use crate::pki;
use crate::providers::failure::Fault;
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference, material};

/// More pages than are worth reading: a page has 25 certificates.
const MAX_PAGES: usize = 400;

/// How long to wait for the vault where it does not say.
const POLL: Duration = Duration::from_secs(10);

/// What a vault's access policies call the permissions; roles have data actions for the same.
const GET: &str = "certificates/get";
const LIST: &str = "certificates/list";
const CREATE: &str = "certificates/create";
const IMPORT: &str = "certificates/import";
const UPDATE: &str = "certificates/update";
const DELETE: &str = "certificates/delete";
const RECOVER: &str = "certificates/recover";
const PURGE: &str = "certificates/purge";
const GET_SECRET: &str = "secrets/get";

/// One certificate name in one vault.
pub struct KeyVault {
    vault: Arc<Rest>,
    vault_name: String,
    name: String,
    version: KeyVaultApiVersion,
    clock: Clock,
}

impl Provider for KeyVault {
    type Root = KeyVaultCertificate;
    type Cloud = Azure;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Listing = Infallible;

    fn target(root: &KeyVaultCertificate) -> Target {
        Target::new(["keyvault", &root.spec.vault_name, name(root)])
    }

    fn references(root: &KeyVaultCertificate) -> Vec<Reference> {
        wish::references(root)
    }

    fn check(root: &KeyVaultCertificate) -> Result<(), Invalid> {
        wish::check(root)
    }

    fn desired(root: &KeyVaultCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
        wish::desired(root, found, now)
    }

    fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
        next::next(goal, observed)
    }

    fn facts(desired: &Desired, observed: &Observed) -> Option<Facts> {
        let State::Held(it) = &observed.state else { return None };
        let held = &observed.held;
        if !it.is_ours(held) {
            return None;
        }
        let (operation, request) = match &observed.operation {
            Operation::InProgress { id, request, .. } => (Some(id), request.as_ref()),
            _ => (None, None),
        };
        let of_wish = held.written.as_ref().unwrap_or(&desired.hash);
        let signer = match &desired.wish {
            Wish::Policy(issuance) => issuance.signer.as_ref(),
            Wish::Import(_) => None,
        };
        let shown = request.filter(|_| matches!(signer, Some(Signer::External | Signer::CertManager(_))));
        Some(Facts {
            remote: Remote {
                id: format!("{}/certificates/{}", observed.vault, observed.name),
                // A version that is being made gets its id when it is done; until then the one before counts.
                version: if operation.is_none() { Some(it.version.clone()) } else { held.version.clone() },
                etag: None,
                origin: next::origin(it, held),
            },
            certificate: it.certificate.as_ref().map(material::summary),
            verified: None,
            disabled: it.certificate.is_some() && it.enabled == Some(false),
            renewal: match &desired.wish {
                Wish::Import(_) => Renewal::Source,
                Wish::Policy(issuance) if issuance.renew_before.is_none() => Renewal::Service,
                Wish::Policy(_) => Renewal::Operator,
            },
            verification_code: None,
            operation: operation.map(|id| Work { id: id.clone(), content_hash: of_wish.clone() }),
            signing_request: shown.map(pki::SigningRequest::to_pem),
            retiring: Vec::new(),
        })
    }

    fn outputs(desired: &Desired, observed: &Observed) -> Vec<Output> {
        question(desired, observed).into_iter().chain(export(desired, observed)).collect()
    }

    async fn connect(
        azure: &Azure,
        account: &Account,
        root: &KeyVaultCertificate,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        let identity = account.azure().map_err(Unusable::Invalid)?;
        let session = azure.session(&account.id, identity).map_err(Unusable::Cloud)?;
        let vault_name = root.spec.vault_name.clone();
        Ok(Self {
            vault: session.vault(&vault_name).map_err(Unusable::Cloud)?,
            vault_name,
            name: name(root).to_owned(),
            version: root.spec.api_version.unwrap_or_default(),
            clock: clock.clone(),
        })
    }

    async fn observe(
        &self,
        root: &KeyVaultCertificate,
        goal: &Goal<Desired>,
        _: Freshness<'_, Infallible>,
    ) -> Result<Observed, CloudError> {
        let mut observed = Observed {
            vault: self.vault_name.clone(),
            name: self.name.clone(),
            state: self.state(root).await?,
            operation: Operation::Unread,
            handed_out: None,
            held: Held::of(root),
            now: self.clock.now(),
        };
        if needs_operation(goal, &observed) {
            observed.operation = self.operation().await?;
        }
        if needs_secret(goal, &observed) {
            observed.handed_out = self.handed_out().await?;
        }
        Ok(observed)
    }

    /// An item tells nothing of the policy, nor of what is only being made.
    fn listing(&self) -> Option<(String, impl Future<Output = Result<Infallible, CloudError>> + Send)> {
        None::<(String, Pending<_>)>
    }

    async fn apply(&self, step: Step) -> Result<Option<Observed>, CloudError> {
        match step {
            Step::Create(create) => self.create(&create).await,
            Step::Import(import) => self.import(*import).await,
            Step::Merge(merge) => self.merge(*merge).await,
            Step::Update { version, enabled, tags, adopts: _ } => {
                let body = Body::json(&wire::Update { attributes: attributes(enabled), tags: &tags });
                let path = ["certificates", &self.name, &version];
                self.write(Method::Patch, &path, UPDATE, body, Asked::Change).await
            }
            Step::UpdatePolicy(policy) => {
                let path = ["certificates", &self.name, "policy"];
                self.write(Method::Patch, &path, UPDATE, Body::json(&policy), Asked::Change).await
            }
            Step::DropOperation { id: _ } => {
                let path = ["certificates", &self.name, "pending"];
                let none = Body::none();
                self.write(Method::Delete, &path, UPDATE, none, Asked::Drop).await
            }
            Step::Recover => {
                let path = ["deletedcertificates", &self.name, "recover"];
                self.write(Method::Post, &path, RECOVER, Body::none(), Asked::Recover).await
            }
            Step::Delete { purge: _ } => {
                let path = ["certificates", self.name.as_str()];
                self.write(Method::Delete, &path, DELETE, Body::none(), Asked::Delete).await
            }
            Step::Purge => {
                let path = ["deletedcertificates", self.name.as_str()];
                self.write(Method::Delete, &path, PURGE, Body::none(), Asked::Purge).await
            }
        }
    }
}

/// The certificate's name in the vault.
fn name(root: &KeyVaultCertificate) -> &str {
    root.spec.certificate_name.as_deref().or(root.metadata.name.as_deref()).unwrap_or_default()
}

fn attributes(enabled: Option<bool>) -> Option<wire::Attributes> {
    enabled.map(|enabled| wire::Attributes { enabled: Some(enabled) })
}

/// The question that cert-manager is to be asked, unless it was.
fn question(desired: &Desired, observed: &Observed) -> Option<Output> {
    let Wish::Policy(issuance) = &desired.wish else { return None };
    let Some(Signer::CertManager(question)) = &issuance.signer else { return None };
    let Operation::InProgress { request: Some(request), .. } = &observed.operation else { return None };
    (!question.stands(request, observed.held.asks_anew))
        .then(|| Output::CertificateRequest { name: question.name.clone(), spec: question.spec(request) })
}

/// The Secret that is to be written, unless it holds what it should.
fn export(desired: &Desired, observed: &Observed) -> Option<Output> {
    let Export { secret_name, held: _ } = desired.export.as_ref()?;
    let Some(HandedOut::Pair(identity)) = &observed.handed_out else { return None };
    Some(Output::TlsSecret {
        name: secret_name.clone(),
        certificates: identity.to_pem(),
        private_key: identity.key().to_pem()?,
    })
}

impl KeyVault {
    /// The certificate under the name: the latest version, the one before where the latest is only being made, or the
    /// deleted one that keeps the name.
    async fn state(&self, root: &KeyVaultCertificate) -> Result<State, CloudError> {
        let before = root.status().and_then(|it| it.remote.as_ref());
        let Some(latest) = self.bundle(&["certificates", &self.name], before.is_some()).await? else {
            let deleted = self.found(&["deletedcertificates", &self.name]).await?;
            return Ok(deleted.map_or(State::Missing, |it| State::Deleted(Box::new(parse(&it)))));
        };
        let before = before.and_then(|it| it.version.as_deref());
        if let (None, Some(version)) = (&latest.certificate, before)
            && version != latest.version
            && let Some(it) = self.found(&["certificates", &self.name, version]).await?
        {
            return Ok(State::Held(Box::new(Bundle { policy: latest.policy, ..parse(&it) })));
        }
        Ok(State::Held(Box::new(latest)))
    }

    /// The certificate, or that there is none: a 404 counts only if it says so, or if the vault lists its certificates
    /// and this is not among them.
    async fn bundle(&self, path: &[&str], was_seen: bool) -> Result<Option<Bundle>, CloudError> {
        match self.read::<wire::Bundle>(path, GET).await {
            Ok(it) => Ok(Some(parse(&it))),
            Err(failure) if failure.has_code("CertificateNotFound") => Ok(None),
            Err(failure) if failure.status() == Some(404) => {
                let mut call = self.call(Method::Get, &["certificates"], LIST);
                call.limit = Limit::Page;
                let listing: wire::Listing = self.vault.read(&call).await?;
                if listing.lacks(&self.name) {
                    return Ok(None);
                }
                let message =
                    "the vault does not find the certificate by its name, and may list it; it is read again";
                Err(CloudError::new(Reason::CloudUnavailable, message))
            }
            Err(failure) => Err(unread(&failure, was_seen)),
        }
    }

    /// The names of all certificates of the vault.
    async fn names(&self) -> Result<Vec<String>, CloudError> {
        let mut call = self.call(Method::Get, &["certificates"], LIST);
        call.limit = Limit::Page;
        let mut names = Vec::new();
        for _ in 0..MAX_PAGES {
            let page: wire::Listing = self.vault.read(&call).await?;
            names.extend(page.names().map(str::to_owned));
            match page.next() {
                _ if !page.has_more() => return Ok(names),
                Some(next) => call.page = vec![("$skiptoken", next)],
                None => break,
            }
        }
        Err(call.failed(Fault::Unreadable).into())
    }

    /// What is asked of a vault that has just answered: a 404 is believed.
    async fn found<T: DeserializeOwned>(&self, path: &[&str]) -> Result<Option<T>, CloudError> {
        match self.read(path, GET).await {
            Ok(it) => Ok(Some(it)),
            Err(failure) if failure.status() == Some(404) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn operation(&self) -> Result<Operation, CloudError> {
        let path = ["certificates", &self.name, "pending"];
        let call = self.call(Method::Get, &path, GET);
        let answer: Answer = match self.vault.call(&call).await {
            Ok(answer) => answer,
            Err(failure) if failure.status() == Some(404) => return Ok(Operation::None),
            Err(failure) => return Err(failure.into()),
        };
        let wait = answer.retry_after(self.clock.now()).unwrap_or(POLL);
        let it: wire::Operation = answer.json().unwrap_or_default();
        Ok(match it.status.as_deref().unwrap_or_default().to_ascii_lowercase().as_str() {
            "completed" | "complete" => Operation::Completed,
            "cancelled" | "canceled" => Operation::Failed { code: None },
            "failed" => Operation::Failed {
                code: it.error.as_ref().and_then(wire::OperationError::code).map(str::to_owned),
            },
            // In progress; and any other word, which is reported once it lasts too long.
            _ => Operation::InProgress {
                id: it.request_id.clone().filter(|it| it.len() <= 128).unwrap_or_default(),
                request: it.request(),
                wait: wait.max(Duration::from_secs(1)),
            },
        })
    }

    /// The vault's private key is read here alone.
    async fn handed_out(&self) -> Result<Option<HandedOut>, CloudError> {
        let path = ["secrets", self.name.as_str()];
        let secret: wire::Secret =
            self.read(&path, GET_SECRET).await.map_err(|failure| classify(Asked::ReadSecret, &failure))?;
        let opened = tokio::task::spawn_blocking(move || {
            wish::secret_value(&secret.value, secret.content_type.as_deref())
        });
        Ok(Some(opened.await.ok().flatten().map_or(HandedOut::NoKey, HandedOut::Pair)))
    }

    async fn create(&self, create: &Create) -> Result<Option<Observed>, CloudError> {
        let Create { policy, enabled, tags, hash: _, renews: _ } = create;
        let body = Body::json(&wire::Create { policy, attributes: attributes(*enabled), tags });
        let path = ["certificates", &self.name, "create"];
        self.write(Method::Post, &path, CREATE, body, Asked::Create).await
    }

    async fn import(&self, import: Import) -> Result<Option<Observed>, CloudError> {
        let Import { identity, content_type, policy, enabled, tags, hash: _ } = import;
        let (value, pwd) = file(identity, content_type).await?;
        let attributes = attributes(enabled);
        let body = Body::json(&wire::Import { value, pwd, policy: &policy, attributes, tags: &tags });
        let path = ["certificates", &self.name, "import"];
        self.write(Method::Post, &path, IMPORT, body, Asked::Import).await
    }

    async fn merge(&self, merge: Merge) -> Result<Option<Observed>, CloudError> {
        let Merge { signed, enabled, tags, hash: _, renews: _ } = merge;
        let chain = match signed {
            Signed::Chain(chain) => chain,
            Signed::ByCa(it) => issued(&it, self.clock.now())?,
        };
        let body = Body::json(&wire::Merge::new(&chain, attributes(enabled), &tags));
        let path = ["certificates", &self.name, "pending", "merge"];
        self.write(Method::Post, &path, CREATE, body, Asked::Merge).await
    }

    /// A write whose effect the next read shows.
    async fn write(
        &self,
        method: Method,
        path: &[&str],
        action: &'static str,
        body: Body,
        asked: Asked,
    ) -> Result<Option<Observed>, CloudError> {
        let call = RestCall { body, ..self.call(method, path, action) };
        match self.vault.call(&call).await {
            Ok(_) => Ok(None),
            Err(failure) => Err(classify(asked, &failure)),
        }
    }

    async fn read<T: DeserializeOwned>(&self, path: &[&str], action: &'static str) -> Result<T, Failure> {
        self.vault.read(&self.call(Method::Get, path, action)).await
    }

    fn call<'a>(&self, method: Method, segments: &'a [&'a str], action: &'static str) -> RestCall<'a> {
        let call = RestCall::new(method, segments, self.version.as_str(), action);
        RestCall { service: Service::KeyVault, ..call }
    }
}

/// Without an id a certificate cannot be told from another; without a policy it is not as wanted.
fn parse(it: &wire::Bundle) -> Bundle {
    Bundle {
        version: it.version().unwrap_or_default().to_owned(),
        // "Issued" means that certificate and secret are there; "there is something" is not enough.
        certificate: it.certificate().filter(|_| it.sid.is_some()),
        enabled: it.attributes.as_ref().and_then(|it| it.enabled),
        tags: it.tags.clone().unwrap_or_default(),
        policy: it.policy.clone().unwrap_or_default(),
    }
}
