//! A certificate: its bytes, which are what counts, and what they say.

use std::fmt;
use std::hash::{Hash, Hasher};

use jiff::Timestamp;

use super::algorithm::{KeyKind, PublicKey, Unverified};
use super::fields::Fields;
use super::fingerprint::{Fingerprint, Thumbprint, hex};
use super::name;
use super::pem::{self, PemFault};
use super::profile::{self, Profile};

/// An X.509 certificate. Two are equal if their bytes are.
#[derive(Clone)]
pub struct Certificate {
    der: Box<[u8]>,
    subject: String,
    subject_der: Box<[u8]>,
    issuer_der: Box<[u8]>,
    serial_number: String,
    not_before: Timestamp,
    not_after: Timestamp,
    authority: Authority,
    public_key_der: Box<[u8]>,
    subject_key_identifier: Option<Box<[u8]>>,
}

/// What a certificate says of its right to sign others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// It is a certificate authority's.
    Ca,
    /// It is not.
    Leaf,
    /// It says nothing, as version 1 certificates cannot.
    Unstated,
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyShape {
    /// RSA.
    Rsa {
        /// Its size.
        bits: usize,
    },
    /// Elliptic.
    Elliptic {
        /// The curve, by NIST's name.
        curve: &'static str,
    },
}

/// Bytes that are not the certificates that were asked for. All texts continue "The certificate in …: ".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// Nothing but white space.
    #[error("it is empty; PEM or DER of a certificate is needed")]
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
    #[error("it is neither PEM nor DER nor base64 of either")]
    Unrecognized,
    /// Broken PEM.
    #[error(transparent)]
    Pem(#[from] PemFault),
    /// Well-formed, and something else.
    #[error("it holds {found} and no certificate")]
    NoCertificate {
        /// What was found, in words.
        found: &'static str,
    },
    /// More certificates than a chain has.
    #[error("it holds {count} certificates; at most {limit} are accepted")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many may be.
        limit: usize,
    },
    /// Fewer bytes than the structure announces, or bytes behind it.
    #[error("certificate {position} is cut off, or something stands behind it")]
    WrongLength {
        /// Which one, from 1.
        position: usize,
    },
    /// One that cannot be read.
    #[error("certificate {position} cannot be read: {part} is not as X.509 has it")]
    Unreadable {
        /// Which one, from 1.
        position: usize,
        /// What of it, in words.
        part: &'static str,
    },
}

/// Why a certificate does not count as issued by another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotIssued {
    /// The names differ.
    #[error("its issuer is not, byte for byte, the subject of the CA's certificate")]
    Issuer,
    /// A signature, or a key of the CA, that is not accepted.
    #[error(
        "its signature is of a kind that is not accepted; accepted are RSA (PKCS#1, 2048 to 8192 bits) and ECDSA \
         (P-256, P-384, P-521), with SHA-256, SHA-384 or SHA-512"
    )]
    Unsupported,
    /// The signature is wrong.
    #[error("its signature was not made by the CA's key")]
    Signature,
}

impl Certificate {
    /// The largest certificate, in bytes of DER: 36 500 in PEM.
    pub const MAX_SIZE: usize = 26_900;

    /// Reads a certificate in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, Malformed> {
        Self::at_position(1, der)
    }

    /// Reads a certificate in DER; errors give its position among others.
    pub(super) fn at_position(position: usize, der: &[u8]) -> Result<Self, Malformed> {
        if der.len() > Self::MAX_SIZE {
            return Err(Malformed::TooLarge { size: der.len(), limit: Self::MAX_SIZE });
        }
        if !super::form::has_announced_length(der) {
            return Err(Malformed::WrongLength { position });
        }
        let fields = Fields::read(der).map_err(|part| Malformed::Unreadable { position, part })?;
        Ok(Self {
            der: der.into(),
            subject: name::text(fields.subject),
            subject_der: fields.subject.into(),
            issuer_der: fields.issuer.into(),
            serial_number: hex(fields.serial_number),
            not_before: fields.not_before,
            not_after: fields.not_after,
            authority: fields.authority,
            public_key_der: fields.public_key.into(),
            subject_key_identifier: fields.subject_key_identifier.map(Into::into),
        })
    }

    /// The certificate's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM, with line ends in LF.
    pub fn to_pem(&self) -> String {
        pem::write("CERTIFICATE", &self.der)
    }

    /// The subject as RFC 4514 text: printable, at most 256 characters. For people; never compare it.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The subject, a DER Name, as it stands.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// The subject's common name; the first one, if it has several.
    pub fn common_name(&self) -> Option<String> {
        super::name::common_names(&self.subject_der).into_iter().next().flatten()
    }

    /// The issuer, a DER Name, as it stands.
    pub fn issuer_der(&self) -> &[u8] {
        &self.issuer_der
    }

    /// The serial number in upper-case hexadecimal, at most 64 digits.
    pub fn serial_number(&self) -> &str {
        &self.serial_number
    }

    /// SHA-1 of the bytes: Azure's thumbprint.
    pub fn sha1_thumbprint(&self) -> Thumbprint {
        Thumbprint::of(&self.der)
    }

    /// SHA-256 of the bytes.
    pub fn sha256_fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.der)
    }

    /// Begin of validity.
    pub fn not_before(&self) -> Timestamp {
        self.not_before
    }

    /// End of validity, itself included.
    pub fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it says that it is a certificate authority's.
    pub fn authority(&self) -> Authority {
        self.authority
    }

    /// The public key, a DER SubjectPublicKeyInfo, as it stands.
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// The subject key identifier, where there is one.
    pub(super) fn subject_key_identifier(&self) -> Option<&[u8]> {
        self.subject_key_identifier.as_deref()
    }

    /// What kind of key it is for; `None` if it is of a kind that is not worked with.
    pub fn key_shape(&self) -> Option<KeyShape> {
        let key = PublicKey::read(&self.public_key_der)?;
        Some(match key.kind {
            KeyKind::Rsa => KeyShape::Rsa { bits: key.rsa_bits()? },
            KeyKind::Elliptic(curve) => KeyShape::Elliptic { curve: curve.common_name() },
        })
    }

    /// Its names and uses; `None` if they cannot be read.
    pub fn profile(&self) -> Option<Profile> {
        let fields = Fields::read(&self.der).ok()?;
        fields.extensions.map_or(Some(Profile::default()), |it| Profile::of(&profile::extensions(it)?))
    }

    /// Whether `ca` issued it: see [`Certificate::check_issuer`].
    pub fn is_issued_by(&self, ca: &Certificate) -> bool {
        self.check_issuer(ca).is_ok()
    }

    /// Checks that its issuer is the subject of `ca` byte for byte, and that the key of `ca` signed it. Validity and
    /// the right to sign are not looked at.
    pub fn check_issuer(&self, ca: &Certificate) -> Result<(), NotIssued> {
        if self.issuer_der != ca.subject_der {
            return Err(NotIssued::Issuer);
        }
        // The bytes were read once already when this value was made.
        let fields = Fields::read(&self.der).map_err(|_| NotIssued::Signature)?;
        if fields.inner_algorithm != fields.algorithm {
            return Err(NotIssued::Signature);
        }
        let key = PublicKey::read(&ca.public_key_der).ok_or(NotIssued::Unsupported)?;
        key.verify(fields.algorithm, fields.signed, fields.signature).map_err(|unverified| match unverified {
            Unverified::Algorithm => NotIssued::Unsupported,
            Unverified::Signature => NotIssued::Signature,
        })
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl Hash for Certificate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject)
            .field("serial_number", &self.serial_number)
            .field("sha256", &self.sha256_fingerprint())
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
