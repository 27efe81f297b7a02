//! Certificates: made, imported, read, listed, changed.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::passing::{self, begin, is_free};
use super::vault::{Held, Object, Pending, Status, Tags};
use super::{Call, errors, imports, policy};
use crate::encoding::hex_lower;
use crate::random;
use crate::request::Answer;
use crate::switches::{LatestWhileRenewing, TagsPatch};

/// Lists have pages of so many.
const PAGE: usize = 25;

pub(super) fn create(call: &mut Call) -> Result<Answer, Answer> {
    let (now, body, name, version) = (call.now(), call.body()?, call.name().to_owned(), call.version);
    let place = call.place();
    let vault = call.vault();
    is_free(vault, &name, now)?;
    let held = vault.object(&name).map(|it| it.policy.clone());
    let full = match (body.get("policy").filter(|it| it.is_object()), held) {
        (Some(sent), _) => policy::complete(sent, vault, version)?,
        (None, Some(held)) => held,
        (None, None) => return Err(errors::bad_parameter("A policy is needed for the first version.")),
    };
    let (tags, enabled) = (tags(&body)?, enabled(&body).unwrap_or(true));
    let (issuers, delay) = (vault.issuers.clone(), vault.delays.issue);
    let last = vault.object(&name).and_then(|it| it.latest());
    let pending = begin(last.as_deref(), &full, &issuers, delay, now)
        .map_err(|_| errors::bad_parameter("The policy cannot be carried out."))?;
    let pending = Pending { tags: tags.clone(), enabled, ..pending };
    let object = object(vault, &name, full.clone(), now);
    object.drop_ghosts();
    if object.versions.is_empty() {
        object.versions.push(ghost(&full, tags, now));
    }
    (object.policy, object.policy_updated) = (full, now);
    let answer = Answer::json(StatusCode::ACCEPTED, &place.operation(&name, &pending))
        .with("location", place.pending_link(&name, &pending))
        .with("retry-after", "10");
    (object.pending, object.was_pending) = (Some(pending), true);
    Ok(answer)
}

/// The first version while it is being made: an id, and no certificate.
fn ghost(policy: &Value, tags: Tags, now: i64) -> Held {
    let months = policy["x509_props"]["validity_months"].as_i64().unwrap_or(12);
    Held {
        id: hex_lower(&random::bytes::<16>()),
        enabled: false,
        created: now,
        updated: now,
        nbf: now - 600,
        exp: crate::clock::months_later(now, months),
        tags,
        chain: Vec::new(),
        key: String::new(),
        exportable: true,
        content_type: String::new(),
    }
}

fn object<'a>(vault: &'a mut super::Vault, name: &str, policy: Value, now: i64) -> &'a mut Object {
    let at = vault.certificates.iter().position(|it| it.name.eq_ignore_ascii_case(name));
    let at = at.unwrap_or_else(|| {
        vault.certificates.push(Object::new(name, policy, now));
        vault.certificates.len() - 1
    });
    &mut vault.certificates[at]
}

pub(super) fn import(call: &mut Call) -> Result<Answer, Answer> {
    let (now, body, name, version) = (call.now(), call.body()?, call.name().to_owned(), call.version);
    let place = call.place();
    let vault = call.vault();
    is_free(vault, &name, now)?;
    let imported = imports::read(&body)?;
    let derived = imported.policy.clone();
    let full = match body.get("policy").filter(|it| it.is_object()) {
        Some(sent) => imports::adjusted(derived, sent, vault, version)?,
        None => derived,
    };
    let (tags, enabled) = (tags(&body)?, enabled(&body).unwrap_or(true));
    let object = object(vault, &name, full.clone(), now);
    (object.policy, object.policy_updated) = (full, now);
    (object.pending, object.was_pending) = (None, false);
    let made = Pending { tags, enabled, ..Pending::ended(imported.key, object.policy.clone()) };
    object.drop_ghosts();
    passing::add(object, hex_lower(&random::bytes::<16>()), &made, imported.chain, now);
    let held = object.versions[object.versions.len() - 1].clone();
    Ok(Answer::json(StatusCode::OK, &place.bundle(object, &held)))
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name, id) = (call.now(), call.name().to_owned(), call.captures.text("version").to_owned());
    let shown = call.state.world.switches.key_vault.latest_while_renewing;
    let place = call.place();
    let vault = call.vault();
    let object = vault.live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    let renewing = object.pending.clone().filter(|it| id.is_empty() && it.status == Status::InProgress);
    let held = match renewing {
        Some(made) if shown == LatestWhileRenewing::EmptyNew && object.is_issued() => {
            Held { id: made.request_id, ..ghost(&made.policy, made.tags, now) }
        }
        _ => object.version(&id).cloned().ok_or_else(|| errors::no_certificate(&name))?,
    };
    Ok(Answer::json(StatusCode::OK, &place.bundle(object, &held)))
}

pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let now = call.now();
    let with_pending =
        call.request.query_values("includePending").iter().any(|it| it.eq_ignore_ascii_case("true"));
    let place = call.place();
    let vault = call.vault();
    let live = vault.certificates.iter().filter(|it| it.deleted.is_none());
    let seen = live.filter(|it| it.recovered_at.is_none_or(|at| at <= now));
    let items = seen.filter_map(|it| {
        let held = it.versions.last()?;
        (with_pending || !held.chain.is_empty()).then(|| place.item(&it.name, held, ""))
    });
    let items = items.collect();
    page(call, "certificates", items)
}

pub(super) fn list_versions(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let place = call.place();
    let vault = call.vault();
    let object = vault.live(&name, now);
    let versions = object.map(|it| it.versions.clone()).unwrap_or_default();
    let issued = versions.iter().filter(|it| !it.chain.is_empty());
    let items = issued.map(|it| place.item(&name, it, &format!("/{}", it.id))).collect();
    page(call, &format!("certificates/{name}/versions"), items)
}

/// A page of items, and where the next one is.
pub(super) fn page(call: &Call, path: &str, items: Vec<Value>) -> Result<Answer, Answer> {
    let number = |name: &str| call.request.query_values(name).first().map(|it| it.parse::<usize>());
    let size = match number("maxresults") {
        None => PAGE,
        Some(Ok(size)) if (1..=PAGE).contains(&size) => size,
        Some(_) => return Err(errors::bad_parameter("maxresults must be from 1 to 25.")),
    };
    let from = match number("$skiptoken") {
        None => 0,
        Some(Ok(from)) => from,
        Some(Err(_)) => return Err(errors::bad_parameter("The skip token is not one of ours.")),
    };
    let next = from + size;
    let link = format!(
        "{}/{path}?api-version={}&$skiptoken={next}&maxresults={size}",
        call.base,
        call.version.name()
    );
    let link = (next < items.len()).then_some(link);
    let shown: Vec<_> = items.into_iter().skip(from).take(size).collect();
    Ok(Answer::json(StatusCode::OK, &json!({"value": shown, "nextLink": link})))
}

pub(super) fn patch(call: &mut Call) -> Result<Answer, Answer> {
    let (now, body, name) = (call.now(), call.body()?, call.name().to_owned());
    let (version, id) = (call.version, call.captures.text("version").to_owned());
    let how = call.state.world.switches.key_vault.tags_patch;
    let sent = body.get("tags").filter(|it| it.is_object()).map(|_| tags(&body)).transpose()?;
    let place = call.place();
    let vault = call.vault();
    let changed = match (body.get("policy").filter(|it| it.is_object()), vault.live(&name, now).cloned()) {
        (Some(sent), Some(object)) => Some(policy::changed(&object.policy, sent, vault, version)?),
        _ => None,
    };
    let object = vault.live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    let held = object.version(&id).ok_or_else(|| errors::no_certificate(&name))?;
    if let Some(sent) = sent {
        match how {
            TagsPatch::Replace => held.tags = sent,
            TagsPatch::Merge => held.tags.extend(sent),
        }
    }
    held.enabled = enabled(&body).unwrap_or(held.enabled);
    held.updated = now;
    let held = held.clone();
    if let Some(policy) = changed {
        (object.policy, object.policy_updated) = (policy, now);
    }
    Ok(Answer::json(StatusCode::OK, &place.bundle(object, &held)))
}

pub(super) fn policy(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name) = (call.now(), call.name().to_owned());
    let place = call.place();
    let vault = call.vault();
    let object = vault.live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    Ok(Answer::json(StatusCode::OK, &place.policy(object)))
}

pub(super) fn patch_policy(call: &mut Call) -> Result<Answer, Answer> {
    let (now, body, name) = (call.now(), call.body()?, call.name().to_owned());
    let version = call.version;
    let place = call.place();
    let vault = call.vault();
    let held =
        vault.live(&name, now).map(|it| it.policy.clone()).ok_or_else(|| errors::no_certificate(&name))?;
    let changed = policy::changed(&held, &body, vault, version)?;
    let object = vault.live(&name, now).ok_or_else(|| errors::no_certificate(&name))?;
    (object.policy, object.policy_updated) = (changed, now);
    Ok(Answer::json(StatusCode::OK, &place.policy(object)))
}

/// At most 15, of 256 characters on each side.
pub(super) fn tags(body: &Value) -> Result<Tags, Answer> {
    let sent = body.get("tags").filter(|it| !it.is_null()).cloned().unwrap_or_else(|| json!({}));
    let tags: Tags =
        serde_json::from_value(sent).map_err(|_| errors::bad_parameter("tags must be texts."))?;
    let long = |text: &String| text.chars().count() > 256;
    if tags.len() > 15 || tags.iter().any(|(key, value)| key.is_empty() || long(key) || long(value)) {
        return Err(errors::bad_parameter("There may be 15 tags of 256 characters."));
    }
    Ok(tags)
}

pub(super) fn enabled(body: &Value) -> Option<bool> {
    body.get("attributes")?.get("enabled")?.as_bool()
}
