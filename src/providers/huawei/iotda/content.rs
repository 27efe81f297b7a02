//! What tells one certificate from another in IoTDA. Its listing shows no certificate, only name and dates.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use crate::pki::{Certificate, Fingerprint};

/// A certificate as it is wanted or was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    fingerprint: Fingerprint,
    face: Face,
}

/// A certificate as the service shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// SHA-256 of the DER form, where the certificate itself is shown.
    pub fingerprint: Option<Fingerprint>,
    /// All that a listing shows.
    pub face: Face,
}

/// Common name and validity, by their SHA-256: two certificates may share it, none has two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Face(String);

/// Hexadecimal digits of a face that are kept: a content hash in a status has room for 128 characters.
const DIGITS: usize = 32;

impl Face {
    /// Of what an answer shows.
    pub fn new(common_name: &str, from: Timestamp, to: Timestamp) -> Self {
        let text = format!("{from} {to} {common_name}");
        Self(Fingerprint::of(text.as_bytes()).to_string().chars().take(DIGITS).collect())
    }

    /// Of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        let name = certificate.common_name().unwrap_or_default();
        Self::new(&name, certificate.not_before(), certificate.not_after())
    }
}

impl Content {
    /// Of a certificate.
    pub fn of(certificate: &Certificate) -> Self {
        Self { fingerprint: certificate.sha256_fingerprint(), face: Face::of(certificate) }
    }

    /// Whether the service shows this one, as far as it shows it.
    pub fn is(&self, shown: &Shown) -> bool {
        match &shown.fingerprint {
            Some(fingerprint) => *fingerprint == self.fingerprint,
            None => shown.face == self.face,
        }
    }

    /// Of what is shown; what is recorded of it stands in for a certificate that is not shown.
    pub fn shown(shown: &Shown, recorded: Option<Fingerprint>) -> Option<Self> {
        let fingerprint = shown.fingerprint.or(recorded)?;
        Some(Self { fingerprint, face: shown.face.clone() })
    }

    /// Whether a listing may show this one.
    pub fn may_be(&self, face: &Face) -> bool {
        self.face == *face
    }
}

/// The form in which a status holds it: fingerprint and face, with a hyphen between.
impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.fingerprint, self.face.0)
    }
}

/// A text that is no content hash of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoContent;

impl FromStr for Content {
    type Err = NoContent;

    fn from_str(text: &str) -> Result<Self, NoContent> {
        let (fingerprint, face) = text.split_once('-').ok_or(NoContent)?;
        let plain = face.len() == DIGITS && face.bytes().all(|it| it.is_ascii_hexdigit());
        let fingerprint = fingerprint.parse().map_err(|_| NoContent)?;
        if plain { Ok(Self { fingerprint, face: Face(face.to_owned()) }) } else { Err(NoContent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki;

    fn certificate(file: &[u8]) -> Certificate {
        pki::certificates(file).unwrap().remove(0)
    }

    fn one() -> Certificate {
        certificate(include_bytes!("../../../../tests/data/pki/p-256.pem"))
    }

    fn other() -> Certificate {
        certificate(include_bytes!("../../../../tests/data/pki/p-384.pem"))
    }

    #[test]
    fn a_content_is_what_it_was_written_as() {
        let content = Content::of(&one());
        let text = content.to_string();
        assert!(text.len() <= 128, "{text}");
        assert_eq!(text.parse(), Ok(content));
        for bad in ["", "-", "aa-bb", &text[1..], &text[..text.len() - 1]] {
            assert_eq!(bad.parse::<Content>(), Err(NoContent), "{bad}");
        }
    }

    #[test]
    fn by_the_certificate_where_it_is_shown_by_its_face_where_not() {
        let (one, other) = (one(), other());
        let content = Content::of(&one);
        let shown = |certificate: &Certificate, whole: bool| Shown {
            fingerprint: whole.then(|| certificate.sha256_fingerprint()),
            face: Face::of(&one),
        };
        assert!(content.is(&shown(&one, true)) && content.is(&shown(&one, false)));
        assert!(!content.is(&shown(&other, true)));
        assert!(content.is(&shown(&other, false)), "nothing more is shown");
    }
}
