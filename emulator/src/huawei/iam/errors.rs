//! IAM's own refusals: `{"error":{"code","message","title"}}`, the code a number.

use hyper::StatusCode;
use serde_json::json;

use crate::request::Answer;

fn refusal(status: StatusCode, message: &str) -> Answer {
    let title = status.canonical_reason().unwrap_or_default();
    Answer::json(status, &json!({"error": {"code": status.as_u16(), "message": message, "title": title}}))
}

pub(super) fn bad_request(message: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, message)
}

pub(super) fn unauthorized(message: &str) -> Answer {
    refusal(StatusCode::UNAUTHORIZED, message)
}

pub(super) fn forbidden(message: &str) -> Answer {
    refusal(StatusCode::FORBIDDEN, message)
}
