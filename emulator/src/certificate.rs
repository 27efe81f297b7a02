//! Reading certificates as the services take them, and what they tell about them. All through OpenSSL.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::asn1::{Asn1Time, Asn1TimeRef};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::x509::X509;

use crate::encoding;

/// Why a text is not one certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unreadable {
    Empty,
    NeitherPemNorBase64,
    NotX509,
    NotExactlyOne,
    HoldsPrivateKey,
}

impl Unreadable {
    pub(crate) const fn why(self) -> &'static str {
        match self {
            Self::Empty => "no certificate was supplied",
            Self::NeitherPemNorBase64 => "the text is neither PEM nor base64",
            Self::NotX509 => "the content is not an X.509 certificate",
            Self::NotExactlyOne => "exactly one certificate is expected",
            Self::HoldsPrivateKey => "the content holds a private key",
        }
    }
}

/// Takes PEM (LF or CRLF), base64 of DER, and base64 of PEM; which one it is, is found out by content.
pub(crate) fn read(text: &str) -> Result<X509, Unreadable> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Unreadable::Empty);
    }
    if text.contains("-----BEGIN ") {
        return from_pem(text.as_bytes());
    }
    let packed: String = text.split_ascii_whitespace().collect();
    let bytes = BASE64.decode(packed).map_err(|_| Unreadable::NeitherPemNorBase64)?;
    match std::str::from_utf8(&bytes) {
        Ok(inner) if inner.contains("-----BEGIN ") => from_pem(&bytes),
        _ => from_der(&bytes),
    }
}

/// One certificate in PEM (LF or CRLF), and nothing else that PEM can hold.
pub(crate) fn from_pem(pem: &[u8]) -> Result<X509, Unreadable> {
    if String::from_utf8_lossy(pem).contains("PRIVATE KEY-----") {
        return Err(Unreadable::HoldsPrivateKey);
    }
    let mut all = X509::stack_from_pem(pem).map_err(|_| Unreadable::NotX509)?;
    match (all.pop(), all.is_empty()) {
        (Some(only), true) => Ok(only),
        (Some(_), false) => Err(Unreadable::NotExactlyOne),
        (None, _) => Err(Unreadable::NotX509),
    }
}

/// The whole input has to be the certificate: OpenSSL alone would overlook what follows it.
pub(crate) fn from_der(der: &[u8]) -> Result<X509, Unreadable> {
    let certificate = X509::from_der(der).map_err(|_| Unreadable::NotX509)?;
    match certificate.to_der() {
        Ok(again) if again == der => Ok(certificate),
        Ok(_) if der.starts_with(&[0x30]) => Err(Unreadable::NotExactlyOne),
        _ => Err(Unreadable::NotX509),
    }
}

/// SHA-1 of the DER, 40 upper-case hex digits.
pub(crate) fn thumbprint(certificate: &X509) -> String {
    // Digesting a certificate in memory fails only when OpenSSL has no SHA-1 at all.
    let digest = certificate.digest(MessageDigest::sha1()).expect("OpenSSL has SHA-1");
    encoding::hex_upper(&digest)
}

/// The common name; without one, the last part of the name, or nothing.
pub(crate) fn common_name(certificate: &X509) -> String {
    let subject = certificate.subject_name();
    let entry = subject.entries_by_nid(Nid::COMMONNAME).next().or_else(|| subject.entries().last());
    let text = entry.and_then(|entry| entry.data().to_string().ok());
    text.unwrap_or_default()
}

/// Unix seconds.
pub(crate) fn expiry(certificate: &X509) -> i64 {
    unix_seconds(certificate.not_after())
}

/// Unix seconds.
pub(crate) fn begin(certificate: &X509) -> i64 {
    unix_seconds(certificate.not_before())
}

pub(crate) fn valid_at(certificate: &X509, now: i64) -> bool {
    unix_seconds(certificate.not_before()) <= now && now <= unix_seconds(certificate.not_after())
}

fn unix_seconds(time: &Asn1TimeRef) -> i64 {
    let since = Asn1Time::from_unix(0).and_then(|epoch| epoch.diff(time));
    // The time was parsed as part of a certificate; OpenSSL can subtract what it could parse.
    since.map_or(0, |since| i64::from(since.days) * 86_400 + i64::from(since.secs))
}

pub(crate) fn der_base64(certificate: &X509) -> String {
    BASE64.encode(certificate.to_der().unwrap_or_default())
}

pub(crate) fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap_or_default()).unwrap_or_default()
}
