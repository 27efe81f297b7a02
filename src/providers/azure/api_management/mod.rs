//! Client certificates in Azure API Management services.
//!
//! Source: Azure REST reference, API Management, Certificate, api-version 2024-05-01. The ETag stands in the header,
//! quoted, and is sent back with its quotes; what was uploaded never comes back.

mod error;
mod explained;
mod next;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use self::error::{Operation, classify};
use self::next::{Desired, Held, Observed, Place, Step, Upload, VaultReference, VaultWish};
use super::{Azure, Listing, RestCall, Session};
use crate::api::api_management::{
    ApiManagementApiVersion, ApiManagementCertificate, KeyVaultSource, PairSource, Pkcs12Encryption,
};
use crate::api::certificate::{CertificateResource, CertificateStatus, CertificateSummary, Origin, Remote};
use crate::api::reason::{Invalid, Reason};
use crate::api::source::Source;
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable};
use crate::http::{Answer, Body, Limit, Method};
use crate::pki::pkcs12;
use crate::providers::failure::Fault;
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference, material};

const READ: &str = "Microsoft.ApiManagement/service/certificates/read";
const WRITE: &str = "Microsoft.ApiManagement/service/certificates/write";
const DELETE: &str = "Microsoft.ApiManagement/service/certificates/delete";
const REFRESH: &str = "Microsoft.ApiManagement/service/certificates/refreshSecret/action";

/// How long a vault's newer version may take to reach the service, until it is asked again.
const SOON: Duration = Duration::from_secs(60);

/// How many certificates are asked for at a time; a service may give fewer.
const PAGE: usize = 100;

/// More pages than a service can fill: seen are pages of 20 and more, and the largest service has room for a few hundred
/// certificates.
const MAX_PAGES: usize = 100;

/// One certificate id in one service.
pub struct ApiManagement {
    session: Arc<Session>,
    /// The segments of the certificate collection's path; the certificate's id follows.
    collection: Vec<String>,
    name: String,
    version: ApiManagementApiVersion,
}

impl Provider for ApiManagement {
    type Root = ApiManagementCertificate;
    type Cloud = Azure;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Listing = Listing<next::Remote>;

    fn target(root: &ApiManagementCertificate) -> Target {
        let service = &root.spec.api_management;
        let place = [&service.subscription_id, &service.resource_group, &service.service_name];
        let [subscription, group, service] = place.map(String::as_str);
        Target::new(["apimanagement", subscription, group, service, name(root)])
    }

    fn references(root: &ApiManagementCertificate) -> Vec<Reference> {
        let mut references =
            root.spec.source.as_ref().map(|it| material::references(&source(it))).unwrap_or_default();
        let vault = root.spec.key_vault.as_ref().and_then(|it| it.key_vault_certificate_ref.as_ref());
        references.extend(vault.map(|it| Reference::key_vault_certificate(&it.name)));
        references
    }

    fn check(root: &ApiManagementCertificate) -> Result<(), Invalid> {
        match (&root.spec.source, &root.spec.key_vault) {
            (Some(_), None) | (None, Some(_)) => Ok(()),
            (Some(_), Some(_)) | (None, None) => {
                let message = "exactly one of `spec.source` and `spec.keyVault` must be set";
                Err(Invalid::new(Reason::SpecInvalid, message))
            }
        }
    }

    fn desired(root: &ApiManagementCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
        Self::check(root)?;
        let spec = &root.spec;
        match (&spec.source, &spec.key_vault) {
            (Some(from), _) => {
                let identity = material::identity(&source(from), found)?;
                material::lasts(identity.leaf(), now)?;
                let encryption = spec.pkcs12.as_ref().map(|it| it.encryption).unwrap_or_default();
                Ok(Desired::File { identity: Box::new(identity), encryption })
            }
            (None, Some(vault)) => wish(vault, found).map(|it| Desired::Vault(Box::new(it))),
            (None, None) => {
                Err(Invalid::new(Reason::SpecInvalid, "one of `spec.source` and `spec.keyVault` must be set"))
            }
        }
    }

    fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
        next::next(goal, observed)
    }

    fn facts(desired: &Desired, observed: &Observed) -> Option<Facts> {
        let remote = observed.remote.as_ref()?;
        Some(Facts {
            remote: Remote {
                id: remote.id.clone(),
                version: None,
                etag: None, // a listing does not tell it
                origin: observed.origin().unwrap_or(Origin::Adopted),
            },
            certificate: summary(desired, remote),
            verified: None,
            disabled: false,
            renewal: match desired {
                Desired::File { .. } => Renewal::Source,
                Desired::Vault(_) if observed.identifier.as_deref().is_some_and(next::is_pinned) => {
                    Renewal::Nobody
                }
                Desired::Vault(_) => Renewal::Service,
            },
            verification_code: None,
            operation: None,
            signing_request: None,
            retiring: Vec::new(),
        })
    }

    fn outputs(_: &Desired, _: &Observed) -> Vec<Output> {
        Vec::new()
    }

    async fn connect(
        azure: &Azure,
        account: &Account,
        root: &ApiManagementCertificate,
        _: &Clock,
    ) -> Result<Self, Unusable> {
        let identity = account.azure().map_err(Unusable::Invalid)?;
        let session = azure.session(&account.id, identity).map_err(Unusable::Cloud)?;
        let service = &root.spec.api_management;
        let collection = [
            "subscriptions",
            &service.subscription_id,
            "resourceGroups",
            &service.resource_group,
            "providers",
            "Microsoft.ApiManagement",
            "service",
            &service.service_name,
            "certificates",
        ];
        Ok(Self {
            session,
            collection: collection.map(str::to_owned).to_vec(),
            name: name(root).to_owned(),
            version: root.spec.api_version.unwrap_or_default(),
        })
    }

    async fn observe(
        &self,
        root: &ApiManagementCertificate,
        goal: &Goal<Desired>,
        freshness: Freshness<'_, Self::Listing>,
    ) -> Result<Observed, CloudError> {
        let identifier = match goal {
            Goal::Present(Desired::Vault(wish)) => Some(self.identifier(&wish.place)?),
            Goal::Present(Desired::File { .. }) | Goal::Absent => None,
        };
        let remote = match freshness {
            Freshness::Live => self.read().await?,
            Freshness::Listed(listing) => self.listed(listing)?,
        };
        Ok(Observed { remote, identifier, held: held(root, &self.path(&[]).join("/")) })
    }

    fn listing(&self) -> Option<(String, impl Future<Output = Result<Self::Listing, CloudError>> + Send)> {
        Some((format!("{}?{}", self.collection.join("/"), self.api_version()), self.list()))
    }

    async fn apply(&self, step: Step) -> Result<Option<Observed>, CloudError> {
        match step {
            Step::Put { upload, etag, alone } => self.put(upload, etag.as_deref(), alone).await,
            Step::Refresh { newest } => self.refresh(newest).await,
            Step::Delete { etag, thumbprint: _ } => {
                let path = self.path(&[]);
                let call = RestCall { if_match: Some(&etag), ..self.call(Method::Delete, &path, DELETE) };
                self.send(&call, Operation::Delete).await
            }
        }
    }
}

/// The certificate's id in the service.
fn name(root: &ApiManagementCertificate) -> &str {
    root.spec.certificate_id.as_deref().or(root.metadata.name.as_deref()).unwrap_or_default()
}

fn source(pair: &PairSource) -> Source {
    Source {
        secret_ref: pair.secret_ref.clone(),
        pkcs12_secret_ref: pair.pkcs12_secret_ref.clone(),
        ..Source::default()
    }
}

/// What a vault is to hold. A KeyVaultCertificate without a certificate is waited for: the service would refuse it.
fn wish(vault: &KeyVaultSource, found: &Fetched) -> Result<VaultWish, Invalid> {
    let KeyVaultSource { key_vault_certificate_ref, secret_identifier, identity_client_id } = vault;
    let identity = identity_client_id.clone();
    if let Some(identifier) = secret_identifier {
        return Ok(VaultWish { place: Place::Written(identifier.clone()), identity, newest: None });
    }
    let Some(reference) = key_vault_certificate_ref else {
        let message = "`spec.keyVault` must name a `keyVaultCertificateRef` or a `secretIdentifier`";
        return Err(Invalid::new(Reason::SpecInvalid, message));
    };
    let data = found.data(&Reference::key_vault_certificate(&reference.name));
    let text = |key| data.and_then(|it| it.value(key)).and_then(|it| std::str::from_utf8(it).ok());
    let newest = text("certificate").and_then(|it| serde_json::from_str::<CertificateSummary>(it).ok());
    let (Some(vault), Some(certificate), Some(newest)) = (text("vaultName"), text("certificateName"), newest)
    else {
        let message =
            format!("KeyVaultCertificate `{}` has no certificate yet: see its conditions", reference.name);
        return Err(Invalid::new(Reason::ReferenceNotFound, message));
    };
    let place = Place::Named { vault: vault.to_owned(), certificate: certificate.to_owned() };
    Ok(VaultWish { place, identity, newest: Some(newest) })
}

/// What is known of the certificate: of a file everything, of a vault's what its KeyVaultCertificate says, or the little
/// that the service shows.
fn summary(desired: &Desired, remote: &next::Remote) -> Option<CertificateSummary> {
    let thumbprint = remote.thumbprint.to_string();
    match desired {
        Desired::File { identity, .. } => Some(material::summary(identity.leaf())),
        Desired::Vault(wish) => match &wish.newest {
            Some(newest) if newest.sha1_thumbprint == thumbprint => Some(newest.clone()),
            Some(_) | None => Some(CertificateSummary {
                subject: remote.subject.clone(),
                serial_number: None,
                sha1_thumbprint: thumbprint,
                sha256_fingerprint: None,
                not_before: None,
                not_after: remote.not_after?,
            }),
        },
    }
}

/// What our records hold of the certificate of that id. A record of another id holds nothing.
fn held(root: &ApiManagementCertificate, path: &str) -> Held {
    let empty = CertificateStatus::default();
    let status = root.status().unwrap_or(&empty);
    let ours = status.remote.as_ref().filter(|it| it.id.trim_start_matches('/').eq_ignore_ascii_case(path));
    Held {
        origin: ours.map(|it| it.origin),
        thumbprint: ours.and(status.certificate.as_ref()).and_then(|it| it.sha1_thumbprint.parse().ok()),
        intended: status.intent.as_ref().map(|it| it.content_hash.clone()),
        by_vault: root.spec.key_vault.is_some(),
        adoption: root.spec.common.adoption_policy.unwrap_or_default(),
    }
}

impl ApiManagement {
    /// The certificate, or that there is none: a 404 counts only if it says so, or if the service lists its certificates
    /// and this is not among them.
    async fn read(&self) -> Result<Option<next::Remote>, CloudError> {
        let path = self.path(&[]);
        let call = self.call(Method::Get, &path, READ);
        match self.session.arm().call(&call).await {
            Ok(answer) => self.parse(&call, &answer).map(Some),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) if failure.status() == Some(404) && !failure.is_of_a_parent() => {
                if !self.list().await?.has(&self.name) {
                    return Ok(None);
                }
                let message =
                    "the service lists the certificate and does not find it by its id; it is read again";
                Err(CloudError::new(Reason::CloudUnavailable, message))
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// The certificate as it is listed, with all but its tag. Nothing is written by it.
    fn listed(&self, listing: &Listing<next::Remote>) -> Result<Option<next::Remote>, CloudError> {
        let listed = listing.under(&self.name)?;
        Ok(listed.map(|it| next::Remote { id: self.id(), ..it.clone() }))
    }

    async fn list(&self) -> Result<Listing<next::Remote>, CloudError> {
        let collection: Vec<_> = self.collection.iter().map(String::as_str).collect();
        let mut call = RestCall { limit: Limit::Page, ..self.call(Method::Get, &collection, READ) };
        let from = |skip: usize| vec![("$top", PAGE.to_string()), ("$skip", skip.to_string())];
        call.page = from(0);
        let mut items = Vec::new();
        for _ in 0..MAX_PAGES {
            let mut page: wire::Page = self.session.arm().read(&call).await?;
            let is_empty = page.value.is_empty();
            items.append(&mut page.value);
            match page.is_last() {
                true => {
                    let named = items.into_iter().filter_map(|it| Some((it.name.clone()?, it)));
                    return Ok(Listing::of(
                        named.map(|(name, it)| (name, self.described(it, String::new()))),
                    ));
                }
                false if is_empty => break,
                false => call.page = from(items.len()),
            }
        }
        Err(call.failed(Fault::Unreadable).into())
    }

    /// The service has no way to say "create only": that something else was there is known afterwards, by 200.
    async fn put(
        &self,
        upload: Upload,
        etag: Option<&str>,
        alone: bool,
    ) -> Result<Option<Observed>, CloudError> {
        let (body, operation) = match upload {
            Upload::File(identity, encryption) => {
                let (data, password) = file(*identity, encryption).await?;
                (Body::json(&wire::Upload::file(data, password)), Operation::UploadFile)
            }
            Upload::Vault { identifier, identity } => {
                (Body::json(&wire::Upload::vault(identifier, identity)), Operation::UploadReference)
            }
        };
        let path = self.path(&[]);
        let call = RestCall { if_match: etag, body, ..self.call(Method::Put, &path, WRITE) };
        let answer = self.session.arm().call(&call).await;
        let answer = answer.map_err(|failure| classify(operation, &failure))?;
        if alone && answer.status == 200 {
            let message = "somebody else created a certificate under this id at the same time, and it was replaced: \
                           choose another `spec.certificateId`, or set `spec.adoptionPolicy` to 'Always'";
            return Err(CloudError::new(Reason::NotOwned, message));
        }
        Ok(None)
    }

    /// The answer says whether the look was of use; a read alone would have it asked again at once.
    async fn refresh(&self, newest: Option<crate::pki::Thumbprint>) -> Result<Option<Observed>, CloudError> {
        let path = self.path(&["refreshSecret"]);
        let call = self.call(Method::Post, &path, REFRESH);
        let answer = self.session.arm().call(&call).await;
        let answer = answer.map_err(|failure| classify(Operation::Refresh, &failure))?;
        let seen = self.parse(&call, &answer)?;
        if let Some(code) = seen.vault.and_then(|it| it.failed) {
            let message = format!(
                "the service cannot read the certificate from the vault (code {code}); the last one stays in use: \
                 check the vault and the service's identity"
            );
            return Err(CloudError::new(Reason::KeyVaultRefreshFailed, message));
        }
        if newest.is_some_and(|it| it != seen.thumbprint) {
            let message = "the service still reads an older version from the vault; it is asked again";
            return Err(CloudError::new(Reason::TargetBusy, message).retry_after(Some(SOON)));
        }
        Ok(None)
    }

    /// A write whose effect the next read shows.
    async fn send(&self, call: &RestCall<'_>, operation: Operation) -> Result<Option<Observed>, CloudError> {
        match self.session.arm().call(call).await {
            Ok(_) => Ok(None),
            Err(failure) if operation == Operation::Delete && failure.is_absence() => Ok(None),
            Err(failure) => Err(classify(operation, &failure)),
        }
    }

    /// The secret's id, always without a version where it comes from a KeyVaultCertificate: so the service goes on
    /// reading newer ones.
    fn identifier(&self, place: &Place) -> Result<String, CloudError> {
        match place {
            Place::Written(identifier) if self.session.is_in_a_vault(identifier) => Ok(identifier.clone()),
            Place::Written(_) => Err(CloudError::new(
                Reason::SpecInvalid,
                "`spec.keyVault.secretIdentifier` must be https://{vault}.vault.azure.net/secrets/{name}, or the like in \
                 another cloud",
            )),
            Place::Named { vault, certificate } => {
                Ok(format!("{}/secrets/{certificate}", self.session.vault_endpoint(vault)?))
            }
        }
    }

    fn call<'a>(&self, method: Method, segments: &'a [&'a str], action: &'static str) -> RestCall<'a> {
        RestCall::new(method, segments, self.api_version(), action)
    }

    fn api_version(&self) -> &'static str {
        match self.version {
            ApiManagementApiVersion::V20220801 => "2022-08-01",
            ApiManagementApiVersion::V20240501 => "2024-05-01",
        }
    }

    fn path<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let collection = self.collection.iter().map(String::as_str);
        collection.chain([self.name.as_str()]).chain(more.iter().copied()).collect()
    }

    fn parse(&self, call: &RestCall<'_>, answer: &Answer) -> Result<next::Remote, CloudError> {
        let unreadable = || CloudError::from(call.failed(Fault::Unreadable));
        let etag = answer.header("etag").filter(|it| (1..=256).contains(&it.len())).ok_or_else(unreadable)?;
        let contract: wire::Contract = answer.json().map_err(|_| unreadable())?;
        self.described(contract, etag.to_owned()).ok_or_else(unreadable)
    }

    fn id(&self) -> String {
        format!("/{}", self.path(&[]).join("/"))
    }

    fn described(&self, contract: wire::Contract, etag: String) -> Option<next::Remote> {
        let properties = contract.properties;
        let printable = |it: String| it.chars().filter(|it| !it.is_control()).take(256).collect();
        Some(next::Remote {
            id: self.id(),
            etag,
            thumbprint: properties.thumbprint.as_deref()?.parse().ok()?,
            subject: properties.subject.map(printable).unwrap_or_default(),
            not_after: properties.expiration_date.and_then(|it| it.parse().ok()),
            vault: properties.key_vault.filter(|it| it.secret_identifier.is_some()).map(|it| {
                VaultReference {
                    failed: it.last_status.as_ref().and_then(wire::LastStatus::code).and_then(failed),
                    identifier: it.secret_identifier.unwrap_or_default(),
                    identity: it.identity_client_id.filter(|it| !it.is_empty()),
                }
            }),
        })
    }
}

/// Any word but success is a failure: which ones there are is not documented.
fn failed(code: &str) -> Option<String> {
    (!code.eq_ignore_ascii_case("Success")).then(|| code.to_owned())
}

/// The file in base64, and its password: made anew for each upload, and kept nowhere.
async fn file(
    identity: crate::pki::Identity,
    encryption: Pkcs12Encryption,
) -> Result<(Zeroizing<String>, Zeroizing<String>), CloudError> {
    let unmade = || CloudError::new(Reason::UploadRefused, "the file to be uploaded could not be made");
    let password = crate::providers::random::password().ok_or_else(unmade)?;
    let secret = password.clone();
    let encryption = match encryption {
        Pkcs12Encryption::TripleDes => pkcs12::Encryption::TripleDes,
        Pkcs12Encryption::Aes256 => pkcs12::Encryption::Aes256,
    };
    let made = tokio::task::spawn_blocking(move || pkcs12::build(&identity, &secret, encryption));
    let file = made.await.ok().and_then(Result::ok).ok_or_else(unmade)?;
    Ok((Zeroizing::new(STANDARD.encode(&*file)), password))
}
