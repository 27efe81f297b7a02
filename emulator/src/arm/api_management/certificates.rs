//! The six certificate calls. ETags stand in the header, quoted; every write gives a new one.

use hyper::StatusCode;
use serde_json::json;

use super::contract::{contract, invalid, not_found, precondition_failed, refusal, shown};
use super::filter::Filter;
use super::service::{Service, Stored, VaultReference};
use super::upload::{self, Leaf, Upload};
use super::{OLDEST, vault_reference};
use crate::arm::{Call, errors};
use crate::encoding::percent_encoded;
use crate::request::Answer;
use crate::switches::{DeleteWithoutIfMatch, PutWithoutIfMatch};

/// Where nothing is asked for.
const PAGE: usize = 20;

pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let at = service(call)?;
    let number = |name: &str| call.request.query_values(name).first().map(|it| it.parse::<usize>());
    let (top, skip) = (number("$top").unwrap_or(Ok(PAGE)), number("$skip").unwrap_or(Ok(0)));
    let (Ok(top @ 1..), Ok(skip)) = (top, skip) else {
        return Err(invalid("$top", "$top must be at least 1, $skip at least 0."));
    };
    let top = top.min(call.state.world.switches.api_management.largest_page.0.max(1));
    let text = call.request.query_values("$filter").first().map(|it| (*it).to_owned());
    let filter =
        text.as_deref().map(|it| Filter::parse(it).ok_or_else(|| invalid("$filter", "Invalid filter.")));
    let filter = filter.transpose()?;
    let failed_only =
        call.request.query_values("isKeyVaultRefreshFailed").first().is_some_and(|it| *it == "true");
    let service = &call.state.world.services[at];
    let failed = |it: &Stored| it.key_vault.as_ref().is_some_and(|it| it.status != "Success");
    let taken =
        |it: &&Stored| filter.as_ref().is_none_or(|filter| filter.takes(it)) && (!failed_only || failed(it));
    let all: Vec<_> = service.certificates.iter().filter(taken).map(|it| contract(service, it)).collect();
    let mut body = json!({"value": all.iter().skip(skip).take(top).collect::<Vec<_>>(), "count": all.len()});
    if skip + top < all.len() {
        let path = format!("{}/certificates", service.id());
        let mut query = format!("api-version={}&$top={top}&$skip={}", call.version, skip + top);
        if let Some(text) = &text {
            query.push_str(&format!("&$filter={}", percent_encoded(text)));
        }
        if failed_only {
            query.push_str("&isKeyVaultRefreshFailed=true");
        }
        body["nextLink"] = format!("https://{}{path}?{query}", call.request.authority).into();
    }
    Ok(Answer::json(StatusCode::OK, &body))
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let at = service(call)?;
    let stored = existing(call, at)?;
    Ok(shown(&call.state.world.services[at], &stored, StatusCode::OK))
}

pub(super) fn head(call: &mut Call) -> Result<Answer, Answer> {
    let mut answer = get(call).unwrap_or_else(|refused| Answer::empty(refused.status));
    answer.body.clear();
    Ok(answer)
}

pub(super) fn create_or_update(call: &mut Call) -> Result<Answer, Answer> {
    let at = writable(call)?;
    let name = name(call)?;
    let switches = call.state.world.switches.api_management.clone();
    let upload = upload::read(&call.request.body, call.version != OLDEST, switches.pbes2)?;
    let sent = call.request.header("if-match");
    let held = call.state.world.services[at].certificate(&name).cloned();
    match (&held, sent) {
        (Some(_), None) if switches.put_without_if_match == PutWithoutIfMatch::Overwrites => {}
        (Some(held), Some(sent)) if sent == "*" || sent == held.etag => {}
        (None, None | Some("*")) => {}
        (Some(_), _) | (None, Some(_)) => return Err(precondition_failed()),
    }
    let now = call.now();
    let (leaf, key_vault) = match upload {
        Upload::File(leaf) => (leaf, None),
        Upload::Reference { secret_identifier, identity_client_id } => {
            let service = &call.state.world.services[at];
            let identity = identity_client_id.as_deref();
            vault_reference::check(&call.state.names, service, &secret_identifier, identity)?;
            let reference = VaultReference {
                secret_identifier,
                identity_client_id,
                status: "Success".to_owned(),
                message: String::new(),
                looked_at: now,
            };
            let found = vault_reference::look(&call.state.world, &call.state.names, service, &reference, now);
            let leaf = found.map_err(|why| {
                let message = format!("The certificate could not be read from the key vault: {why}.");
                invalid("secretIdentifier", &message)
            })?;
            (leaf, Some(reference))
        }
    };
    let created = held.is_none();
    let Leaf { thumbprint, subject, expiry } = leaf;
    let stored = Stored {
        name: held.as_ref().map_or(name, |it| it.name.clone()),
        etag: etag(call, now),
        thumbprint,
        subject,
        expiry,
        key_vault,
        in_use: held.as_ref().is_some_and(|it| it.in_use),
        writes: held.as_ref().map_or(0, |it| it.writes) + 1,
    };
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(kept(&mut call.state.world.services[at], stored, status))
}

pub(super) fn delete(call: &mut Call) -> Result<Answer, Answer> {
    let at = writable(call)?;
    let name = name(call)?;
    let switch = call.state.world.switches.api_management.delete_without_if_match;
    let Some(held) = call.state.world.services[at].certificate(&name).cloned() else {
        return Ok(Answer::empty(StatusCode::NO_CONTENT));
    };
    match call.request.header("if-match") {
        None if switch == DeleteWithoutIfMatch::Refused => {
            return Err(invalid("If-Match", "The header If-Match is required."));
        }
        None | Some("*") => {}
        Some(sent) if sent == held.etag => {}
        Some(_) => return Err(precondition_failed()),
    }
    if held.in_use {
        let message = "The certificate is in use and cannot be deleted.";
        return Err(invalid("certificateId", message));
    }
    call.state.world.services[at].certificates.retain(|it| it.name != held.name);
    Ok(Answer::empty(StatusCode::OK))
}

pub(super) fn refresh_secret(call: &mut Call) -> Result<Answer, Answer> {
    let at = writable(call)?;
    let held = existing(call, at)?;
    if held.key_vault.is_none() {
        return Err(invalid("certificateId", "The certificate does not come from a key vault."));
    }
    let refreshed = refreshed(call, at, held);
    Ok(shown(&call.state.world.services[at], &refreshed, StatusCode::OK))
}

/// Looked at anew; a failure keeps the last good certificate.
fn refreshed(call: &mut Call, at: usize, mut held: Stored) -> Stored {
    let now = call.now();
    let Some(mut reference) = held.key_vault.take() else { return held };
    let service = &call.state.world.services[at];
    let found = vault_reference::look(&call.state.world, &call.state.names, service, &reference, now);
    reference.looked_at = now;
    match found {
        Ok(leaf) => {
            (reference.status, reference.message) = ("Success".to_owned(), String::new());
            if leaf.thumbprint != held.thumbprint {
                held.etag = etag(call, now);
                (held.thumbprint, held.subject, held.expiry) = (leaf.thumbprint, leaf.subject, leaf.expiry);
            }
        }
        Err(why) => {
            (reference.status, reference.message) = (why.to_owned(), "The last refresh failed.".to_owned())
        }
    }
    held.key_vault = Some(reference);
    kept(&mut call.state.world.services[at], held.clone(), StatusCode::OK);
    held
}

fn kept(service: &mut Service, stored: Stored, status: StatusCode) -> Answer {
    service.certificates.retain(|it| it.name != stored.name);
    service.certificates.push(stored.clone());
    service.certificates.sort_by(|one, other| one.name.cmp(&other.name));
    shown(service, &stored, status)
}

/// Eight bytes in base64 and quotes, as seen.
fn etag(call: &mut Call, now: i64) -> String {
    format!("\"{}\"", call.state.world.next_etag(now))
}

/// The certificate, looked at anew where its time has come.
fn existing(call: &mut Call, at: usize) -> Result<Stored, Answer> {
    let name = name(call)?;
    let held = call.state.world.services[at].certificate(&name).cloned().ok_or_else(not_found)?;
    let now = call.now();
    let due = held.key_vault.as_ref().is_some_and(|it| vault_reference::is_due(&call.state.names, it, now));
    Ok(if due { refreshed(call, at, held) } else { held })
}

/// The service's place among all.
fn service(call: &Call) -> Result<usize, Answer> {
    let (name, group) = (call.capture("service"), call.capture("group"));
    let found = call.state.world.services.iter().position(|it| {
        it.name.eq_ignore_ascii_case(name)
            && it.resource_group.eq_ignore_ascii_case(group)
            && it.subscription_id.eq_ignore_ascii_case(call.capture("subscription"))
    });
    found.ok_or_else(|| {
        let parent = format!("Microsoft.ApiManagement/service/{name}");
        errors::unknown_parent("Microsoft.ApiManagement/service/certificates", &parent).answer()
    })
}

/// The same, for a write: some are answered that the service is busy.
fn writable(call: &mut Call) -> Result<usize, Answer> {
    let at = service(call)?;
    let service = &mut call.state.world.services[at];
    if service.busy_writes > 0 {
        service.busy_writes -= 1;
        let message = "Operation on the API Management service is in progress.";
        return Err(refusal(StatusCode::CONFLICT, "PessimisticConcurrencyConflict", message, None));
    }
    Ok(at)
}

/// 1 to 80 characters, none of `*#&+:<>?`.
fn name(call: &Call) -> Result<String, Answer> {
    let name = call.capture("certificate");
    let fits =
        (1..=80).contains(&name.chars().count()) && !name.contains(['*', '#', '&', '+', ':', '<', '>', '?']);
    if fits { Ok(name.to_owned()) } else { Err(invalid("certificateId", "The certificate id is not valid.")) }
}
