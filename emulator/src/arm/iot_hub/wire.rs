//! The JSON of a certificate, in and out.

use serde::Serialize;
use serde_json::{Map, Value};

use super::errors::Refusal;
use super::hub::{Code, Hub, Stored};
use super::versions::Shape;
use crate::certificate;
use crate::clock;
use crate::switches::{CertificateEcho, Created, IotHubSwitches, Subject};

/// What a PUT wishes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) certificate: String,
    /// Present only where the version obeys it.
    pub(super) is_verified: Option<bool>,
}

impl Upload {
    /// Reads the body that the api-version expects; another version's body is refused.
    pub(super) fn read(body: &[u8], shape: Shape) -> Result<Self, Refusal> {
        let body = object(body)?;
        let inner = match (shape, body.get("properties")) {
            (Shape::Flat, _) => &body,
            (_, Some(Value::Object(properties))) => properties,
            (_, Some(_)) => return Err(Refusal::bad_body("'properties' is no object")),
            (_, None) => return Err(Refusal::bad_body("'properties' is missing")),
        };
        let is_verified = match (shape, inner.get("isVerified")) {
            (Shape::PropertiesWithVerified, Some(Value::Bool(wish))) => Some(*wish),
            (Shape::PropertiesWithVerified, Some(other)) if !other.is_null() => {
                return Err(Refusal::bad_body("'isVerified' is no boolean"));
            }
            _ => None,
        };
        Ok(Self { certificate: certificate_member(inner)?, is_verified })
    }
}

/// The body of verify: flat in every version.
pub(super) fn proof(body: &[u8]) -> Result<String, Refusal> {
    certificate_member(&object(body)?)
}

fn object(body: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(Refusal::bad_body("it is no JSON object")),
        Err(_) => Err(Refusal::bad_body("it is no JSON")),
    }
}

fn certificate_member(members: &Map<String, Value>) -> Result<String, Refusal> {
    match members.get("certificate") {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(Refusal::bad_body("'certificate' is no text")),
        None => Err(Refusal::bad_body("'certificate' is missing")),
    }
}

/// Members in the order in which the service was seen to send them.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CertificateDescription {
    properties: Properties,
    id: String,
    name: String,
    r#type: &'static str,
    etag: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties {
    subject: String,
    expiry: String,
    thumbprint: String,
    is_verified: bool,
    created: String,
    updated: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_code: Option<String>,
}

/// In which answer the certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum In {
    Put,
    Code,
    Other,
}

pub(super) fn describe(
    hub: &Hub,
    stored: &Stored,
    shape: Shape,
    place: In,
    switches: &IotHubSwitches,
) -> CertificateDescription {
    let content = &stored.certificate;
    let as_sent = || Some(content.sent.clone());
    let certificate = match (switches.certificate_echo, place) {
        (CertificateEcho::ByVersion, _) if shape == Shape::Flat => None,
        (CertificateEcho::ByVersion | CertificateEcho::Always, _)
        | (CertificateEcho::AsSentThenDer, In::Put) => as_sent(),
        (CertificateEcho::AsSentThenDer, In::Code | In::Other) => {
            Some(certificate::der_base64(&content.x509))
        }
    };
    let created = match switches.created {
        Created::Real => stored.created,
        Created::YearOne => clock::YEAR_ONE,
    };
    CertificateDescription {
        properties: Properties {
            subject: match switches.subject {
                Subject::BareCommonName => content.common_name.clone(),
                Subject::WithCn => format!("CN={}", content.common_name),
            },
            expiry: clock::rfc1123(content.expiry),
            thumbprint: content.thumbprint.clone(),
            is_verified: stored.is_verified,
            created: clock::rfc1123(created),
            updated: clock::rfc1123(stored.updated),
            certificate,
            verification_code: newest_code(stored, place),
        },
        id: format!("{}/certificates/{}", hub.id(), stored.name),
        name: stored.name.clone(),
        r#type: "Microsoft.Devices/IotHubs/Certificates",
        etag: stored.etag.clone(),
    }
}

/// Only the answer of the code call shows it.
fn newest_code(stored: &Stored, place: In) -> Option<String> {
    let Code { value, .. } = stored.codes.last()?;
    (place == In::Code).then(|| value.clone())
}
