//! KeyVaultCertificate: a certificate that an Azure key vault makes by a policy, or that is imported into it.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::{CertificateResource, CertificateStatus, CommonSpec};
use super::key_vault_policy::{ContentType, Policy};
use super::source::{CertificateSecretRef, Pkcs12SecretRef, object_name};

/// A certificate in a key vault.
///
/// The documented call is POST `{vault}/certificates/{name}/create`, api-version 7.0 (Azure REST reference, Key Vault,
/// Certificates – Create Certificate).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev", version = "v1alpha1", kind = "KeyVaultCertificate", plural = "keyvaultcertificates", namespaced,
    status = "CertificateStatus", derive = "PartialEq",
    shortname = "kvcert", category = "certferry",
    doc = "A certificate that an Azure key vault makes by a policy, or that is imported into it.",
    selectable = ".spec.vaultName",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.certificate.notAfter"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.remote.version"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Vault", type_ = "string", json_path = ".spec.vaultName", priority = 1),
    printcolumn(name = "Thumbprint", type_ = "string", json_path = ".status.certificate.sha1Thumbprint", priority = 1),
    validation = Rule::new("has(self.spec.certificateName) || !self.metadata.name.contains('.')")
        .message("`spec.certificateName` must be set when the object's name has a dot, which a vault does not take"),
    validation = Rule::new("has(self.spec.certificateName) || self.metadata.name.size() <= 127")
        .message("`spec.certificateName` must be set when the object's name is longer than 127 characters"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    // `import` is a keyword of CEL, which a rule writes with underscores.
    validation = Rule::new("has(self.policy) != has(self.__import__)")
        .message("exactly one of `policy` and `import` must be set").reason(Reason::FieldValueInvalid),
    validation = Rule::new("has(self.certificateName) == has(oldSelf.certificateName) && (!has(self.certificateName) || self.certificateName == oldSelf.certificateName)")
        .message("`certificateName` must not change: create a new object and delete this one").field_path(".certificateName").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.renewal) || has(self.policy)")
        .message("`renewal` may only be set with `policy`: an imported certificate is renewed where it comes from").field_path(".renewal").reason(Reason::FieldValueForbidden),
    validation = Rule::new("has(self.signedBy) == (has(self.policy) && self.policy.issuer.name.matches('^(?i)unknown$'))")
        .message("`signedBy` must be set when `policy.issuer.name` is 'Unknown', and may not be set otherwise").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.renewal) || self.renewal.by != 'Vault' || !has(self.policy) || !self.policy.issuer.name.matches('^(?i)unknown$')")
        .message("`renewal.by` cannot be 'Vault' when `policy.issuer.name` is 'Unknown': the vault cannot renew what it does not issue").field_path(".renewal").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.policy) || !has(self.policy.lifetimeActions) || (has(self.renewal) && self.renewal.by == 'Vault') || self.policy.lifetimeActions.all(it, it.action != 'AutoRenew')")
        .message("a lifetime action 'AutoRenew' needs `renewal.by` 'Vault': only one of the two may renew").field_path(".policy").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.renewal) || self.renewal.by != 'Vault' || !has(self.policy) || !has(self.policy.lifetimeActions) || size(self.policy.lifetimeActions) == 0 || self.policy.lifetimeActions.exists(it, it.action == 'AutoRenew')")
        .message("`renewal.by` 'Vault' needs a lifetime action 'AutoRenew', or none at all: nobody would renew").field_path(".policy").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.exportTo) || !has(self.policy) || !has(self.policy.keyProperties) || ((!has(self.policy.keyProperties.exportable) || self.policy.keyProperties.exportable) && (!has(self.policy.keyProperties.keyType) || !self.policy.keyProperties.keyType.endsWith('-HSM')))")
        .message("`exportTo` needs a key that can be exported: `policy.keyProperties.exportable` must not be false, nor `keyType` one of an HSM").field_path(".exportTo").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!(has(self.exportTo) || has(self.signedBy)) || !has(self.policy) || !has(self.policy.keyProperties) || !has(self.policy.keyProperties.curve) || self.policy.keyProperties.curve != 'P-256K'")
        .message("`curve` 'P-256K' may not be used with `signedBy` or `exportTo`: the operator does not read such keys").field_path(".policy").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.exportTo) || !has(self.__import__) || !has(self.__import__.exportable) || self.__import__.exportable")
        .message("`exportTo` needs a key that can be exported: `import.exportable` must not be false").field_path(".exportTo").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.policy) || !has(self.policy.x509Properties.subjectAlternativeNames) || !(has(self.policy.x509Properties.subjectAlternativeNames.uris) || has(self.policy.x509Properties.subjectAlternativeNames.ipAddresses)) || (has(self.apiVersion) && self.apiVersion.startsWith('20'))")
        .message("`uris` and `ipAddresses` need `apiVersion` '2025-07-01' or later").field_path(".policy").reason(Reason::FieldValueInvalid),
)]
pub struct KeyVaultCertificateSpec {
    /// What every certificate kind's spec holds.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The vault's name; its host follows from the account's cloud. It cannot be changed.
    #[schemars(length(min = 3, max = 24), regex(pattern = "^[A-Za-z][A-Za-z0-9-]*[A-Za-z0-9]$"))]
    #[x_kube(
        validation = Rule::new("!self.contains('--')").message("`vaultName` must not contain '--'"),
        validation = Rule::new("self == oldSelf")
            .message("`vaultName` must not change: create a new object and delete this one").reason(Reason::FieldValueForbidden),
    )]
    pub vault_name: String,
    /// The certificate's name in the vault, which compares names without regard to case; the object's name unless set.
    /// It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 127), regex(pattern = "^[0-9A-Za-z-]+$"))]
    pub certificate_name: Option<String>,
    /// The version of the service's API to speak; `7.0` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<KeyVaultApiVersion>,
    /// The vault makes the key and has the certificate issued, as described.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Policy>,
    /// The certificate and its key come from a Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub import: Option<Import>,
    /// Who signs the vault's request where the issuer is `Unknown`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_by: Option<SignedBy>,
    /// Who renews a certificate of a policy before it expires; the operator unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewal: Option<Renewal>,
    /// Attributes of the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Attributes>,
    /// Tags of the certificate. Tags of others are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "tags_schema")]
    #[x_kube(validation = Rule::new("self.all(key, key != 'managed-by' && !key.startsWith('certferry'))")
        .message("`tags` must not name 'managed-by' or begin with 'certferry': these are the operator's").reason(Reason::FieldValueForbidden))]
    pub tags: Option<BTreeMap<String, String>>,
    /// A Secret of type kubernetes.io/tls that is kept equal to the certificate and its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export_to: Option<ExportTo>,
    /// What to do when the name belongs to a deleted certificate that can be recovered; `Recover` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_soft_deleted: Option<OnSoftDeleted>,
    /// What to do when the vault does not get done with issuing; `Report` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_stuck_operation: Option<OnStuckOperation>,
}

/// The versions of the Key Vault API that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyVaultApiVersion {
    /// The documented version.
    #[default]
    #[serde(rename = "7.0")]
    V7_0,
    /// 7.1.
    #[serde(rename = "7.1")]
    V7_1,
    /// 7.2.
    #[serde(rename = "7.2")]
    V7_2,
    /// 7.3.
    #[serde(rename = "7.3")]
    V7_3,
    /// 7.4.
    #[serde(rename = "7.4")]
    V7_4,
    /// 7.5.
    #[serde(rename = "7.5")]
    V7_5,
    /// 7.6.
    #[serde(rename = "7.6")]
    V7_6,
    /// The first with addresses and URIs as alternative names.
    #[serde(rename = "2025-07-01")]
    V20250701,
    /// The newest stable version.
    #[serde(rename = "2026-04-01")]
    V20260401,
}

impl KeyVaultApiVersion {
    /// As it stands in a query.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V7_0 => "7.0",
            Self::V7_1 => "7.1",
            Self::V7_2 => "7.2",
            Self::V7_3 => "7.3",
            Self::V7_4 => "7.4",
            Self::V7_5 => "7.5",
            Self::V7_6 => "7.6",
            Self::V20250701 => "2025-07-01",
            Self::V20260401 => "2026-04-01",
        }
    }
}

/// Where an imported certificate and its key come from, and how the vault holds them; exactly one Secret is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.secretRef) != has(self.pkcs12SecretRef)")
    .message("exactly one of `secretRef` and `pkcs12SecretRef` must be set").reason(Reason::FieldValueInvalid))]
pub struct Import {
    /// A Secret as cert-manager writes it (type kubernetes.io/tls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<CertificateSecretRef>,
    /// A key of a Secret that holds a PKCS#12 file, and the key that holds its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkcs12_secret_ref: Option<Pkcs12SecretRef>,
    /// The form in which the vault gives the certificate to its users; `application/x-pkcs12` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<ContentType>,
    /// Whether the vault gives away the private key; true unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
}

/// Who signs the vault's request; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.caSecretRef), has(self.certManagerIssuerRef), has(self.external)].filter(x, x).size() == 1"
).message("exactly one of `caSecretRef`, `certManagerIssuerRef` and `external` must be set").reason(Reason::FieldValueInvalid))]
pub struct SignedBy {
    /// A CA's certificate and key in a Secret: the operator signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<CertificateSecretRef>,
    /// An issuer of cert-manager, asked by a CertificateRequest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert_manager_issuer_ref: Option<CertManagerIssuerRef>,
    /// Somebody else takes the request from `status.signingRequest`, has it signed, and merges the result in the vault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external: Option<External>,
}

/// Signed elsewhere. It has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct External {}

/// An issuer of cert-manager.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertManagerIssuerRef {
    /// Its name.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// Its kind; `Issuer` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63), regex(pattern = "^[A-Za-z][A-Za-z0-9]*$"))]
    pub kind: Option<String>,
    /// Its API group; `cert-manager.io` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "object_name")]
    pub group: Option<String>,
}

/// Who renews the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// Who.
    pub by: RenewedBy,
}

/// Those who can renew a certificate of a policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RenewedBy {
    /// The operator creates a new version when `renewBefore` begins.
    #[default]
    Operator,
    /// The vault does, by its lifetime action AutoRenew.
    Vault,
}

/// Attributes of the certificate.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct Attributes {
    /// Whether the certificate may be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
}

/// The Secret that a certificate is exported to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExportTo {
    /// Name of the Secret, in the namespace of this object. One that others made is not overwritten.
    #[schemars(schema_with = "object_name")]
    pub secret_name: String,
}

/// What to do when the name belongs to a deleted certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnSoftDeleted {
    /// Recover it, if it is this object's own or may be adopted, and bring it to the spec.
    #[default]
    Recover,
    /// Leave it, and say so.
    Fail,
}

/// What to do when the vault does not get done with issuing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnStuckOperation {
    /// Say so.
    #[default]
    Report,
    /// Drop the operation and begin anew.
    Cancel,
}

/// A vault takes 15 tags of 256 characters; six are the operator's.
fn tags_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object", "maxProperties": 9,
        "additionalProperties": { "type": "string", "maxLength": 256 },
    })
}

impl CertificateResource for KeyVaultCertificate {
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
