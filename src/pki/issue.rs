//! Issuing: a certificate for a request, signed with a CA's key.

use der::Tag;
use der::asn1::ObjectIdentifier;
use jiff::{SignedDuration, Timestamp};

use super::asn1::{self, constructed};
use super::certificate::{Authority, Certificate};
use super::key::PrivateKey;
use super::profile::Profile;
use super::request::SigningRequest;
use super::signed::{
    authority_key_identifier, extension, extension_list, key_identifier, serial_number, signed, validity,
};

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// Clocks differ.
const BACK: SignedDuration = SignedDuration::from_mins(5);

/// Why no certificate was issued. All texts speak of the CA.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIssuable {
    /// The key is another's.
    #[error("the private key does not belong to the CA's certificate: store the pair together")]
    WrongKey,
    /// The certificate is no CA's.
    #[error("the certificate is not a CA's that may sign certificates: use one with CA:TRUE and keyCertSign")]
    NotCa,
    /// The CA's validity is over, or has not begun.
    #[error("the CA's certificate is not valid now: use one that is")]
    NotValid,
    /// Something failed that does not fail.
    #[error("the certificate could not be made: a cryptographic operation of the operator failed")]
    Unmade,
}

/// Whether this pair can issue at that time.
pub fn can_issue(ca: &Certificate, key: &PrivateKey, now: Timestamp) -> Result<(), NotIssuable> {
    if !key.matches(ca) {
        return Err(NotIssuable::WrongKey);
    }
    let may_sign = |profile: Profile| profile.key_usages.is_none_or(|it| it.contains("keyCertSign"));
    if ca.authority() != Authority::Ca || !ca.profile().is_some_and(may_sign) {
        return Err(NotIssuable::NotCa);
    }
    if now < ca.not_before() || now >= ca.not_after() {
        return Err(NotIssuable::NotValid);
    }
    Ok(())
}

/// A certificate for the request: its subject, its key, the names and uses that it asks for. It is valid for `life` at
/// most, and never longer than the CA.
pub fn issue(
    request: &SigningRequest,
    ca: &Certificate,
    key: &PrivateKey,
    life: SignedDuration,
    now: Timestamp,
) -> Result<Certificate, NotIssuable> {
    can_issue(ca, key, now)?;
    let issued = issued(request, ca, key, life, now).ok_or(NotIssuable::Unmade)?;
    if issued.is_issued_by(ca) { Ok(issued) } else { Err(NotIssuable::Unmade) }
}

fn issued(
    request: &SigningRequest,
    ca: &Certificate,
    key: &PrivateKey,
    life: SignedDuration,
    now: Timestamp,
) -> Option<Certificate> {
    const VERSION_3: &[u8] = &[0x02, 0x01, 0x02];

    let from = now.saturating_sub(BACK).ok()?.max(ca.not_before());
    let until = now.saturating_add(life).ok()?.min(ca.not_after());
    let algorithm = key.kind().signature_algorithm().ok()?;
    let parts = [
        &asn1::value(constructed(0), VERSION_3).ok()?,
        &asn1::value(Tag::Integer, &serial_number()?).ok()?,
        algorithm.as_slice(),
        ca.subject_der(),
        &validity(from, until)?,
        request.subject_der(),
        request.public_key_der(),
        &extensions(request, ca)?,
    ];
    signed(&asn1::values(Tag::Sequence, &parts).ok()?, key, &algorithm)
}

fn extensions(request: &SigningRequest, ca: &Certificate) -> Option<Vec<u8>> {
    let own = asn1::value(Tag::OctetString, &key_identifier(request.public_key_der())?).ok()?;
    let parts = [
        extension(BASIC_CONSTRAINTS, true, &[0x30, 0x00])?, // an empty SEQUENCE: no CA
        extension(SUBJECT_KEY_IDENTIFIER, false, &own)?,
        authority_key_identifier(ca)?,
        request.asked_extensions(),
    ];
    extension_list(&parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::request::tests::request;
    use crate::pki::testing::{CAS, Scratch, certificate, key, now, openssl};

    const YEAR: SignedDuration = SignedDuration::from_hours(365 * 24);

    #[test]
    fn what_is_issued_holds_for_openssl_and_has_what_was_asked_for() {
        let extensions = [
            "subjectAltName=DNS:web.example,IP:10.0.0.1",
            "keyUsage=critical,digitalSignature",
            "extendedKeyUsage=serverAuth",
        ];
        let time = now().as_second().to_string();
        for ca_name in CAS {
            let request = SigningRequest::from_der(&request("p-256", &extensions)).unwrap();
            let ca = certificate(ca_name);
            let issued = issue(&request, &ca, &key(ca_name), YEAR, now()).unwrap();
            assert_eq!(issued.profile().as_ref(), Some(request.profile()), "{ca_name}");
            assert_eq!((issued.subject(), issued.authority()), ("CN=web,O=Example", Authority::Leaf));
            assert_eq!(issued.public_key_der(), request.public_key_der());
            let (ca, leaf) = (Scratch::holding(ca.to_pem()), Scratch::holding(issued.to_pem()));
            openssl(&[
                "verify",
                "-x509_strict",
                "-purpose",
                "sslserver",
                "-attime",
                &time,
                "-CAfile",
                ca.path(),
                leaf.path(),
            ]);
        }
    }

    #[test]
    fn nothing_outlives_the_ca() {
        let request = SigningRequest::from_der(&request("p-256", &[])).unwrap();
        let (ca, key) = (certificate("rsa-2048"), key("rsa-2048"));
        let short = issue(&request, &ca, &key, YEAR, now()).unwrap();
        assert_eq!((short.not_before(), short.not_after()), (now() - BACK, now() + YEAR));
        let long = issue(&request, &ca, &key, YEAR * 1000, now()).unwrap();
        assert_eq!(long.not_after(), ca.not_after());
    }

    #[test]
    fn only_a_ca_issues_with_its_own_key_in_its_time() {
        let request = SigningRequest::from_der(&request("p-256", &[])).unwrap();
        let (ca, its_key) = (certificate("rsa-2048"), key("rsa-2048"));
        let leaf = issue(&request, &ca, &its_key, YEAR, now()).unwrap();
        assert_eq!(issue(&request, &ca, &key("p-384"), YEAR, now()), Err(NotIssuable::WrongKey));
        assert_eq!(issue(&request, &leaf, &key("p-256"), YEAR, now()), Err(NotIssuable::NotCa));
        let over = ca.not_after();
        assert_eq!(issue(&request, &ca, &its_key, YEAR, over), Err(NotIssuable::NotValid));
    }
}
