//! Reads from the cluster on behalf of a resource. Every read names its namespace; there is no other way in.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Api, Client, ResourceExt};

use super::account::Account;
use super::cert_manager::CertificateRequest;
use super::expiry::Expiry;
use super::{
    Data, Fetched, ObjectKey, Operator, Reference, ReferenceKind, ServiceAccount, exported, resolve,
    status_code,
};
use crate::api::account::{AllowedNamespaces, CloudAccount, ClusterCloudAccount};
use crate::api::certificate::{AccountKind, AccountRef};
use crate::api::iotda::IotdaCertificate;
use crate::api::key_vault::KeyVaultCertificate;
use crate::api::reason::{Invalid, Reason};

/// Why something could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// It is not there, not granted, or not fit for use.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The API server failed; nothing is known.
    #[error("the API server failed: {0}")]
    Api(#[from] kube::Error),
}

/// The cluster as the operator may read it.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    /// Who the operator is, for the command that grants it something.
    operator: Operator,
    /// Who reads.
    reader: Reader,
    /// Whether every account counts as suspended.
    suspended: bool,
}

/// Who reads from the cluster.
#[derive(Clone)]
enum Reader {
    /// The operator.
    Operator {
        /// Where its own token for exchange is, if it was given one.
        token_file: PathBuf,
    },
    /// Somebody with rights of their own, who looks at what the operator sees.
    Person,
}

/// An account, and the versions of the objects that it was read from.
pub struct FetchedAccount {
    /// The account, ready to sign in with.
    pub account: Account,
    /// What was read, and its `resourceVersion`.
    pub versions: Vec<(ObjectKey, String)>,
    /// Whether it stays, or goes, without our finalizer being put on it now.
    pub held: bool,
    /// When what it signs in with expires, if that is known.
    pub expiry: Option<Expiry>,
}

impl Cluster {
    /// Reads with this client, as this operator.
    pub fn new(client: Client, operator: Operator, token_file: PathBuf) -> Self {
        Self { client, operator, reader: Reader::Operator { token_file }, suspended: false }
    }

    /// The same, where every account counts as suspended if so.
    #[must_use]
    pub fn suspended(self, suspended: bool) -> Self {
        Self { suspended, ..self }
    }

    /// Reads with this client's own rights, beside that operator.
    pub fn of_a_person(client: Client, operator: Operator) -> Self {
        Self { client, operator, reader: Reader::Person, suspended: false }
    }

    /// The namespace that holds the Secrets of ClusterCloudAccounts.
    pub fn operator_namespace(&self) -> &str {
        &self.operator.service_account.namespace
    }

    /// Nothing is called through a suspended account.
    pub(super) fn refuse_suspended(&self, display: &str, suspend: Option<bool>) -> Result<(), Invalid> {
        let by = match (self.suspended, suspend) {
            (true, _) => format!("{display}, as all accounts, is suspended by the operator's `--suspend`"),
            (false, Some(true)) => format!("{display} is suspended by its `spec.suspend`"),
            (false, _) => return Ok(()),
        };
        Err(Invalid::new(Reason::Suspended, format!("{by}; what was last seen stands")))
    }

    pub(super) fn client(&self) -> &Client {
        &self.client
    }

    /// Who the operator is.
    pub fn operator(&self) -> &Operator {
        &self.operator
    }

    /// Who asks for tokens, for the message that says whom to grant it.
    pub(super) fn asks(&self) -> Option<ServiceAccount> {
        match self.reader {
            Reader::Operator { .. } => Some(self.operator.service_account.clone()),
            Reader::Person => None,
        }
    }

    /// The file with the operator's own token; nobody but the operator has it.
    pub(super) fn token_file(&self) -> Option<&Path> {
        match &self.reader {
            Reader::Operator { token_file } => Some(token_file),
            Reader::Person => None,
        }
    }

    /// Reads Secrets and ConfigMaps of one namespace. The first that is missing and not optional ends it.
    pub async fn fetch(&self, namespace: &str, references: &[Reference]) -> Result<Fetched, FetchError> {
        let mut found = Fetched::default();
        for reference in references {
            let read = match reference.kind {
                ReferenceKind::Secret => self.secret(namespace, &reference.name).await,
                ReferenceKind::ConfigMap => self.config_map(namespace, &reference.name).await,
                ReferenceKind::KeyVaultCertificate => {
                    self.key_vault_certificate(namespace, &reference.name).await
                }
                ReferenceKind::IotdaCertificate => self.iotda_certificate(namespace, &reference.name).await,
                ReferenceKind::CertificateRequest => {
                    self.certificate_request(namespace, &reference.name).await
                }
                ReferenceKind::CloudAccount | ReferenceKind::ClusterCloudAccount => continue,
                ReferenceKind::ServiceAccount | ReferenceKind::Namespace => continue,
            };
            match read {
                Ok((version, data)) => {
                    found.versions.push((reference.within(namespace), version));
                    found.insert(reference.clone(), data);
                }
                Err(FetchError::Invalid(invalid))
                    if reference.optional
                        && matches!(invalid.reason, Reason::SecretNotFound | Reason::ReferenceNotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<(String, Data), FetchError> {
        let api = Api::<Secret>::namespaced(self.client.clone(), namespace);
        let secret = api.get(name).await.map_err(|error| match status_code(&error) {
            Some(404) => Invalid::new(
                Reason::SecretNotFound,
                format!("Secret `{name}` does not exist in namespace `{namespace}`: create it, or correct its name"),
            )
            .into(),
            Some(403) => self.not_granted("Secrets", namespace).into(),
            _ => FetchError::Api(error),
        })?;
        let version = secret.resource_version().unwrap_or_default();
        let content = secret.annotations().get(exported::CONTENT);
        let content = content.map(|it| (exported::CONTENT.to_owned(), it.clone().into_bytes()));
        let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
        Ok((version, data.chain(content).collect()))
    }

    async fn config_map(&self, namespace: &str, name: &str) -> Result<(String, Data), FetchError> {
        let api = Api::<ConfigMap>::namespaced(self.client.clone(), namespace);
        let map = api.get(name).await.map_err(|error| match status_code(&error) {
            Some(404) => Invalid::new(
                Reason::ReferenceNotFound,
                format!("ConfigMap `{name}` does not exist in namespace `{namespace}`: create it, or correct its name"),
            )
            .into(),
            Some(403) => self.not_granted("ConfigMaps", namespace).into(),
            _ => FetchError::Api(error),
        })?;
        let version = map.resource_version().unwrap_or_default();
        let text = map.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.into_bytes()));
        let binary = map.binary_data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0));
        Ok((version, text.chain(binary).collect()))
    }

    async fn key_vault_certificate(&self, namespace: &str, name: &str) -> Result<(String, Data), FetchError> {
        let api = Api::<KeyVaultCertificate>::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await?.ok_or_else(|| {
            let message =
                format!("KeyVaultCertificate `{name}` does not exist: create it, or correct its name");
            Invalid::new(Reason::ReferenceNotFound, message)
        })?;
        let version = found.resource_version().unwrap_or_default();
        let certificate = found.status.as_ref().and_then(|it| it.certificate.as_ref());
        let facts = certificate.and_then(|it| serde_json::to_vec(it).ok());
        let own = found.spec.certificate_name.clone().unwrap_or_else(|| found.name_any());
        let names =
            [("vaultName", found.spec.vault_name.into_bytes()), ("certificateName", own.into_bytes())];
        let all = names.into_iter().chain(facts.map(|it| ("certificate", it)));
        Ok((version, all.map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    async fn iotda_certificate(&self, namespace: &str, name: &str) -> Result<(String, Data), FetchError> {
        let api = Api::<IotdaCertificate>::namespaced(self.client.clone(), namespace);
        let found = api.get_opt(name).await?.ok_or_else(|| {
            let message = format!("IotdaCertificate `{name}` does not exist: create it, or correct its name");
            Invalid::new(Reason::ReferenceNotFound, message)
        })?;
        let version = found.resource_version().unwrap_or_default();
        let place = serde_json::to_vec(&found.spec.iotda).ok().map(|it| ("iotda", it));
        let id = found.status.and_then(|it| it.remote).map(|it| ("id", it.id.into_bytes()));
        Ok((version, place.into_iter().chain(id).map(|(key, value)| (key.to_owned(), value)).collect()))
    }

    async fn certificate_request(&self, namespace: &str, name: &str) -> Result<(String, Data), FetchError> {
        let api = Api::<CertificateRequest>::namespaced(self.client.clone(), namespace);
        let request = api.get(name).await.map_err(|error| match status_code(&error) {
            Some(404) => Invalid::new(
                Reason::ReferenceNotFound,
                format!("CertificateRequest `{name}` does not exist in namespace `{namespace}`"),
            )
            .into(),
            Some(403) => {
                self.not_granted_to("CertificateRequests may not be read", "outputs", namespace).into()
            }
            _ => FetchError::Api(error),
        })?;
        let version = request.resource_version().unwrap_or_default();
        let refused = request.is_refused().then(|| ("refused".to_owned(), Vec::new()));
        let certificate = request.status.and_then(|it| it.certificate);
        let certificate = certificate.map(|it| ("certificate".to_owned(), it.0));
        let issuer = serde_json::to_vec(&request.spec.issuer_ref).unwrap_or_default();
        let asked = [("request".to_owned(), request.spec.request.0), ("issuer".to_owned(), issuer)];
        Ok((version, asked.into_iter().chain(certificate).chain(refused).collect()))
    }

    fn not_granted(&self, what: &str, namespace: &str) -> Invalid {
        self.not_granted_to(&format!("{what} may not be read"), "sources", namespace)
    }

    fn not_granted_to(&self, what: &str, role: &str, namespace: &str) -> Invalid {
        let reason = if role == "sources" { Reason::SourcesNotGranted } else { Reason::OutputsNotGranted };
        if let Reader::Person = self.reader {
            let message =
                format!("{what} by you in namespace `{namespace}`: you need the right to `get` them there");
            return Invalid::new(reason, message);
        }
        Invalid::new(reason, format!("{what} here; grant it: {}", self.operator.grant(role, namespace)))
    }

    /// Resolves the account that a resource of `namespace` names: exists, serves the namespace, Secret there.
    pub async fn account(&self, namespace: &str, wanted: &AccountRef) -> Result<FetchedAccount, FetchError> {
        let name = &wanted.name;
        match wanted.kind {
            AccountKind::CloudAccount => {
                let api = Api::<CloudAccount>::namespaced(self.client.clone(), namespace);
                let account = api.get_opt(name).await?.ok_or_else(|| not_found("CloudAccount", name))?;
                self.namespaced(&account).await
            }
            AccountKind::ClusterCloudAccount => {
                let api = Api::<ClusterCloudAccount>::all(self.client.clone());
                let account =
                    api.get_opt(name).await?.ok_or_else(|| not_found("ClusterCloudAccount", name))?;
                self.refuse_of_others(&account)?;
                let mut versions = Vec::new();
                if !self.allows(account.spec.allowed_namespaces.as_ref(), namespace, &mut versions).await? {
                    return Err(Invalid::new(
                        Reason::AccountNotAllowed,
                        format!(
                            "ClusterCloudAccount `{name}` does not allow namespace `{namespace}`: add it to the \
                             account's `spec.allowedNamespaces`, or use another account"
                        ),
                    )
                    .into());
                }
                let mut fetched = self.clusterwide(&account).await?;
                fetched.versions.append(&mut versions);
                Ok(fetched)
            }
        }
    }

    /// Another installation's account has its Secret in another namespace.
    fn refuse_of_others(&self, account: &ClusterCloudAccount) -> Result<(), Invalid> {
        let theirs = account.spec.installation.as_deref();
        if self.operator.serves(theirs) {
            return Ok(());
        }
        let (theirs, name) = (theirs.unwrap_or_default(), account.name_any());
        let instead = match self.reader {
            Reader::Operator { .. } => "use another account",
            Reader::Person => "name it by --installation",
        };
        let message = format!(
            "ClusterCloudAccount `{name}` is served by the installation `{theirs}` (`spec.installation`), and this is \
             `{}`: {instead}",
            self.operator.installation
        );
        Err(Invalid::new(Reason::AccountNotAllowed, message))
    }

    /// The cloud of the account that a resource names, if the account is there and names one.
    pub async fn cloud_name(
        &self,
        namespace: &str,
        wanted: &AccountRef,
    ) -> Result<Option<String>, kube::Error> {
        Ok(match wanted.kind {
            AccountKind::CloudAccount => {
                let api = Api::<CloudAccount>::namespaced(self.client.clone(), namespace);
                api.get_opt(&wanted.name).await?.and_then(|it| resolve::cloud_name(&it))
            }
            AccountKind::ClusterCloudAccount => {
                let api = Api::<ClusterCloudAccount>::all(self.client.clone());
                api.get_opt(&wanted.name).await?.and_then(|it| resolve::cluster_cloud_name(&it))
            }
        })
    }

    /// Whether the namespace is being deleted with all that is in it.
    pub async fn is_terminating(&self, namespace: &str) -> Result<bool, kube::Error> {
        let found = Api::<Namespace>::all(self.client.clone()).get_opt(namespace).await?;
        Ok(found.is_some_and(|it| it.metadata.deletion_timestamp.is_some()))
    }

    /// Whether the API server says that there is no such namespace.
    pub async fn is_gone(&self, namespace: &str) -> bool {
        matches!(Api::<Namespace>::all(self.client.clone()).get_opt(namespace).await, Ok(None))
    }

    /// Adds the version of the Namespace where its labels decide.
    async fn allows(
        &self,
        allowed: Option<&AllowedNamespaces>,
        namespace: &str,
        versions: &mut Vec<(ObjectKey, String)>,
    ) -> Result<bool, FetchError> {
        let Some(AllowedNamespaces { names, selector }) = allowed else { return Ok(false) };
        if names.as_ref().is_some_and(|it| it.iter().any(|name| name == namespace)) {
            return Ok(true);
        }
        let Some(selector) = selector else { return Ok(false) };
        let found = Api::<Namespace>::all(self.client.clone()).get(namespace).await?;
        versions.push((ObjectKey::of_namespace(namespace), found.resource_version().unwrap_or_default()));
        let labels = found.labels();
        Ok(!selector.match_labels.is_empty()
            && selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value)))
    }
}

fn not_found(kind: &str, name: &str) -> Invalid {
    Invalid::new(
        Reason::AccountNotFound,
        format!("{kind} `{name}` does not exist: create it, or correct `spec.accountRef`"),
    )
}
