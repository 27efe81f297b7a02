//! What a service answered, within the limits.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use super::retry_after::retry_after;

/// How deep an answer's JSON may be nested.
const DEPTH: usize = 64;

/// A whole answer: whatever its status, it came in time and within the limits.
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body's bytes. Answers carry tokens and verification codes: they are wiped.
    pub body: Zeroizing<Vec<u8>>,
    headers: HeaderMap,
}

/// The body is not what it should be: not JSON, nested too deeply, or of another shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer cannot be read")]
pub struct Unreadable;

impl Answer {
    /// An answer as it was received.
    pub fn new(status: u16, headers: HeaderMap, body: Zeroizing<Vec<u8>>) -> Self {
        Self { status, body, headers }
    }

    /// An answer as a test wants it.
    #[cfg(test)]
    pub(crate) fn of(status: u16, body: &str) -> Self {
        Self { status, body: body.as_bytes().to_vec().into(), headers: HeaderMap::new() }
    }

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header's value, if there is one and it is visible ASCII.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// How long the service asks to be left alone, by [`retry_after`](super::retry_after()).
    pub fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        retry_after(self.header(RETRY_AFTER.as_str())?, now)
    }

    /// The body, read as JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Unreadable> {
        if nests_deeper_than(DEPTH, &self.body) {
            return Err(Unreadable);
        }
        serde_json::from_slice(&self.body).map_err(|_| Unreadable)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({}, {} bytes)", self.status, self.body.len())
    }
}

/// Whether the JSON has more brackets open at once than that.
fn nests_deeper_than(limit: usize, json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &str) -> Answer {
        Answer::of(200, body)
    }

    #[test]
    fn json_is_read_to_a_depth() {
        let nested = |n: usize| answer(&format!("{}{}", "[".repeat(n), "]".repeat(n)));
        assert!(nested(DEPTH).json::<serde_json::Value>().is_ok());
        assert_eq!(nested(DEPTH + 1).json::<serde_json::Value>(), Err(Unreadable));
        assert_eq!(nested(DEPTH * 10).json::<serde_json::Value>(), Err(Unreadable));
        let in_text = answer(&format!(r#"{{"a":"\"{}"}}"#, "[".repeat(DEPTH * 10)));
        assert!(in_text.json::<serde_json::Value>().is_ok());
        assert_eq!(answer("").json::<serde_json::Value>(), Err(Unreadable));
        assert_eq!(answer("<html>").json::<serde_json::Value>(), Err(Unreadable));
    }

    #[test]
    fn its_debug_text_shows_no_body() {
        assert_eq!(format!("{:?}", answer("canary")), "Answer(200, 6 bytes)");
    }
}
