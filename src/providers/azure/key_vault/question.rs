//! What cert-manager is asked to sign, and what it answered. Pure.

use kube::ResourceExt;

use super::wish;
use crate::api::key_vault::{CertManagerIssuerRef, KeyVaultCertificate};
use crate::api::key_vault_policy::{KeyType, KeyUsage, Policy as Written};
use crate::api::reason::{Invalid, Reason};
use crate::pki::{self, SigningRequest};
use crate::source::cert_manager::{CertificateRequestSpec, IssuerRef};
use crate::source::{Fetched, Reference};

/// A question, and what came of it.
pub struct Question {
    /// The question's name.
    pub name: String,
    /// Whom it is put to.
    pub issuer: CertManagerIssuerRef,
    /// For how long, as Go writes it.
    pub duration: String,
    /// What the key may be used for, in cert-manager's words.
    pub usages: Vec<String>,
    /// What was asked before.
    pub asked: Option<SigningRequest>,
    /// Whom it was put to.
    pub asked_of: Option<IssuerRef>,
    /// The answer to that.
    pub signed: Option<Result<Vec<pki::Certificate>, Invalid>>,
}

impl Question {
    /// The question for this wish, with what is known of one that was asked before.
    pub fn new(
        root: &KeyVaultCertificate,
        written: &Written,
        issuer: &CertManagerIssuerRef,
        found: &Fetched,
    ) -> Self {
        let name = name(root);
        let data = found.data(&Reference::certificate_request(&name));
        let value = |key| data.and_then(|it| it.value(key));
        let failed = |message| Err(Invalid::new(Reason::IssuanceFailed, message));
        let refused = value("refused")
            .is_some()
            .then(|| failed(format!("cert-manager refused CertificateRequest `{name}`: see its conditions")));
        let signed = value("certificate").map(|it| {
            pki::certificates(it)
                .or_else(|why| failed(format!("CertificateRequest `{name}`, its certificate: {why}")))
        });
        Self {
            issuer: issuer.clone(),
            duration: format!("{}h", wish::life(written).as_hours()),
            usages: usages(written),
            asked_of: value("issuer").and_then(|it| serde_json::from_slice(it).ok()),
            asked: value("request").and_then(|it| SigningRequest::from_pem(it).ok()),
            signed: signed.or(refused),
            name,
        }
    }

    /// Whether just this was asked of the issuer, and is not to be asked again after a refusal.
    pub fn stands(&self, request: &SigningRequest, asks_anew: bool) -> bool {
        let refused = matches!(self.signed, Some(Err(_)));
        self.asked.as_ref() == Some(request)
            && self.asked_of.as_ref() == Some(&self.issuer_ref())
            && !(refused && asks_anew)
    }

    fn issuer_ref(&self) -> IssuerRef {
        let CertManagerIssuerRef { name, kind, group } = &self.issuer;
        IssuerRef {
            name: name.clone(),
            kind: kind.clone().unwrap_or_else(|| "Issuer".to_owned()),
            group: group.clone().unwrap_or_else(|| "cert-manager.io".to_owned()),
        }
    }

    /// The question.
    pub fn spec(&self, request: &SigningRequest) -> CertificateRequestSpec {
        CertificateRequestSpec {
            request: k8s_openapi::ByteString(request.to_pem().into_bytes()),
            issuer_ref: self.issuer_ref(),
            duration: self.duration.clone(),
            usages: self.usages.clone(),
        }
    }
}

/// The name of a resource's question.
pub fn name(root: &KeyVaultCertificate) -> String {
    format!("{}-key-vault", root.name_any())
}

/// The usages in cert-manager's words: those of the policy, or the vault's defaults.
fn usages(policy: &Written) -> Vec<String> {
    let x509 = &policy.x509_properties;
    let usage = |it: &KeyUsage| match it {
        KeyUsage::DigitalSignature => "digital signature",
        KeyUsage::NonRepudiation => "content commitment",
        KeyUsage::KeyEncipherment => "key encipherment",
        KeyUsage::DataEncipherment => "data encipherment",
        KeyUsage::KeyAgreement => "key agreement",
        KeyUsage::KeyCertSign => "cert sign",
        KeyUsage::CrlSign => "crl sign",
        KeyUsage::EncipherOnly => "encipher only",
        KeyUsage::DecipherOnly => "decipher only",
    };
    let purpose = |it: &String| match it.as_str() {
        "1.3.6.1.5.5.7.3.1" => Some("server auth"),
        "1.3.6.1.5.5.7.3.2" => Some("client auth"),
        "1.3.6.1.5.5.7.3.3" => Some("code signing"),
        "1.3.6.1.5.5.7.3.4" => Some("email protection"),
        "1.3.6.1.5.5.7.3.8" => Some("timestamping"),
        "1.3.6.1.5.5.7.3.9" => Some("ocsp signing"),
        _ => None,
    };
    // An elliptic key signs and agrees; nothing is enciphered to it.
    let elliptic =
        policy.key_properties.as_ref().and_then(|it| it.key_type).is_some_and(KeyType::is_elliptic);
    let usual =
        if elliptic { &["digital signature"][..] } else { &["digital signature", "key encipherment"] };
    let keys = x509.key_usage.as_ref().map_or_else(|| usual.to_vec(), |it| it.iter().map(usage).collect());
    let purposes = x509
        .ekus
        .as_ref()
        .map_or_else(|| vec!["server auth", "client auth"], |it| it.iter().filter_map(purpose).collect());
    keys.into_iter().chain(purposes).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_usages_are_those_of_the_policy_or_what_the_key_can_do() {
        let policy = |key: Value, x509: Value| -> Written {
            let policy =
                json!({ "keyProperties": key, "x509Properties": x509, "issuer": { "name": "Unknown" } });
            serde_json::from_value(policy).unwrap()
        };
        let plain = || json!({ "subject": "CN=web" });
        let written = json!({ "subject": "CN=web", "keyUsage": ["keyAgreement", "cRLSign"], "ekus": ["1.3.6.1.5.5.7.3.2"] });
        for (key, x509, expected) in [
            (json!({}), plain(), "digital signature, key encipherment, server auth, client auth"),
            (
                json!({ "keyType": "RSA-HSM" }),
                plain(),
                "digital signature, key encipherment, server auth, client auth",
            ),
            (json!({ "keyType": "EC" }), plain(), "digital signature, server auth, client auth"),
            (json!({ "keyType": "EC-HSM" }), plain(), "digital signature, server auth, client auth"),
            (json!({ "keyType": "EC" }), written, "key agreement, crl sign, client auth"),
        ] {
            assert_eq!(usages(&policy(key.clone(), x509)).join(", "), expected, "{key}");
        }
    }
}
