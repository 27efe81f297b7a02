//! The code that a service hands out for a proof of possession.

use std::fmt;
use std::str::FromStr;

/// A verification code: what the subject of the proof has to be. Not a secret; it is bounded, and plain enough to stand
/// in a certificate and in a status.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct VerificationCode(String);

/// A text that is no verification code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a verification code must be 1 to {} letters, digits and hyphens", VerificationCode::MAX)]
pub struct InvalidCode;

impl VerificationCode {
    /// The longest code, in characters. IoT Hub's have 48.
    pub const MAX: usize = 128;

    /// The code as the service wrote it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for VerificationCode {
    type Err = InvalidCode;

    fn from_str(text: &str) -> Result<Self, InvalidCode> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if plain && (1..=Self::MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidCode)
        }
    }
}

impl fmt::Display for VerificationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_plain_and_bounded() {
        for good in ["A", "a-0", &"F".repeat(48), &"f".repeat(VerificationCode::MAX)] {
            assert_eq!(good.parse::<VerificationCode>().unwrap().as_str(), good);
        }
        let long = [VerificationCode::MAX + 1, VerificationCode::MAX * 10].map(|length| "F".repeat(length));
        for bad in ["", " ", "A B", "A\n", "A,O=x", "é", "A\0", &long[0], &long[1]] {
            assert_eq!(bad.parse::<VerificationCode>(), Err(InvalidCode), "{bad:?}");
        }
    }
}
