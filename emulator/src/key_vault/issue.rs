//! Keys, requests and certificates, all through OpenSSL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::asn1::{Asn1Object, Asn1Time};
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Rsa;
use openssl::stack::Stack;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{
    X509, X509Builder, X509Extension, X509Name, X509NameBuilder, X509Req, X509ReqBuilder, X509v3Context,
};
use serde_json::Value;

use super::policy::{text, texts};

type Set = fn(&mut KeyUsage) -> &mut KeyUsage;

/// Key usages by the service's words, and the bit that each sets.
pub(super) const USAGES: [(&str, Set); 9] = [
    ("digitalSignature", KeyUsage::digital_signature),
    ("nonRepudiation", KeyUsage::non_repudiation),
    ("keyEncipherment", KeyUsage::key_encipherment),
    ("dataEncipherment", KeyUsage::data_encipherment),
    ("keyAgreement", KeyUsage::key_agreement),
    ("keyCertSign", KeyUsage::key_cert_sign),
    ("cRLSign", KeyUsage::crl_sign),
    ("encipherOnly", KeyUsage::encipher_only),
    ("decipherOnly", KeyUsage::decipher_only),
];

/// A key as the policy asks for it.
pub(super) fn key(policy: &Value) -> Result<PKey<Private>, ErrorStack> {
    let key = &policy["key_props"];
    match text(key, "crv") {
        Some(curve) => {
            let nid = match curve {
                "P-256K" => Nid::SECP256K1,
                "P-384" => Nid::SECP384R1,
                "P-521" => Nid::SECP521R1,
                _ => Nid::X9_62_PRIME256V1,
            };
            PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(nid)?)?)
        }
        None => {
            let bits = key["key_size"].as_u64().and_then(|it| u32::try_from(it).ok()).unwrap_or(2048);
            PKey::from_rsa(Rsa::generate(bits)?)
        }
    }
}

/// Whether it is of the kind and the size that the policy asks for, so that it can be used once more.
pub(super) fn fits(key: &PKey<Private>, policy: &Value) -> bool {
    let wanted = &policy["key_props"];
    let elliptic = text(wanted, "crv").is_some();
    (key.id() == Id::EC) == elliptic && wanted["key_size"].as_u64() == Some(u64::from(key.bits()))
}

pub(super) fn to_pem(key: &PKey<Private>) -> String {
    // A key in memory can be written.
    let pem = key.private_key_to_pem_pkcs8().expect("the key is written");
    String::from_utf8(pem).expect("PEM is ASCII")
}

pub(super) fn from_pem(pem: &str) -> Option<PKey<Private>> {
    PKey::private_key_from_pem(pem.as_bytes()).ok()
}

/// The request for a certificate of this policy.
pub(super) fn request(policy: &Value, key: &PKey<Private>) -> Result<String, ErrorStack> {
    let mut request = X509ReqBuilder::new()?;
    request.set_subject_name(&*subject(policy)?)?;
    request.set_pubkey(key)?;
    let mut extensions = Stack::new()?;
    for extension in extensions_of(policy, &request.x509v3_context(None))? {
        extensions.push(extension)?;
    }
    request.add_extensions(&extensions)?;
    request.sign(key, MessageDigest::sha256())?;
    let built: X509Req = request.build();
    Ok(BASE64.encode(built.to_der()?))
}

/// A certificate of this policy for the key, signed by itself or by `ca`. It is valid from ten minutes before now.
pub(super) fn certificate(
    policy: &Value,
    key: &PKey<Private>,
    ca: Option<(&X509, &PKey<Private>)>,
    now: i64,
) -> Result<X509, ErrorStack> {
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    let subject = subject(policy)?;
    builder.set_subject_name(&subject)?;
    builder.set_issuer_name(ca.map_or(&*subject, |(ca, _)| ca.subject_name()))?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::from_unix(now - 600)?)?;
    let months = policy["x509_props"]["validity_months"].as_i64().unwrap_or(12);
    builder.set_not_after(&*Asn1Time::from_unix(crate::clock::months_later(now, months))?)?;
    let extensions = extensions_of(policy, &builder.x509v3_context(ca.map(|(ca, _)| &**ca), None))?;
    for extension in extensions {
        builder.append_extension(extension)?;
    }
    builder.sign(ca.map_or(key, |(_, key)| key), MessageDigest::sha256())?;
    Ok(builder.build())
}

/// A CA for the issuers that the vault knows: made anew each time, as nobody asks for it again.
pub(super) fn authority(now: i64) -> Result<(X509, PKey<Private>), ErrorStack> {
    let key = PKey::from_ec_key(EcKey::generate(&*EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?)?)?;
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?;
    builder.set_serial_number(&*BigNum::from_u32(1)?.to_asn1_integer()?)?;
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "Emulated public CA")?;
    let name = name.build();
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&key)?;
    builder.set_not_before(&*Asn1Time::from_unix(now - 86_400)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now + 20 * 365 * 86_400)?)?;
    builder.append_extension(BasicConstraints::new().critical().ca().build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
    builder.sign(&key, MessageDigest::sha256())?;
    Ok((builder.build(), key))
}

fn extensions_of(policy: &Value, context: &X509v3Context<'_>) -> Result<Vec<X509Extension>, ErrorStack> {
    let x509 = &policy["x509_props"];
    let mut all = vec![BasicConstraints::new().build()?];
    let words: Vec<_> = texts(&x509["key_usage"]).collect();
    if !words.is_empty() {
        let mut usage = KeyUsage::new();
        usage.critical();
        for (_, set) in USAGES.iter().filter(|(word, _)| words.contains(word)) {
            set(&mut usage);
        }
        all.push(usage.build()?);
    }
    if texts(&x509["ekus"]).next().is_some() {
        let mut purposes = openssl::x509::extension::ExtendedKeyUsage::new();
        texts(&x509["ekus"]).for_each(|it| {
            purposes.other(it);
        });
        all.push(purposes.build()?);
    }
    let sans = &x509["sans"];
    let mut names = SubjectAlternativeName::new();
    texts(&sans["dns_names"]).for_each(|it| {
        names.dns(it);
    });
    texts(&sans["emails"]).for_each(|it| {
        names.email(it);
    });
    texts(&sans["uris"]).for_each(|it| {
        names.uri(it);
    });
    texts(&sans["ipAddresses"]).for_each(|it| {
        names.ip(it);
    });
    for upn in texts(&sans["upns"]) {
        let oid = Asn1Object::from_str("1.3.6.1.4.1.311.20.2.3")?;
        names.other_name2(oid, &utf8_string(upn));
    }
    if sans.as_object().is_some_and(|it| it.values().any(|it| texts(it).next().is_some())) {
        all.push(names.build(context)?);
    }
    Ok(all)
}

/// A UTF8String of at most 255 octets, in DER.
fn utf8_string(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap_or(u8::MAX);
    let header = if length < 0x80 { vec![0x0c, length] } else { vec![0x0c, 0x81, length] };
    [header, text.as_bytes().to_vec()].concat()
}

fn subject(policy: &Value) -> Result<X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    for (kind, value) in text(&policy["x509_props"], "subject").and_then(parse_name).unwrap_or_default() {
        name.append_entry_by_text(&kind, &value)?;
    }
    Ok(name.build())
}

/// `CN=web, O=Example\, Inc` as pairs, in the order in which they stand; `None` if it is no name.
pub(super) fn parse_name(text: &str) -> Option<Vec<(String, String)>> {
    let mut pairs = Vec::new();
    let (mut part, mut escaped, mut quoted) = (String::new(), false, false);
    for letter in text.chars().chain([',']) {
        match letter {
            _ if escaped => {
                part.push(letter);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => {
                let (kind, value) = part.split_once('=')?;
                let kind = match kind.trim().to_ascii_uppercase().as_str() {
                    "S" => "ST".to_owned(),
                    "E" | "EMAIL" | "EMAILADDRESS" => "emailAddress".to_owned(),
                    other => other.to_owned(),
                };
                let known = ["CN", "O", "OU", "L", "ST", "C", "DC", "STREET", "emailAddress", "SN", "UID"];
                known.contains(&kind.as_str()).then_some(())?;
                pairs.push((kind, value.trim().to_owned()));
                part.clear();
            }
            other => part.push(other),
        }
    }
    (!quoted && !escaped).then_some(pairs)
}

/// The subject as the service derives it from what is imported: last part first, `S` for `ST`.
pub(super) fn reversed_subject(certificate: &X509) -> String {
    let entries: Vec<_> = certificate.subject_name().entries().collect();
    let text = |entry: &&openssl::x509::X509NameEntryRef| {
        let kind = entry.object().nid().short_name().unwrap_or("OID");
        let kind = if kind == "ST" { "S" } else { kind };
        let value = entry.data().to_string().unwrap_or_default();
        let value = if value.contains(',') { format!("\"{value}\"") } else { value };
        format!("{kind}={value}")
    };
    entries.iter().rev().map(text).collect::<Vec<_>>().join(", ")
}
