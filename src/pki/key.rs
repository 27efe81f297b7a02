//! A private key: read once, kept inside the cryptographic library, never shown.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, EcPublicKeyCompressedBin, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair, RSA_PKCS1_SHA256};
use der::Tag;
use zeroize::Zeroizing;

use super::algorithm::{Curve, ELLIPTIC, KeyKind, PublicKey, RSA, RSA_BITS, bit_length};
use super::asn1::{Values, constructed};
use super::certificate::Certificate;
use super::form::{Form, Shape};
use super::pem::{self, Label, PemFault};

/// The most that is read, in bytes.
const MAX_SIZE: usize = 13_000;

/// A private key, RSA or elliptic. It has no text form of any sort; its memory is wiped when the last clone goes.
#[derive(Clone)]
pub struct PrivateKey(Pair);

#[derive(Clone)]
enum Pair {
    Rsa(rsa::KeyPair),
    Elliptic(Curve, EcdsaKeyPair),
}

/// Bytes that are not a usable private key. All texts continue "The private key in …: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Nothing but white space.
    #[error("it is empty; PEM or DER of a private key is needed")]
    Empty,
    /// More than is read.
    #[error("it has {size} bytes; at most {limit} are accepted")]
    TooLarge {
        /// How many there are.
        size: usize,
        /// How many may be.
        limit: usize,
    },
    /// UTF-16 text.
    #[error("it is UTF-16 text; save it as UTF-8 or ASCII")]
    Utf16,
    /// None of the forms.
    #[error("it is neither PEM nor DER")]
    Unrecognized,
    /// Broken PEM.
    #[error(transparent)]
    Pem(#[from] PemFault),
    /// Well-formed, and something else.
    #[error("it holds {found} and no private key")]
    NoKey {
        /// What was found, in words.
        found: &'static str,
    },
    /// Which one is meant cannot be known.
    #[error("it holds {count} private keys; leave the one that belongs to the certificate")]
    Several {
        /// How many there are.
        count: usize,
    },
    /// It needs a passphrase, which there is no place for.
    #[error("it is encrypted; store it without a passphrase (openssl pkey -in key.pem -out plain.pem)")]
    Encrypted,
    /// OpenSSH's own form.
    #[error("it is in OpenSSH's form; convert it (ssh-keygen -p -m PKCS8 -f key)")]
    Openssh,
    /// An RSA key of a size that is not accepted.
    #[error("it is an RSA key of {bits} bits; 2048 to 8192 are accepted")]
    RsaSize {
        /// Its size.
        bits: usize,
    },
    /// An elliptic curve that is not accepted.
    #[error(
        "its elliptic curve is not accepted; accepted are P-256, P-384 and P-521, each given by its name"
    )]
    Curve,
    /// Neither RSA nor elliptic.
    #[error("its algorithm is not accepted; accepted are RSA (2048 to 8192 bits), P-256, P-384 and P-521")]
    Algorithm,
    /// It is cut off, or its parts do not belong together.
    #[error("it is damaged: cut off, or its numbers do not belong together; export it again")]
    Damaged,
}

impl PrivateKey {
    /// Reads exactly one private key: PKCS#8, PKCS#1 or SEC1, in PEM or DER. What stands around it in PEM, such as a
    /// certificate, is left out.
    pub fn parse(bytes: &[u8]) -> Result<Self, KeyError> {
        if bytes.len() > MAX_SIZE {
            return Err(KeyError::TooLarge { size: bytes.len(), limit: MAX_SIZE });
        }
        match Form::of(bytes) {
            Form::Empty => Err(KeyError::Empty),
            Form::Utf16 => Err(KeyError::Utf16),
            Form::Other(_) => Err(KeyError::Unrecognized),
            Form::Der(der) => in_der(der),
            Form::Pem(text) => in_pem(text),
        }
    }

    /// The key in PKCS#8.
    pub fn to_pkcs8(&self) -> Option<Zeroizing<Vec<u8>>> {
        let der = match &self.0 {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'static> = pair.as_der().ok()?;
                der.as_ref().to_vec()
            }
            Pair::Elliptic(_, pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
        };
        Some(Zeroizing::new(der))
    }

    /// The key in PKCS#8 and PEM.
    pub fn to_pem(&self) -> Option<Zeroizing<String>> {
        Some(Zeroizing::new(pem::write("PRIVATE KEY", &self.to_pkcs8()?)))
    }

    /// Whether it is the key of this certificate.
    pub fn matches(&self, certificate: &Certificate) -> bool {
        let Some(theirs) = PublicKey::read(certificate.public_key_der()) else { return false };
        theirs.kind == self.kind()
            && match &self.0 {
                Pair::Rsa(pair) => pair.public_key().as_ref() == theirs.bits,
                Pair::Elliptic(_, pair) => is_point(pair, theirs.bits),
            }
    }

    /// What kind of key it is.
    pub(super) fn kind(&self) -> KeyKind {
        match &self.0 {
            Pair::Rsa(_) => KeyKind::Rsa,
            Pair::Elliptic(curve, _) => KeyKind::Elliptic(*curve),
        }
    }

    /// Signs as [`KeyKind::signature_algorithm`] says.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        let random = SystemRandom::new();
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)?;
                Ok(signature)
            }
            Pair::Elliptic(_, pair) => Ok(pair.sign(&random, message)?.as_ref().to_vec()),
        }
    }
}

fn in_pem(text: &[u8]) -> Result<PrivateKey, KeyError> {
    let blocks = pem::blocks(text)?;
    let is_key =
        |label| matches!(label, Label::PrivateKey | Label::EncryptedPrivateKey | Label::OpensshPrivateKey);
    let mut keys = blocks.iter().filter(|block| is_key(block.label));
    let Some(key) = keys.next() else {
        let found = blocks.iter().map(|block| block.label).find(|label| *label != Label::Parameters);
        return Err(KeyError::NoKey { found: found.map_or("key parameters", Label::words) });
    };
    match (keys.count(), key.label) {
        (0, Label::EncryptedPrivateKey) => Err(KeyError::Encrypted),
        (0, Label::OpensshPrivateKey) => Err(KeyError::Openssh),
        (0, _) if key.encrypted => Err(KeyError::Encrypted),
        (0, _) => in_der(&key.der),
        (others, _) => Err(KeyError::Several { count: others + 1 }),
    }
}

/// Reads a key by what it looks like; labels of PEM blocks are sometimes wrong.
fn in_der(der: &[u8]) -> Result<PrivateKey, KeyError> {
    match Shape::of(der) {
        Shape::Pkcs8 => in_pkcs8(der),
        Shape::Pkcs1 => rsa(der),
        Shape::Sec1 => elliptic(sec1_curve(der), der),
        Shape::EncryptedPkcs8 => Err(KeyError::Encrypted),
        other @ (Shape::Certificate | Shape::Pkcs12) => Err(KeyError::NoKey { found: other.words() }),
        Shape::Unknown | Shape::WrongLength => Err(KeyError::Damaged),
    }
}

fn in_pkcs8(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let parts = || {
        let mut values = Values::of(Tag::Sequence, der)?;
        values.take(Tag::Integer)?;
        let mut algorithm = Values::within(values.take(Tag::Sequence)?)?;
        let name = algorithm.take(Tag::ObjectIdentifier)?;
        Some((name, algorithm.rest()?, values.take(Tag::OctetString)?))
    };
    let (name, parameters, key) = parts().ok_or(KeyError::Damaged)?;
    if name == RSA.as_bytes() {
        rsa(key)
    } else if name == ELLIPTIC.as_bytes() {
        elliptic(Curve::named(parameters), key)
    } else {
        Err(KeyError::Algorithm)
    }
}

/// Reads an RSAPrivateKey (RFC 8017).
fn rsa(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let modulus = || {
        let mut numbers = Values::of(Tag::Sequence, der)?;
        numbers.take(Tag::Integer)?; // the version
        numbers.take(Tag::Integer)
    };
    let bits = bit_length(modulus().ok_or(KeyError::Damaged)?);
    if !RSA_BITS.contains(&bits) {
        return Err(KeyError::RsaSize { bits });
    }
    let pair = rsa::KeyPair::from_der(der).map_err(|_| KeyError::Damaged)?;
    Ok(PrivateKey(Pair::Rsa(pair)))
}

/// Reads an ECPrivateKey (RFC 5915).
fn elliptic(curve: Option<Curve>, der: &[u8]) -> Result<PrivateKey, KeyError> {
    let curve = curve.ok_or(KeyError::Curve)?;
    let pair = EcdsaKeyPair::from_private_key_der(curve.signing(), der).map_err(|_| KeyError::Damaged)?;
    Ok(PrivateKey(Pair::Elliptic(curve, pair)))
}

fn sec1_curve(der: &[u8]) -> Option<Curve> {
    let mut values = Values::of(Tag::Sequence, der)?;
    values.take(Tag::Integer)?;
    values.take(Tag::OctetString)?;
    Curve::named(values.take_if(constructed(0))?)
}

/// Certificates write a point in full or compressed.
fn is_point(pair: &EcdsaKeyPair, point: &[u8]) -> bool {
    let compressed: Result<EcPublicKeyCompressedBin<'_>, _> = pair.public_key().as_be_bytes();
    pair.public_key().as_ref() == point || compressed.is_ok_and(|ours| ours.as_ref() == point)
}

#[cfg(test)]
mod tests;
