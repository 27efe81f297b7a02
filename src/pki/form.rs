//! How bytes are written, and what a DER structure looks like from outside: enough to choose a parser, and to say to
//! someone who supplied the wrong file what it is.

use der::{Encode, Header, SliceReader, Tag};

use super::asn1::Values;

/// How bytes are written.
pub(super) enum Form<'a> {
    /// Nothing, or white space.
    Empty,
    /// Text with a UTF-16 byte order mark.
    Utf16,
    /// Text with at least one PEM header line.
    Pem(&'a [u8]),
    /// What begins as a DER structure does.
    Der(&'a [u8]),
    /// Anything else.
    Other(&'a [u8]),
}

impl<'a> Form<'a> {
    /// The form of these bytes; a UTF-8 byte order mark is dropped.
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
            return Self::Utf16;
        }
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        if bytes.trim_ascii().is_empty() {
            Self::Empty
        } else if begins_as_der(bytes) {
            Self::Der(bytes)
        } else if super::pem::is_in(bytes) {
            Self::Pem(bytes)
        } else {
            Self::Other(bytes)
        }
    }
}

/// Whether these bytes begin a SEQUENCE. Its tag is also the digit 0; but no text goes on with the long form of a length,
/// nor has it an INTEGER's tag where a short key has it.
fn begins_as_der(bytes: &[u8]) -> bool {
    matches!(bytes, [0x30, 0x80..=0x84, ..] | [0x30, _, 0x02, ..])
}

/// What a DER structure appears to be, by the tags at its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Certificate,
    Pkcs8,
    Pkcs1,
    Sec1,
    EncryptedPkcs8,
    Pkcs12,
    Unknown,
    /// Fewer bytes than the structure announces, or more.
    WrongLength,
}

impl Shape {
    /// The shape of this structure.
    pub(super) fn of(der: &[u8]) -> Self {
        if !has_announced_length(der) {
            return Self::WrongLength;
        }
        Self::by_tags(der).unwrap_or(Self::Unknown)
    }

    fn by_tags(der: &[u8]) -> Option<Self> {
        const PKCS12_VERSION: &[u8] = &[3];

        let mut values = Values::of(Tag::Sequence, der)?;
        if values.tag()? == Tag::Sequence {
            values.next()?;
            return Some(match values.tag()? {
                Tag::Sequence => Self::Certificate,
                Tag::OctetString => Self::EncryptedPkcs8,
                _ => Self::Unknown,
            });
        }
        let version = values.take(Tag::Integer)?;
        Some(match values.tag()? {
            Tag::Sequence if version == PKCS12_VERSION => Self::Pkcs12,
            Tag::Sequence => Self::Pkcs8,
            Tag::Integer => Self::Pkcs1,
            Tag::OctetString => Self::Sec1,
            _ => Self::Unknown,
        })
    }

    /// The shape in words, for "it holds …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::Pkcs8 | Self::Pkcs1 | Self::Sec1 | Self::EncryptedPkcs8 => "a private key",
            Self::Pkcs12 => "a PKCS#12 file",
            Self::Unknown | Self::WrongLength => "something unknown",
        }
    }
}

pub(super) fn has_announced_length(der: &[u8]) -> bool {
    let announced = || {
        let header = Header::peek(&SliceReader::new(der).ok()?).ok()?;
        usize::try_from((header.encoded_len().ok()? + header.length()).ok()?).ok()
    };
    announced() == Some(der.len())
}
