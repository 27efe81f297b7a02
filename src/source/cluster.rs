//! Reads from the cluster on behalf of a resource. Every read names its namespace; there is no other way in.

use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::{Api, Client, ResourceExt};
use zeroize::Zeroizing;

use super::account::{
    Account, AccountId, AzureAccount, AzureEndpoints, AzureEnvironment, AzureIdentity, Cloud,
};
use super::{Data, Fetched, ObjectKey, Reference, ReferenceKind};
use crate::api::account::{
    AllowedNamespaces, AzureCloud, ClientSecret, CloudAccount, ClusterAzure, ClusterAzureCloud,
    ClusterCloudAccount,
};
use crate::api::certificate::{AccountKind, AccountRef};
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
    operator: ServiceAccount,
}

/// The ServiceAccount that the operator runs as.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its namespace; the Secrets of ClusterCloudAccounts are read there.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// An account, and the versions of the objects that it was read from.
pub struct FetchedAccount {
    /// The account, ready to sign in with.
    pub account: Account,
    /// What was read, and its `resourceVersion`.
    pub versions: Vec<(ObjectKey, String)>,
}

impl Cluster {
    /// Reads with this client, as this ServiceAccount.
    pub fn new(client: Client, operator: ServiceAccount) -> Self {
        Self { client, operator }
    }

    /// The namespace that holds the Secrets of ClusterCloudAccounts.
    pub fn operator_namespace(&self) -> &str {
        &self.operator.namespace
    }

    /// Reads Secrets and ConfigMaps of one namespace. The first that is missing ends it.
    pub async fn fetch(&self, namespace: &str, references: &[Reference]) -> Result<Fetched, FetchError> {
        let mut found = Fetched::default();
        for reference in references {
            let (version, data) = match reference.kind {
                ReferenceKind::Secret => self.secret(namespace, &reference.name).await?,
                ReferenceKind::ConfigMap => self.config_map(namespace, &reference.name).await?,
                ReferenceKind::CloudAccount | ReferenceKind::ClusterCloudAccount => continue,
            };
            found.versions.push((reference.within(namespace), version));
            found.insert(reference.clone(), data);
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
        let data = secret.data.unwrap_or_default().into_iter().map(|(key, value)| (key, value.0)).collect();
        Ok((version, data))
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

    fn not_granted(&self, what: &str, namespace: &str) -> Invalid {
        let ServiceAccount { namespace: home, name } = &self.operator;
        Invalid::new(
            Reason::SourcesNotGranted,
            format!(
                "{what} may not be read here; grant it: kubectl -n {namespace} create rolebinding certferry-sources \
                 --clusterrole=certferry-sources --serviceaccount={home}:{name}"
            ),
        )
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
                if !self.allows(account.spec.allowed_namespaces.as_ref(), namespace).await? {
                    return Err(Invalid::new(
                        Reason::AccountNotAllowed,
                        format!(
                            "ClusterCloudAccount `{name}` does not allow namespace `{namespace}`: add it to the \
                             account's `spec.allowedNamespaces`, or use another account"
                        ),
                    )
                    .into());
                }
                self.clusterwide(&account).await
            }
        }
    }

    /// The account with its Secret, whoever may use it.
    pub async fn namespaced(&self, account: &CloudAccount) -> Result<FetchedAccount, FetchError> {
        let name = account.name_any();
        let namespace = account.namespace().unwrap_or_default();
        let key =
            ObjectKey { kind: ReferenceKind::CloudAccount, namespace: namespace.clone(), name: name.clone() };
        let display = format!("CloudAccount `{name}`");
        refuse_suspended(&display, account.spec.suspend)?;
        let azure = account.spec.azure.as_ref().ok_or_else(|| no_cloud(&display))?;
        let Some(secret) = &azure.auth.client_secret else {
            return Err(not_yet(&display, "spec.azure.auth.workloadIdentity").into());
        };
        let environment = match azure.cloud {
            AzureCloud::Public => AzureEnvironment::Public,
            AzureCloud::USGovernment => AzureEnvironment::UsGovernment,
            AzureCloud::China => AzureEnvironment::China,
        };
        let version = (key, account.resource_version().unwrap_or_default());
        let id = AccountId { display, uid: account.uid().unwrap_or_default() };
        self.azure(id, environment, &azure.tenant_id, secret, &namespace, version).await
    }

    /// The account with its Secret, whoever may use it.
    pub async fn clusterwide(&self, account: &ClusterCloudAccount) -> Result<FetchedAccount, FetchError> {
        let name = account.name_any();
        let key = ObjectKey {
            kind: ReferenceKind::ClusterCloudAccount,
            namespace: String::new(),
            name: name.clone(),
        };
        let display = format!("ClusterCloudAccount `{name}`");
        refuse_suspended(&display, account.spec.suspend)?;
        if account.spec.allowed_targets.is_some() {
            return Err(not_yet(&display, "spec.allowedTargets").into());
        }
        let azure = account.spec.azure.as_ref().ok_or_else(|| no_cloud(&display))?;
        let Some(secret) = &azure.auth.client_secret else {
            return Err(not_yet(&display, "spec.azure.auth other than `clientSecret`").into());
        };
        let environment = environment(&display, azure)?;
        let version = (key, account.resource_version().unwrap_or_default());
        let id = AccountId { display, uid: account.uid().unwrap_or_default() };
        self.azure(id, environment, &azure.tenant_id, secret, self.operator_namespace(), version).await
    }

    async fn azure(
        &self,
        id: AccountId,
        environment: AzureEnvironment,
        tenant_id: &str,
        auth: &ClientSecret,
        namespace: &str,
        version: (ObjectKey, String),
    ) -> Result<FetchedAccount, FetchError> {
        let reference = Reference::secret(&auth.secret_ref.name);
        let found =
            self.fetch(namespace, std::slice::from_ref(&reference)).await.map_err(|error| match error {
                FetchError::Invalid(Invalid { reason, message }) => {
                    Invalid::new(reason, format!("{}: {message}", id.display)).into()
                }
                other => other,
            })?;
        let secret = client_secret(&id, auth, &found)?;
        let identity = AzureIdentity::ClientSecret { client_id: auth.client_id.clone(), secret };
        let mut versions = found.versions;
        versions.push(version);
        let cloud = Cloud::Azure(AzureAccount { environment, tenant_id: tenant_id.to_owned(), identity });
        Ok(FetchedAccount { account: Account { id, cloud }, versions })
    }

    async fn allows(&self, allowed: Option<&AllowedNamespaces>, namespace: &str) -> Result<bool, FetchError> {
        let Some(AllowedNamespaces { names, selector }) = allowed else { return Ok(false) };
        if names.as_ref().is_some_and(|it| it.iter().any(|name| name == namespace)) {
            return Ok(true);
        }
        let Some(selector) = selector else { return Ok(false) };
        let found = Api::<Namespace>::all(self.client.clone()).get(namespace).await?;
        let labels = found.labels();
        Ok(!selector.match_labels.is_empty()
            && selector.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value)))
    }
}

/// The client secret: text, without the line end that editors add.
fn client_secret(id: &AccountId, auth: &ClientSecret, found: &Fetched) -> Result<Zeroizing<String>, Invalid> {
    let (name, key) = (&auth.secret_ref.name, &auth.secret_ref.key);
    let value = found
        .data(&Reference::secret(name))
        .and_then(|data| data.value(key))
        .ok_or_else(|| key_missing(&id.display, name, key))?;
    let text = std::str::from_utf8(value).map(|it| it.trim_end_matches(['\r', '\n'])).unwrap_or_default();
    if text.is_empty() {
        return Err(key_missing(&id.display, name, key));
    }
    Ok(Zeroizing::new(text.to_owned()))
}

fn key_missing(display: &str, name: &str, key: &str) -> Invalid {
    Invalid::new(
        Reason::SecretKeyMissing,
        format!(
            "{display}: Secret `{name}` has no text under the key `{key}`: store the client secret there"
        ),
    )
}

fn environment(display: &str, azure: &ClusterAzure) -> Result<AzureEnvironment, Invalid> {
    Ok(match (azure.cloud, &azure.endpoints) {
        (ClusterAzureCloud::Public, _) => AzureEnvironment::Public,
        (ClusterAzureCloud::USGovernment, _) => AzureEnvironment::UsGovernment,
        (ClusterAzureCloud::China, _) => AzureEnvironment::China,
        (ClusterAzureCloud::Custom, Some(endpoints)) => AzureEnvironment::Custom(AzureEndpoints {
            authority: endpoints.authority.clone(),
            resource_manager: endpoints.resource_manager.clone(),
            resource_manager_scope: endpoints
                .resource_manager_scope
                .clone()
                .unwrap_or_else(|| "https://management.azure.com/.default".to_owned()),
            ca_bundle: azure.ca_bundle.clone(),
        }),
        (ClusterAzureCloud::Custom, None) => {
            let message = format!("{display}: `spec.azure.endpoints` must be set when `cloud` is 'Custom'");
            return Err(Invalid::new(Reason::SpecInvalid, message));
        }
    })
}

fn not_found(kind: &str, name: &str) -> Invalid {
    Invalid::new(
        Reason::AccountNotFound,
        format!("{kind} `{name}` does not exist: create it, or correct `spec.accountRef`"),
    )
}

fn no_cloud(display: &str) -> Invalid {
    Invalid::new(Reason::SpecInvalid, format!("{display}: `spec.azure` must be set"))
}

fn not_yet(display: &str, field: &str) -> Invalid {
    Invalid::new(Reason::NotSupported, format!("{display}: this version does not act on `{field}` yet"))
}

/// A field that this version would ignore must not be ignored silently.
fn refuse_suspended(display: &str, suspend: Option<bool>) -> Result<(), Invalid> {
    if suspend == Some(true) { Err(not_yet(display, "spec.suspend")) } else { Ok(()) }
}

/// The HTTP status of an answer of the API server.
pub fn status_code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
