//! What every certificate that is made here is made of.

use aws_lc_rs::rand;
use der::Tag;
use der::asn1::ObjectIdentifier;
use jiff::Timestamp;

use super::asn1::{self, Values, constructed, primitive, whole_octets};
use super::certificate::Certificate;
use super::key::PrivateKey;
use super::{fingerprint, time};

const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");

/// The certificate: what is to be signed, and the signature over it.
pub(super) fn signed(to_be_signed: &[u8], key: &PrivateKey, algorithm: &[u8]) -> Option<Certificate> {
    let signature = [&[0], key.sign(to_be_signed).ok()?.as_slice()].concat();
    let signature = asn1::value(Tag::BitString, &signature).ok()?;
    let der = asn1::values(Tag::Sequence, &[to_be_signed, algorithm, &signature]).ok()?;
    Certificate::from_der(&der).ok()
}

/// Sixteen random bytes that make a positive number of just that length.
pub(super) fn serial_number() -> Option<[u8; 16]> {
    let mut number = [0; 16];
    rand::fill(&mut number).ok()?;
    number[0] = number[0] & 0x7f | 0x40;
    Some(number)
}

/// A validity; X.509 has no time before 1970 that is of use.
pub(super) fn validity(from: Timestamp, until: Timestamp) -> Option<Vec<u8>> {
    let times = [from, until].map(|it| time::write(it.max(Timestamp::UNIX_EPOCH)));
    let [from, until] = times;
    asn1::values(Tag::Sequence, &[&from.ok()?, &until.ok()?]).ok()
}

/// An extension; `value` is the DER value that it holds.
pub(super) fn extension(kind: ObjectIdentifier, critical: bool, value: &[u8]) -> Option<Vec<u8>> {
    const TRUE: &[u8] = &[0x01, 0x01, 0xff];

    let kind = asn1::value(Tag::ObjectIdentifier, kind.as_bytes()).ok()?;
    let value = asn1::value(Tag::OctetString, value).ok()?;
    asn1::values(Tag::Sequence, &[&kind, if critical { TRUE } else { &[] }, &value]).ok()
}

/// The identifier of a key by RFC 5280 §4.2.1.2 (1).
pub(super) fn key_identifier(public_key_der: &[u8]) -> Option<Vec<u8>> {
    let mut info = Values::of(Tag::Sequence, public_key_der)?;
    info.next()?; // the algorithm
    Some(fingerprint::sha1(whole_octets(info.take(Tag::BitString)?)?).to_vec())
}

/// The extension that names the CA's key: by the CA's own identifier, if it has one.
pub(super) fn authority_key_identifier(ca: &Certificate) -> Option<Vec<u8>> {
    let identifier = match ca.subject_key_identifier() {
        Some(identifier) => identifier.to_vec(),
        None => key_identifier(ca.public_key_der())?,
    };
    let identifier = asn1::value(primitive(0), &identifier).ok()?;
    extension(AUTHORITY_KEY_IDENTIFIER, false, &asn1::value(Tag::Sequence, &identifier).ok()?)
}

/// The list of extensions as it stands in a certificate.
pub(super) fn extension_list(extensions: &[u8]) -> Option<Vec<u8>> {
    asn1::value(constructed(3), &asn1::value(Tag::Sequence, extensions).ok()?).ok()
}
