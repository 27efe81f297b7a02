//! What there is before the first pass: whose each remote name is, and which accounts are in use.

use std::collections::HashMap;
use std::fmt::Debug;

use kube::api::ListParams;
use kube::core::DynamicObject;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::controller::kind_of;
use super::dependents::RootKey;
use super::served::Scoped;
use super::turns::Lane;
use super::{Engine, Provider, account, backoff};
use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::api::certificate::CertificateResource;
use crate::source::{ObjectKey, ReferenceKind, resolve, status_code};

/// How many objects are listed at a time.
const PAGE: u32 = 500;

/// The clouds of all accounts, by name.
pub type Clouds = HashMap<ObjectKey, String>;

/// Lists all accounts; tries until the API server has told all.
pub async fn clouds(engine: &Engine) -> Clouds {
    let mut clouds = Clouds::new();
    each::<CloudAccount>(engine, |it| {
        let namespace = it.namespace().unwrap_or_default();
        let key = ObjectKey::new(ReferenceKind::CloudAccount, namespace, it.name_any());
        clouds.extend(resolve::cloud_name(&it).map(|cloud| (key, cloud)));
    })
    .await;
    each::<ClusterCloudAccount>(engine, |it| {
        if !engine.cluster.operator().serves(it.spec.installation.as_deref()) {
            return; // another installation's: nothing can be claimed through it
        }
        let key = ObjectKey::new(ReferenceKind::ClusterCloudAccount, "", it.name_any());
        clouds.extend(resolve::cluster_cloud_name(&it).map(|cloud| (key, cloud)));
    })
    .await;
    clouds
}

/// Takes note of every resource of a kind. One whose account is not there claims nothing until it is.
pub async fn take<P: Provider>(engine: &Engine, clouds: &Clouds) {
    each::<P::Root>(engine, |root| {
        let key = RootKey {
            kind: kind_of::<P::Root>(),
            namespace: root.namespace().unwrap_or_default().into(),
            name: root.name_any().into(),
        };
        let account_ref = &root.common().account_ref;
        let account = account::reference(account_ref).within(&key.namespace);
        engine.memory.runs_in(&key, Lane::of(&account, &P::place(&root)));
        if let Some(cloud) = clouds.get(&account) {
            engine.claim(&key, P::target(&root).within(cloud), &root);
        }
        engine.dependents.refers(&key, account::access(account_ref, &key.namespace));
    })
    .await;
}

/// Calls for every object of a kind that can be decoded. What was called for before a failure is called for again.
async fn each<K>(engine: &Engine, mut note: impl FnMut(K))
where
    K: Resource<DynamicType = (), Scope: Scoped> + Clone + Debug + DeserializeOwned,
{
    for (namespace, api) in engine.served.undecoded::<K>(&engine.client) {
        each_of(engine, namespace, &api, &mut note).await;
    }
}

async fn each_of<K>(
    engine: &Engine,
    namespace: Option<&str>,
    api: &Api<DynamicObject>,
    note: &mut impl FnMut(K),
) where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut failures = 0;
    while let Err(error) = list(api, note).await {
        match (status_code(&error), namespace) {
            (Some(404), _) => {
                tracing::warn!(kind = kind_of::<K>(), "the kind is not installed");
                return;
            }
            // Our rights went with it; the others must not wait for them.
            (Some(403), Some(namespace)) if engine.cluster.is_gone(namespace).await => {
                tracing::warn!(namespace, "the namespace does not exist");
                return;
            }
            _ => {}
        }
        tracing::warn!(%error, kind = kind_of::<K>(), "the objects cannot be listed; trying again");
        failures += 1;
        tokio::time::sleep(backoff::after_failures(failures, fastrand::f64())).await;
    }
}

async fn list<K>(api: &Api<DynamicObject>, note: &mut impl FnMut(K)) -> Result<(), kube::Error>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let found = api.list(&page).await?;
        found.items.into_iter().filter_map(|it| it.try_parse::<K>().ok()).for_each(&mut *note);
        match found.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(()),
        }
    }
}
