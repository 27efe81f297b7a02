//! IoTDA's instances and their certificates, changed behind everybody's back.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::faults::merge;
use crate::huawei::iotda::instance::{Content, Instance, Settings, Stored};
use crate::request::Answer;

/// By name or id.
fn instance<'a>(control: &'a mut Control) -> Result<&'a mut Instance, Answer> {
    let name = control.captures.text("instance").to_owned();
    control.state.world.instance_mut(&name).ok_or_else(|| not_found("instance", &name))
}

fn stored<'a>(control: &'a mut Control) -> Result<&'a mut Stored, Answer> {
    let id = control.captures.text("certificate").to_owned();
    instance(control)?.certificate(&id).ok_or_else(|| not_found("certificate", &id))
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    instance(control).map(|it| value(it))
}

/// A new instance needs id, edition, region and project; of an old one what is not named stays.
pub(super) fn put(control: &mut Control) -> Result<Value, Answer> {
    let body: Value = control.body()?;
    let name = control.captures.text("instance").to_owned();
    let held = instance(control).map(|it| value(it));
    let mut target = held.unwrap_or_else(|_| json!({ "name": name }));
    merge(&mut target, &body);
    let new: Instance = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    match instance(control) {
        Ok(old) => *old = new,
        Err(_) => control.state.world.instances.push(new),
    }
    show(control)
}

pub(super) fn delete(control: &mut Control) -> Result<Value, Answer> {
    let id = instance(control)?.id.clone();
    control.state.world.instances.retain(|it| it.id != id);
    Ok(json!({}))
}

pub(super) fn list(control: &mut Control) -> Result<Value, Answer> {
    instance(control).map(|it| value(&it.certificates))
}

/// What is planted; all but the certificate optional.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Planted {
    content: Content,
    app_id: Option<String>,
    name: Option<String>,
    #[serde(default)]
    status: bool,
    verify_code: Option<String>,
    #[serde(default)]
    settings: Settings,
}

/// A certificate that somebody else uploaded, also one that the service would not take.
pub(super) fn plant(control: &mut Control) -> Result<Value, Answer> {
    let Planted { content, app_id, name, status, verify_code, settings } = control.body()?;
    let now = control.now();
    let instance = instance(control)?;
    let app = app_id.or_else(|| instance.apps.first().cloned()).unwrap_or_default();
    let mut planted = Stored::new(instance.next_id(now), app, content, now);
    (planted.name, planted.status, planted.settings) = (name, status, settings);
    planted.verify_code = verify_code.unwrap_or(planted.verify_code);
    let shown = value(&planted);
    instance.certificates.push(planted);
    Ok(shown)
}

pub(super) fn certificate(control: &mut Control) -> Result<Value, Answer> {
    stored(control).map(|it| value(it))
}

pub(super) fn change(control: &mut Control) -> Result<Value, Answer> {
    let patch: Value = control.body()?;
    let stored = stored(control)?;
    let mut target = value(stored);
    merge(&mut target, &patch);
    let changed: Stored = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    if changed.id != stored.id {
        return Err(bad_request("an id stays"));
    }
    *stored = changed;
    Ok(value(stored))
}

pub(super) fn remove(control: &mut Control) -> Result<Value, Answer> {
    let id = stored(control)?.id.clone();
    instance(control)?.certificates.retain(|it| it.id != id);
    Ok(json!({}))
}
