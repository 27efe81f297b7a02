//! From an account's resource to how to sign in with it: checked, parsed, its Secret read.

mod huawei;

use kube::ResourceExt;
use zeroize::Zeroizing;

use super::account::{
    Account, AccountId, AzureAccount, AzureEndpoints, AzureEnvironment, AzureIdentity, Cloud,
    HuaweiEnvironment,
};
use super::assertion::Assertion;
use super::cluster::{Cluster, FetchError, FetchedAccount};
use super::expiry::Expiry;
use super::{Fetched, ObjectKey, Reference, ReferenceKind, ServiceAccount};
use crate::api::FINALIZER;
use crate::api::account::{
    AzureAuth, AzureCloud, ClientSecret, CloudAccount, ClusterAzure, ClusterAzureAuth, ClusterAzureCloud,
    ClusterCloudAccount, ClusterWorkloadIdentity, ManagedIdentity, NamespacedWorkloadIdentity,
};
use crate::api::reason::{Invalid, Reason};

/// What an account of a namespace refers to there.
pub fn references(account: &CloudAccount) -> Vec<Reference> {
    let Some(azure) = &account.spec.azure else {
        return account.spec.huawei_cloud.iter().map(|it| huawei::reference(&it.auth)).collect();
    };
    let AzureAuth { workload_identity, client_secret } = &azure.auth;
    let service_account = workload_identity.as_ref().map(|it| &it.service_account_ref);
    let service_account = service_account.map(|it| Reference::service_account(&it.name));
    secret(client_secret.as_ref()).into_iter().chain(service_account).collect()
}

/// What an account of the cluster refers to in the operator's namespace.
pub fn cluster_references(account: &ClusterCloudAccount) -> Vec<Reference> {
    let Some(azure) = &account.spec.azure else {
        return account.spec.huawei_cloud.iter().map(|it| huawei::reference(&it.auth)).collect();
    };
    let ClusterAzureAuth { workload_identity, managed_identity: _, client_secret } = &azure.auth;
    let service_account = workload_identity.as_ref().and_then(|it| it.service_account_ref.as_ref());
    let service_account = service_account.map(|it| Reference::service_account(&it.name));
    secret(client_secret.as_ref()).into_iter().chain(service_account).collect()
}

fn secret(auth: Option<&ClientSecret>) -> Option<Reference> {
    auth.map(|it| Reference::secret(&it.secret_ref.name))
}

/// How an account signs in, wherever it stands.
enum Auth<'a> {
    ClientSecret(&'a ClientSecret),
    ServiceAccount { client_id: &'a str, name: &'a str },
    OperatorsOwn { client_id: &'a str },
    Managed(&'a ManagedIdentity),
}

impl Cluster {
    /// The account of a namespace, whoever uses it.
    pub async fn namespaced(&self, account: &CloudAccount) -> Result<FetchedAccount, FetchError> {
        let name = account.name_any();
        let namespace = account.namespace().unwrap_or_default();
        let found = Found {
            display: format!("CloudAccount `{name}`"),
            key: ObjectKey::new(ReferenceKind::CloudAccount, &*namespace, name),
            object: account,
            namespace: &namespace,
        };
        self.refuse_suspended(&found.display, account.spec.suspend)?;
        let azure = match (&account.spec.azure, &account.spec.huawei_cloud) {
            (Some(azure), None) => azure,
            (None, Some(huawei)) => {
                return self.huawei(found, HuaweiEnvironment::Public, &huawei.auth).await;
            }
            (Some(_), Some(_)) | (None, None) => return Err(no_cloud(&found.display).into()),
        };
        let environment = environment(azure.cloud);
        let auth = match &azure.auth {
            AzureAuth { client_secret: Some(auth), .. } => Auth::ClientSecret(auth),
            AzureAuth {
                workload_identity: Some(NamespacedWorkloadIdentity { client_id, service_account_ref }),
                client_secret: None,
            } => Auth::ServiceAccount { client_id, name: &service_account_ref.name },
            AzureAuth { workload_identity: None, client_secret: None } => {
                return Err(no_auth(&found.display).into());
            }
        };
        self.azure(found, environment, &azure.tenant_id, auth).await
    }

    /// The account of the cluster, whoever uses it.
    pub async fn clusterwide(&self, account: &ClusterCloudAccount) -> Result<FetchedAccount, FetchError> {
        let name = account.name_any();
        let found = Found {
            display: format!("ClusterCloudAccount `{name}`"),
            key: ObjectKey::new(ReferenceKind::ClusterCloudAccount, "", name),
            object: account,
            namespace: self.operator_namespace(),
        };
        self.refuse_suspended(&found.display, account.spec.suspend)?;
        let mut fetched = match (&account.spec.azure, &account.spec.huawei_cloud) {
            (Some(azure), None) => self.clusterwide_azure(found, azure).await?,
            (None, Some(it)) => self.huawei(found, huawei::environment(it), &it.auth).await?,
            (Some(_), Some(_)) | (None, None) => return Err(no_cloud(&found.display).into()),
        };
        fetched.account.allowed_targets = account.spec.allowed_targets.clone();
        Ok(fetched)
    }

    async fn clusterwide_azure(
        &self,
        found: Found<'_, ClusterCloudAccount>,
        azure: &ClusterAzure,
    ) -> Result<FetchedAccount, FetchError> {
        let environment = cluster_environment(azure).ok_or_else(|| no_endpoints(&found.display))?;
        let auth = match &azure.auth {
            ClusterAzureAuth { client_secret: Some(auth), .. } => Auth::ClientSecret(auth),
            ClusterAzureAuth { workload_identity: Some(it), .. } => {
                let ClusterWorkloadIdentity { client_id, service_account_ref } = it;
                match service_account_ref {
                    Some(it) => Auth::ServiceAccount { client_id, name: &it.name },
                    None => Auth::OperatorsOwn { client_id },
                }
            }
            ClusterAzureAuth { managed_identity: Some(it), .. } => Auth::Managed(it),
            ClusterAzureAuth { workload_identity: None, managed_identity: None, client_secret: None } => {
                return Err(no_auth(&found.display).into());
            }
        };
        self.azure(found, environment, &azure.tenant_id, auth).await
    }

    async fn azure<K: ResourceExt>(
        &self,
        found: Found<'_, K>,
        environment: AzureEnvironment,
        tenant_id: &str,
        auth: Auth<'_>,
    ) -> Result<FetchedAccount, FetchError> {
        let (mut versions, mut expiry) = (Vec::new(), None);
        let identity = match auth {
            Auth::ClientSecret(auth) => {
                let read = self.account_secret(&found, &auth.secret_ref.name).await?;
                let (name, key) = (&auth.secret_ref.name, &auth.secret_ref.key);
                let secret = text(&read, name, key)
                    .ok_or_else(|| key_missing(&found.display, name, key, "the client secret"))?;
                expiry = Expiry::beside(name, &read, false);
                versions = read.versions;
                AzureIdentity::ClientSecret { client_id: auth.client_id.clone(), secret }
            }
            Auth::ServiceAccount { client_id, name } => AzureIdentity::Federated {
                client_id: client_id.to_owned(),
                assertion: self.token_of(
                    ServiceAccount { namespace: found.namespace.to_owned(), name: name.to_owned() },
                    &environment,
                ),
            },
            Auth::OperatorsOwn { client_id } => AzureIdentity::Federated {
                client_id: client_id.to_owned(),
                assertion: match self.token_file() {
                    Some(file) => {
                        expiry = Some(Expiry::Token(file.to_owned()));
                        Assertion::File(file.to_owned())
                    }
                    None => self.token_of(self.operator().service_account.clone(), &environment),
                },
            },
            Auth::Managed(it) => AzureIdentity::Managed { client_id: it.client_id.clone() },
        };
        let cloud =
            Cloud::Azure(Box::new(AzureAccount { environment, tenant_id: tenant_id.to_owned(), identity }));
        Ok(found.with(cloud, versions, expiry))
    }

    /// A token of that ServiceAccount, asked of the API server.
    fn token_of(&self, of: ServiceAccount, environment: &AzureEnvironment) -> Assertion {
        Assertion::ServiceAccount {
            client: self.client().clone(),
            asks: self.asks(),
            of,
            audience: environment.exchange_audience(),
        }
    }

    async fn account_secret<K>(&self, found: &Found<'_, K>, name: &str) -> Result<Fetched, FetchError> {
        self.fetch(found.namespace, &[Reference::secret(name)]).await.map_err(|error| match error {
            FetchError::Invalid(Invalid { reason, message }) => {
                Invalid::new(reason, format!("{}: {message}", found.display)).into()
            }
            other => other,
        })
    }
}

/// An account's object as it was read.
struct Found<'a, K> {
    display: String,
    key: ObjectKey,
    object: &'a K,
    /// Where its Secret or ServiceAccount stands.
    namespace: &'a str,
}

impl<K: ResourceExt> Found<'_, K> {
    /// The account, made from this object and from what has these versions.
    fn with(
        self,
        cloud: Cloud,
        versions: Vec<(ObjectKey, String)>,
        expiry: Option<Expiry>,
    ) -> FetchedAccount {
        let held = self.object.finalizers().iter().any(|it| it == FINALIZER)
            || self.object.meta().deletion_timestamp.is_some();
        let own = (self.key, self.object.resource_version().unwrap_or_default());
        let id = AccountId { display: self.display, uid: self.object.uid().unwrap_or_default() };
        let versions = [own].into_iter().chain(versions).collect();
        FetchedAccount { account: Account { id, cloud, allowed_targets: None }, versions, held, expiry }
    }
}

/// A Secret's text under a key, without the line end that editors add.
fn text(found: &Fetched, name: &str, key: &str) -> Option<Zeroizing<String>> {
    let value = found.data(&Reference::secret(name))?.value(key)?;
    let text = std::str::from_utf8(value).ok()?.trim_end_matches(['\r', '\n']);
    (!text.is_empty()).then(|| Zeroizing::new(text.to_owned()))
}

fn key_missing(display: &str, name: &str, key: &str, what: &str) -> Invalid {
    Invalid::new(
        Reason::SecretKeyMissing,
        format!("{display}: Secret `{name}` has no text under the key `{key}`: store {what} there"),
    )
}

/// The cloud of an account of a namespace, if it names one.
pub fn cloud_name(account: &CloudAccount) -> Option<String> {
    match (&account.spec.azure, &account.spec.huawei_cloud) {
        (Some(azure), _) => Some(environment(azure.cloud).name()),
        (None, huawei) => huawei.as_ref().map(|_| HuaweiEnvironment::Public.name()),
    }
}

/// The cloud of an account of the cluster, if it names one.
pub fn cluster_cloud_name(account: &ClusterCloudAccount) -> Option<String> {
    match (&account.spec.azure, &account.spec.huawei_cloud) {
        (Some(azure), _) => Some(cluster_environment(azure)?.name()),
        (None, huawei) => huawei.as_ref().map(|it| huawei::environment(it).name()),
    }
}

fn environment(cloud: AzureCloud) -> AzureEnvironment {
    match cloud {
        AzureCloud::Public => AzureEnvironment::Public,
        AzureCloud::USGovernment => AzureEnvironment::UsGovernment,
        AzureCloud::China => AzureEnvironment::China,
    }
}

/// `None` if it is a custom one without endpoints.
fn cluster_environment(azure: &ClusterAzure) -> Option<AzureEnvironment> {
    Some(match azure.cloud {
        ClusterAzureCloud::Public => AzureEnvironment::Public,
        ClusterAzureCloud::USGovernment => AzureEnvironment::UsGovernment,
        ClusterAzureCloud::China => AzureEnvironment::China,
        ClusterAzureCloud::Custom => {
            let endpoints = azure.endpoints.as_ref()?;
            let scope = endpoints.resource_manager_scope.as_deref();
            let vault_scope = endpoints.key_vault_scope.as_deref();
            AzureEnvironment::Custom(AzureEndpoints {
                authority: endpoints.authority.clone(),
                resource_manager: endpoints.resource_manager.clone(),
                resource_manager_scope: scope.unwrap_or("https://management.azure.com/.default").to_owned(),
                key_vault: endpoints.key_vault.clone(),
                key_vault_scope: vault_scope.unwrap_or("https://vault.azure.net/.default").to_owned(),
                instance_metadata: endpoints.instance_metadata.clone(),
                ca_bundle: azure.ca_bundle.clone(),
            })
        }
    })
}

fn no_endpoints(display: &str) -> Invalid {
    let message = format!("{display}: `spec.azure.endpoints` must be set when `cloud` is 'Custom'");
    Invalid::new(Reason::SpecInvalid, message)
}

fn no_cloud(display: &str) -> Invalid {
    Invalid::new(
        Reason::SpecInvalid,
        format!("{display}: exactly one of `spec.azure` and `spec.huaweiCloud` must be set"),
    )
}

fn no_auth(display: &str) -> Invalid {
    Invalid::new(Reason::SpecInvalid, format!("{display}: `spec.azure.auth` must name one way to sign in"))
}
