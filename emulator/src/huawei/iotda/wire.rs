//! What goes over the wire: bodies read strictly, member by member, and certificates as they are shown.

use serde_json::{Map, Value, json};

use super::errors;
use super::instance::Stored;
use super::switches::{ContentEcho, IotdaSwitches, OcspEnableEcho};
use crate::certificate;
use crate::clock;
use crate::request::{Answer, Request};

const LONGEST_PEM: usize = 65_535;

/// A member that may be left out, taken away, or set: three different things.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member<T> {
    Absent,
    Null,
    Value(T),
}

/// A JSON object with no other members than the operation has.
pub(super) struct Body(Map<String, Value>);

impl Body {
    pub(super) fn read(request: &Request, known: &[&str]) -> Result<Self, Answer> {
        if request.media_type().as_deref() != Some("application/json") {
            return Err(errors::unreadable("the media type is not application/json"));
        }
        let body: Value = serde_json::from_slice(&request.body)
            .map_err(|error| errors::unreadable(&format!("broken JSON, {error}")))?;
        let Value::Object(members) = body else { return Err(errors::bad_parameter("the body is no object")) };
        match members.keys().find(|name| !known.contains(&name.as_str())) {
            Some(other) => Err(errors::bad_parameter(&format!("unknown member {other}"))),
            None => Ok(Self(members)),
        }
    }

    pub(super) fn boolean(&self, name: &str) -> Result<Option<bool>, Answer> {
        match self.0.get(name) {
            None => Ok(None),
            Some(Value::Bool(value)) => Ok(Some(*value)),
            Some(_) => Err(errors::bad_parameter(&format!("{name} is no boolean"))),
        }
    }

    pub(super) fn nullable(&self, name: &str, fits: fn(&str) -> bool) -> Result<Member<String>, Answer> {
        match self.0.get(name) {
            None => Ok(Member::Absent),
            Some(Value::Null) => Ok(Member::Null),
            Some(Value::String(text)) if fits(text) => Ok(Member::Value(text.clone())),
            Some(_) => Err(errors::bad_parameter(&format!("{name} does not have its form"))),
        }
    }

    pub(super) fn text(&self, name: &str, fits: fn(&str) -> bool) -> Result<Option<String>, Answer> {
        match self.nullable(name, fits)? {
            Member::Value(text) => Ok(Some(text)),
            Member::Absent => Ok(None),
            Member::Null => Err(errors::bad_parameter(&format!("{name} is null"))),
        }
    }

    pub(super) fn pem(&self, name: &str) -> Result<String, Answer> {
        let text = self.text(name, |text| (1..=LONGEST_PEM).contains(&text.chars().count()))?;
        text.ok_or_else(|| errors::bad_parameter(&format!("{name} is missing")))
    }
}

pub(super) fn is_project_id(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Also of an instance.
pub(super) fn is_certificate_id(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-');
    (1..=36).contains(&text.len()) && text.bytes().all(fits)
}

/// Also a marker.
pub(super) fn is_app_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=36).contains(&text.len()) && text.bytes().all(fits)
}

pub(super) fn is_template_id(text: &str) -> bool {
    text.len() == 24 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// As in lists and after writes.
pub(super) fn shown(stored: &Stored, owner: &str, switches: &IotdaSwitches) -> Value {
    let settings = &stored.settings;
    let ocsp_enable = match switches.ocsp_enable_echo {
        OcspEnableEcho::Boolean => json!(settings.ocsp_enable),
        OcspEnableEcho::Text => settings.ocsp_enable.map_or(Value::Null, |it| format!("{it},").into()),
    };
    json!({
        "certificate_id": stored.id,
        "cn_name": stored.content.common_name(),
        "owner": owner,
        "status": stored.status,
        "verify_code": stored.verify_code,
        "provision_enable": settings.provision_enable,
        "template_id": settings.template_id,
        "ocsp_enable": ocsp_enable,
        "ocsp_server_ca_id": settings.ocsp_server_ca_id,
        "ocsp_ssl_enable": settings.ocsp_ssl_enable,
        "create_date": clock::compact(stored.created),
        "effective_date": clock::compact(certificate::begin(&stored.content.x509)),
        "expiry_date": clock::compact(certificate::expiry(&stored.content.x509)),
    })
}

/// As when it is read alone.
pub(super) fn detailed(stored: &Stored, owner: &str, switches: &IotdaSwitches) -> Value {
    let mut all = shown(stored, owner, switches);
    all["name"] = json!(stored.name);
    all["content"] = match switches.content_echo {
        ContentEcho::AsSent => stored.content.sent.clone().into(),
        ContentEcho::Normalised => certificate::pem(&stored.content.x509).into(),
    };
    all
}
