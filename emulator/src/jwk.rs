//! Other issuers' public keys (RFC 7517), and what they verify: RS256 and ES256 (RFC 7518 §3.3, §3.4), by OpenSSL.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Verifier;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Rs256,
    Es256,
}

/// `{"keys": […]}`, as an issuer publishes it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct KeySet {
    keys: Vec<Key>,
}

/// One key. Members that are not listed are dropped, among them the private ones.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "kty")]
enum Key {
    #[serde(rename = "RSA")]
    Rsa(Named<RsaNumbers>),
    #[serde(rename = "EC")]
    Ec(Named<Point>),
    /// Of a type that signs nothing here; RFC 7517 §5 has it ignored.
    #[serde(other)]
    Other,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Named<K> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kid: Option<String>,
    /// The only algorithm that it is for, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alg: Option<String>,
    #[serde(flatten)]
    key: K,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RsaNumbers {
    n: String,
    e: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Point {
    crv: String,
    x: String,
    y: String,
}

/// Why a signature is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Disbelief {
    NoSuchKey,
    /// The key is of another kind than the algorithm needs, or OpenSSL makes no key of it. The kind is the issuer's to
    /// say, never the assertion's: otherwise a public key would pass for a shared secret.
    KeyOfOtherKind,
    Signature,
}

impl Algorithm {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Rs256 => "RS256",
            Self::Es256 => "ES256",
        }
    }
}

impl KeySet {
    pub(crate) fn verify(
        &self,
        key_id: &str,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), Disbelief> {
        let key = self.keys.iter().find(|key| key.id() == Some(key_id)).ok_or(Disbelief::NoSuchKey)?;
        let fits = key.only_for().is_none_or(|only| only == algorithm.name());
        let verified = match (key, algorithm) {
            (Key::Rsa(rsa), Algorithm::Rs256) if fits => {
                let key = rsa.key.public().ok_or(Disbelief::KeyOfOtherKind)?;
                let verifier = Verifier::new(MessageDigest::sha256(), &key);
                verifier.and_then(|mut verifier| verifier.verify_oneshot(signature, signed))
            }
            (Key::Ec(ec), Algorithm::Es256) if fits => {
                let key = ec.key.public().ok_or(Disbelief::KeyOfOtherKind)?;
                of_halves(signature).and_then(|signature| signature.verify(&sha256(signed), &key))
            }
            (Key::Rsa(_) | Key::Ec(_) | Key::Other, Algorithm::Rs256 | Algorithm::Es256) => {
                return Err(Disbelief::KeyOfOtherKind);
            }
        };
        if matches!(verified, Ok(true)) { Ok(()) } else { Err(Disbelief::Signature) }
    }
}

/// JOSE writes r and s side by side, 32 bytes each. Of another length it is no signature: both halves come out as
/// nought, which verifies nothing.
fn of_halves(signature: &[u8]) -> Result<EcdsaSig, ErrorStack> {
    let (r, s) = if signature.len() == 64 { signature.split_at(32) } else { Default::default() };
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)
}

impl Key {
    fn id(&self) -> Option<&str> {
        match self {
            Self::Rsa(Named { kid, .. }) | Self::Ec(Named { kid, .. }) => kid.as_deref(),
            Self::Other => None,
        }
    }

    fn only_for(&self) -> Option<&str> {
        match self {
            Self::Rsa(Named { alg, .. }) | Self::Ec(Named { alg, .. }) => alg.as_deref(),
            Self::Other => None,
        }
    }
}

impl RsaNumbers {
    fn public(&self) -> Option<PKey<Public>> {
        let rsa = Rsa::from_public_components(number(&self.n)?, number(&self.e)?).ok()?;
        PKey::from_rsa(rsa).ok()
    }
}

impl Point {
    fn public(&self) -> Option<EcKey<Public>> {
        if self.crv != "P-256" {
            return None;
        }
        let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).ok()?;
        // Off the curve it is refused.
        EcKey::from_public_key_affine_coordinates(&curve, &*number(&self.x)?, &*number(&self.y)?).ok()
    }
}

fn number(text: &str) -> Option<BigNum> {
    BigNum::from_slice(&BASE64URL.decode(text).ok()?).ok()
}
