//! An object that this version cannot read, stored under another schema: it is told so, and harms no other.

use std::time::Duration;

use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::core::{ApiResource, DynamicObject};
use serde_json::json;

use super::converge::Setback;
use super::dependents::RootKey;
use super::status::{self, Circumstances, Outcome};
use super::{Engine, backoff};
use crate::api::FIELD_MANAGER;
use crate::api::certificate::{CertificateResource, CertificateStatus};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::Reason;

/// Says in the object's conditions that it cannot be read; gives the time of the next look.
pub(super) async fn tell<R: CertificateResource>(engine: &Engine, key: &RootKey) -> Duration {
    let kind = ApiResource::erase::<R>(&());
    let api = Api::<DynamicObject>::namespaced_with(engine.client.clone(), &key.namespace, &kind);
    match told(engine, key, &api, &kind).await {
        Ok(requeue) => requeue,
        Err(error) => {
            tracing::warn!(%error, "an object that cannot be read could not be told so");
            backoff::after_failures(engine.memory.failed(key), fastrand::f64())
        }
    }
}

async fn told(
    engine: &Engine,
    key: &RootKey,
    api: &Api<DynamicObject>,
    kind: &ApiResource,
) -> Result<Duration, kube::Error> {
    let object = api.get(&key.name).await?;
    let generation = object.metadata.generation.unwrap_or_default();
    let message = "the object does not fit the schema of this version: correct it, or delete it after setting its \
                   `spec.deletionPolicy` to 'Retain'";
    let outcome = Outcome::Failed(Setback::new(Reason::SpecInvalid, message));
    let around = Circumstances { ..engine.around_any(key, generation, Duration::from_secs(3600), &outcome) };
    let old = serde_json::from_value(object.data["status"].clone()).unwrap_or_default();
    let status::Report { status, requeue } = status::report(&old, &outcome, &around);
    engine.metrics.told(key.named(), &status.conditions, Some(&status));
    if is_told(&old, generation) || !engine.term.lasts() {
        return Ok(requeue);
    }
    let body = json!({
        "apiVersion": kind.api_version, "kind": kind.kind,
        "metadata": { "name": &*key.name, "uid": object.metadata.uid },
        "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    api.patch_status(&key.name, &params, &Patch::Apply(body)).await?;
    tracing::warn!("an object does not fit the schema of this version");
    Ok(requeue)
}

fn is_told(status: &CertificateStatus, generation: i64) -> bool {
    status.observed_generation == Some(generation)
        && condition::find(&status.conditions, ConditionType::Ready)
            .is_some_and(|it| it.reason == Reason::SpecInvalid.to_string())
}
