//! The two kinds of accounts.

use kube::{Api, Client, ResourceExt};

use super::AccountResource;
use crate::api::account::{AccountStatus, CloudAccount, ClusterCloudAccount};
use crate::engine::dependents::RootKey;
use crate::source::cluster::{Cluster, FetchError, FetchedAccount};
use crate::source::{Reference, ReferenceKind, resolve};

impl AccountResource for CloudAccount {
    const KIND: ReferenceKind = ReferenceKind::CloudAccount;

    fn api(client: Client, key: &RootKey) -> Api<Self> {
        Api::namespaced(client, &key.namespace)
    }

    fn status(&self) -> Option<&AccountStatus> {
        self.status.as_ref()
    }

    fn installation(&self) -> Option<&str> {
        None
    }

    fn references(&self) -> Vec<Reference> {
        resolve::references(self)
    }

    fn references_namespace(&self, _: &Cluster) -> String {
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

    fn installation(&self) -> Option<&str> {
        self.spec.installation.as_deref()
    }

    fn references(&self) -> Vec<Reference> {
        resolve::cluster_references(self)
    }

    fn references_namespace(&self, cluster: &Cluster) -> String {
        cluster.operator_namespace().to_owned()
    }

    async fn resolve(&self, cluster: &Cluster) -> Result<FetchedAccount, FetchError> {
        cluster.clusterwide(self).await
    }
}
