//! Where a certificate comes from.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The certificate that is wanted in the service; exactly one member is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
    "[has(self.secretRef), has(self.configMapRef), has(self.inline), has(self.pkcs12SecretRef)].filter(x, x).size() == 1"
).message("exactly one of `secretRef`, `configMapRef`, `inline` and `pkcs12SecretRef` must be set").reason(Reason::FieldValueInvalid))]
pub struct Source {
    /// A Secret as cert-manager writes it (type kubernetes.io/tls).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<CertificateSecretRef>,
    /// A key of a ConfigMap that holds a certificate, for certificates without a private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_map_ref: Option<KeyRef>,
    /// The certificate itself, in PEM. Never a private key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 95000))]
    #[x_kube(validation = Rule::new("!self.contains('PRIVATE KEY')")
        .message("`inline` must not hold a private key: put it into a Secret").reason(Reason::FieldValueForbidden))]
    pub inline: Option<String>,
    /// A key of a Secret that holds a PKCS#12 file, and the key that holds its password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pkcs12_secret_ref: Option<Pkcs12SecretRef>,
}

/// A Secret that holds a certificate and, often, its private key, both in PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSecretRef {
    /// Name of the Secret, in the namespace of this object.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// Key of the certificate, its issuers behind it if they are there; `tls.crt` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_key")]
    pub certificate_key: Option<String>,
    /// Key of the private key; `tls.key` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "data_key")]
    pub private_key_key: Option<String>,
}

impl CertificateSecretRef {
    /// The key under which the certificate stands.
    pub fn certificate_key(&self) -> &str {
        self.certificate_key.as_deref().unwrap_or("tls.crt")
    }

    /// The key under which the private key stands.
    pub fn private_key_key(&self) -> &str {
        self.private_key_key.as_deref().unwrap_or("tls.key")
    }
}

/// One key of a Secret or ConfigMap in the namespace of this object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KeyRef {
    /// Name of the Secret or ConfigMap.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// The key in it.
    #[schemars(schema_with = "data_key")]
    pub key: String,
}

/// A PKCS#12 file in a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pkcs12SecretRef {
    /// Name of the Secret, in the namespace of this object.
    #[schemars(schema_with = "object_name")]
    pub name: String,
    /// Key of the file.
    #[schemars(schema_with = "data_key")]
    pub key: String,
    /// Key of the password.
    #[schemars(schema_with = "data_key")]
    pub password_key: String,
}

/// The name of an object: a DNS subdomain (RFC 1123).
pub(super) fn object_name(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "string", "minLength": 1, "maxLength": 253,
        "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
    })
}

/// A key of a Secret or ConfigMap.
pub(super) fn data_key(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 253, "pattern": "^[-._a-zA-Z0-9]+$" })
}
