//! What a resource refers to in the cluster: fetched, watched, and parsed into certificates and accounts.
//!
//! Everything that is read from Kubernetes on behalf of a resource is read here, always in a namespace that the
//! caller names. This module knows no cloud.

pub mod account;
pub mod assertion;
pub mod cert_manager;
pub mod cluster;
pub mod expiry;
pub mod exported;
pub mod material;
pub mod resolve;
pub mod target;
pub mod watch;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use zeroize::Zeroizing;

/// An object that a resource refers to, in the resource's own namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Reference {
    /// Its kind.
    pub kind: ReferenceKind,
    /// Its name.
    pub name: String,
    /// Whether the resource can be worked on without it.
    pub optional: bool,
}

/// The kinds that are referred to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReferenceKind {
    /// A Secret.
    Secret,
    /// A ConfigMap.
    ConfigMap,
    /// An account of a namespace.
    CloudAccount,
    /// An account of the cluster.
    ClusterCloudAccount,
    /// A ServiceAccount, whose token an account exchanges.
    ServiceAccount,
    /// A Namespace, for its labels.
    Namespace,
    /// A question to cert-manager.
    CertificateRequest,
    /// A certificate in a key vault.
    KeyVaultCertificate,
    /// A certificate in IoTDA.
    IotdaCertificate,
}

impl ReferenceKind {
    /// Whether it is kept by users for what stands in it.
    pub fn holds_data(self) -> bool {
        matches!(self, Self::Secret | Self::ConfigMap)
    }

    /// Whether it says what a certificate is to be, and not who may put it where.
    pub fn is_source(self) -> bool {
        match self {
            Self::Secret
            | Self::ConfigMap
            | Self::CertificateRequest
            | Self::KeyVaultCertificate
            | Self::IotdaCertificate => true,
            Self::CloudAccount | Self::ClusterCloudAccount | Self::ServiceAccount | Self::Namespace => false,
        }
    }
}

impl Reference {
    /// A Secret.
    pub fn secret(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::Secret, name: name.into(), optional: false }
    }

    /// A Secret that may come later.
    pub fn optional_secret(name: impl Into<String>) -> Self {
        Self { optional: true, ..Self::secret(name) }
    }

    /// A ServiceAccount.
    pub fn service_account(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::ServiceAccount, ..Self::secret(name) }
    }

    /// A question to cert-manager, which may come later. Its keys are `request` and, once they are there, `certificate`
    /// or `refused`.
    pub fn certificate_request(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::CertificateRequest, ..Self::optional_secret(name) }
    }

    /// A KeyVaultCertificate. Its keys are `vaultName`, `certificateName` and, once there is one, `certificate`: its
    /// facts in JSON.
    pub fn key_vault_certificate(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::KeyVaultCertificate, ..Self::secret(name) }
    }

    /// An IotdaCertificate. Its keys are `iotda`, where it stands, in JSON, and, once it stands there, `id`.
    pub fn iotda_certificate(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::IotdaCertificate, ..Self::secret(name) }
    }

    /// A ConfigMap.
    pub fn config_map(name: impl Into<String>) -> Self {
        Self { kind: ReferenceKind::ConfigMap, ..Self::secret(name) }
    }

    /// The object that a resource of that namespace means.
    pub fn within(&self, namespace: &str) -> ObjectKey {
        let namespace = match self.kind {
            ReferenceKind::ClusterCloudAccount | ReferenceKind::Namespace => "",
            ReferenceKind::Secret
            | ReferenceKind::ConfigMap
            | ReferenceKind::CloudAccount
            | ReferenceKind::ServiceAccount
            | ReferenceKind::CertificateRequest
            | ReferenceKind::KeyVaultCertificate
            | ReferenceKind::IotdaCertificate => namespace,
        };
        ObjectKey::new(self.kind, namespace, &*self.name)
    }
}

/// One object of the cluster, by kind and place. The namespace of a cluster-wide object is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// Its kind.
    pub kind: ReferenceKind,
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// The object of that kind and place.
    pub fn new(kind: ReferenceKind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }

    /// The Namespace of that name.
    pub fn of_namespace(name: &str) -> Self {
        Self::new(ReferenceKind::Namespace, "", name)
    }
}

/// The objects that were read, with the versions that were read.
#[derive(Default)]
pub struct Fetched {
    data: HashMap<(ReferenceKind, String), Data>,
    /// What was read, and its `resourceVersion`.
    pub versions: Vec<(ObjectKey, String)>,
}

/// The keys and values of a Secret or ConfigMap; wiped from memory when dropped. A Secret that the operator wrote has
/// [`exported::CONTENT`] among its keys, which no Secret can have by itself.
pub struct Data(BTreeMap<String, Zeroizing<Vec<u8>>>);

impl Fetched {
    /// The object's keys and values, if it was among the references and is there.
    pub fn data(&self, reference: &Reference) -> Option<&Data> {
        self.data.get(&(reference.kind, reference.name.clone()))
    }

    /// Adds an object that was read.
    pub fn insert(&mut self, reference: Reference, data: Data) {
        self.data.insert((reference.kind, reference.name), data);
    }
}

impl Data {
    /// The value of a key.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(|it| it.as_slice())
    }
}

impl FromIterator<(String, Vec<u8>)> for Data {
    fn from_iter<T: IntoIterator<Item = (String, Vec<u8>)>>(entries: T) -> Self {
        Self(entries.into_iter().map(|(key, value)| (key, Zeroizing::new(value))).collect())
    }
}

/// A ServiceAccount.
#[derive(Clone, Debug)]
pub struct ServiceAccount {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// The operator as those see it who grant it something.
#[derive(Clone, Debug)]
pub struct Operator {
    /// Whom rights are given to.
    pub service_account: ServiceAccount,
    /// The installation's name, with which its ClusterRoles begin.
    pub installation: String,
}

impl Operator {
    /// Whether it serves an account that names that installation, or none.
    pub fn serves(&self, installation: Option<&str>) -> bool {
        installation.is_none_or(|it| it == self.installation)
    }

    /// The command that grants one of its ClusterRoles, `sources` or `outputs`, in a namespace.
    pub fn grant(&self, role: &str, namespace: &str) -> String {
        let Self { service_account: ServiceAccount { namespace: home, name }, installation } = self;
        let role = format!("{installation}-{role}");
        format!(
            "kubectl -n {namespace} create rolebinding {role} --clusterrole={role} --serviceaccount={home}:{name}"
        )
    }
}

/// The HTTP status of an answer of the API server.
pub fn status_code(error: &kube::Error) -> Option<u16> {
    match error {
        kube::Error::Api(status) => Some(status.code),
        _ => None,
    }
}
