//! How an account signs requests to Huawei Cloud.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::account::endpoint_schema;
use super::source::{data_key, object_name};

/// Access to Huawei Cloud with keys of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HuaweiCloud {
    /// How to prove who the account is.
    pub auth: HuaweiAuth,
}

/// Access to Huawei Cloud for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.caBundle) || has(self.endpoints)")
    .message("`caBundle` may only be set beside `endpoints`").reason(Reason::FieldValueForbidden))]
pub struct ClusterHuaweiCloud {
    /// How to prove who the account is.
    pub auth: HuaweiAuth,
    /// Endpoints of your own, in place of Huawei Cloud's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<HuaweiEndpoints>,
    /// Further CA certificates, in PEM, that these endpoints' certificates may chain to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 95000))]
    pub ca_bundle: Option<String>,
}

/// How an account proves who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HuaweiAuth {
    /// An access key (AK) and its secret (SK).
    pub access_key: AccessKey,
}

/// An access key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessKey {
    /// The Secret that holds it.
    pub secret_ref: AccessKeySecretRef,
}

/// A Secret that holds an access key, its secret, and the security token that goes with temporary keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessKeySecretRef {
    /// Name of the Secret: in the account's namespace, or in the operator's for a ClusterCloudAccount.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// Key of the access key's id (AK); `accessKeyId` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_key")]
    pub access_key_id_key: Option<String>,
    /// Key of the secret access key (SK); `secretAccessKey` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_key")]
    pub secret_access_key_key: Option<String>,
    /// Key of the security token; `securityToken` unless set, and then the Secret may be without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_key")]
    pub security_token_key: Option<String>,
}

impl AccessKeySecretRef {
    /// The key under which the access key's id stands.
    pub fn access_key_id_key(&self) -> &str {
        self.access_key_id_key.as_deref().unwrap_or("accessKeyId")
    }

    /// The key under which the secret access key stands.
    pub fn secret_access_key_key(&self) -> &str {
        self.secret_access_key_key.as_deref().unwrap_or("secretAccessKey")
    }

    /// The key under which a security token may stand.
    pub fn security_token_key(&self) -> &str {
        self.security_token_key.as_deref().unwrap_or("securityToken")
    }
}

/// Endpoints in place of Huawei Cloud's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HuaweiEndpoints {
    /// Base URL of IoTDA's shared host (basic edition).
    #[schemars(schema_with = "endpoint_schema")]
    pub iotda: String,
    /// Base URL of IoTDA's instances, in which `{instance}` stands for the first label of a resource's host:
    /// `https://{instance}.iotda.example`. Without it no resource may name a host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instance_endpoint_schema")]
    pub iotda_instance: Option<String>,
    /// Base URL of IAM, which is asked for the project id of resources that name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "endpoint_schema")]
    pub iam: Option<String>,
    /// Which signature the IoTDA hosts take; `Auto` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<HuaweiSigning>,
}

/// Schemes of request signatures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HuaweiSigning {
    /// `Derived` for hosts with `.iotda-app.<region>.` in their names, `Basic` for all others.
    #[default]
    Auto,
    /// SDK-HMAC-SHA256.
    Basic,
    /// V11-HMAC-SHA256.
    Derived,
}

/// The base URL of a service, whose first label stands for an instance.
fn instance_endpoint_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "maxLength": 256,
        "pattern": "^https://\\{instance\\}\\.[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/?$",
    })
}
