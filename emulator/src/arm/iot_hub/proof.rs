//! Proof of possession: is this certificate issued, for this code, by the key of the stored one?

use openssl::nid::Nid;
use openssl::x509::{X509, X509Ref};

use crate::certificate;

/// Why a proof is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rejected {
    Unreadable(&'static str),
    NoCode,
    CommonName,
    Validity,
    /// Not issued by the stored certificate: another issuer name, or another key signed.
    Issuer,
}

/// Checks a proof. No extensions are asked for. `now` is absent where validity is not looked at.
pub(super) fn check(text: &str, stored: &X509Ref, codes: &[&str], now: Option<i64>) -> Result<(), Rejected> {
    let proof = certificate::read(text).map_err(|why| Rejected::Unreadable(why.why()))?;
    if codes.is_empty() {
        return Err(Rejected::NoCode);
    }
    if !codes.contains(&sole_common_name(&proof).ok_or(Rejected::CommonName)?.as_str()) {
        return Err(Rejected::CommonName);
    }
    if !issued_by(&proof, stored) {
        return Err(Rejected::Issuer);
    }
    match now {
        Some(now) if !certificate::valid_at(&proof, now) => Err(Rejected::Validity),
        _ => Ok(()),
    }
}

/// The names compare by their bytes: a proof that spells the issuer in another string type would not chain
/// everywhere. The signature decides.
fn issued_by(proof: &X509, stored: &X509Ref) -> bool {
    let names = (proof.issuer_name().to_der(), stored.subject_name().to_der());
    let (Ok(issuer), Ok(subject), Ok(key)) = (names.0, names.1, stored.public_key()) else { return false };
    issuer == subject && proof.verify(&key).unwrap_or(false)
}

fn sole_common_name(proof: &X509) -> Option<String> {
    let mut names = proof.subject_name().entries_by_nid(Nid::COMMONNAME);
    match (names.next(), names.next()) {
        (Some(one), None) => one.data().to_string().ok(),
        _ => None,
    }
}
