//! Certificates, keys, proofs and codes.

use std::sync::LazyLock;

use certferry::http::Trust;
use certferry::pki::{self, Certificate, PrivateKey, VerificationCode};
use jiff::Timestamp;

use crate::plain;

/// As many certificates a chain may have.
const LONGEST_CHAIN: usize = 20;
/// The longest PEM text that is read.
const LARGEST_PEM: usize = 95_000;
/// The same in base64, with line ends.
const LARGEST_BASE64: usize = LARGEST_PEM / 3 * 4 + LARGEST_PEM / 20;
const LARGEST_KEY: usize = 13_000;
/// RFC 5280 §4.1.2.5: no time is later.
const LAST_YEAR: i16 = 9999;

const CA: &[u8] = include_bytes!("../../data/pki/rsa-2048.pem");
/// Each proves, for the code and the CA above.
const PROOFS: [&[u8]; 2] =
    [include_bytes!("../../data/pki/proof.pem"), include_bytes!("../../data/pki/proof-sha512.pem")];

struct Possession {
    ca: Certificate,
    proofs: Vec<Certificate>,
    code: VerificationCode,
    now: Timestamp,
}

static POSSESSION: LazyLock<Possession> = LazyLock::new(|| Possession {
    ca: only(CA),
    proofs: PROOFS.map(only).to_vec(),
    code: "OFFLINE-CODE-1".parse().expect("it is a code"),
    now: "2050-01-01T00:00:00Z".parse().expect("it is a time"),
});

fn only(pem: &[u8]) -> Certificate {
    pki::certificates(pem).expect("the file holds a certificate").remove(0)
}

/// A certificate or a chain, as a Secret, a ConfigMap or a manifest holds it, or a CA bundle of an account.
pub fn pem(input: &[u8]) {
    let read = pki::certificates(input);
    assert_eq!(read, pki::certificates(input), "one input, two results");
    match &read {
        Ok(certificates) => {
            assert!((1..=LONGEST_CHAIN).contains(&certificates.len()));
            assert!(input.len() <= LARGEST_BASE64, "more than the limit was read");
            let text: String = certificates.iter().map(Certificate::to_pem).collect();
            assert_eq!(
                pki::certificates(text.as_bytes()).as_ref(),
                Ok(certificates),
                "PEM does not come back"
            );
            certificates.iter().for_each(facts);
        }
        Err(error) => plain::error(error, input),
    }
    if let Err(error) = Trust::administrator(Some(&String::from_utf8_lossy(input))) {
        plain::error(&error, input);
    }
}

/// One certificate in DER.
pub fn certificate(input: &[u8]) {
    let read = Certificate::from_der(input);
    assert_eq!(read, Certificate::from_der(input), "one input, two results");
    match read {
        Ok(certificate) => {
            assert!(input.len() <= Certificate::MAX_SIZE);
            assert_eq!(certificate.der(), input, "its bytes are not those that were read");
            assert_eq!(pki::certificates(input).as_deref(), Ok(&[certificate.clone()][..]));
            facts(&certificate);
        }
        Err(error) => plain::error(&error, input),
    }
}

/// What a certificate says of itself is bounded, and asking does no harm.
fn facts(it: &Certificate) {
    let subject = it.subject();
    assert!(subject.chars().count() <= 256 && subject.chars().all(plain::prints), "{subject:?}");
    let number = it.serial_number();
    assert!(number.len() <= 64 && number.bytes().all(|b| b.is_ascii_hexdigit()), "{number}");
    for time in [it.not_before(), it.not_after()] {
        let year = time.to_zoned(jiff::tz::TimeZone::UTC).year();
        assert!((0..=LAST_YEAR).contains(&year), "{time}");
    }
    assert_eq!(it.sha1_thumbprint().to_string().len(), 40);
    assert_eq!(it.sha256_fingerprint().to_string().len(), 64);
    assert!(format!("{it:?}").chars().all(|c| !c.is_control()));
    let der = it.der();
    for part in [it.subject_der(), it.issuer_der(), it.public_key_der()] {
        assert!(der.windows(part.len().max(1)).any(|window| window == part), "a part is not of the whole");
    }
    assert_eq!(it.check_issuer(it), it.check_issuer(it));
}

/// A private key.
pub fn private_key(input: &[u8]) {
    let read = PrivateKey::parse(input);
    let again = PrivateKey::parse(input);
    match (read, again) {
        (Ok(key), Ok(again)) => {
            assert!(input.len() <= LARGEST_KEY);
            let ca = &POSSESSION.ca;
            assert_eq!(key.matches(ca), again.matches(ca));
        }
        (Err(error), Err(again)) => {
            assert_eq!(error, again, "one input, two results");
            plain::error(&error, input);
        }
        _ => panic!("one input, two results"),
    }
}

/// A proof of possession that was signed elsewhere: only the CA's own signature counts, over just those bytes.
pub fn proof(input: &[u8]) {
    let Possession { ca, proofs, code, now } = &*POSSESSION;
    let certificates = match pki::certificates(input) {
        Ok(certificates) => certificates,
        Err(error) => return plain::error(&error, input),
    };
    for certificate in certificates {
        let verdict = pki::check(&certificate, ca, code, *now);
        assert_eq!(verdict, pki::check(&certificate, ca, code, *now), "one input, two results");
        match verdict {
            Ok(()) => assert!(proofs.contains(&certificate), "it was not signed by the CA's key"),
            Err(error) => plain::error(&error, input),
        }
        let early = pki::check(&certificate, ca, code, Timestamp::UNIX_EPOCH);
        assert!(early.is_err(), "before its validity it is no proof");
    }
}

/// A verification code.
pub fn verification_code(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    match text.parse::<VerificationCode>() {
        Ok(code) => {
            assert_eq!(code.as_str(), text);
            assert_eq!(code.to_string(), text);
            assert!((1..=VerificationCode::MAX).contains(&text.len()));
            assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-'));
        }
        Err(error) => plain::error(&error, input),
    }
}
