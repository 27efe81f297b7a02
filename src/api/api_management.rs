//! ApiManagementCertificate: a client certificate in an Azure API Management service, with which its gateway
//! authenticates to backends.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::{CertificateResource, CertificateStatus, CommonSpec};
use super::source::{CertificateSecretRef, Pkcs12SecretRef, object_name};

/// A client certificate in an API Management service.
///
/// The documented call is PUT `Microsoft.ApiManagement/service/{service}/certificates/{id}`, api-version 2024-05-01
/// (Azure REST reference, API Management, Certificate – Create Or Update). The service's own list of CA certificates is
/// another thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev", version = "v1alpha1", kind = "ApiManagementCertificate", plural = "apimanagementcertificates", namespaced,
    status = "CertificateStatus", derive = "PartialEq",
    shortname = "apimcert", category = "certferry",
    doc = "A client certificate in an Azure API Management service, from a Secret or from a key vault.",
    selectable = ".spec.apiManagement.serviceName",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.certificate.notAfter"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Service", type_ = "string", json_path = ".spec.apiManagement.serviceName", priority = 1),
    printcolumn(name = "Thumbprint", type_ = "string", json_path = ".status.certificate.sha1Thumbprint", priority = 1),
    validation = Rule::new("has(self.spec.certificateId) || (self.metadata.name.size() <= 80 && self.metadata.name.matches('^[a-z]([a-z0-9-]*[a-z0-9])?$'))")
        .message("`spec.certificateId` must be set when the object's name is longer than 80 characters, has a dot, or begins with a digit"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.source) != has(self.keyVault)")
        .message("exactly one of `source` and `keyVault` must be set").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.pkcs12) || has(self.source)")
        .message("`pkcs12` may only be set with `source`").field_path(".pkcs12").reason(Reason::FieldValueForbidden),
    validation = Rule::new("has(self.certificateId) == has(oldSelf.certificateId) && (!has(self.certificateId) || self.certificateId == oldSelf.certificateId)")
        .message("`certificateId` must not change: create a new object and delete this one").field_path(".certificateId").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.deletionPolicy) || self.deletionPolicy != 'Purge'")
        .message("`deletionPolicy` 'Purge' is for key vaults: the service keeps nothing of what is deleted").field_path(".deletionPolicy").reason(Reason::FieldValueInvalid),
)]
pub struct ApiManagementCertificateSpec {
    /// What every certificate kind's spec holds.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The service; it cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("`apiManagement` must not change: create a new object and delete this one").reason(Reason::FieldValueForbidden))]
    pub api_management: ApiManagement,
    /// The certificate's id in the service, by which policies should name it; the object's name unless set. It cannot be
    /// changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 80), regex(pattern = "^[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$"))]
    pub certificate_id: Option<String>,
    /// The version of the service's API to speak; `2024-05-01` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<ApiManagementApiVersion>,
    /// The certificate and its key come from a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<PairSource>,
    /// How the file that is uploaded is protected on its way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkcs12: Option<Pkcs12>,
    /// The service reads the certificate from a key vault itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_vault: Option<KeyVaultSource>,
}

/// An API Management service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApiManagement {
    /// The subscription.
    #[schemars(schema_with = "super::account::uuid_schema")]
    pub subscription_id: String,
    /// The resource group. Names with parentheses, legal in Azure, are not taken.
    #[schemars(length(min = 1, max = 90), regex(pattern = "^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$"))]
    #[x_kube(validation = Rule::new("!self.contains('..')").message("`resourceGroup` must not contain '..'"))]
    pub resource_group: String,
    /// The service's name.
    #[schemars(length(min = 1, max = 50), regex(pattern = "^[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?$"))]
    pub service_name: String,
}

/// The versions of the API Management resource API that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiManagementApiVersion {
    /// 2022-08-01.
    #[serde(rename = "2022-08-01")]
    V20220801,
    /// The documented version.
    #[default]
    #[serde(rename = "2024-05-01")]
    V20240501,
}

/// Where a certificate and its key come from; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.pkcs12SecretRef)")
    .message("exactly one of `secretRef` and `pkcs12SecretRef` must be set").reason(Reason::FieldValueInvalid))]
pub struct PairSource {
    /// A Secret as cert-manager writes it (type kubernetes.io/tls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<CertificateSecretRef>,
    /// A key of a Secret that holds a PKCS#12 file, and the key that holds its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkcs12_secret_ref: Option<Pkcs12SecretRef>,
}

/// How the file that is uploaded is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pkcs12 {
    /// The encryption of the file.
    pub encryption: Pkcs12Encryption,
}

/// The encryptions of a file. It travels inside TLS alone, under a password that is made anew each time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Pkcs12Encryption {
    /// 3DES and SHA-1: what the service is known to accept.
    #[default]
    TripleDes,
    /// AES-256 and SHA-256.
    Aes256,
}

/// A certificate in a key vault; exactly one of the two references is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.keyVaultCertificateRef) != has(self.secretIdentifier)")
    .message("exactly one of `keyVaultCertificateRef` and `secretIdentifier` must be set").reason(Reason::FieldValueInvalid))]
pub struct KeyVaultSource {
    /// A KeyVaultCertificate of this namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_vault_certificate_ref: Option<KeyVaultCertificateRef>,
    /// The id of the secret behind the certificate: `https://{vault}/secrets/{name}`. With a version behind it, the
    /// service never reads a newer one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(min = 1, max = 512),
        regex(
            pattern = "^https://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?/secrets/[0-9A-Za-z-]{1,127}(/[0-9A-Za-z]{1,64})?$"
        )
    )]
    pub secret_identifier: Option<String>,
    /// The client id of a user-assigned identity of the service; its own identity unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::account::uuid_schema")]
    pub identity_client_id: Option<String>,
}

/// A KeyVaultCertificate of this namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyVaultCertificateRef {
    /// Its name.
    #[schemars(schema_with = "object_name")]
    pub name: String,
}

impl CertificateResource for ApiManagementCertificate {
    fn common(&self) -> &CommonSpec {
        &self.spec.common
    }

    fn status(&self) -> Option<&CertificateStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<CertificateStatus> {
        &mut self.status
    }
}
