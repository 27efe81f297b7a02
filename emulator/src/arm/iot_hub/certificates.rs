//! The six certificate calls. ETags: bare in the body, exact text in If-Match, a new one at every successful
//! write, the code call included.

use hyper::StatusCode;
use serde_json::json;

use super::errors::Refusal;
use super::hub::{Code, Content, Hub, Stored};
use super::versions::Shape;
use super::wire::{self, In, Upload};
use super::{hubs, proof};
use crate::arm::{Call, errors};
use crate::request::Answer;
use crate::switches::{
    BadUpload, CodeOnVerified, CreateStatus, IfMatch, IfMatchOnAbsent, IotHubSwitches, MissingCertificate,
    NewCode, ProofValidity, Replacing,
};

pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = hub(call)?;
    let (hub, shape) = (&call.state.world.hubs[at], Shape::of(call.version));
    let describe = |stored| wire::describe(hub, stored, shape, In::Other, &switches);
    let value: Vec<_> = hub.certificates.iter().map(describe).collect();
    Ok(Answer::json(StatusCode::OK, &json!({ "value": value })))
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = hub(call)?;
    let name = name(call, &switches)?;
    let stored = existing(call, at, &name, &switches)?.clone();
    Ok(shown(call, at, &stored, StatusCode::OK, In::Other, &switches))
}

pub(super) fn create_or_update(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = writable_hub(call)?;
    let name = name(call, &switches)?;
    let refused = refusing(call, &switches);
    json_body(call)?;
    let upload = Upload::read(&call.request.body, Shape::of(call.version)).map_err(&refused)?;
    let content = Content::try_from(upload.certificate).map_err(|why| match switches.bad_upload {
        BadUpload::BadRequest => refused(Refusal::bad_certificate(why)),
        BadUpload::ServerError => refused(Refusal::failed_upload()),
    })?;

    let if_match = call.request.header("if-match");
    let now = call.now();
    let hub = &mut call.state.world.hubs[at];
    let found = hub.certificates.get_mut(&name, switches.name_comparison);
    match (&found, if_match) {
        (Some(stored), Some(sent)) if matches(sent, &stored.etag, switches.if_match) => {}
        (None, Some(_)) if switches.if_match_on_absent == IfMatchOnAbsent::Creates => {}
        (None, None) => {}
        // Also without the header on an existing name: a PUT without it only creates.
        (Some(_), _) | (None, Some(_)) => return Err(refused(Refusal::invalid_etag())),
    }
    let created = found.is_none();
    let kept =
        found.is_some_and(|stored| stored.is_verified && switches.replacing == Replacing::KeepsVerified);
    let before = hub.certificates.get_mut(&name, switches.name_comparison).map(|stored| stored.clone());
    if let (true, Some(quota)) = (created, switches.certificate_quota)
        && hub.certificates.len() >= quota
    {
        return Err(refused(Refusal::over_quota(quota)));
    }
    let stored = Stored {
        name: before.as_ref().map_or(name, |stored| stored.name.clone()),
        certificate: content,
        etag: call.state.world.next_etag(now),
        is_verified: upload.is_verified.unwrap_or(kept),
        created: before.as_ref().map_or(now, |stored| stored.created),
        updated: now,
        codes: Vec::new(),
        writes: before.as_ref().map_or(0, |stored| stored.writes) + 1,
    };
    call.state.world.hubs[at].certificates.insert(stored.clone());
    let status = match (created, switches.create_status) {
        (true, CreateStatus::Created) => StatusCode::CREATED,
        (true, CreateStatus::Ok) | (false, _) => StatusCode::OK,
    };
    Ok(shown(call, at, &stored, status, In::Put, &switches))
}

pub(super) fn generate_verification_code(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = writable_hub(call)?;
    let name = name(call, &switches)?;
    let now = call.now();
    let mut stored = unchanged(call, at, &name, &switches)?;
    if switches.new_code == NewCode::Replaces {
        stored.codes.clear();
    }
    stored.codes.push(Code::new(now));
    if switches.code_on_verified == CodeOnVerified::FallsBack {
        stored.is_verified = false;
    }
    let stored = written(call, at, stored);
    Ok(shown(call, at, &stored, StatusCode::OK, In::Code, &switches))
}

pub(super) fn verify(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = writable_hub(call)?;
    let name = name(call, &switches)?;
    let refused = refusing(call, &switches);
    json_body(call)?;
    let sent = wire::proof(&call.request.body).map_err(&refused)?;
    let now = call.now();
    let mut stored = unchanged(call, at, &name, &switches)?;
    let good = |code: &&Code| switches.code_life_seconds.is_none_or(|life| now < code.issued + life);
    let codes: Vec<&str> = stored.codes.iter().filter(good).map(|code| code.value.as_str()).collect();
    let time = (switches.proof_validity == ProofValidity::Checked).then_some(now);
    proof::check(&sent, &stored.certificate.x509, &codes, time)
        .map_err(|rejected| refused(rejected.into()))?;
    stored.codes.clear();
    stored.is_verified = true;
    let stored = written(call, at, stored);
    Ok(shown(call, at, &stored, StatusCode::OK, In::Other, &switches))
}

impl From<proof::Rejected> for Refusal {
    fn from(rejected: proof::Rejected) -> Self {
        match rejected {
            proof::Rejected::Issuer => Self::foreign_proof(),
            proof::Rejected::Unreadable(why) => Self::bad_proof(why),
            proof::Rejected::NoCode => Self::bad_proof("no verification code is open"),
            proof::Rejected::CommonName => Self::bad_proof("its common name is not the verification code"),
            proof::Rejected::Validity => Self::bad_proof("it is outside its validity"),
        }
    }
}

/// 200 deleted, 204 was absent, both without a body.
pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let (at, switches) = writable_hub(call)?;
    let name = name(call, &switches)?;
    let certificates = &mut call.state.world.hubs[at].certificates;
    if certificates.get_mut(&name, switches.name_comparison).is_none() {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    }
    unchanged(call, at, &name, &switches)?;
    call.state.world.hubs[at].certificates.remove(&name, switches.name_comparison);
    Ok(Answer::empty(StatusCode::OK))
}

/// The hub of the path, and this moment's switches.
fn hub(call: &Call) -> Result<(usize, IotHubSwitches), Answer> {
    let missing = || {
        let parent = format!("Microsoft.Devices/IotHubs/{}", call.capture("hub"));
        errors::unknown_parent("Microsoft.Devices/IotHubs/certificates", &parent).answer()
    };
    Ok((hubs::position(call).ok_or_else(missing)?, call.state.world.switches.iot_hub.clone()))
}

/// The same for a write: a hub that is busy refuses it.
fn writable_hub(call: &mut Call) -> Result<(usize, IotHubSwitches), Answer> {
    let (at, switches) = hub(call)?;
    let refused = refusing(call, &switches);
    let hub: &mut Hub = &mut call.state.world.hubs[at];
    if hub.busy_writes > 0 {
        hub.busy_writes -= 1;
        return Err(refused(Refusal::busy(&hub.name)));
    }
    Ok((at, switches))
}

/// Gives refusals the form and time of this call.
fn refusing(call: &Call, switches: &IotHubSwitches) -> impl Fn(Refusal) -> Answer + use<> {
    let (form, now) = (switches.error_form, call.now());
    move |refusal| refusal.answer(form, now)
}

/// The name of the path, if the service's pattern allows it: `^[A-Za-z0-9-._]{1,64}$`.
fn name(call: &Call, switches: &IotHubSwitches) -> Result<String, Answer> {
    let name = call.capture("certificate");
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    if (1..=64).contains(&name.len()) && name.bytes().all(fits) {
        return Ok(name.to_owned());
    }
    Err(refusing(call, switches)(Refusal::bad_name(name)))
}

/// A body of another media type is refused at the door; one without a type is read all the same.
fn json_body(call: &Call) -> Result<(), Answer> {
    match call.request.media_type() {
        Some(other) if other != "application/json" => Err(errors::unsupported_media_type(&other).answer()),
        _ => Ok(()),
    }
}

fn existing<'a>(
    call: &'a mut Call,
    at: usize,
    name: &str,
    switches: &IotHubSwitches,
) -> Result<&'a mut Stored, Answer> {
    let refused = refusing(call, switches);
    let group = call.capture("group").to_owned();
    let hub = &mut call.state.world.hubs[at];
    let path = format!("Microsoft.Devices/IotHubs/{}/certificates/{name}", hub.name);
    hub.certificates.get_mut(name, switches.name_comparison).ok_or_else(|| {
        match switches.missing_certificate {
            MissingCertificate::Arm => errors::unknown_resource(&path, &group).answer(),
            MissingCertificate::Flat => refused(Refusal::missing_certificate(name)),
            MissingCertificate::Empty => Answer::empty(StatusCode::NOT_FOUND),
        }
    })
}

/// A copy of the certificate, if it exists and If-Match names its ETag.
fn unchanged(call: &mut Call, at: usize, name: &str, switches: &IotHubSwitches) -> Result<Stored, Answer> {
    let refused = refusing(call, switches);
    let if_match = call.request.header("if-match").map(str::to_owned);
    let stored = existing(call, at, name, switches)?;
    match if_match {
        None => Err(refused(Refusal::missing_etag(switches.missing_if_match_status.0))),
        Some(sent) if !matches(&sent, &stored.etag, switches.if_match) => {
            Err(refused(Refusal::invalid_etag()))
        }
        Some(_) => Ok(stored.clone()),
    }
}

fn matches(sent: &str, etag: &str, comparison: IfMatch) -> bool {
    match comparison {
        IfMatch::Exact => sent == etag,
        IfMatch::Lenient => sent == "*" || sent.trim_matches('"') == etag,
    }
}

/// Puts a changed certificate back, with a new ETag and date.
fn written(call: &mut Call, at: usize, mut stored: Stored) -> Stored {
    let now = call.now();
    stored.etag = call.state.world.next_etag(now);
    stored.updated = now;
    stored.writes += 1;
    call.state.world.hubs[at].certificates.insert(stored.clone());
    stored
}

fn shown(
    call: &Call,
    at: usize,
    stored: &Stored,
    status: StatusCode,
    place: In,
    switches: &IotHubSwitches,
) -> Answer {
    let (hub, shape) = (&call.state.world.hubs[at], Shape::of(call.version));
    Answer::json(status, &wire::describe(hub, stored, shape, place, switches))
}
