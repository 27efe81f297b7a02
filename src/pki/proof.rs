//! Proof of possession: a short-lived certificate that names a service's verification code and is signed by the CA's
//! key. Made here, or made elsewhere by someone who keeps the key offline, and checked here.

use std::sync::OnceLock;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use der::Tag;
use jiff::{SignedDuration, Timestamp};

use super::asn1::{self, constructed};
use super::certificate::{Certificate, NotIssued};
use super::code::VerificationCode;
use super::key::PrivateKey;
use super::name;
use super::signed::{authority_key_identifier, extension_list, serial_number, signed, validity};

/// Clocks differ.
const BACK: SignedDuration = SignedDuration::from_hours(24);
const LIFE: SignedDuration = SignedDuration::from_hours(3 * 24);

/// Why no proof was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The key is another's.
    #[error("the private key is not the one of the CA's certificate; supply both from one pair")]
    WrongKey,
    /// Something failed that does not fail.
    #[error("the proof certificate could not be made: a cryptographic operation of the operator failed")]
    Unmade,
    /// What was made did not stand its own test.
    #[error("the proof certificate that was made does not hold: {0}")]
    Unsound(#[from] ProofFault),
}

/// Why a certificate is not the proof that is wanted. All texts speak of the proof certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProofFault {
    /// It is for another code.
    #[error("its subject must have the current verification code as its only common name; sign that code")]
    WrongCode,
    /// Its issuer is not the CA.
    #[error(
        "its issuer must be, byte for byte, the subject of the certificate to be verified; sign directly with that CA"
    )]
    WrongIssuer,
    /// The CA's key did not sign it.
    #[error("it was not signed by the key of the certificate to be verified")]
    BadSignature,
    /// The signature is of a kind that is not accepted.
    #[error(
        "its signature is of a kind that is not accepted; sign with SHA-256, by an RSA (2048 bits or more) or ECDSA CA"
    )]
    Unsupported,
    /// It is not valid yet.
    #[error("it is not valid before {from}")]
    NotYetValid {
        /// Begin of its validity.
        from: Timestamp,
    },
    /// It is no longer valid.
    #[error("it expired at {at}; sign a new one")]
    Expired {
        /// End of its validity.
        at: Timestamp,
    },
}

/// Makes the proof that whoever asks holds the key of `ca`.
///
/// The first one makes a throw-away RSA key: run it where blocking is allowed. Sign only a code that the operator itself was
/// given for this very certificate.
pub fn proof(
    ca: &Certificate,
    key: &PrivateKey,
    code: &VerificationCode,
    now: Timestamp,
) -> Result<Certificate, ProofError> {
    if !key.matches(ca) {
        return Err(ProofError::WrongKey);
    }
    let proof = made(ca, key, code, now).ok_or(ProofError::Unmade)?;
    check(&proof, ca, code, now)?;
    Ok(proof)
}

/// Checks that `proof` proves possession of the key of `ca` for this code, at this time.
pub fn check(
    proof: &Certificate,
    ca: &Certificate,
    code: &VerificationCode,
    now: Timestamp,
) -> Result<(), ProofFault> {
    if name::common_names(proof.subject_der()) != [Some(code.as_str().to_owned())] {
        return Err(ProofFault::WrongCode);
    }
    proof.check_issuer(ca).map_err(|fault| match fault {
        NotIssued::Issuer => ProofFault::WrongIssuer,
        NotIssued::Signature => ProofFault::BadSignature,
        NotIssued::Unsupported => ProofFault::Unsupported,
    })?;
    if now < proof.not_before() {
        return Err(ProofFault::NotYetValid { from: proof.not_before() });
    }
    if now > proof.not_after() {
        return Err(ProofFault::Expired { at: proof.not_after() });
    }
    Ok(())
}

fn made(ca: &Certificate, key: &PrivateKey, code: &VerificationCode, now: Timestamp) -> Option<Certificate> {
    let algorithm = key.kind().signature_algorithm().ok()?;
    signed(&to_be_signed(ca, &algorithm, code, now)?, key, &algorithm)
}

fn to_be_signed(
    ca: &Certificate,
    algorithm: &[u8],
    code: &VerificationCode,
    now: Timestamp,
) -> Option<Vec<u8>> {
    const VERSION_3: &[u8] = &[0x02, 0x01, 0x02];

    let parts = [
        &asn1::value(constructed(0), VERSION_3).ok()?,
        &asn1::value(Tag::Integer, &serial_number()?).ok()?,
        algorithm,
        ca.subject_der(),
        &validity(now.saturating_sub(BACK).ok()?, now.saturating_add(LIFE).ok()?)?,
        &subject(code).ok()?,
        throw_away_public_key()?,
        &extension_list(&authority_key_identifier(ca)?)?,
    ];
    asn1::values(Tag::Sequence, &parts).ok()
}

fn subject(code: &VerificationCode) -> der::Result<Vec<u8>> {
    let kind = asn1::value(Tag::ObjectIdentifier, name::COMMON_NAME.as_bytes())?;
    let common_name = asn1::value(Tag::Utf8String, code.as_str().as_bytes())?;
    let attribute = asn1::values(Tag::Sequence, &[&kind, &common_name])?;
    asn1::value(Tag::Sequence, &asn1::value(Tag::Set, &attribute)?)
}

/// The public half of a key whose private half is dropped: nobody can act in a proof's name. One serves all proofs of a
/// process, as making it takes a good part of a second.
fn throw_away_public_key() -> Option<&'static [u8]> {
    static KEY: OnceLock<Vec<u8>> = OnceLock::new();
    if let Some(made) = KEY.get() {
        return Some(made);
    }
    let pair = KeyPair::generate(KeySize::Rsa2048).ok()?;
    let info: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
    Some(KEY.get_or_init(|| info.as_ref().to_vec()))
}

#[cfg(test)]
mod tests;
