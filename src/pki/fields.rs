//! The fields of an X.509 certificate (RFC 5280 §4.1), as the bytes that stand in it.
//!
//! It reads what certificate authorities have really issued rather than what the standard allows: names and extensions
//! that are not ours to judge are not looked into.

use der::{Tag, asn1::ObjectIdentifier};
use jiff::Timestamp;

use super::asn1::{Values, constructed, contents, primitive, whole_octets};
use super::certificate::Authority;
use super::time;

const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");

/// RFC 5280 allows 20 octets; some issuers go beyond. Status shows the number in full.
const MAX_SERIAL_NUMBER: usize = 32;

pub(super) struct Fields<'a> {
    /// What is signed.
    pub(super) signed: &'a [u8],
    /// The AlgorithmIdentifier inside what is signed.
    pub(super) inner_algorithm: &'a [u8],
    /// The AlgorithmIdentifier beside the signature.
    pub(super) algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    /// Without the octet that only carries the sign.
    pub(super) serial_number: &'a [u8],
    pub(super) issuer: &'a [u8],
    pub(super) not_before: Timestamp,
    pub(super) not_after: Timestamp,
    pub(super) subject: &'a [u8],
    /// The SubjectPublicKeyInfo.
    pub(super) public_key: &'a [u8],
    pub(super) authority: Authority,
    pub(super) subject_key_identifier: Option<&'a [u8]>,
    /// SEQUENCE OF Extension, if there are any.
    pub(super) extensions: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    /// Reads a certificate; the error names the part that cannot be read.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, &'static str> {
        let mut outer = Values::of(Tag::Sequence, der).ok_or("its outer structure")?;
        let signed = outer.next().ok_or("its signed part")?;
        let algorithm = outer.next().ok_or("its signature algorithm")?;
        let signature = outer.take(Tag::BitString).and_then(whole_octets).ok_or("its signature")?;
        if !outer.is_finished() {
            return Err("its outer structure");
        }

        let mut inner = Values::of(Tag::Sequence, signed).ok_or("its signed part")?;
        inner.take_if(constructed(0)); // the version: what it would allow is read where it stands
        let serial_number = inner.take(Tag::Integer).and_then(unsigned).ok_or("its serial number")?;
        let inner_algorithm = inner.next().ok_or("its signature algorithm")?;
        let issuer = inner.next().filter(is_sequence).ok_or("its issuer")?;
        let (not_before, not_after) = inner.next().and_then(validity).ok_or("its validity")?;
        let subject = inner.next().filter(is_sequence).ok_or("its subject")?;
        let public_key = inner.next().filter(is_sequence).ok_or("its public key")?;
        inner.take_if(primitive(1)); // issuerUniqueID and subjectUniqueID: obsolete
        inner.take_if(primitive(2));
        let extensions = inner.take_if(constructed(3));
        let read = extensions.map_or(Some(Extensions::NONE), Extensions::read);
        let Extensions { authority, subject_key_identifier } = read.ok_or("its extensions")?;
        if !inner.is_finished() {
            return Err("its signed part");
        }

        Ok(Self {
            signed,
            inner_algorithm,
            algorithm,
            signature,
            serial_number,
            issuer,
            not_before,
            not_after,
            subject,
            public_key,
            authority,
            subject_key_identifier,
            extensions,
        })
    }
}

/// What is wanted of the extensions.
struct Extensions<'a> {
    authority: Authority,
    subject_key_identifier: Option<&'a [u8]>,
}

impl<'a> Extensions<'a> {
    const NONE: Self = Self { authority: Authority::Unstated, subject_key_identifier: None };

    fn read(list: &'a [u8]) -> Option<Self> {
        let mut list = Values::of(Tag::Sequence, list)?;
        let mut found = Self::NONE;
        while !list.is_finished() {
            let mut extension = Values::within(list.take(Tag::Sequence)?)?;
            let name = extension.take(Tag::ObjectIdentifier)?;
            extension.take_if(Tag::Boolean); // whether it is critical
            let value = extension.take(Tag::OctetString)?;
            if name == BASIC_CONSTRAINTS.as_bytes() {
                found.authority = authority(value)?;
            } else if name == SUBJECT_KEY_IDENTIFIER.as_bytes() {
                found.subject_key_identifier = contents(Tag::OctetString, value).filter(|it| !it.is_empty());
            }
        }
        Some(found)
    }
}

/// A CA flag that is left out is false. True is FF in DER; some write 01.
fn authority(basic_constraints: &[u8]) -> Option<Authority> {
    let flag = Values::of(Tag::Sequence, basic_constraints)?.take_if(Tag::Boolean);
    Some(if flag.is_some_and(|flag| flag != [0]) { Authority::Ca } else { Authority::Leaf })
}

fn validity(value: &[u8]) -> Option<(Timestamp, Timestamp)> {
    let mut times = Values::of(Tag::Sequence, value)?;
    let validity = (time::read(times.next()?)?, time::read(times.next()?)?);
    times.is_finished().then_some(validity)
}

fn unsigned(number: &[u8]) -> Option<&[u8]> {
    let digits = match number {
        [] => return None,
        [0, rest @ ..] if !rest.is_empty() => rest,
        all => all,
    };
    (digits.len() <= MAX_SERIAL_NUMBER).then_some(digits)
}

fn is_sequence(value: &&[u8]) -> bool {
    contents(Tag::Sequence, value).is_some()
}
