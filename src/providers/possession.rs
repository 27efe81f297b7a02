//! Proof of possession of a CA's key, as the services of several clouds ask for it: a certificate whose common name is a
//! code of theirs, signed with that key. Either the key is at hand, or somebody signs who keeps it offline.

use std::sync::Arc;

use jiff::Timestamp;

use crate::api::iot_hub::ProofOfPossession;
use crate::api::reason::{Invalid, Reason};
use crate::api::source::Source;
use crate::engine::error::CloudError;
use crate::pki::{self, Authority, Certificate, PrivateKey, ProofFault, VerificationCode};
use crate::source::{Fetched, Reference, material};

/// Who signs.
pub enum Possession {
    /// The operator, with this key.
    Key(Arc<PrivateKey>),
    /// Somebody who keeps the key offline.
    Offline(Offline),
}

/// A proof that somebody else signs.
pub struct Offline {
    /// The proof, or why there is none yet.
    pub signed: Result<Certificate, Invalid>,
    /// Where it is to be: Secret and key.
    pub place: String,
    /// When it was read.
    pub now: Timestamp,
}

/// A certificate for the code, signed with the CA's key.
pub enum Proof {
    /// To be made.
    Unsigned {
        /// The code.
        code: VerificationCode,
        /// The CA certificate.
        certificate: Certificate,
        /// Its key.
        key: Arc<PrivateKey>,
    },
    /// Made where the key is kept.
    Signed(Certificate),
}

/// What a proof of possession refers to, besides the source.
pub fn references(asked: Option<&ProofOfPossession>) -> Vec<Reference> {
    let key = asked.and_then(|it| it.private_key_secret_ref.as_ref());
    let signed = asked.and_then(|it| it.signed_certificate_secret_ref.as_ref());
    let key = key.map(|it| Reference::secret(&it.name));
    key.into_iter().chain(signed.map(|it| Reference::optional_secret(&it.name))).collect()
}

impl Possession {
    /// How the key of this CA is proven to be ours, or what keeps it from being proven.
    pub fn of(
        asked: &ProofOfPossession,
        source: &Source,
        certificate: &Certificate,
        found: &Fetched,
        now: Timestamp,
    ) -> Result<Self, Invalid> {
        if certificate.authority() == Authority::Leaf {
            let message = "the certificate of `spec.source` is not a CA certificate, so possession of a CA's key \
                           cannot be proven: use the CA's certificate, or remove `spec.verification`";
            return Err(Invalid::new(Reason::CertificateNotCA, message));
        }
        if let Some(it) = &asked.signed_certificate_secret_ref {
            let signed = material::signed_certificate(it, found);
            let place = format!("Secret `{}`, key `{}`", it.name, it.key);
            return Ok(Self::Offline(Offline { signed, place, now }));
        }
        let elsewhere = asked.private_key_secret_ref.as_ref();
        let key = material::private_key(source, elsewhere, certificate, found)?;
        Ok(Self::Key(Arc::new(key)))
    }

    /// The proof for this code, or what somebody has to supply first.
    pub fn proof(&self, ca: &Certificate, code: &VerificationCode) -> Result<Proof, Invalid> {
        match self {
            Self::Key(key) => {
                Ok(Proof::Unsigned { code: code.clone(), certificate: ca.clone(), key: key.clone() })
            }
            Self::Offline(offline) => offline.checked(ca, code).map(Proof::Signed),
        }
    }
}

impl Offline {
    /// The proof, if it is one for this code. One for an earlier code is told apart from one that never was any good.
    fn checked(&self, ca: &Certificate, code: &VerificationCode) -> Result<Certificate, Invalid> {
        let Self { signed, place, now } = self;
        let proof = signed.clone().map_err(|Invalid { reason, message }| {
            Invalid::new(
                reason,
                format!(
                    "sign a certificate whose common name is the code in `status.verificationCode.code` with the CA's \
                     key, and store it in {place}. {message}"
                ),
            )
        })?;
        pki::check(&proof, ca, code, *now).map_err(|fault| {
            let message = match fault {
                ProofFault::WrongCode => format!(
                    "the certificate in {place} is for another code, perhaps an earlier one: sign one for the code that \
                     is now in `status.verificationCode.code`"
                ),
                fault => format!("the certificate in {place} is no proof for this CA: {fault}"),
            };
            Invalid::new(Reason::ProofRejected, message)
        })?;
        Ok(proof)
    }
}

impl Proof {
    /// The certificate itself; made now if the operator signs.
    pub async fn certificate(self, now: Timestamp) -> Result<Certificate, CloudError> {
        let refused = |message: String| CloudError::new(Reason::ProofRejected, message);
        match self {
            Self::Signed(proof) => Ok(proof),
            Self::Unsigned { code, certificate, key } => {
                let made =
                    tokio::task::spawn_blocking(move || pki::proof(&certificate, &key, &code, now)).await;
                made.map_err(|_| refused("no proof of possession could be made".to_owned()))?
                    .map_err(|error| refused(format!("no proof of possession: {error}")))
            }
        }
    }

    /// What tells this proof from the next one: of one that somebody signed its own fingerprint, else `of_the_ca`.
    pub fn content_hash(&self, of_the_ca: String) -> String {
        match self {
            Self::Signed(proof) => proof.sha256_fingerprint().to_string(),
            Self::Unsigned { .. } => of_the_ca,
        }
    }
}
