//! What the service shows of a certificate, and its refusals. Neither the file nor its password ever comes back.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::service::{Service, Stored, VaultReference};
use crate::clock;
use crate::request::Answer;

pub(super) fn contract(service: &Service, stored: &Stored) -> Value {
    let mut properties = json!({
        "subject": stored.subject,
        "thumbprint": stored.thumbprint,
        "expirationDate": clock::iso(stored.expiry),
    });
    if let Some(reference) = &stored.key_vault {
        let VaultReference { secret_identifier, identity_client_id, status, message, looked_at } = reference;
        properties["keyVault"] = json!({
            "secretIdentifier": secret_identifier,
            "identityClientId": identity_client_id,
            "lastStatus": {
                "code": status,
                "message": (!message.is_empty()).then_some(message),
                "timeStampUtc": clock::iso(*looked_at).replace('Z', ".0000000Z"),
            },
        });
    }
    json!({
        "id": format!("{}/certificates/{}", service.id(), stored.name),
        "type": "Microsoft.ApiManagement/service/certificates",
        "name": stored.name,
        "properties": properties,
    })
}

/// The contract with its ETag, which stands in the header alone.
pub(super) fn shown(service: &Service, stored: &Stored, status: StatusCode) -> Answer {
    Answer::json(status, &contract(service, stored)).with("etag", &stored.etag)
}

pub(super) fn refusal(status: StatusCode, code: &str, message: &str, target: Option<&str>) -> Answer {
    let detail = |target: &str| json!([{"code": code, "target": target, "message": message}]);
    Answer::json(status, &json!({"error": {"code": code, "message": message, "details": target.map(detail)}}))
}

pub(super) fn invalid(target: &str, message: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, "ValidationError", message, Some(target))
}

pub(super) fn not_found() -> Answer {
    refusal(StatusCode::NOT_FOUND, "ResourceNotFound", "Certificate not found.", None)
}

pub(super) fn precondition_failed() -> Answer {
    let message = "Resource was modified since last retrieval, or the entity tag is missing.";
    refusal(StatusCode::PRECONDITION_FAILED, "PreconditionFailed", message, None)
}
