//! What is imported: PKCS#12 in base64, PEM, or base64 of PEM, found out by content.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::pkey::{Id, PKey, Private};
use openssl::x509::X509;
use serde_json::{Value, json};

use super::policy::text;
use super::vault::Vault;
use super::versions::Version;
use super::{errors, issue, policy};
use crate::certificate;
use crate::request::Answer;

pub(super) struct Imported {
    /// PKCS#8 in PEM.
    pub(super) key: String,
    /// DER in base64, the certificate first, then the others as they were sent.
    pub(super) chain: Vec<String>,
    /// The policy that the service derives.
    pub(super) policy: Value,
}

pub(super) fn read(body: &Value) -> Result<Imported, Answer> {
    let value = text(body, "value").ok_or_else(|| errors::bad_parameter("value is missing"))?;
    let password = text(body, "pwd").unwrap_or_default();
    let refused = |why: &str| errors::bad_parameter(&format!("The certificate cannot be imported: {why}"));
    let decoded = BASE64.decode(value.split_ascii_whitespace().collect::<String>()).unwrap_or_default();
    let inner = std::str::from_utf8(&decoded).ok().filter(|it| it.contains("-----BEGIN "));
    let pem = if value.contains("-----BEGIN ") { Some(value) } else { inner };
    let (key, certificates, content_type) = match pem {
        Some(pem) => {
            let (key, certificates) = from_pem(pem).map_err(refused)?;
            (key, certificates, "application/x-pem-file")
        }
        None => {
            let (key, certificates) = from_pfx(&decoded, password).map_err(refused)?;
            (key, certificates, "application/x-pkcs12")
        }
    };
    let asked = body.get("policy").and_then(|it| text(it.get("secret_props")?, "contentType"));
    if asked.is_some_and(|it| it != content_type) {
        return Err(refused("its form is not the policy's contentType"));
    }
    let leaf = certificates.iter().position(|it| it.public_key().is_ok_and(|it| it.public_eq(&key)));
    let leaf = leaf.ok_or_else(|| refused("the private key belongs to none of its certificates"))?;
    let mut certificates = certificates;
    let certificate = certificates.remove(leaf);
    let derived =
        derived(&certificate, &key, content_type).ok_or_else(|| refused("its key is not accepted"))?;
    let chain = [&certificate].into_iter().chain(&certificates).map(certificate::der_base64).collect();
    Ok(Imported { key: issue::to_pem(&key), chain, policy: derived })
}

/// PKCS#8 only: keys in the older forms are refused.
fn from_pem(pem: &str) -> Result<(PKey<Private>, Vec<X509>), &'static str> {
    if !pem.contains("-----BEGIN PRIVATE KEY-----") {
        return Err("it has no private key in PKCS#8");
    }
    let key = PKey::private_key_from_pem(pem.as_bytes()).map_err(|_| "its private key cannot be read")?;
    let certificates = X509::stack_from_pem(pem.as_bytes()).map_err(|_| "its certificates cannot be read")?;
    Ok((key, certificates))
}

fn from_pfx(der: &[u8], password: &str) -> Result<(PKey<Private>, Vec<X509>), &'static str> {
    let file = Pkcs12::from_der(der).map_err(|_| "it is neither PKCS#12 nor PEM")?;
    let parsed = file.parse2(password).map_err(|_| "the password is wrong")?;
    let key = parsed.pkey.ok_or("it has no private key")?;
    let issuers = parsed.ca.into_iter().flatten();
    Ok((key, parsed.cert.into_iter().chain(issuers).collect()))
}

/// Unknown issuer, mail at 80 %, the subject reversed, months computed.
fn derived(certificate: &X509, key: &PKey<Private>, content_type: &str) -> Option<Value> {
    let mut key_props = json!({"exportable": true, "reuse_key": false, "key_size": key.bits()});
    match key.id() {
        Id::RSA => key_props["kty"] = "RSA".into(),
        Id::EC => {
            let curve = match key.ec_key().ok()?.group().curve_name()? {
                Nid::X9_62_PRIME256V1 => "P-256",
                Nid::SECP256K1 => "P-256K",
                Nid::SECP384R1 => "P-384",
                Nid::SECP521R1 => "P-521",
                _ => return None,
            };
            key_props["kty"] = "EC".into();
            key_props["crv"] = curve.into();
        }
        _ => return None,
    }
    let life = certificate::expiry(certificate) - certificate::begin(certificate);
    let names = certificate.subject_alt_names();
    let dns: Vec<_> = names.iter().flatten().filter_map(|it| it.dnsname().map(str::to_owned)).collect();
    let sans = if dns.is_empty() { json!({}) } else { json!({"dns_names": dns}) };
    Some(json!({
        "key_props": key_props,
        "secret_props": {"contentType": content_type},
        "x509_props": {
            "subject": issue::reversed_subject(certificate),
            "sans": sans,
            "ekus": [],
            "key_usage": [],
            "validity_months": (life / 2_629_746).clamp(1, 1200),
            "basic_constraints": {"ca": false},
        },
        "issuer": {"name": "Unknown"},
        "lifetime_actions":
            [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}],
    }))
}

/// A policy that comes with an import decides what is not in the certificate.
pub(super) fn adjusted(
    mut derived: Value,
    sent: &Value,
    vault: &Vault,
    version: Version,
) -> Result<Value, Answer> {
    if let Some(exportable) =
        sent.get("key_props").and_then(|it| it.get("exportable")).and_then(Value::as_bool)
    {
        derived["key_props"]["exportable"] = exportable.into();
    }
    if let Some(issuer) = sent.get("issuer").filter(|it| it.is_object()) {
        derived["issuer"] = issuer.clone();
    }
    if let Some(actions) = sent.get("lifetime_actions").filter(|it| it.is_array()) {
        derived["lifetime_actions"] = actions.clone();
    }
    // The same checks as for any policy; what was derived stays.
    let whole = policy::complete(&derived, vault, version)?;
    derived["issuer"] = whole["issuer"].clone();
    derived["lifetime_actions"] = whole["lifetime_actions"].clone();
    Ok(derived)
}
