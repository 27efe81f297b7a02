//! The CustomResourceDefinitions as they are installed: what `derive` gives, made fit for a strict API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

/// The definition of one kind.
pub fn definition<K: CustomResourceExt>() -> CustomResourceDefinition {
    let mut crd = K::crd();
    for version in &mut crd.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|it| it.open_api_v3_schema.as_mut()) {
            tidy(root);
        }
    }
    crd
}

/// Takes out what schemars writes and Kubernetes conventions do not want: `nullable` (absent and null mean the same;
/// the server then prunes nulls), and descriptions' hard line breaks.
fn tidy(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    if let Some(text) = &mut schema.description {
        *text = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
    }
    for child in schema.properties.iter_mut().flat_map(|it| it.values_mut()) {
        tidy(child);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        tidy(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        tidy(values);
    }
}
