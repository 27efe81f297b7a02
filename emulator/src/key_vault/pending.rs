//! Operations: read, given up, dropped, ended by a merge.

use hyper::StatusCode;
use serde_json::Value;

use super::vault::{Object, Pending, Status};
use super::wire::Place;
use super::{Call, certificates, errors, issue, passing};
use crate::certificate;
use crate::encoding::hex_lower;
use crate::random;
use crate::request::Answer;

/// The operation of the name, if the query does not mean another.
fn find<'a>(call: &'a mut Call) -> Result<(Place, &'a mut Object), Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let asked = call.request.query_values("request_id").first().map(|it| (*it).to_owned());
    let place = call.place();
    let vault = call.vault();
    let object = vault.live(&name, now).filter(|it| it.pending.is_some());
    let fits = |it: &&mut Object| {
        let id = it.pending.as_ref().map(|it| it.request_id.as_str());
        asked.as_deref().is_none_or(|asked| Some(asked) == id)
    };
    object.filter(fits).map(|it| (place, it)).ok_or_else(|| errors::no_pending(&name))
}

fn shown(place: &Place, name: &str, pending: &Pending) -> Answer {
    let answer = Answer::json(StatusCode::OK, &place.operation(name, pending));
    if pending.status == Status::InProgress { answer.with("retry-after", "10") } else { answer }
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let name = call.name().to_owned();
    let (place, object) = find(call)?;
    let pending = object.pending.as_ref().ok_or_else(|| errors::no_pending(&name))?;
    Ok(shown(&place, &name, pending))
}

/// It is asked for; an operation in progress stays so.
pub(super) fn patch(call: &mut Call) -> Result<Answer, Answer> {
    let (name, body) = (call.name().to_owned(), call.body()?);
    let (place, object) = find(call)?;
    let pending = object.pending.as_mut().ok_or_else(|| errors::no_pending(&name))?;
    if pending.status != Status::InProgress {
        return Err(errors::forbidden(None, "The operation is no longer in progress."));
    }
    pending.cancellation_requested = body["cancellation_requested"] == true;
    Ok(Answer::json(StatusCode::OK, &place.operation(&name, pending)))
}

/// The certificate stays, also one that was only being made.
pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let name = call.name().to_owned();
    let (place, object) = find(call)?;
    let pending = object.pending.take().ok_or_else(|| errors::no_pending(&name))?;
    Ok(Answer::json(StatusCode::OK, &place.operation(&name, &pending)))
}

pub(super) fn merge(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name, body) = (call.now(), call.name().to_owned(), call.body()?);
    let (place, object) = find(call)?;
    let pending = object.pending.clone().ok_or_else(|| errors::no_pending(&name))?;
    if pending.status != Status::InProgress {
        return Err(errors::no_pending(&name));
    }
    if pending.issuer != "Unknown" {
        return Err(errors::forbidden(None, "The issuer has the request; a merge is not allowed."));
    }
    let sent = body["x5c"].as_array().filter(|it| !it.is_empty());
    let sent = sent.ok_or_else(|| errors::bad_parameter("x5c is missing"))?;
    let chain: Option<Vec<_>> = sent.iter().map(|it| certificate::read(it.as_str()?).ok()).collect();
    let chain = chain.ok_or_else(|| errors::bad_parameter("x5c has something that is no certificate."))?;
    let key = issue::from_pem(&pending.key).ok_or_else(|| errors::no_pending(&name))?;
    if !chain[0].public_key().is_ok_and(|it| it.public_eq(&key)) {
        return Err(errors::bad_parameter("The key of the first certificate is not the request's."));
    }
    let mut made = pending;
    if body.get("tags").is_some_and(Value::is_object) {
        made.tags = certificates::tags(&body)?;
    }
    made.enabled = certificates::enabled(&body).unwrap_or(made.enabled);
    object.drop_ghosts();
    let chain = chain.iter().map(certificate::der_base64).collect();
    passing::add(object, hex_lower(&random::bytes::<16>()), &made, chain, now);
    object.pending = Some(Pending { status: Status::Completed, ..made });
    let held = object.versions[object.versions.len() - 1].clone();
    let location = format!("{}/certificates/{name}?api-version={}", place.base, place.version.name());
    Ok(Answer::json(StatusCode::CREATED, &place.bundle(object, &held)).with("location", location))
}
