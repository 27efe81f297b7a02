//! The operator's writes to its own kinds: status by server-side apply, finalizer by JSON patch with a test.

use std::fmt::Debug;

use kube::api::{Patch, PatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use crate::api::{FIELD_MANAGER, FINALIZER};

/// Why a write did not happen.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The object changed or is gone: start over with a fresh one.
    #[error("the object changed meanwhile")]
    Outdated,
    /// The API server failed.
    #[error(transparent)]
    Api(kube::Error),
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        match error {
            kube::Error::Api(status) if matches!(status.code, 404 | 409) => Self::Outdated,
            error => Self::Api(error),
        }
    }
}

/// A kind that these writes serve.
pub trait Written: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned {}
impl<K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned> Written for K {}

/// Applies the whole status. With a fence the write fails if the object is not at that `resourceVersion`.
pub async fn status<K: Written>(
    api: &Api<K>,
    root: &mut K,
    status: &impl Serialize,
    fence: Option<&str>,
) -> Result<(), WriteError> {
    let mut metadata = json!({ "name": root.name_any(), "uid": root.uid() });
    if let Some(version) = fence {
        metadata["resourceVersion"] = json!(version);
    }
    let body = json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": metadata, "status": status,
    });
    let params = PatchParams::apply(FIELD_MANAGER).force();
    *root = api.patch_status(&root.name_any(), &params, &Patch::Apply(body)).await?;
    Ok(())
}

/// Whether our finalizer stands on the object.
pub fn has_finalizer(root: &impl ResourceExt) -> bool {
    root.finalizers().iter().any(|it| it == FINALIZER)
}

/// Puts our finalizer on the object, if the object is still at the version that we hold.
pub async fn add_finalizer<K: Written>(api: &Api<K>, root: &mut K) -> Result<(), WriteError> {
    let mut patch =
        vec![json!({ "op": "test", "path": "/metadata/resourceVersion", "value": root.resource_version() })];
    if root.finalizers().is_empty() {
        patch.push(json!({ "op": "add", "path": "/metadata/finalizers", "value": [FINALIZER] }));
    } else {
        patch.push(json!({ "op": "add", "path": "/metadata/finalizers/-", "value": FINALIZER }));
    }
    *root = json_patch(api, &root.name_any(), patch).await?;
    Ok(())
}

/// Takes our finalizer off, so that the object can go.
pub async fn release<K: Written>(api: &Api<K>, root: &K) -> Result<(), WriteError> {
    let Some(index) = root.finalizers().iter().position(|it| it == FINALIZER) else { return Ok(()) };
    let path = format!("/metadata/finalizers/{index}");
    let patch = vec![
        json!({ "op": "test", "path": path, "value": FINALIZER }),
        json!({ "op": "remove", "path": path }),
    ];
    json_patch(api, &root.name_any(), patch).await.map(drop)
}

/// A patch whose test fails is answered by 422.
async fn json_patch<K: Written>(
    api: &Api<K>,
    name: &str,
    operations: Vec<serde_json::Value>,
) -> Result<K, WriteError> {
    let patch = serde_json::from_value(json!(operations)).map_err(kube::Error::SerdeError)?;
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::<K>::Json(patch)).await.map_err(|error| match error {
        kube::Error::Api(status) if status.code == 422 => WriteError::Outdated,
        error => error.into(),
    })
}
