//! IoT Hub's own errors: flat, with a numeric `code`, and `IHnnnnnn` in the text. Seen: IH412001, IH400053,
//! IH409002, IH500019. The other numbers are of the right class and otherwise invented (unconfirmed).

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::clock;
use crate::random;
use crate::request::Answer;
use crate::switches::ErrorForm;

/// One of the provider's refusals, still without its form.
pub(super) struct Refusal {
    status: StatusCode,
    number: u32,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, number: u32, message: impl Into<String>) -> Self {
        Self { status, number, message: message.into() }
    }

    /// 400 for an unreadable or wrongly shaped body.
    pub(super) fn bad_body(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 400_001, format!("Invalid request body: {why}."))
    }

    pub(super) fn bad_name(name: &str) -> Self {
        let message = format!("Invalid certificate name '{name}'. It must match ^[A-Za-z0-9-._]{{1,64}}$.");
        Self::new(StatusCode::BAD_REQUEST, 400_002, message)
    }

    pub(super) fn bad_certificate(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 400_050, format!("Invalid certificate: {why}."))
    }

    /// What a badly encoded upload was reported to give.
    pub(super) fn failed_upload() -> Self {
        let message = "The server encountered an error while processing the request.";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, 500_019, message)
    }

    pub(super) fn bad_proof(why: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, 400_052, format!("Invalid verification certificate: {why}."))
    }

    pub(super) fn foreign_proof() -> Self {
        let message = "The verification certificate is not issued by the certificate to verify.";
        Self::new(StatusCode::BAD_REQUEST, 400_053, message)
    }

    pub(super) fn over_quota(quota: usize) -> Self {
        let message = format!("The IoT hub already holds its maximum of {quota} certificates.");
        Self::new(StatusCode::BAD_REQUEST, 400_054, message)
    }

    pub(super) fn invalid_etag() -> Self {
        Self::new(StatusCode::PRECONDITION_FAILED, 412_001, "Invalid ETag supplied.")
    }

    /// The same for a missing header, whose status is unconfirmed.
    pub(super) fn missing_etag(status: u16) -> Self {
        match StatusCode::from_u16(status) {
            Ok(StatusCode::PRECONDITION_FAILED) | Err(_) => Self::invalid_etag(),
            Ok(other) => Self::new(other, u32::from(status) * 1000 + 1, "If-Match is required."),
        }
    }

    pub(super) fn busy(hub: &str) -> Self {
        let message =
            format!("IoT Hub '{hub}' is not in state Active; the operation cannot be performed now.");
        Self::new(StatusCode::CONFLICT, 409_002, message)
    }

    pub(super) fn missing_certificate(name: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, 404_001, format!("Certificate '{name}' not found."))
    }

    pub(super) fn answer(self, form: ErrorForm, now: i64) -> Answer {
        Answer::json(self.status, &self.body(form, now))
    }

    fn body(&self, form: ErrorForm, now: i64) -> Value {
        let Self { status, number, message } = self;
        let message = format!(
            "{message} If you contact a support representative please include this correlation identifier: {}, \
             timestamp: {}, errorcode: IH{number}.",
            random::guid(),
            clock::spaced(now)
        );
        // `PreconditionFailed` and the like: the reason phrase without blanks.
        let name: String = status.canonical_reason().unwrap_or_default().split(' ').collect();
        match form {
            ErrorForm::Number => json!({"code": number, "httpStatusCode": name, "message": message}),
            ErrorForm::Text => {
                json!({"code": number.to_string(), "httpStatusCode": name, "message": message})
            }
            ErrorForm::Wrapped => {
                let detail = json!({"code": number.to_string(), "message": message});
                json!({"error": {"code": "ResourceOperationFailure", "message": message, "details": [detail]}})
            }
        }
    }
}
