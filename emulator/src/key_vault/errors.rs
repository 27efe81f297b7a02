//! A vault's refusals: `{"error":{"code","message","innererror":{"code"}}}`.

use hyper::StatusCode;
use serde_json::json;

use crate::request::Answer;

fn refusal(status: StatusCode, code: &str, inner: Option<&str>, message: &str) -> Answer {
    let mut error = json!({"code": code, "message": message});
    if let Some(inner) = inner {
        error["innererror"] = json!({"code": inner});
    }
    Answer::json(status, &json!({ "error": error }))
}

pub(super) fn bad_parameter(message: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, "BadParameter", None, message)
}

pub(super) fn unauthorized(authority: &str, resource: &str, message: &str) -> Answer {
    let challenge = format!("Bearer authorization=\"{authority}\", resource=\"{resource}\"");
    refusal(StatusCode::UNAUTHORIZED, "Unauthorized", None, message).with("www-authenticate", challenge)
}

pub(super) fn forbidden(inner: Option<&str>, message: &str) -> Answer {
    refusal(StatusCode::FORBIDDEN, "Forbidden", inner, message)
}

pub(super) fn not_found(code: &str, message: &str) -> Answer {
    refusal(StatusCode::NOT_FOUND, code, None, message)
}

pub(super) fn no_certificate(name: &str) -> Answer {
    let message = format!("A certificate with (name/id) {name} was not found in this key vault.");
    not_found("CertificateNotFound", &message)
}

pub(super) fn no_deleted_certificate(name: &str) -> Answer {
    not_found("CertificateNotFound", &format!("Deleted Certificate not found: {name}"))
}

pub(super) fn no_pending(name: &str) -> Answer {
    not_found("PendingCertificateNotFound", &format!("Pending certificate not found: {name}"))
}

pub(super) fn no_secret(name: &str) -> Answer {
    not_found("SecretNotFound", &format!("A secret with (name/id) {name} was not found in this key vault."))
}

pub(super) fn conflict(inner: Option<&str>, message: &str) -> Answer {
    refusal(StatusCode::CONFLICT, "Conflict", inner, message)
}

/// As the vendor's scenarios print it: 409 with the code of a 403.
pub(super) fn in_progress(name: &str) -> Answer {
    let message = format!("A certificate operation for {name} is in progress.");
    refusal(StatusCode::CONFLICT, "Forbidden", None, &message)
}

pub(super) fn wrong_method(methods: &[&str]) -> Answer {
    let message = "The method is not allowed here.";
    refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", None, message)
        .with("allow", methods.join(", "))
}

/// The real world has no such host; 421 is for the person who mistyped.
pub(super) fn no_vault(name: &str) -> Answer {
    let message = format!("the emulator has no vault {name:?}");
    refusal(StatusCode::MISDIRECTED_REQUEST, "MisdirectedRequest", None, &message)
}

pub(super) fn throttled(retry_after_seconds: u64) -> Answer {
    let message = "Request was not processed because too many requests were received.";
    refusal(StatusCode::TOO_MANY_REQUESTS, "Throttled", None, message)
        .with("retry-after", retry_after_seconds.to_string())
}
