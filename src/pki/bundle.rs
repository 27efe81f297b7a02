//! Certificates as people store them: one or a chain, in PEM, DER or base64 of either.

use super::certificate::{Certificate, Malformed};
use super::form::{Form, Shape};
use super::pem::{self, Label};

/// The most that is read of PEM, in bytes.
const MAX_SIZE: usize = 95_000;
/// The same in base64, with line ends.
const MAX_BASE64: usize = MAX_SIZE / 3 * 4 + MAX_SIZE / 20;
/// The longest chain.
const MAX_COUNT: usize = 20;

/// Reads one to twenty certificates, in the order in which they stand.
///
/// PEM may have CRLF, a byte order mark, text around the blocks, and blocks of other kinds beside them, which are left
/// out.
pub fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, Malformed> {
    if bytes.len() > MAX_BASE64 {
        return Err(Malformed::TooLarge { size: bytes.len(), limit: MAX_SIZE });
    }
    match Form::of(bytes) {
        Form::Other(text) => {
            let decoded = pem::decode(text).ok_or(Malformed::Unrecognized)?;
            plain(Form::of(&decoded))
        }
        form => plain(form),
    }
}

/// Reads what is not base64, or no longer.
fn plain(form: Form<'_>) -> Result<Vec<Certificate>, Malformed> {
    match form {
        Form::Empty => Err(Malformed::Empty),
        Form::Utf16 => Err(Malformed::Utf16),
        Form::Other(_) => Err(Malformed::Unrecognized),
        Form::Der(der) => in_der(der),
        Form::Pem(text) => in_pem(text),
    }
}

fn in_der(der: &[u8]) -> Result<Vec<Certificate>, Malformed> {
    match Shape::of(der) {
        Shape::Certificate | Shape::WrongLength | Shape::Unknown => Ok(vec![Certificate::from_der(der)?]),
        other => Err(Malformed::NoCertificate { found: other.words() }),
    }
}

fn in_pem(text: &[u8]) -> Result<Vec<Certificate>, Malformed> {
    if text.len() > MAX_SIZE {
        return Err(Malformed::TooLarge { size: text.len(), limit: MAX_SIZE });
    }
    let blocks = pem::blocks(text)?;
    let found = blocks.iter().map(|block| block.label).find(|label| *label != Label::Certificate);
    let ders: Vec<_> = blocks.iter().filter(|block| block.label == Label::Certificate).collect();
    match (ders.len(), found) {
        (0, found) => Err(Malformed::NoCertificate { found: found.map_or("nothing", Label::words) }),
        (count @ 1..=MAX_COUNT, _) => (1..=count)
            .zip(ders)
            .map(|(position, block)| Certificate::at_position(position, &block.der))
            .collect(),
        (count, _) => Err(Malformed::TooMany { count, limit: MAX_COUNT }),
    }
}

#[cfg(test)]
mod tests;
