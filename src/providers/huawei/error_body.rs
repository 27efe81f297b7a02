//! Reads error bodies of IoTDA, its gateway and IAM, in all their spellings. Lenient in form, strict in what it lets
//! through: codes, and what a refusal is about.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use serde_json::Value;

use crate::http::Answer;
use crate::providers::code::Code;

/// How much of a body is looked at. A refusal repeats the request's headers, so it may have some KiB.
const BYTES: usize = 64 * 1024;
/// How far a request's date may be off. Source: API Request Signing Guide.
const TOLERANCE: Duration = Duration::from_secs(15 * 60);

/// What an error body says, as far as it can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorBody {
    /// The code, for example `IOTDA.014306` of the service or `APIGW.0101` of the gateway before it.
    pub code: Option<Code>,
    /// What a refusal of the signature is about.
    pub refusal: Option<Refusal>,
}

/// What a refusal of a signature is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The date: one of the two clocks is wrong.
    Clock,
    /// The access key is not known, or not any more.
    Key,
    /// The signature does not fit the access key: the secret is another's, or the host takes the other scheme.
    Signature,
    /// The security token: unknown, or over.
    Token,
}

/// Reads an answer's body; `now` is the time that the request was signed at.
pub(super) fn parse(answer: &Answer, now: Timestamp) -> ErrorBody {
    let body: Value = match answer.body.len() {
        0..=BYTES => answer.json().unwrap_or_default(),
        _ => Value::Null,
    };
    // IAM has its members one level down.
    let body = if body["error"].is_object() { &body["error"] } else { &body };
    let text = |names: [&str; 3]| names.into_iter().find_map(|name| body[name].as_str());
    let code =
        text(["error_code", "errorCode", "code"]).and_then(Code::new).or_else(|| number(&body["code"]));
    let message = text(["error_msg", "errorMsg", "message"]).unwrap_or_default();
    let refusal = (answer.status == 401)
        .then(|| if is_far(answer, now) { Some(Refusal::Clock) } else { about(message) })
        .flatten();
    ErrorBody { code, refusal }
}

/// IAM's codes may be numbers.
fn number(value: &Value) -> Option<Code> {
    value.as_u64().and_then(|it| Code::new(&it.to_string()))
}

/// By the words of the gateway's text, before the canonical request that it may repeat: that has words of all kinds.
fn about(message: &str) -> Option<Refusal> {
    let message = message.to_ascii_lowercase();
    let words = message.split("canonical").next().unwrap_or_default();
    let has = |parts: &[&str]| parts.iter().any(|part| words.contains(part));
    if has(&["token"]) {
        Some(Refusal::Token)
    } else if has(&["signature expired", "x-sdk-date", "signature time", "server time", "timestamp", "date"])
    {
        Some(Refusal::Clock)
    } else if has(&[
        "secretkey",
        "secret key",
        "ak not",
        "not exist",
        "not found",
        "unknown",
        "disabled",
        "forbidden",
    ]) {
        Some(Refusal::Key)
    } else if has(&["verify", "signature"]) {
        Some(Refusal::Signature)
    } else {
        None
    }
}

/// Whether the answer's own date is as far from the request's as the service refuses.
fn is_far(answer: &Answer, now: Timestamp) -> bool {
    let theirs = answer.header("date").and_then(|it| DateTimeParser::new().parse_timestamp(it).ok());
    theirs.is_some_and(|it| it.duration_since(now).unsigned_abs() >= TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(status: u16, body: &str) -> ErrorBody {
        parse(&Answer::of(status, body), "2030-01-01T00:00:00Z".parse().unwrap())
    }

    #[test]
    fn every_shape_gives_its_code() {
        for (body, code) in [
            (r#"{"error_code":"IOTDA.014306","error_msg":"x"}"#, Some("IOTDA.014306")),
            (r#"{"error_code":"APIGW.0101","error_msg":"x","request_id":"r"}"#, Some("APIGW.0101")),
            (r#"{"errorCode":"IOTDA.000020","errorMsg":"x"}"#, Some("IOTDA.000020")),
            (r#"{"code":"IOTDA.000006","message":"x"}"#, Some("IOTDA.000006")),
            (r#"{"error":{"code":"IAM.0101","message":"x"}}"#, Some("IAM.0101")),
            (r#"{"error":{"code":401,"message":"x"}}"#, Some("401")),
            (r#"{"error_code":null,"code":"A.1"}"#, Some("A.1")),
            (r#"{"error_code":"has spaces"}"#, None),
            (r#"{"error_code":["A"]}"#, None),
            ("[]", None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(read(404, body).code.as_ref().map(Code::as_str), code, "{body}");
        }
        let long = format!(r#"{{"error_code":"A.1","x":"{}"}}"#, "y".repeat(BYTES));
        assert_eq!(read(404, &long), ErrorBody::default());
    }

    #[test]
    fn a_refusal_says_what_it_is_about() {
        use Refusal::*;
        for (text, about) in [
            ("verify aksk signature fail", Some(Signature)),
            (
                "verify aksk signature fail, canonicalRequest:GET|/v5|x-sdk-date:20300101T000000Z|x-security-token",
                Some(Signature),
            ),
            ("Get secretKey failed,ak:X,err:ak not exist", Some(Key)),
            ("AK access failed to reach the limit,forbidden", Some(Key)),
            ("signature expired, signature time:20230527T000431Z,server time:20230527T020608Z", Some(Clock)),
            ("calc ak sk signature fail:signature expired", Some(Clock)),
            ("missing x-sdk-date", Some(Clock)),
            ("decrypt token fail", Some(Token)),
            ("the security token expired", Some(Token)),
            ("no", None),
        ] {
            let body = format!(
                r#"{{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: {text}"}}"#
            );
            assert_eq!(read(401, &body).refusal, about, "{text}");
            assert_eq!(read(403, &body).refusal, None);
        }
    }

    #[test]
    fn the_answers_own_date_tells_a_wrong_clock() {
        let body = r#"{"error_code":"APIGW.0301","error_msg":"verify aksk signature fail"}"#;
        for (date, about) in [
            ("Tue, 01 Jan 2030 00:14:59 GMT", Refusal::Signature),
            ("Tue, 01 Jan 2030 00:15:00 GMT", Refusal::Clock),
            ("Mon, 31 Dec 2029 23:45:00 GMT", Refusal::Clock),
            ("soon", Refusal::Signature),
        ] {
            let headers = http::HeaderMap::from_iter([(http::header::DATE, date.parse().unwrap())]);
            let answer = Answer::new(401, headers, body.as_bytes().to_vec().into());
            assert_eq!(
                parse(&answer, "2030-01-01T00:00:00Z".parse().unwrap()).refusal,
                Some(about),
                "{date}"
            );
        }
    }
}
