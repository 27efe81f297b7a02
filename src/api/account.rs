//! Accounts: how to sign in to a cloud. A CloudAccount serves its own namespace; a ClusterCloudAccount serves the
//! namespaces that it allows, and only there may custom endpoints stand.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::condition::Condition;
use super::huawei_cloud::{ClusterHuaweiCloud, HuaweiCloud};
use super::source::object_name;

/// How to sign in to a cloud, for resources of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev",
    version = "v1alpha1",
    kind = "CloudAccount",
    plural = "cloudaccounts",
    namespaced,
    status = "AccountStatus",
    derive = "PartialEq",
    shortname = "cfaccount",
    category = "certferry",
    doc = "How to sign in to a cloud, for resources of the same namespace.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.azure) != has(self.huaweiCloud)")
    .message("exactly one of `azure` and `huaweiCloud` must be set").reason(Reason::FieldValueInvalid))]
pub struct CloudAccountSpec {
    /// While true, resources that use this account make no remote call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// Sign-in to Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<Azure>,
    /// Access to Huawei Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub huawei_cloud: Option<HuaweiCloud>,
}

/// How to sign in to a cloud, for the namespaces that it allows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev",
    version = "v1alpha1",
    kind = "ClusterCloudAccount",
    plural = "clustercloudaccounts",
    status = "AccountStatus",
    derive = "PartialEq",
    shortname = "cfclusteraccount",
    category = "certferry",
    doc = "How to sign in to a cloud, for resources of the namespaces that it allows. Its Secrets live in the operator's namespace.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.azure) != has(self.huaweiCloud)")
        .message("exactly one of `azure` and `huaweiCloud` must be set").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(oldSelf.installation) || (has(self.installation) && self.installation == oldSelf.installation)")
        .message("`installation` must not change: create a new account").field_path(".installation").reason(Reason::FieldValueForbidden),
)]
pub struct ClusterCloudAccountSpec {
    /// While true, resources that use this account make no remote call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
    /// The installation that serves this account, by the name that its ClusterRoles begin with. Every installation unless
    /// set; where there are several, each account has to say whose it is. Cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 50), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub installation: Option<String>,
    /// The namespaces whose resources may use this account; none unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_namespaces: Option<AllowedNamespaces>,
    /// What resources may be pointed at through this account, as globs over the target and the remote name, for
    /// example `iothub/<subscription>/<group>/<hub>/team-a-*`; everything that the identity can reach unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 64),
        inner(length(min = 1, max = 512), regex(pattern = "^[A-Za-z0-9*._/-]+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub allowed_targets: Option<Vec<String>>,
    /// Sign-in to Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure: Option<ClusterAzure>,
    /// Access to Huawei Cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub huawei_cloud: Option<ClusterHuaweiCloud>,
}

/// Namespaces, by name or by label; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.names) != has(self.selector)")
    .message("exactly one of `names` and `selector` must be set").reason(Reason::FieldValueInvalid))]
pub struct AllowedNamespaces {
    /// The namespaces by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 256),
        inner(length(min = 1, max = 63), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub names: Option<Vec<String>>,
    /// The namespaces by their labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<NamespaceSelector>,
}

/// A selector over the labels of namespaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespaceSelector {
    /// Labels that a namespace must carry, all of them.
    #[schemars(schema_with = "labels_schema")]
    pub match_labels: BTreeMap<String, String>,
}

/// Sign-in to Azure with an identity of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Azure {
    /// Which of Azure's clouds.
    pub cloud: AzureCloud,
    /// The Entra tenant.
    #[schemars(schema_with = "uuid_schema")]
    pub tenant_id: String,
    /// How to prove who the account is.
    pub auth: AzureAuth,
}

/// Azure's clouds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AzureCloud {
    /// The public cloud.
    Public,
    /// Azure Government.
    USGovernment,
    /// Azure operated by 21Vianet.
    China,
}

/// How an account of a namespace proves who it is; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.workloadIdentity) != has(self.clientSecret)")
    .message("exactly one of `workloadIdentity` and `clientSecret` must be set").reason(Reason::FieldValueInvalid))]
pub struct AzureAuth {
    /// A Kubernetes ServiceAccount that an application trusts (workload identity federation).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<NamespacedWorkloadIdentity>,
    /// An application with a client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,
}

/// Workload identity with a ServiceAccount of the namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NamespacedWorkloadIdentity {
    /// The application's (client) id.
    #[schemars(schema_with = "uuid_schema")]
    pub client_id: String,
    /// The ServiceAccount whose token is exchanged.
    pub service_account_ref: ServiceAccountRef,
}

/// A ServiceAccount.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// Its name.
    #[schemars(schema_with = "object_name")]
    pub name: String,
}

/// A client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecret {
    /// The application's (client) id.
    #[schemars(schema_with = "uuid_schema")]
    pub client_id: String,
    /// The Secret that holds the client secret.
    pub secret_ref: ClientSecretRef,
}

/// The key of a Secret that holds a client secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecretRef {
    /// Name of the Secret: in the account's namespace, or in the operator's for a ClusterCloudAccount.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// The key in it.
    #[schemars(schema_with = "super::source::data_key")]
    pub key: String,
}

/// Sign-in to Azure for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("(self.cloud == 'Custom') == has(self.endpoints)")
        .message("`endpoints` must be set when `cloud` is 'Custom', and may not be set otherwise").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.caBundle) || self.cloud == 'Custom'")
        .message("`caBundle` may only be set when `cloud` is 'Custom'").reason(Reason::FieldValueForbidden),
)]
pub struct ClusterAzure {
    /// Which of Azure's clouds, or `Custom` with endpoints of your own.
    pub cloud: ClusterAzureCloud,
    /// The Entra tenant.
    #[schemars(schema_with = "uuid_schema")]
    pub tenant_id: String,
    /// How to prove who the account is.
    pub auth: ClusterAzureAuth,
    /// The endpoints of a `Custom` cloud.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<AzureEndpoints>,
    /// Further CA certificates, in PEM, that the custom endpoints' certificates may chain to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 95000))]
    pub ca_bundle: Option<String>,
}

/// Azure's clouds, or an administrator's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ClusterAzureCloud {
    /// The public cloud.
    Public,
    /// Azure Government.
    USGovernment,
    /// Azure operated by 21Vianet.
    China,
    /// The endpoints given in `endpoints`.
    Custom,
}

/// Endpoints of a custom cloud.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AzureEndpoints {
    /// Base URL of the Entra authority.
    #[schemars(schema_with = "endpoint_schema")]
    pub authority: String,
    /// Base URL of Azure Resource Manager.
    #[schemars(schema_with = "endpoint_schema")]
    pub resource_manager: String,
    /// Scope to ask for Azure Resource Manager; `https://management.azure.com/.default` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^https://[A-Za-z0-9.:/-]+/\\.default$"))]
    pub resource_manager_scope: Option<String>,
    /// Base URL of key vaults, in which `{vault}` stands for a vault's name: `https://{vault}.vault.example`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "vault_endpoint_schema")]
    pub key_vault: Option<String>,
    /// Scope to ask for key vaults; `https://vault.azure.net/.default` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^https://[A-Za-z0-9.:/-]+/\\.default$"))]
    pub key_vault_scope: Option<String>,
    /// Base URL of what gives managed identity tokens; the machine's own instance metadata service,
    /// `http://169.254.169.254`, unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "endpoint_schema")]
    pub instance_metadata: Option<String>,
}

/// How an account of the cluster proves who it is; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.workloadIdentity), has(self.managedIdentity), has(self.clientSecret)].filter(x, x).size() == 1"
).message("exactly one of `workloadIdentity`, `managedIdentity` and `clientSecret` must be set").reason(Reason::FieldValueInvalid))]
pub struct ClusterAzureAuth {
    /// A Kubernetes ServiceAccount that an application trusts: the operator's own unless one is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_identity: Option<ClusterWorkloadIdentity>,
    /// The identity that Azure gave to the machine that the operator runs on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_identity: Option<ManagedIdentity>,
    /// An application with a client secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<ClientSecret>,
}

/// Workload identity for the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterWorkloadIdentity {
    /// The application's (client) id.
    #[schemars(schema_with = "uuid_schema")]
    pub client_id: String,
    /// A ServiceAccount of the operator's namespace to use in place of the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_ref: Option<ServiceAccountRef>,
}

/// A managed identity.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct ManagedIdentity {
    /// The client id of a user-assigned identity; the system-assigned one unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "uuid_schema")]
    pub client_id: Option<String>,
}

/// What was found when signing in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// The conditions, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A UUID.
pub(super) fn uuid_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "maxLength": 36,
        "pattern": "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$",
    })
}

/// The base URL of a service: https, a host name, perhaps a port, nothing more.
pub(super) fn endpoint_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "maxLength": 256,
        "pattern": "^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/?$",
    })
}

/// The same, where the first label may be a vault's name.
fn vault_endpoint_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "maxLength": 256,
        "pattern": "^https://(\\{vault\\}\\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/?$",
    })
}

fn labels_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object", "minProperties": 1, "maxProperties": 16,
        "additionalProperties": { "type": "string", "maxLength": 63 },
    })
}
