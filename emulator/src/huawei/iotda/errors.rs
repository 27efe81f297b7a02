//! IoTDA's own refusals: `{"error_code","error_msg"}`. Where the sheet leaves a code open, the place that picks it says so.

use hyper::StatusCode;
use serde_json::json;

use crate::request::Answer;

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    Answer::json(status, &json!({"error_code": format!("IOTDA.{code}"), "error_msg": message}))
}

pub(super) fn bad_request(code: &str, message: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, code, message)
}

pub(super) fn bad_parameter(what: &str) -> Answer {
    bad_request("000006", &format!("Invalid input data: {what}."))
}

pub(super) fn unreadable(what: &str) -> Answer {
    bad_request("000008", &format!("The request cannot be read: {what}."))
}

/// Not subscribed, or no such instance for this caller.
pub(super) fn not_subscribed() -> Answer {
    refusal(StatusCode::FORBIDDEN, "000021", "The user is not found or has not subscribed to the service.")
}

pub(super) fn no_permission(action: &str) -> Answer {
    let body = json!({
        "error_code": "IOTDA.000022",
        "error_msg": format!("Access denied: the policy does not allow {action}."),
        "encoded_authorization_message": "bm90aGluZyB0byBkZWNvZGU=",
    });
    Answer::json(StatusCode::FORBIDDEN, &body)
}

/// Which of 001005, 001006 and 001007 says this is unconfirmed.
pub(super) fn no_app(app: &str) -> Answer {
    refusal(StatusCode::FORBIDDEN, "001005", &format!("The resource space {app} does not exist."))
}

pub(super) fn no_certificate() -> Answer {
    refusal(StatusCode::NOT_FOUND, "014306", "The certificate does not exist.")
}

pub(super) fn not_a_certificate(why: &str) -> Answer {
    bad_request("014301", &format!("The certificate is invalid: {why}."))
}

/// Whether 014319 means this is unconfirmed.
pub(super) fn update_refused(why: &str) -> Answer {
    refusal(StatusCode::FORBIDDEN, "014319", &format!("The certificate cannot be updated: {why}."))
}

/// Whether 014320 means this is unconfirmed.
pub(super) fn no_template(id: &str) -> Answer {
    bad_request("014320", &format!("The template {id} does not exist."))
}
