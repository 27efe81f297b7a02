//! A key vault's certificate policy as users write it. A member that is not written is left to the vault.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the vault makes the key and has the certificate issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.lifetimeActions) || self.lifetimeActions.all(it, !has(it.daysBeforeExpiry) || it.daysBeforeExpiry <= 27 * (has(self.x509Properties.validityMonths) ? self.x509Properties.validityMonths : 12))")
    .message("`daysBeforeExpiry` must be at most 27 times `validityMonths`, which is 12 unless set").field_path(".lifetimeActions").reason(Reason::FieldValueInvalid))]
pub struct Policy {
    /// The key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_properties: Option<KeyProperties>,
    /// How the vault gives the certificate to its users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_properties: Option<SecretProperties>,
    /// The certificate.
    pub x509_properties: X509Properties,
    /// Who issues it.
    pub issuer: Issuer,
    /// What the vault does before expiry. With `renewal.by: Operator`, which is the default, it does no more than send
    /// mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["action".into()]))]
    pub lifetime_actions: Option<Vec<LifetimeAction>>,
}

/// The key.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(
    validation = Rule::new("!has(self.keySize) || !has(self.keyType) || self.keyType.startsWith('RSA')")
        .message("`keySize` is for RSA keys; a curve decides the size of others").field_path(".keySize").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.curve) || (has(self.keyType) && self.keyType.startsWith('EC'))")
        .message("`curve` needs `keyType` 'EC' or 'EC-HSM'").field_path(".curve").reason(Reason::FieldValueForbidden),
)]
pub struct KeyProperties {
    /// The kind of key; RSA unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_type: Option<KeyType>,
    /// Its size in bits: 2048, 3072 or 4096.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 2048, max = 4096))]
    #[x_kube(validation = Rule::new("self in [2048, 3072, 4096]").message("`keySize` must be 2048, 3072 or 4096"))]
    pub key_size: Option<i32>,
    /// The curve of an EC key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub curve: Option<Curve>,
    /// Whether the vault gives away the private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// Whether a renewed certificate keeps the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<bool>,
}

/// The kinds of keys. The service's fifth, `oct`, is for symmetric keys, which no certificate can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum KeyType {
    /// RSA, in software.
    RSA,
    /// RSA, in an HSM.
    #[serde(rename = "RSA-HSM")]
    RsaHsm,
    /// Elliptic curve, in software.
    EC,
    /// Elliptic curve, in an HSM.
    #[serde(rename = "EC-HSM")]
    EcHsm,
}

impl KeyType {
    /// Whether a curve makes it.
    pub fn is_elliptic(self) -> bool {
        matches!(self, Self::EC | Self::EcHsm)
    }
}

/// The curves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Curve {
    /// NIST P-256.
    #[serde(rename = "P-256")]
    P256,
    /// SEC secp256k1.
    #[serde(rename = "P-256K")]
    P256K,
    /// NIST P-384.
    #[serde(rename = "P-384")]
    P384,
    /// NIST P-521.
    #[serde(rename = "P-521")]
    P521,
}

/// How the vault gives the certificate to its users.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretProperties {
    /// The form of the secret that holds certificate and key.
    pub content_type: ContentType,
}

/// The forms of a certificate with its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ContentType {
    /// PKCS#12.
    #[default]
    #[serde(rename = "application/x-pkcs12")]
    Pkcs12,
    /// PEM.
    #[serde(rename = "application/x-pem-file")]
    Pem,
}

/// The certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.subject) || has(self.subjectAlternativeNames)")
    .message("at least one of `subject` and `subjectAlternativeNames` must be set").reason(Reason::FieldValueRequired))]
pub struct X509Properties {
    /// The subject's distinguished name, for example `CN=www.example.com`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub subject: Option<String>,
    /// Further names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_alternative_names: Option<SubjectAlternativeNames>,
    /// What the key may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 9))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub key_usage: Option<Vec<KeyUsage>>,
    /// What the certificate is for: object identifiers of extended key usages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(
        length(max = 32),
        inner(length(min = 3, max = 128), regex(pattern = "^[0-2](\\.(0|[1-9][0-9]*))+$"))
    )]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub ekus: Option<Vec<String>>,
    /// For how many months it is issued; 12 unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1200))]
    pub validity_months: Option<i32>,
}

/// Alternative names, by kind.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct SubjectAlternativeNames {
    /// Domain names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names_schema")]
    pub dns_names: Option<Vec<String>>,
    /// Mail addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names_schema")]
    pub emails: Option<Vec<String>>,
    /// User principal names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names_schema")]
    pub upns: Option<Vec<String>>,
    /// URIs (`apiVersion` 2025-07-01 or later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names_schema")]
    pub uris: Option<Vec<String>>,
    /// IP addresses (`apiVersion` 2025-07-01 or later).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "names_schema")]
    pub ip_addresses: Option<Vec<String>>,
}

/// Key usages, in the service's spelling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum KeyUsage {
    /// Digital signatures.
    #[serde(rename = "digitalSignature")]
    DigitalSignature,
    /// Signatures that bind.
    #[serde(rename = "nonRepudiation")]
    NonRepudiation,
    /// Encrypting keys.
    #[serde(rename = "keyEncipherment")]
    KeyEncipherment,
    /// Encrypting data.
    #[serde(rename = "dataEncipherment")]
    DataEncipherment,
    /// Agreeing on keys.
    #[serde(rename = "keyAgreement")]
    KeyAgreement,
    /// Signing certificates.
    #[serde(rename = "keyCertSign")]
    KeyCertSign,
    /// Signing revocation lists.
    #[serde(rename = "cRLSign")]
    CrlSign,
    /// Encrypting only, with key agreement.
    #[serde(rename = "encipherOnly")]
    EncipherOnly,
    /// Decrypting only, with key agreement.
    #[serde(rename = "decipherOnly")]
    DecipherOnly,
}

/// Who issues the certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Issuer {
    /// `Self`, `Unknown` (somebody outside signs the vault's request), or an issuer that the vault knows.
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[0-9A-Za-z-]+$"))]
    pub name: String,
    /// The kind of certificate to ask the issuer for, in its own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = "^[ -~]+$"))]
    pub certificate_type: Option<String>,
    /// Whether the issuer is to publish it in certificate transparency logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_transparency: Option<bool>,
}

/// What the vault does at some time before expiry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.lifetimePercentage) != has(self.daysBeforeExpiry)")
    .message("exactly one of `lifetimePercentage` and `daysBeforeExpiry` must be set").reason(Reason::FieldValueInvalid))]
pub struct LifetimeAction {
    /// What.
    pub action: LifetimeActionType,
    /// When: so much of the validity has passed, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 99))]
    pub lifetime_percentage: Option<i32>,
    /// When: so many days before expiry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 32400))]
    pub days_before_expiry: Option<i32>,
}

/// The actions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum LifetimeActionType {
    /// The vault renews the certificate.
    AutoRenew,
    /// The vault writes to its contacts.
    EmailContacts,
}

/// A service caps nothing here; a certificate with more names than these is of no use to anybody.
fn names_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "array", "minItems": 1, "maxItems": 100, "x-kubernetes-list-type": "set",
        "items": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
    })
}
