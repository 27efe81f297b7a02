//! Certificate policies: what a vault refuses, what it fills in, and what a change of one comes to.

use serde_json::{Map, Value, json};

use super::errors;
use super::vault::Vault;
use super::versions::Version;
use crate::request::Answer;

/// Refuses what the service refuses, and fills in what it fills in.
pub(super) fn complete(sent: &Value, vault: &Vault, version: Version) -> Result<Value, Answer> {
    let mut policy = sent.clone();
    let part =
        |name: &str| policy.get(name).filter(|it| it.is_object()).cloned().unwrap_or_else(|| json!({}));
    let (key, secret, x509) = (part("key_props"), part("secret_props"), part("x509_props"));
    let issuer = part("issuer");
    let full = json!({
        "key_props": key_props(&key, vault)?,
        "secret_props": {"contentType": content_type(&secret)?},
        "x509_props": x509_props(&x509, &key, version)?,
        "issuer": issuer_of(&issuer, vault)?,
    });
    let name = full["issuer"]["name"].as_str().unwrap_or_default();
    let months = full["x509_props"]["validity_months"].as_i64().unwrap_or(12);
    let actions = actions(policy.get("lifetime_actions"), name, months)?;
    policy = full;
    policy["lifetime_actions"] = actions;
    Ok(policy)
}

/// Members that are sent take the place of those that are there.
pub(super) fn changed(held: &Value, sent: &Value, vault: &Vault, version: Version) -> Result<Value, Answer> {
    let mut merged = held.clone();
    for (name, value) in sent.as_object().unwrap_or(&Map::new()) {
        if value.is_object() {
            let inner = merged.get(name.as_str()).cloned().unwrap_or_else(|| json!({}));
            let mut inner = inner.as_object().cloned().unwrap_or_default();
            // Size and curve were those of the key before.
            if ["kty", "crv"].iter().any(|it| value.get(it).is_some_and(|sent| inner.get(*it) != Some(sent)))
            {
                inner.retain(|it, _| it != "key_size" && it != "crv");
            }
            inner.extend(value.as_object().cloned().unwrap_or_default());
            merged[name.as_str()] = inner.into();
        } else if !value.is_null() {
            merged[name.as_str()] = value.clone();
        }
    }
    complete(&merged, vault, version)
}

fn key_props(key: &Value, vault: &Vault) -> Result<Value, Answer> {
    let kty = text(key, "kty").unwrap_or("RSA");
    let hardware = kty.ends_with("-HSM");
    if hardware && !vault.premium {
        return Err(errors::bad_parameter("Keys in an HSM need a premium vault."));
    }
    let exportable = key.get("exportable").and_then(Value::as_bool).unwrap_or(!hardware);
    if hardware && exportable {
        return Err(errors::bad_parameter("A key in an HSM is never exportable."));
    }
    let reuse = key.get("reuse_key").and_then(Value::as_bool).unwrap_or(false);
    let size = key.get("key_size").and_then(Value::as_i64);
    match kty {
        "RSA" | "RSA-HSM" => {
            let size = size.unwrap_or(2048);
            if ![2048, 3072, 4096].contains(&size) || key.get("crv").is_some_and(|it| !it.is_null()) {
                return Err(errors::bad_parameter(
                    "key_size must be 2048, 3072 or 4096, and crv must not be set.",
                ));
            }
            Ok(json!({"exportable": exportable, "kty": kty, "key_size": size, "reuse_key": reuse}))
        }
        "EC" | "EC-HSM" => {
            let curve = text(key, "crv").unwrap_or("P-256");
            let bits = match curve {
                "P-256" | "P-256K" => 256,
                "P-384" => 384,
                "P-521" => 521,
                _ => return Err(errors::bad_parameter("crv is not known.")),
            };
            if size.is_some_and(|it| it != bits) {
                return Err(errors::bad_parameter("key_size does not fit the curve."));
            }
            Ok(json!({
                "exportable": exportable, "kty": kty, "key_size": bits, "reuse_key": reuse, "crv": curve,
            }))
        }
        _ => Err(errors::bad_parameter("kty is not one that a certificate can have.")),
    }
}

fn content_type(secret: &Value) -> Result<&str, Answer> {
    match text(secret, "contentType").unwrap_or("application/x-pkcs12") {
        known @ ("application/x-pkcs12" | "application/x-pem-file") => Ok(known),
        _ => Err(errors::bad_parameter("secret_props.contentType is not known.")),
    }
}

fn x509_props(x509: &Value, key: &Value, version: Version) -> Result<Value, Answer> {
    let sans = x509.get("sans").filter(|it| it.is_object()).cloned().unwrap_or_else(|| json!({}));
    let newer = ["uris", "ipAddresses"].iter().any(|it| sans.get(*it).is_some_and(|it| !it.is_null()));
    if newer && version < Version::WITH_URIS {
        return Err(errors::bad_parameter("The api-version does not know uris and ipAddresses."));
    }
    let subject = text(x509, "subject").unwrap_or_default();
    let named = sans
        .as_object()
        .is_some_and(|it| it.values().any(|it| it.as_array().is_some_and(|it| !it.is_empty())));
    if subject.is_empty() && !named {
        return Err(errors::bad_parameter("Either subject or subject alternative names must be specified."));
    }
    if !subject.is_empty() && super::issue::parse_name(subject).is_none() {
        return Err(errors::bad_parameter("x509_props.subject is not a distinguished name."));
    }
    let months = x509.get("validity_months").and_then(Value::as_i64).unwrap_or(12);
    if !(1..=1200).contains(&months) {
        return Err(errors::bad_parameter("validity_months is out of range."));
    }
    let elliptic = text(key, "kty").is_some_and(|it| it.starts_with("EC"));
    let usual =
        if elliptic { json!(["digitalSignature"]) } else { json!(["digitalSignature", "keyEncipherment"]) };
    let list = |name: &str, usual: Value| x509.get(name).filter(|it| it.is_array()).cloned().unwrap_or(usual);
    let usages = list("key_usage", usual);
    let known = super::issue::USAGES.map(|(name, _)| name);
    if !texts(&usages).all(|it| known.contains(&it)) {
        return Err(errors::bad_parameter("key_usage has a word that is not known."));
    }
    Ok(json!({
        "subject": subject,
        "sans": sans,
        "ekus": list("ekus", json!(["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"])),
        "key_usage": usages,
        "validity_months": months,
        "basic_constraints": {"ca": false},
    }))
}

fn issuer_of(issuer: &Value, vault: &Vault) -> Result<Value, Answer> {
    let name = text(issuer, "name").unwrap_or("Unknown");
    let own = ["Self", "Unknown"].iter().find(|it| it.eq_ignore_ascii_case(name)).copied();
    let known = vault.issuers.iter().map(|it| it.name.as_str()).find(|it| it.eq_ignore_ascii_case(name));
    let Some(name) = own.or(known) else {
        return Err(errors::bad_parameter("The issuer is not known to this vault."));
    };
    let mut issuer = issuer.clone();
    issuer["name"] = name.into();
    Ok(issuer)
}

/// Without any: renewal at 80 % by those who can, mail by the others.
fn actions(sent: Option<&Value>, issuer: &str, months: i64) -> Result<Value, Answer> {
    let unknown = issuer.eq_ignore_ascii_case("Unknown");
    let Some(list) = sent.and_then(Value::as_array).filter(|it| !it.is_empty()) else {
        let word = if unknown { "EmailContacts" } else { "AutoRenew" };
        return Ok(json!([{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": word}}]));
    };
    for action in list {
        let word = text(&action["action"], "action_type").unwrap_or_default();
        if !["AutoRenew", "EmailContacts"].contains(&word) || (word == "AutoRenew" && unknown) {
            return Err(errors::bad_parameter("A lifetime action does not fit the issuer."));
        }
        let trigger = &action["trigger"];
        let percentage = trigger.get("lifetime_percentage").and_then(Value::as_i64);
        let days = trigger.get("days_before_expiry").and_then(Value::as_i64);
        let fits = match (percentage, days) {
            (Some(percentage), None) => (1..=99).contains(&percentage),
            (None, Some(days)) => (1..=27 * months).contains(&days),
            _ => false,
        };
        if !fits {
            return Err(errors::bad_parameter("The trigger of a lifetime action is out of range."));
        }
    }
    Ok(list.clone().into())
}

pub(super) fn text<'a>(of: &'a Value, name: &str) -> Option<&'a str> {
    of.get(name).and_then(Value::as_str)
}

pub(super) fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}
