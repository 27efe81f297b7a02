//! cert-manager's CertificateRequest, as far as it is written and read here.
//!
//! Source: cert-manager.io API reference, group cert-manager.io/v1.

use k8s_openapi::ByteString;
use kube::CustomResource;
use serde::{Deserialize, Serialize};

/// A request for a certificate. All of it is fixed once it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource)]
#[kube(
    group = "cert-manager.io",
    version = "v1",
    kind = "CertificateRequest",
    namespaced,
    schema = "disabled",
    status = "CertificateRequestStatus",
    doc = "A request for a certificate."
)]
#[serde(rename_all = "camelCase")]
pub struct CertificateRequestSpec {
    /// The request (PKCS#10) in PEM.
    pub request: ByteString,
    /// Who is to sign.
    pub issuer_ref: IssuerRef,
    /// How long the certificate is to be valid, as Go writes it.
    pub duration: String,
    /// What the key may be used for, in cert-manager's words.
    pub usages: Vec<String>,
}

/// Who is to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuerRef {
    /// The issuer's name.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// Its API group.
    pub group: String,
}

/// What came of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRequestStatus {
    /// The certificate and its issuers, in PEM.
    pub certificate: Option<ByteString>,
    /// How far it is.
    #[serde(default)]
    pub conditions: Vec<CertificateRequestCondition>,
}

/// A condition of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRequestCondition {
    /// Its type: `Ready`, `Approved`, `Denied`, `InvalidRequest`.
    #[serde(rename = "type")]
    pub type_: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// A word for why.
    #[serde(default)]
    pub reason: String,
}

impl CertificateRequest {
    /// Whether it is known that no certificate will come of it.
    pub fn is_refused(&self) -> bool {
        let conditions = self.status.iter().flat_map(|it| &it.conditions);
        conditions.into_iter().any(|it| match it.type_.as_str() {
            "Denied" | "InvalidRequest" => it.status == "True",
            "Ready" => it.status == "False" && it.reason == "Failed",
            _ => false,
        })
    }
}
