//! Vaults and their certificates, changed behind everybody's back.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::faults::merge;
use crate::key_vault::vault::{Object, Outcome, Tags, Vault};
use crate::key_vault::{passing, planted};
use crate::request::Answer;

/// The vault as it is at this time of the clock.
fn vault<'a>(control: &'a mut Control) -> Result<&'a mut Vault, Answer> {
    let (now, name) = (control.now(), control.captures.text("vault").to_owned());
    let mut vaults = control.state.world.vaults.iter_mut();
    let vault = vaults.find(|it| it.name.eq_ignore_ascii_case(&name));
    let vault = vault.ok_or_else(|| not_found("vault", &name))?;
    passing::bring_up_to_date(vault, now);
    Ok(vault)
}

fn object<'a>(control: &'a mut Control) -> Result<&'a mut Object, Answer> {
    let name = control.captures.text("certificate").to_owned();
    vault(control)?.object(&name).ok_or_else(|| not_found("certificate", &name))
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    vault(control).map(|it| shape(it))
}

pub(super) fn shape(vault: &Vault) -> Value {
    let mut all = value(&Vault { certificates: Vec::new(), ..vault.clone() });
    all["certificates"] = vault.certificates.iter().map(shown).collect();
    all
}

/// Without private keys.
fn shown(object: &Object) -> Value {
    let mut all = value(object);
    let versions = all["versions"].as_array_mut().into_iter().flatten();
    for version in versions {
        let der = version["chain"][0].as_str().map(str::to_owned);
        version["thumbprint"] = der.and_then(|it| planted::thumbprint(&it)).map_or(Value::Null, Value::from);
        version.as_object_mut().map(|it| it.remove("key"));
    }
    if let Some(pending) = all["pending"].as_object_mut() {
        pending.remove("key");
    }
    all
}

/// A new vault needs nothing but its name; of an old one what is not named stays.
pub(super) fn put(control: &mut Control) -> Result<Value, Answer> {
    let body: Value = control.body()?;
    let name = control.captures.text("vault").to_owned();
    let held = vault(control).map(|it| value(it));
    let mut target = held.unwrap_or_else(|_| json!({ "name": name }));
    merge(&mut target, &body);
    let new: Vault = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    match vault(control) {
        Ok(old) => *old = new,
        Err(_) => control.state.world.vaults.push(new),
    }
    show(control)
}

pub(super) fn delete(control: &mut Control) -> Result<Value, Answer> {
    let name = vault(control)?.name.clone();
    control.state.world.vaults.retain(|it| it.name != name);
    Ok(json!({}))
}

pub(super) fn certificate(control: &mut Control) -> Result<Value, Answer> {
    object(control).map(|it| shown(it))
}

/// What is planted; all of it optional.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[derive(Default)]
struct Planted {
    /// As in a create; a plain self-signed one unless set.
    policy: Option<Value>,
    /// The body of an import, in place of a policy.
    import: Option<Value>,
    tags: Tags,
    /// Whether it is deleted already.
    deleted: bool,
}

/// A certificate that somebody else made.
pub(super) fn plant(control: &mut Control) -> Result<Value, Answer> {
    let Planted { policy, import, tags, deleted } = control.body()?;
    let (now, name) = (control.now(), control.captures.text("certificate").to_owned());
    planted::plant(vault(control)?, &name, policy, import, tags, deleted, now)?;
    certificate(control)
}

/// What can be changed of the latest version, of the policy, and of the operation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    tags: Option<Tags>,
    enabled: Option<bool>,
    /// A merge patch.
    policy: Option<Value>,
    /// How the operation ends, at once.
    pending: Option<Outcome>,
}

pub(super) fn change(control: &mut Control) -> Result<Value, Answer> {
    let Change { tags, enabled, policy, pending } = control.body()?;
    let (now, issuers) = (control.now(), vault(control)?.issuers.clone());
    let object = object(control)?;
    if let Some(patch) = policy {
        merge(&mut object.policy, &patch);
    }
    if let Some(held) = object.versions.last_mut() {
        held.tags = tags.unwrap_or_else(|| held.tags.clone());
        held.enabled = enabled.unwrap_or(held.enabled);
    }
    if let Some(outcome) = pending
        && !planted::finish(object, &issuers, outcome, now)
    {
        return Err(bad_request("no operation is in progress"));
    }
    Ok(shown(object))
}

/// At once, without a trace.
pub(super) fn remove(control: &mut Control) -> Result<Value, Answer> {
    let name = object(control)?.name.clone();
    vault(control)?.certificates.retain(|it| it.name != name);
    Ok(json!({}))
}
