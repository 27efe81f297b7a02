//! A service's error code: the only text of an answer that gets into a message.

/// A service's error code: 1 to 64 letters, digits, dots, underscores or hyphens. Compares without letter case.
#[derive(Clone, Debug)]
pub struct Code(String);

impl Code {
    pub(super) fn new(text: &str) -> Option<Self> {
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        ((1..=64).contains(&text.len()) && text.bytes().all(fine)).then(|| Self(text.to_owned()))
    }

    /// Whether it is this code.
    pub fn is(&self, code: &str) -> bool {
        self.0.eq_ignore_ascii_case(code)
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.is(&other.0)
    }
}

impl Eq for Code {}
