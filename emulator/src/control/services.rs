//! API Management services and their certificates, changed behind everybody's back.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::arm::api_management::service::{Service, Stored};
use crate::certificate;
use crate::faults::merge;
use crate::request::Answer;

fn service<'a>(control: &'a mut Control) -> Result<&'a mut Service, Answer> {
    let name = control.captures.text("service").to_owned();
    control.state.world.service_mut(&name).ok_or_else(|| not_found("service", &name))
}

fn stored<'a>(control: &'a mut Control) -> Result<&'a mut Stored, Answer> {
    let name = control.captures.text("certificate").to_owned();
    service(control)?.certificate(&name).ok_or_else(|| not_found("certificate", &name))
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    service(control).map(|it| value(it))
}

/// A new service needs subscription, group and location; of an old one what is not named stays.
pub(super) fn put(control: &mut Control) -> Result<Value, Answer> {
    let body: Value = control.body()?;
    let name = control.captures.text("service").to_owned();
    let held = service(control).map(|it| value(it));
    let mut target = held.unwrap_or_else(|_| json!({ "name": name }));
    merge(&mut target, &body);
    let new: Service = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    match service(control) {
        Ok(old) => *old = new,
        Err(_) => control.state.world.services.push(new),
    }
    show(control)
}

pub(super) fn certificate(control: &mut Control) -> Result<Value, Answer> {
    stored(control).map(|it| value(it))
}

/// What can be set; all of it optional where there is something to change.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Change {
    certificate: Option<String>,
    in_use: Option<bool>,
    /// How the last look at the vault ended.
    vault_status: Option<String>,
}

/// A certificate that somebody else put there.
pub(super) fn put_certificate(control: &mut Control) -> Result<Value, Answer> {
    let Change { certificate, in_use, vault_status: _ } = control.body()?;
    let pem = certificate.ok_or_else(|| bad_request("certificate is missing"))?;
    let read = certificate::read(&pem).map_err(|why| bad_request(why.why()))?;
    let (now, name) = (control.now(), control.captures.text("certificate").to_owned());
    let new = Stored {
        name,
        etag: format!("\"{}\"", control.state.world.next_etag(now)),
        thumbprint: certificate::thumbprint(&read),
        subject: format!("CN={}", certificate::common_name(&read)),
        expiry: certificate::expiry(&read),
        key_vault: None,
        in_use: in_use.unwrap_or(false),
        writes: 0,
    };
    let certificates = &mut service(control)?.certificates;
    certificates.retain(|it| !it.name.eq_ignore_ascii_case(&new.name));
    certificates.push(new);
    self::certificate(control)
}

pub(super) fn change_certificate(control: &mut Control) -> Result<Value, Answer> {
    let Change { certificate, in_use, vault_status } = control.body()?;
    if certificate.is_some() {
        return Err(bad_request("a certificate is put, not changed"));
    }
    let stored = stored(control)?;
    stored.in_use = in_use.unwrap_or(stored.in_use);
    if let (Some(status), Some(reference)) = (vault_status, &mut stored.key_vault) {
        reference.status = status;
    }
    Ok(value(stored))
}

pub(super) fn delete_certificate(control: &mut Control) -> Result<Value, Answer> {
    let name = stored(control)?.name.clone();
    service(control)?.certificates.retain(|it| it.name != name);
    Ok(json!({}))
}
