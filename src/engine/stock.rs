//! What there is before the first pass: whose each remote name is, and which accounts are in use.

use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, ResourceExt};

use super::controller::kind_of;
use super::dependents::RootKey;
use super::{Engine, Provider, account, backoff};
use crate::api::certificate::CertificateResource;
use crate::source::cluster::status_code;

/// How many objects are listed at a time.
const PAGE: u32 = 500;

/// Takes note of every resource of a kind; tries until the API server has told all.
pub async fn take<P: Provider>(engine: &Engine) {
    let mut failures = 0;
    while let Err(error) = list::<P>(engine).await {
        if status_code(&error) == Some(404) {
            tracing::warn!(kind = kind_of::<P::Root>(), "the kind is not installed");
            return;
        }
        tracing::warn!(%error, kind = kind_of::<P::Root>(), "the resources cannot be listed; trying again");
        failures += 1;
        tokio::time::sleep(backoff::after_failures(failures, fastrand::f64())).await;
    }
}

async fn list<P: Provider>(engine: &Engine) -> Result<(), kube::Error> {
    let kind = ApiResource::erase::<P::Root>(&());
    let api = Api::<DynamicObject>::all_with(engine.client.clone(), &kind);
    let mut page = ListParams::default().limit(PAGE);
    loop {
        let found = api.list(&page).await?;
        found.items.into_iter().for_each(|object| note::<P>(engine, object));
        match found.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(next) => page = page.continue_token(&next),
            None => return Ok(()),
        }
    }
}

/// An object that cannot be decoded asks for nothing.
fn note<P: Provider>(engine: &Engine, object: DynamicObject) {
    let key = RootKey {
        kind: kind_of::<P::Root>(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name_any(),
    };
    let Ok(root) = object.try_parse::<P::Root>() else { return };
    engine.claim(&key, P::target(&root), &root);
    engine.dependents.refers(&key, account::access(&root.common().account_ref, &key.namespace));
}
