//! Digests by which a certificate is known: comparable, and written in upper-case hexadecimal.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA1_OUTPUT_LEN, SHA256, SHA256_OUTPUT_LEN, digest};

/// SHA-1 of a certificate's DER form: what Azure calls its thumbprint. It names a certificate and proves nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Thumbprint([u8; SHA1_OUTPUT_LEN]);

/// SHA-256 of a certificate's DER form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; SHA256_OUTPUT_LEN]);

/// A text that is no digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it must be {digits} hexadecimal digits")]
pub struct InvalidDigest {
    /// How many digits are needed.
    digits: usize,
}

impl Thumbprint {
    /// The thumbprint of a certificate in DER.
    pub(super) fn of(der: &[u8]) -> Self {
        Self(sha1(der))
    }
}

impl Fingerprint {
    /// The fingerprint of a certificate in DER, or of anything else that is told apart by it.
    pub fn of(der: &[u8]) -> Self {
        let mut bytes = [0; SHA256_OUTPUT_LEN];
        bytes.copy_from_slice(digest(&SHA256, der).as_ref());
        Self(bytes)
    }
}

impl fmt::Display for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Thumbprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Thumbprint({self})")
    }
}

impl FromStr for Thumbprint {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        from_hex(text).map(Self)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        from_hex(text).map(Self)
    }
}

/// SHA-1, for names of things only.
pub(super) fn sha1(bytes: &[u8]) -> [u8; SHA1_OUTPUT_LEN] {
    let mut sum = [0; SHA1_OUTPUT_LEN];
    sum.copy_from_slice(digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
    sum
}

/// Bytes in upper-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

fn from_hex<const N: usize>(text: &str) -> Result<[u8; N], InvalidDigest> {
    let invalid = InvalidDigest { digits: 2 * N };
    if text.len() != 2 * N || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(invalid);
    }
    let mut bytes = [0; N];
    for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| invalid)?;
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letter_case_is_no_difference() {
        let upper: Thumbprint = "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709".parse().unwrap();
        let lower: Thumbprint = "da39a3ee5e6b4b0d3255bfef95601890afd80709".parse().unwrap();
        assert_eq!(upper, lower);
        assert_eq!(upper, Thumbprint::of(b""));
        assert_eq!(lower.to_string(), "DA39A3EE5E6B4B0D3255BFEF95601890AFD80709");
        let empty = Fingerprint::of(b"");
        assert_eq!(empty, empty.to_string().to_lowercase().parse().unwrap());
    }

    #[test]
    fn other_texts_are_no_digests() {
        let colons = "DA:39:A3:EE:5E:6B:4B:0D:32:55:BF:EF:95:60:18:90:AF:D8:07:09";
        for text in ["", "DA39", colons, &"é".repeat(20), &"G".repeat(40), &"+1".repeat(20), &"A".repeat(41)]
        {
            assert!(text.parse::<Thumbprint>().is_err(), "{text}");
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
