//! Certificates, private keys and proofs of possession: bytes in, values out.
//!
//! Nothing here does I/O, knows Kubernetes or a cloud, or asks what time it is; the time is handed in. Whatever the
//! input, the answer is a value or an error whose text may be shown to anyone: it says what is wrong and what to do,
//! and repeats nothing of the input.

mod algorithm;
mod asn1;
mod bundle;
mod certificate;
mod chain;
mod code;
mod distinguished_name;
mod fields;
mod fingerprint;
mod form;
mod issue;
mod key;
mod name;
mod pem;
pub mod pkcs12;
mod profile;
mod proof;
mod request;
mod signed;
#[cfg(test)]
mod testing;
mod time;

pub use bundle::certificates;
pub use certificate::{Authority, Certificate, KeyShape, Malformed, NotIssued};
pub use chain::Identity;
pub use code::{InvalidCode, VerificationCode};
pub use distinguished_name::DistinguishedName;
pub use fingerprint::{Fingerprint, InvalidDigest, Thumbprint};
pub use issue::{NotIssuable, can_issue, issue};
pub use key::{KeyError, PrivateKey};
pub use pem::PemFault;
pub use profile::{AlternativeName, Profile};
pub use proof::{ProofError, ProofFault, check, proof};
pub use request::{NoRequest, SigningRequest};
