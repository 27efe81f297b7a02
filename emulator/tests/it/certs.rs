//! Certificates to upload and proofs to send.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{HasPublic, PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::BasicConstraints;
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder, X509NameRef, X509Req};

pub(crate) struct Ca {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

pub(crate) fn ec_key() -> PKey<Private> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap()
}

pub(crate) fn rsa_key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

pub(crate) fn name(common_names: &[&str]) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    for common_name in common_names {
        name.append_entry_by_nid(Nid::COMMONNAME, common_name).unwrap();
    }
    name.build()
}

pub(crate) fn days_from_now(days: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap() + days * 86_400
}

/// What a proof is made of; every part can be made wrong.
pub(crate) struct Proof<'a> {
    pub(crate) subject: X509Name,
    pub(crate) issuer: X509Name,
    pub(crate) signer: &'a PKey<Private>,
    pub(crate) from: i64,
    pub(crate) until: i64,
}

impl Proof<'_> {
    pub(crate) fn certificate(&self) -> X509 {
        build(&self.subject, &self.issuer, &ec_key(), self.signer, (self.from, self.until), false)
    }

    pub(crate) fn pem(&self) -> String {
        pem(&self.certificate())
    }
}

fn build<T: HasPublic>(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<T>,
    signer: &PKey<Private>,
    validity: (i64, i64),
    ca: bool,
) -> X509 {
    let mut serial = BigNum::new().unwrap();
    serial.rand(100, MsbOption::ONE, false).unwrap();
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_issuer_name(issuer).unwrap();
    builder.set_pubkey(key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(validity.0).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(validity.1).unwrap()).unwrap();
    if ca {
        builder.append_extension(BasicConstraints::new().critical().ca().build().unwrap()).unwrap();
    }
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    builder.build()
}

/// A certificate for a request, signed by the CA.
pub(crate) fn signed_for(request: &X509Req, ca: &Ca) -> X509 {
    let key = request.public_key().unwrap();
    let validity = (days_from_now(-1), days_from_now(20));
    build(request.subject_name(), ca.certificate.subject_name(), &key, &ca.key, validity, false)
}

impl Ca {
    pub(crate) fn new(common_name: &str) -> Self {
        Self::with_key(common_name, ec_key())
    }

    pub(crate) fn with_key(common_name: &str, key: PKey<Private>) -> Self {
        let own = name(&[common_name]);
        let validity = (days_from_now(-1), days_from_now(30));
        Self { certificate: build(&own, &own, &key, &key, validity, true), key }
    }

    pub(crate) fn pem(&self) -> String {
        pem(&self.certificate)
    }

    pub(crate) fn thumbprint(&self) -> String {
        let digest = self.certificate.digest(MessageDigest::sha1()).unwrap();
        digest.iter().map(|byte| format!("{byte:02X}")).collect()
    }

    /// A good proof for this code, still to be spoilt.
    pub(crate) fn proof(&self, code: &str) -> Proof<'_> {
        Proof {
            subject: name(&[code]),
            issuer: self.certificate.subject_name().to_owned().unwrap(),
            signer: &self.key,
            from: days_from_now(-1),
            until: days_from_now(2),
        }
    }
}

pub(crate) fn pem(certificate: &X509) -> String {
    String::from_utf8(certificate.to_pem().unwrap()).unwrap()
}

/// The forms in which clients send a certificate: PEM, PEM with CRLF, base64 of DER (one line, and wrapped), base64
/// of PEM.
pub(crate) fn encodings(certificate: &X509) -> Vec<String> {
    let pem = pem(certificate);
    let der = BASE64.encode(certificate.to_der().unwrap());
    let wrapped: Vec<&str> =
        der.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    vec![pem.replace('\n', "\r\n"), wrapped.join("\n"), der, BASE64.encode(&pem), pem]
}
