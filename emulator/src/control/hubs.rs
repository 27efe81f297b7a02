//! Hubs and their certificates, changed behind everybody's back.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::arm::iot_hub::hub::{Code, Content, Hub, Stored};
use crate::certificate;
use crate::faults::merge;
use crate::request::Answer;
use crate::switches::NameComparison::{self, CaseInsensitive};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    name: &'a str,
    etag: &'a str,
    thumbprint: &'a str,
    common_name: &'a str,
    expiry: i64,
    is_verified: bool,
    created: i64,
    updated: i64,
    /// The newest code that is still open.
    verification_code: Option<&'a str>,
    codes: &'a [Code],
    /// How often calls changed it.
    writes: u64,
    /// As sent.
    certificate: &'a str,
    pem: String,
}

fn shown(stored: &Stored) -> Value {
    let content = &stored.certificate;
    value(&Shown {
        name: &stored.name,
        etag: &stored.etag,
        thumbprint: &content.thumbprint,
        common_name: &content.common_name,
        expiry: content.expiry,
        is_verified: stored.is_verified,
        created: stored.created,
        updated: stored.updated,
        verification_code: stored.codes.last().map(|code| code.value.as_str()),
        codes: &stored.codes,
        writes: stored.writes,
        certificate: &content.sent,
        pem: certificate::pem(&content.x509),
    })
}

pub(super) fn shape(hub: &Hub) -> Value {
    let mut all = value(&Hub { certificates: Default::default(), ..hub.clone() });
    all["id"] = hub.id().into();
    all["certificates"] = hub.certificates.iter().map(shown).collect();
    all
}

fn hub<'a>(control: &'a mut Control) -> Result<&'a mut Hub, Answer> {
    let name = control.captures.text("hub");
    control.state.world.hub_mut(name).ok_or_else(|| not_found("hub", name))
}

fn stored<'a>(control: &'a mut Control) -> Result<&'a mut Stored, Answer> {
    let name = control.captures.text("certificate").to_owned();
    hub(control)?.certificates.get_mut(&name, CaseInsensitive).ok_or_else(|| not_found("certificate", &name))
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    hub(control).map(|hub| shape(hub))
}

/// A new hub needs subscription, group and location; of an old one what is not named stays.
pub(super) fn put(control: &mut Control) -> Result<Value, Answer> {
    let body: Value = control.body()?;
    let name = control.captures.text("hub").to_owned();
    let mut target = control.state.world.hub_mut(&name).map_or_else(|| json!({}), |hub| value(hub));
    merge(&mut target, &body);
    target["name"] = target.get("name").cloned().unwrap_or_else(|| name.clone().into());
    let new: Hub = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    let group = control
        .state
        .world
        .subscription(&new.subscription_id)
        .map(|found| found.resource_group(&new.resource_group));
    match group {
        None => return Err(not_found("subscription", &new.subscription_id)),
        Some(None) => return Err(not_found("resource group", &new.resource_group)),
        Some(Some(_)) => {}
    }
    match control.state.world.hub_mut(&name) {
        Some(old) => *old = new,
        None => control.state.world.hubs.push(new),
    }
    let now = control.now();
    control.state.world.complete(now);
    show(control)
}

pub(super) fn delete(control: &mut Control) -> Result<Value, Answer> {
    let name = hub(control)?.name.clone();
    control.state.world.hubs.retain(|hub| hub.name != name);
    Ok(json!({}))
}

pub(super) fn certificate(control: &mut Control) -> Result<Value, Answer> {
    stored(control).map(|stored| shown(stored))
}

/// What can be set; all of it optional where there is something to change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    certificate: Option<String>,
    is_verified: Option<bool>,
    /// A new one is given unless this names it.
    etag: Option<String>,
    verification_code: Option<String>,
    created: Option<i64>,
}

pub(super) fn put_certificate(control: &mut Control) -> Result<Value, Answer> {
    let Change { certificate, is_verified, etag, verification_code, created } = control.body()?;
    let content = certificate.ok_or_else(|| bad_request("certificate is missing"))?;
    let (now, name) = (control.now(), control.captures.text("certificate").to_owned());
    let new = Stored {
        name,
        certificate: Content::try_from(content).map_err(bad_request)?,
        etag: etag.unwrap_or_else(|| control.state.world.next_etag(now)),
        is_verified: is_verified.unwrap_or(false),
        created: created.unwrap_or(now),
        updated: now,
        codes: verification_code.map(|value| Code { value, issued: now }).into_iter().collect(),
        writes: 0,
    };
    let comparison: NameComparison = control.state.world.switches.iot_hub.name_comparison;
    let certificates = &mut hub(control)?.certificates;
    certificates.remove(&new.name, comparison);
    certificates.insert(new);
    self::certificate(control)
}

pub(super) fn change_certificate(control: &mut Control) -> Result<Value, Answer> {
    let Change { certificate, is_verified, etag, verification_code, created } = control.body()?;
    let content = certificate.map(Content::try_from).transpose().map_err(bad_request)?;
    let now = control.now();
    let etag = etag.unwrap_or_else(|| control.state.world.next_etag(now));
    let stored = stored(control)?;
    if let Some(content) = content {
        stored.certificate = content;
    }
    stored.is_verified = is_verified.unwrap_or(stored.is_verified);
    stored.etag = etag;
    stored.created = created.unwrap_or(stored.created);
    stored.updated = now;
    stored.codes.extend(verification_code.map(|value| Code { value, issued: now }));
    Ok(shown(stored))
}

pub(super) fn delete_certificate(control: &mut Control) -> Result<Value, Answer> {
    let name = stored(control)?.name.clone();
    hub(control)?.certificates.remove(&name, NameComparison::Exact);
    Ok(json!({}))
}
