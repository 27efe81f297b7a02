//! Deleting, and what becomes of what was deleted. It shows late, on the way out and on the way back.

use hyper::StatusCode;

use super::vault::Deleted;
use super::{Call, certificates, errors};
use crate::request::Answer;

pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let place = call.place();
    let vault = call.vault();
    let (lag, days) = (vault.delays.deleted_visible, vault.soft_delete_days);
    let object = vault.live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    object.deleted = Some(Deleted { at: now, visible_at: now + lag, purge_at: now + days * 86_400 });
    object.pending = None;
    let held = object.latest().cloned().ok_or_else(|| errors::no_certificate(&name))?;
    Ok(Answer::json(StatusCode::OK, &place.deleted(object, &held)))
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let place = call.place();
    let vault = call.vault();
    let object = vault.gone(&name, now).ok_or_else(|| errors::no_deleted_certificate(&name))?;
    let held = object.latest().cloned().ok_or_else(|| errors::no_deleted_certificate(&name))?;
    Ok(Answer::json(StatusCode::OK, &place.deleted(object, &held)))
}

pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let now = call.now();
    let place = call.place();
    let vault = call.vault();
    let gone =
        vault.certificates.iter().filter(|it| it.deleted.as_ref().is_some_and(|it| it.visible_at <= now));
    let items = gone.filter_map(|it| Some(place.deleted(it, it.versions.last()?))).collect();
    certificates::page(call, "deletedcertificates", items)
}

pub(super) fn recover(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let place = call.place();
    let vault = call.vault();
    let lag = vault.delays.recover;
    let object = vault.gone(&name, now).ok_or_else(|| errors::no_deleted_certificate(&name))?;
    (object.deleted, object.recovered_at) = (None, Some(now + lag));
    let held = object.latest().cloned().ok_or_else(|| errors::no_deleted_certificate(&name))?;
    Ok(Answer::json(StatusCode::OK, &place.bundle(object, &held)))
}

pub(super) fn purge(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let vault = call.vault();
    if vault.gone(&name, now).is_none() {
        return Err(errors::no_deleted_certificate(&name));
    }
    if vault.purge_protection {
        return Err(errors::forbidden(None, "The vault is protected against purging."));
    }
    vault.certificates.retain(|it| !it.name.eq_ignore_ascii_case(&name));
    let until = now + vault.delays.purge_blocks;
    if until > now {
        vault.blocked.insert(name, until);
    }
    Ok(Answer::empty(StatusCode::NO_CONTENT))
}
