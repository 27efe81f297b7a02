//! The signature algorithms and kinds of keys that are worked with, and what each is called in a certificate.

use aws_lc_rs::signature::{self as aws, EcdsaSigningAlgorithm, UnparsedPublicKey, VerificationAlgorithm};
use der::{Tag, asn1::ObjectIdentifier};

use super::asn1::{self, Values, whole_octets};

pub(super) const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
pub(super) const ELLIPTIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");

const RSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.11");
const RSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.12");
const RSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.13");
const ECDSA_SHA256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.2");
const ECDSA_SHA384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.3");
const ECDSA_SHA512: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.4.3.4");

/// The sizes of RSA keys that are accepted, in bits.
pub(super) const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// The curves that are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve that a key's parameters name.
    pub(super) fn named(parameters: &[u8]) -> Option<Self> {
        let name = asn1::contents(Tag::ObjectIdentifier, parameters)?;
        Self::ALL.into_iter().find(|curve| curve.name().as_bytes() == name)
    }

    /// NIST's name of it.
    pub(super) fn common_name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    fn name(self) -> ObjectIdentifier {
        match self {
            Self::P256 => ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"),
            Self::P384 => ObjectIdentifier::new_unwrap("1.3.132.0.34"),
            Self::P521 => ObjectIdentifier::new_unwrap("1.3.132.0.35"),
        }
    }

    /// How a key on this curve signs: with the hash of its own strength.
    pub(super) fn signing(self) -> &'static EcdsaSigningAlgorithm {
        match self {
            Self::P256 => &aws::ECDSA_P256_SHA256_ASN1_SIGNING,
            Self::P384 => &aws::ECDSA_P384_SHA384_ASN1_SIGNING,
            Self::P521 => &aws::ECDSA_P521_SHA512_ASN1_SIGNING,
        }
    }
}

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyKind {
    Rsa,
    Elliptic(Curve),
}

impl KeyKind {
    /// The AlgorithmIdentifier of the signatures that such a key makes here.
    pub(super) fn signature_algorithm(self) -> der::Result<Vec<u8>> {
        let (name, parameters): (_, &[u8]) = match self {
            // RFC 4055 §5: RSA algorithms carry a NULL, RFC 5758 §3.2: the ECDSA ones carry nothing.
            Self::Rsa => (RSA_SHA256, &[0x05, 0x00]),
            Self::Elliptic(Curve::P256) => (ECDSA_SHA256, &[]),
            Self::Elliptic(Curve::P384) => (ECDSA_SHA384, &[]),
            Self::Elliptic(Curve::P521) => (ECDSA_SHA512, &[]),
        };
        let name = asn1::value(Tag::ObjectIdentifier, name.as_bytes())?;
        asn1::values(Tag::Sequence, &[&name, parameters])
    }
}

/// A public key of an accepted kind and size.
pub(super) struct PublicKey<'a> {
    pub(super) kind: KeyKind,
    /// An RSAPublicKey, or a point.
    pub(super) bits: &'a [u8],
}

impl<'a> PublicKey<'a> {
    /// Reads a SubjectPublicKeyInfo; `None` if the key is of no accepted kind or size.
    pub(super) fn read(info: &'a [u8]) -> Option<Self> {
        let mut info = Values::of(Tag::Sequence, info)?;
        let mut algorithm = Values::within(info.take(Tag::Sequence)?)?;
        let bits = whole_octets(info.take(Tag::BitString)?)?;
        let name = algorithm.take(Tag::ObjectIdentifier)?;
        let kind = if name == RSA.as_bytes() {
            let modulus = Values::of(Tag::Sequence, bits)?.take(Tag::Integer)?;
            RSA_BITS.contains(&bit_length(modulus)).then_some(KeyKind::Rsa)
        } else if name == ELLIPTIC.as_bytes() {
            Curve::named(algorithm.next()?).map(KeyKind::Elliptic)
        } else {
            None
        }?;
        Some(Self { kind, bits })
    }

    /// The size of an RSA key.
    pub(super) fn rsa_bits(&self) -> Option<usize> {
        Some(bit_length(Values::of(Tag::Sequence, self.bits)?.take(Tag::Integer)?))
    }

    /// Checks a signature; `algorithm` is its AlgorithmIdentifier.
    pub(super) fn verify(
        &self,
        algorithm: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Unverified> {
        let algorithm = verification(self.kind, algorithm).ok_or(Unverified::Algorithm)?;
        UnparsedPublicKey::new(algorithm, self.bits)
            .verify(message, signature)
            .map_err(|_| Unverified::Signature)
    }
}

/// Why a signature was not verified.
pub(super) enum Unverified {
    /// The algorithm is none that is accepted, or not one for this key.
    Algorithm,
    /// It is wrong.
    Signature,
}

/// How many bits an unsigned big-endian number has.
pub(super) fn bit_length(number: &[u8]) -> usize {
    let significant = number.iter().position(|byte| *byte != 0).map_or(&[][..], |first| &number[first..]);
    significant.first().map_or(0, |first| significant.len() * 8 - first.leading_zeros() as usize)
}

/// SHA-1 and older are not accepted for signatures.
fn verification(kind: KeyKind, algorithm: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    let (p256, p384, p521) =
        (KeyKind::Elliptic(Curve::P256), KeyKind::Elliptic(Curve::P384), KeyKind::Elliptic(Curve::P521));
    let table: [(KeyKind, ObjectIdentifier, &'static dyn VerificationAlgorithm); 12] = [
        (KeyKind::Rsa, RSA_SHA256, &aws::RSA_PKCS1_2048_8192_SHA256),
        (KeyKind::Rsa, RSA_SHA384, &aws::RSA_PKCS1_2048_8192_SHA384),
        (KeyKind::Rsa, RSA_SHA512, &aws::RSA_PKCS1_2048_8192_SHA512),
        (p256, ECDSA_SHA256, &aws::ECDSA_P256_SHA256_ASN1),
        (p256, ECDSA_SHA384, &aws::ECDSA_P256_SHA384_ASN1),
        (p256, ECDSA_SHA512, &aws::ECDSA_P256_SHA512_ASN1),
        (p384, ECDSA_SHA256, &aws::ECDSA_P384_SHA256_ASN1),
        (p384, ECDSA_SHA384, &aws::ECDSA_P384_SHA384_ASN1),
        (p384, ECDSA_SHA512, &aws::ECDSA_P384_SHA512_ASN1),
        (p521, ECDSA_SHA256, &aws::ECDSA_P521_SHA256_ASN1),
        (p521, ECDSA_SHA384, &aws::ECDSA_P521_SHA384_ASN1),
        (p521, ECDSA_SHA512, &aws::ECDSA_P521_SHA512_ASN1),
    ];
    let name = Values::of(Tag::Sequence, algorithm)?.take(Tag::ObjectIdentifier)?;
    table.into_iter().find(|(k, n, _)| *k == kind && n.as_bytes() == name).map(|(_, _, found)| found)
}

#[cfg(test)]
mod tests {
    use super::bit_length;

    #[test]
    fn bits_are_counted_from_the_first_that_is_set() {
        let cases: [(&[u8], usize); 6] =
            [(&[], 0), (&[0], 0), (&[1], 1), (&[0, 0x80], 8), (&[0x7f, 0xff], 15), (&[0, 1, 0], 9)];
        for (number, bits) in cases {
            assert_eq!(bit_length(number), bits, "{number:?}");
        }
    }
}
