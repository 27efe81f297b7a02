//! A certificate with all its versions as one opaque text, and back. The real text is encrypted; a client cannot tell.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use hyper::StatusCode;
use serde_json::json;

use super::vault::Object;
use super::{Call, errors, passing};
use crate::request::Answer;

pub(super) fn backup(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let object = call.vault().live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    // An operation is not part of it.
    let kept = Object { pending: None, was_pending: false, ..object.clone() };
    let text = serde_json::to_vec(&kept).map_err(|_| errors::no_certificate(&name))?;
    Ok(Answer::json(StatusCode::OK, &json!({"value": BASE64URL.encode(text)})))
}

pub(super) fn restore(call: &mut Call) -> Result<Answer, Answer> {
    let (now, body, place) = (call.now(), call.body()?, call.place());
    let text = body["value"].as_str().and_then(|it| BASE64URL.decode(it.trim_end_matches('=')).ok());
    let object = text.and_then(|it| serde_json::from_slice::<Object>(&it).ok()).filter(Object::is_issued);
    let mut object = object.ok_or_else(|| errors::bad_parameter("The backup is not one of ours."))?;
    passing::is_free(call.vault(), &object.name, now)?;
    if call.vault().object(&object.name).is_some() {
        return Err(errors::conflict(None, "There is a certificate of that name."));
    }
    let held = object.latest().cloned().ok_or_else(|| errors::no_certificate("restored"))?;
    let answer = Answer::json(StatusCode::OK, &place.bundle(&object, &held));
    call.vault().certificates.push(object);
    Ok(answer)
}
