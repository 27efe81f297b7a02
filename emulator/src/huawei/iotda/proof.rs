//! The proof that somebody holds a CA's key: a certificate for the code, signed with it.

use super::errors;
use super::instance::{Content, common_names};
use crate::certificate;
use crate::request::Answer;

/// Nothing is demanded of version, extensions, key, or the other parts of the subject.
pub(super) fn check(proof: String, ca: &Content, code: &str, valid_at: Option<i64>) -> Result<(), Answer> {
    let proof = Content::try_from(proof).map_err(errors::not_a_certificate)?.x509;
    if common_names(&proof) != [code] {
        return Err(errors::bad_request("014307", "The common name is not the verification code."));
    }
    let rejected = |why: &str| Err(errors::bad_request("014308", &format!("Verification failed: {why}.")));
    let names = (proof.issuer_name().to_der(), ca.x509.subject_name().to_der());
    if !matches!(names, (Ok(issuer), Ok(subject)) if issuer == subject) {
        return rejected("the issuer is not the CA");
    }
    if !ca.x509.public_key().and_then(|key| proof.verify(&key)).unwrap_or(false) {
        return rejected("the signature is not the CA's");
    }
    if valid_at.is_some_and(|now| !certificate::valid_at(&proof, now)) {
        return rejected("the certificate is not valid now");
    }
    Ok(())
}
