//! Whom a vault writes to before something of it expires. They are of the whole vault; nobody gets mail here.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::{Call, errors};
use crate::request::Answer;

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let contacts = call.vault().contacts.clone();
    shown(call, &contacts)
}

pub(super) fn set(call: &mut Call) -> Result<Answer, Answer> {
    let body = call.body()?;
    let sent = body["contacts"].as_array().cloned().unwrap_or_default();
    if sent.is_empty() || sent.iter().any(|it| !it["email"].is_string()) {
        return Err(errors::bad_parameter("Every contact needs an email."));
    }
    call.vault().contacts.clone_from(&sent);
    shown(call, &sent)
}

pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let gone = std::mem::take(&mut call.vault().contacts);
    shown(call, &gone)
}

fn shown(call: &Call, contacts: &[Value]) -> Result<Answer, Answer> {
    if contacts.is_empty() {
        return Err(errors::not_found("ContactsNotFound", "Contacts not found"));
    }
    let id = format!("{}/certificates/contacts", call.base);
    Ok(Answer::json(StatusCode::OK, &json!({"id": id, "contacts": contacts})))
}
