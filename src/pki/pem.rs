//! The PEM form: finds the blocks in a text whatever stands around them, decodes them, and writes a block.
//!
//! It reads what people really store: CRLF, no line ends at all, lines of any length, text before, between and after.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use zeroize::Zeroizing;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const LINE: usize = 64;

/// Base64 as OpenSSL takes it: with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A PEM text that is broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PemFault {
    /// A block does not end, or ends under another name.
    #[error("PEM block {block} has no END line that fits its BEGIN line; the text is cut off or mixed up")]
    Unclosed {
        /// Which block, from 1.
        block: usize,
    },
    /// The inside of a block is no base64.
    #[error("PEM block {block} is not base64 between its BEGIN and END lines")]
    NotBase64 {
        /// Which block, from 1.
        block: usize,
    },
}

/// One block. It may be a private key: its bytes are wiped.
pub(super) struct Block {
    /// What the block says it is.
    pub(super) label: Label,
    /// Whether a header line says that the inside is encrypted.
    pub(super) encrypted: bool,
    /// The decoded inside.
    pub(super) der: Zeroizing<Vec<u8>>,
}

/// What a block says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Certificate,
    /// OpenSSL's certificate with trust settings behind it.
    TrustedCertificate,
    CertificateRequest,
    Pkcs7,
    PublicKey,
    PrivateKey,
    EncryptedPrivateKey,
    OpensshPrivateKey,
    /// Parameters of a key, which OpenSSL writes before it.
    Parameters,
    Other,
}

impl Label {
    fn of(text: &[u8]) -> Self {
        match text {
            b"CERTIFICATE" | b"X509 CERTIFICATE" => Self::Certificate,
            b"TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => Self::CertificateRequest,
            b"PKCS7" | b"CMS" => Self::Pkcs7,
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => Self::PublicKey,
            b"ENCRYPTED PRIVATE KEY" => Self::EncryptedPrivateKey,
            b"OPENSSH PRIVATE KEY" => Self::OpensshPrivateKey,
            _ if text.ends_with(b"PRIVATE KEY") => Self::PrivateKey,
            _ if text.ends_with(b" PARAMETERS") => Self::Parameters,
            _ => Self::Other,
        }
    }

    /// The label in words, for "it holds …".
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => "a certificate with OpenSSL trust settings",
            Self::CertificateRequest => "a certificate request",
            Self::Pkcs7 => "a PKCS#7 bundle",
            Self::PublicKey => "a public key",
            Self::PrivateKey | Self::EncryptedPrivateKey => "a private key",
            Self::OpensshPrivateKey => "an OpenSSH private key",
            Self::Parameters => "key parameters",
            Self::Other => "a PEM block of another type",
        }
    }
}

/// Whether the text has a PEM block.
pub(super) fn is_in(text: &[u8]) -> bool {
    find(text, BEGIN).is_some()
}

/// All blocks of a text.
pub(super) fn blocks(mut text: &[u8]) -> Result<Vec<Block>, PemFault> {
    let mut blocks = Vec::new();
    while let Some((_, opened)) = split_at(text, BEGIN) {
        let block = blocks.len() + 1;
        let unclosed = PemFault::Unclosed { block };
        let (label, inside) = split_at(opened, DASHES).ok_or(unclosed.clone())?;
        let end = find(inside, DASHES).ok_or(unclosed.clone())?;
        let (inside, closing) = inside.split_at(end);
        text = closing
            .strip_prefix(END)
            .and_then(|rest| rest.strip_prefix(label))
            .and_then(|rest| rest.strip_prefix(DASHES))
            .ok_or(unclosed)?;
        let (encrypted, base64) = without_headers(inside);
        let der = decode(&base64).ok_or(PemFault::NotBase64 { block })?;
        blocks.push(Block { label: Label::of(label), encrypted, der });
    }
    Ok(blocks)
}

/// One block, in lines that end in LF.
pub(super) fn write(label: &str, der: &[u8]) -> String {
    let base64 = BASE64.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = base64.as_str();
    while !rest.is_empty() {
        // Base64 is ASCII: every position is a character boundary.
        let (line, after) = rest.split_at(rest.len().min(LINE));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

/// Base64 decoded, white space overlooked.
pub(super) fn decode(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut packed = Zeroizing::new(Vec::with_capacity(text.len()));
    packed.extend(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    // At full size from the start: a vector that grows leaves copies behind.
    let mut decoded = Zeroizing::new(vec![0; base64::decoded_len_estimate(packed.len())]);
    let length = BASE64.decode_slice(packed.as_slice(), decoded.as_mut_slice()).ok()?;
    decoded.truncate(length);
    Some(decoded)
}

/// Takes away header lines such as `Proc-Type: 4,ENCRYPTED`; base64 has no colon.
fn without_headers(inside: &[u8]) -> (bool, Zeroizing<Vec<u8>>) {
    let mut encrypted = false;
    let mut base64 = Zeroizing::new(Vec::with_capacity(inside.len()));
    for line in inside.split(|byte| matches!(byte, b'\n' | b'\r')) {
        if line.contains(&b':') {
            encrypted |=
                line.trim_ascii_start().starts_with(b"Proc-Type:") && find(line, b"ENCRYPTED").is_some();
        } else {
            base64.extend_from_slice(line);
        }
    }
    (encrypted, base64)
}

fn split_at<'a>(text: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = find(text, mark)?;
    Some((&text[..at], &text[at + mark.len()..]))
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    text.windows(mark.len()).position(|window| window == mark)
}
