//! DER, value by value. Values come out as the very bytes that stood in the input, so that names and signed parts can
//! be compared and copied without being written anew.

use der::{Decode, Encode, Reader, SliceReader, Tag, asn1::AnyRef};

/// The contents of a SEQUENCE, SET or other constructed value, read from the front.
pub(super) struct Values<'a>(SliceReader<'a>);

impl<'a> Values<'a> {
    /// The contents of `value`, which must be one whole value with this tag.
    pub(super) fn of(tag: Tag, value: &'a [u8]) -> Option<Self> {
        Self::within(contents(tag, value)?)
    }

    /// The values that stand one after the other in `contents`.
    pub(super) fn within(contents: &'a [u8]) -> Option<Self> {
        SliceReader::new(contents).ok().map(Self)
    }

    /// The next value, header and all.
    pub(super) fn next(&mut self) -> Option<&'a [u8]> {
        self.0.tlv_bytes().ok()
    }

    /// The contents of the next value, which must have this tag.
    pub(super) fn take(&mut self, tag: Tag) -> Option<&'a [u8]> {
        contents(tag, self.next()?)
    }

    /// The contents of the next value if it has this tag; otherwise it stays.
    pub(super) fn take_if(&mut self, tag: Tag) -> Option<&'a [u8]> {
        (self.tag()? == tag).then(|| self.take(tag))?
    }

    /// The tag of the next value.
    pub(super) fn tag(&self) -> Option<Tag> {
        Tag::peek(&self.0).ok()
    }

    /// All that is left, as it stands.
    pub(super) fn rest(&mut self) -> Option<&'a [u8]> {
        let left = self.0.remaining_len();
        self.0.read_slice(left).ok()
    }

    /// Whether nothing is left.
    pub(super) fn is_finished(&self) -> bool {
        self.0.is_finished()
    }
}

/// The contents of `value`, which must be one whole value with this tag and nothing behind it.
pub(super) fn contents(tag: Tag, value: &[u8]) -> Option<&[u8]> {
    let any = AnyRef::from_der(value).ok()?;
    (any.header().tag() == tag).then(|| any.value())
}

/// The octets of a BIT STRING of whole octets.
pub(super) fn whole_octets(bit_string: &[u8]) -> Option<&[u8]> {
    match bit_string {
        [0, octets @ ..] => Some(octets),
        _ => None,
    }
}

/// The tag `[number]` of a constructed value.
pub(super) fn constructed(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: der::TagNumber(number) }
}

/// The tag `[number]` of a primitive value.
pub(super) fn primitive(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: der::TagNumber(number) }
}

/// A value with these contents.
pub(super) fn value(tag: Tag, contents: &[u8]) -> der::Result<Vec<u8>> {
    AnyRef::new(tag, contents)?.to_der()
}

/// A value made of other values.
pub(super) fn values(tag: Tag, parts: &[&[u8]]) -> der::Result<Vec<u8>> {
    value(tag, &parts.concat())
}
