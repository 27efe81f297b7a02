//! The six calls.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::instance::{Content, Edition, Stored};
use super::switches::{
    CodeAfterFailure, DeleteWhileBound, Duplicate, IotdaSwitches, LastMarker, ReadOne, UnverifiedUpdate,
    VerifyAgain,
};
use super::update::Change;
use super::wire::{Body, detailed, is_app_id, is_certificate_id, shown};
use super::{Call, errors, proof};
use crate::huawei::gateway;
use crate::random;
use crate::request::Answer;
use crate::switches::ProofValidity;

const PAGES: std::ops::RangeInclusive<usize> = 1..=50;
const OFFSETS: std::ops::RangeInclusive<usize> = 0..=500;
/// Above every id.
const FIRST_MARKER: &str = "ffffffffffffffffffffffffffffffffffff";

pub(super) fn upload(call: &mut Call) -> Result<Answer, Answer> {
    let body = Body::read(call.request, &["content", "app_id"])?;
    let (pem, app) = (body.pem("content")?, body.text("app_id", is_app_id)?);
    let (now, switches, owner) = (call.now(), call.switches().clone(), call.owner());
    let instance = call.instance();
    let app = match app {
        Some(app) if instance.apps.contains(&app) => app,
        Some(app) => return Err(errors::no_app(&app)),
        None => instance.apps.first().cloned().unwrap_or_default(),
    };
    let content = Content::try_from(pem).map_err(errors::not_a_certificate)?;
    if instance.certificates.iter().any(|held| held.content.is_same_as(&content)) {
        is_allowed_twice(switches.duplicate)?;
    }
    if instance.certificates.len() >= instance.quota {
        return Err(errors::bad_request("014300", "The number of certificates reached its limit."));
    }
    let mut stored = Stored::new(instance.next_id(now), app, content, now);
    stored.writes = 1;
    let answer = Answer::json(StatusCode::CREATED, &shown(&stored, &owner, &switches));
    instance.certificates.push(stored);
    Ok(answer)
}

fn is_allowed_twice(switch: Duplicate) -> Result<(), Answer> {
    let code = match switch {
        Duplicate::SecondObject => return Ok(()),
        Duplicate::Refused014302 => "014302",
        Duplicate::Refused014303 => "014303",
        Duplicate::Refused014309 => "014309",
    };
    Err(errors::bad_request(code, "The certificate already exists."))
}

pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let limit = call.number("limit", PAGES, 10)?;
    let offset = call.number("offset", OFFSETS, 0)?;
    let marker = call.query("marker", is_app_id)?.unwrap_or_else(|| FIRST_MARKER.to_owned());
    let app = call.query("app_id", is_app_id)?;
    call.renew_codes();
    let (switches, owner) = (call.switches().clone(), call.owner());
    let instance = call.instance();
    if let Some(app) = app.as_ref().filter(|app| !instance.apps.contains(app)) {
        return Err(errors::no_app(app));
    }
    let mut matching: Vec<&Stored> = instance.certificates.iter().collect();
    matching.retain(|stored| app.as_ref().is_none_or(|app| stored.app_id == *app));
    matching.sort_by(|one, other| other.id.cmp(&one.id));
    let after: Vec<_> = matching.iter().filter(|stored| stored.id < marker).skip(offset).collect();
    let page: Vec<_> = after.iter().take(limit).collect();
    let last = page.last().map(|stored| stored.id.as_str());
    let body = json!({
        "certificates": page.iter().map(|stored| shown(stored, &owner, &switches)).collect::<Vec<_>>(),
        "page": page_of(matching.len(), last, after.len() <= limit, &switches),
    });
    Ok(Answer::json(StatusCode::OK, &body))
}

fn page_of(count: usize, last: Option<&str>, is_last_page: bool, switches: &IotdaSwitches) -> Value {
    match (is_last_page, switches.last_marker) {
        (false, _) | (true, LastMarker::LastId) => json!({"count": count, "marker": last}),
        (true, LastMarker::Empty) => json!({"count": count, "marker": ""}),
        (true, LastMarker::Absent) => json!({"count": count}),
    }
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    match call.switches().read_one {
        ReadOne::Present => {}
        ReadOne::NotPublished => return Err(gateway::no_such_api()),
        ReadOne::Forbidden => return Err(errors::no_permission("iotda:certificate:query")),
    }
    call.renew_codes();
    let (switches, owner) = (call.switches().clone(), call.owner());
    let stored = existing(call)?;
    Ok(Answer::json(StatusCode::OK, &detailed(stored, &owner, &switches)))
}

pub(super) fn verify(call: &mut Call) -> Result<Answer, Answer> {
    if call.query("action_id", |text| text == "verify")?.is_none() {
        return Err(errors::bad_parameter("action_id is missing"));
    }
    let proof = Body::read(call.request, &["verify_content"])?.pem("verify_content")?;
    call.renew_codes();
    let (now, switches) = (call.now(), call.switches().clone());
    let valid_at = (switches.proof_validity == ProofValidity::Checked).then_some(now);
    let stored = existing(call)?;
    if stored.status && switches.verify_again == VerifyAgain::Refused {
        return Err(errors::bad_request("014308", "The certificate is verified already."));
    }
    let checked = proof::check(proof, &stored.content, &stored.verify_code, valid_at);
    if checked.is_err() && switches.code_after_failure == CodeAfterFailure::New {
        (stored.verify_code, stored.code_issued) = (random::guid(), now);
    }
    checked?;
    stored.status = true;
    stored.writes += 1;
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) fn update(call: &mut Call) -> Result<Answer, Answer> {
    let (switches, owner) = (call.switches().clone(), call.owner());
    let change = Change::read(call.request, &switches)?;
    let held = existing(call)?;
    let (verified, settings) = (held.status, held.settings.clone());
    // The status of this refusal is unconfirmed; the document only says for which editions the call is.
    if call.instance().edition == Edition::Basic {
        return Err(errors::update_refused("the basic edition does not support it"));
    }
    if !verified && switches.unverified_update == UnverifiedUpdate::Refused {
        return Err(errors::update_refused("it is not verified"));
    }
    let settings = change.of(&settings, call.instance(), &switches)?;
    let stored = existing(call)?;
    stored.settings = settings;
    stored.writes += 1;
    Ok(Answer::json(StatusCode::OK, &shown(stored, &owner, &switches)))
}

pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let switch = call.switches().delete_while_bound;
    let stored = existing(call)?;
    if stored.settings.template_id.is_some() && switch == DeleteWhileBound::Refused {
        return Err(errors::bad_request("014304", "A template is bound to the certificate."));
    }
    let id = stored.id.clone();
    call.instance().certificates.retain(|stored| stored.id != id);
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}

fn existing<'a>(call: &'a mut Call) -> Result<&'a mut Stored, Answer> {
    let id = call.captures.text("certificate").to_owned();
    if !is_certificate_id(&id) {
        return Err(errors::bad_parameter("the certificate id does not have its form"));
    }
    call.instance().certificate(&id).ok_or_else(errors::no_certificate)
}
