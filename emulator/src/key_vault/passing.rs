//! What comes about in a vault as time passes: operations end, certificates are renewed, what was deleted is purged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::error::ErrorStack;
use serde_json::Value;

use super::issue;
use super::policy::text;
use super::vault::{Held, Issuer, Object, Outcome, Pending, Status, Tags, Vault};
use crate::certificate;
use crate::encoding::hex_lower;
use crate::random;

pub(crate) fn bring_up_to_date(vault: &mut Vault, now: i64) {
    vault.blocked.retain(|_, until| *until > now);
    vault.certificates.retain(|it| it.deleted.as_ref().is_none_or(|deleted| deleted.purge_at > now));
    let (issuers, delay) = (vault.issuers.clone(), vault.delays.issue);
    for object in vault.certificates.iter_mut().filter(|it| it.deleted.is_none()) {
        end(object, &issuers, now);
        if renewal_is_due(object, now)
            && let Ok(pending) = begin(object.versions.last(), &object.policy, &issuers, delay, now)
        {
            let latest = object.versions.last();
            let (tags, enabled) = latest.map_or((Tags::new(), true), |it| (it.tags.clone(), it.enabled));
            object.pending = Some(Pending { tags, enabled, ..pending });
            object.was_pending = true;
            end(object, &issuers, now);
        }
    }
}

/// An operation for this policy, with its key and its request. `last` is the version whose key may be used once more.
pub(super) fn begin(
    last: Option<&Held>,
    policy: &Value,
    issuers: &[Issuer],
    delay: i64,
    now: i64,
) -> Result<Pending, ErrorStack> {
    let reused = policy["key_props"]["reuse_key"] == true;
    let old = last.filter(|it| reused && !it.key.is_empty());
    let key = match old.and_then(|it| issue::from_pem(&it.key)).filter(|it| issue::fits(it, policy)) {
        Some(key) => key,
        None => issue::key(policy)?,
    };
    let name = text(&policy["issuer"], "name").unwrap_or("Unknown").to_owned();
    let issuer = issuers.iter().find(|it| it.name == name);
    let due = match (name.as_str(), issuer) {
        ("Unknown", _) => None,
        (_, Some(issuer)) => (issuer.outcome != Outcome::Never).then_some(now + issuer.delay_seconds),
        (_, None) => Some(now + delay),
    };
    Ok(Pending {
        request_id: hex_lower(&random::bytes::<16>()),
        csr: issue::request(policy, &key)?,
        key: issue::to_pem(&key),
        status: Status::InProgress,
        cancellation_requested: false,
        error: None,
        due,
        outcome: issuer.map_or(Outcome::Completed, |it| it.outcome),
        issuer: name,
        policy: policy.clone(),
        enabled: true,
        tags: Tags::new(),
    })
}

/// Ends an operation whose time has come.
pub(super) fn end(object: &mut Object, issuers: &[Issuer], now: i64) {
    let Some(pending) = object.pending.as_mut().filter(|it| it.status == Status::InProgress) else { return };
    if pending.due.is_none_or(|due| due > now) {
        return;
    }
    match pending.outcome {
        Outcome::Completed => {}
        Outcome::Failed => {
            (pending.status, pending.error) = (Status::Failed, Some("IssuerRefused".to_owned()));
            return;
        }
        Outcome::Cancelled => {
            pending.status = Status::Cancelled;
            return;
        }
        Outcome::Never => return,
    }
    let pending = pending.clone();
    let made = pending.due.unwrap_or(now);
    let Some(chain) = issued(&pending, made) else { return };
    let ghost = object.versions.last().filter(|it| it.chain.is_empty()).map(|it| it.id.clone());
    object.drop_ghosts();
    let id = ghost.unwrap_or_else(|| hex_lower(&random::bytes::<16>()));
    add(object, id, &pending, chain, made);
    if issuers.iter().any(|it| it.name == pending.issuer && it.drops_sans) {
        object.policy["x509_props"]["sans"] = Value::Object(Default::default());
    }
    if let Some(pending) = &mut object.pending {
        pending.status = Status::Completed;
    }
}

fn issued(pending: &Pending, now: i64) -> Option<Vec<String>> {
    let key = issue::from_pem(&pending.key)?;
    let der = |it: &openssl::x509::X509| Some(BASE64.encode(it.to_der().ok()?));
    if pending.issuer == "Self" {
        return Some(vec![der(&issue::certificate(&pending.policy, &key, None, now).ok()?)?]);
    }
    let (ca, ca_key) = issue::authority(now).ok()?;
    let leaf = issue::certificate(&pending.policy, &key, Some((&ca, &ca_key)), now).ok()?;
    Some(vec![der(&leaf)?, der(&ca)?])
}

/// A version with this certificate.
pub(super) fn add(object: &mut Object, id: String, pending: &Pending, chain: Vec<String>, now: i64) {
    let bytes = chain.first().and_then(|it| BASE64.decode(it).ok()).unwrap_or_default();
    let read = certificate::from_der(&bytes).ok();
    let (nbf, exp) = read.map_or((0, 0), |it| (certificate::begin(&it), certificate::expiry(&it)));
    object.versions.push(Held {
        id,
        enabled: pending.enabled,
        created: now,
        updated: now,
        nbf,
        exp,
        tags: pending.tags.clone(),
        chain,
        key: pending.key.clone(),
        exportable: pending.policy["key_props"]["exportable"] != false,
        content_type: text(&pending.policy["secret_props"], "contentType").unwrap_or_default().to_owned(),
    });
}

/// The vault renews what it can have issued, at the time that the policy says.
fn renewal_is_due(object: &Object, now: i64) -> bool {
    let Some(held) = object.versions.last().filter(|it| !it.chain.is_empty()) else { return false };
    let tried = object.pending.as_ref().is_some_and(|it| it.status != Status::Completed);
    if tried || text(&object.policy["issuer"], "name") == Some("Unknown") {
        return false;
    }
    let actions = object.policy["lifetime_actions"].as_array().into_iter().flatten();
    let mut renewals = actions.filter(|it| it["action"]["action_type"] == "AutoRenew");
    renewals.any(|it| {
        let trigger = &it["trigger"];
        let at = match (trigger["lifetime_percentage"].as_i64(), trigger["days_before_expiry"].as_i64()) {
            (Some(percentage), _) => held.nbf + (held.exp - held.nbf) * percentage / 100,
            (None, Some(days)) => held.exp - days * 86_400,
            (None, None) => return false,
        };
        now >= at
    })
}

/// What a vault does with a name, before it may be created or imported under it.
pub(super) fn is_free(vault: &mut Vault, name: &str, now: i64) -> Result<(), crate::request::Answer> {
    use super::errors;

    if vault.blocked.keys().any(|it| it.eq_ignore_ascii_case(name)) {
        return Err(errors::conflict(None, "The name was purged just now."));
    }
    let Some(object) = vault.object(name) else { return Ok(()) };
    if object.deleted.is_some() {
        let message = "The certificate is deleted and can be recovered: its name is kept for it.";
        return Err(errors::conflict(Some("ObjectIsDeletedButRecoverable"), message));
    }
    if object.recovered_at.is_some_and(|at| at > now) {
        return Err(errors::conflict(Some("ObjectIsBeingRecovered"), "The certificate is being recovered."));
    }
    if object.in_progress() {
        return Err(errors::in_progress(name));
    }
    Ok(())
}
