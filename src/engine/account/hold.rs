//! An account that a resource writes through is kept until the resource is gone.

use kube::{Api, Client};

use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::engine::write::{self, WriteError, Written};
use crate::source::{ObjectKey, ReferenceKind};

/// Puts the finalizer on an account before a resource writes to a service through it.
pub async fn hold(client: &Client, key: &ObjectKey) -> Result<(), WriteError> {
    match key.kind {
        ReferenceKind::CloudAccount => {
            hold_in(&Api::<CloudAccount>::namespaced(client.clone(), &key.namespace), &key.name).await
        }
        ReferenceKind::ClusterCloudAccount => {
            hold_in(&Api::<ClusterCloudAccount>::all(client.clone()), &key.name).await
        }
        ReferenceKind::Secret | ReferenceKind::ConfigMap => Ok(()),
        ReferenceKind::ServiceAccount
        | ReferenceKind::Namespace
        | ReferenceKind::CertificateRequest
        | ReferenceKind::KeyVaultCertificate
        | ReferenceKind::IotdaCertificate => Ok(()),
    }
}

/// Several resources may do so at once; one of them succeeds, and the others see that.
async fn hold_in<K: Written>(api: &Api<K>, name: &str) -> Result<(), WriteError> {
    for _ in 0..3 {
        let Some(mut account) = api.get_opt(name).await? else { return Err(WriteError::Outdated) };
        if write::has_finalizer(&account) || account.meta().deletion_timestamp.is_some() {
            return Ok(());
        }
        match write::add_finalizer(api, &mut account).await {
            Err(WriteError::Outdated) => {}
            done => return done,
        }
    }
    Err(WriteError::Outdated)
}
