//! Reads error bodies of the Azure services, in all their shapes. Lenient in form, strict in what it lets through:
//! codes and numbers, never text.

use serde_json::Value;

use crate::http::Answer;
use crate::providers::code::Code;

/// How much of a body is looked at. The largest that the services send are a few KiB.
const BYTES: usize = 64 * 1024;
/// How many inner errors, and how many details, are looked at.
const INNER: usize = 8;
/// How much of a text is searched.
const TEXT: usize = 16 * 1024;

/// What an error body says, as far as it can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// All codes, the most specific first: of the innermost `innererror`, of `error` or the top level, of the details.
    pub codes: Vec<Code>,
    /// What the error is about, of `error` and of its details: names of members.
    pub targets: Vec<Code>,
    /// IoT Hub's stable number, the six digits of its `IH…` token.
    pub iot_hub: Option<u32>,
    /// Entra's number, the digits of its `AADSTS…` code.
    pub aadsts: Option<u32>,
}

/// Reads an answer's body. A body that says nothing usable gives an empty value.
pub(super) fn parse(answer: &Answer) -> ErrorBody {
    if answer.body.len() > BYTES {
        return ErrorBody::default();
    }
    answer.json().map_or_else(|_| ErrorBody::default(), |body: Value| of(&body))
}

fn of(body: &Value) -> ErrorBody {
    let mut found = ErrorBody::default();
    match &body["error"] {
        // ARM's envelope, Key Vault's with its inner errors, and ARM's poll answers.
        error @ Value::Object(_) => {
            found.codes = innermost(error).into_iter().chain(code(&error["code"])).collect();
            found.targets = code(&error["target"]).into_iter().collect();
            found.iot_hub = iot_hub(&error["message"]);
            found.look_at_details(&error["details"]);
        }
        // The token endpoint's: a word, and numbers.
        Value::String(word) => {
            found.codes = Code::new(word).into_iter().collect();
            found.aadsts = body["error_codes"][0].as_u64().and_then(|number| u32::try_from(number).ok());
        }
        // IoT Hub's: flat, its code a number.
        _ => {
            found.codes = code(&body["code"]).into_iter().chain(code(&body["httpStatusCode"])).collect();
            found.iot_hub = iot_hub(&body["message"]).or_else(|| iot_hub(&body["Message"]));
            found.look_at_details(&body["details"]);
        }
    }
    let numeric = || found.codes.iter().find_map(|code| six_digits(code.as_str()));
    found.iot_hub = found.iot_hub.or_else(numeric);
    found
}

impl ErrorBody {
    fn look_at_details(&mut self, details: &Value) {
        let items = match details {
            Value::Array(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for item in items.iter().take(INNER) {
            self.codes.extend(code(&item["code"]));
            self.targets.extend(code(&item["target"]));
            self.iot_hub = self.iot_hub.or_else(|| iot_hub(item)).or_else(|| iot_hub(&item["message"]));
        }
    }
}

/// The code of the innermost inner error, which both spellings may hold.
fn innermost(error: &Value) -> Option<Code> {
    let mut best = None;
    let mut at = error;
    for _ in 0..INNER {
        at = match (&at["innererror"], &at["innerError"]) {
            (inner @ Value::Object(_), _) | (_, inner @ Value::Object(_)) => inner,
            _ => break,
        };
        best = code(&at["code"]).or(best);
    }
    best
}

fn code(value: &Value) -> Option<Code> {
    match value {
        Value::String(text) => Code::new(text),
        Value::Number(number) => Code::new(&number.to_string()),
        _ => None,
    }
}

/// The digits of `IH` and six digits, in a text.
fn iot_hub(value: &Value) -> Option<u32> {
    let text = value.as_str()?.as_bytes();
    text.get(..TEXT).unwrap_or(text).windows(8).find_map(|window| {
        let digits = window.strip_prefix(b"IH")?;
        std::str::from_utf8(digits).ok().and_then(six_digits)
    })
}

/// IoT Hub's number as its `code` has it: an HTTP error status, and three digits.
fn six_digits(text: &str) -> Option<u32> {
    let fine = text.len() == 6 && text.starts_with(['4', '5']) && text.bytes().all(|b| b.is_ascii_digit());
    if fine { text.parse().ok() } else { None }
}

#[cfg(test)]
#[path = "error_body_tests.rs"]
mod tests;
