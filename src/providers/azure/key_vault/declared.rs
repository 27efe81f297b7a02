//! A vault's policy as a user would have written it. Pure.

use serde_json::{Value, json};

use super::policy::{Action, Policy, Sans};
use crate::api::key_vault_policy as api;

/// The part of a spec that declares a certificate of this policy; `None` where the vault did not make it, or where the
/// policy has what no spec can say.
pub(super) fn spec(policy: &Policy) -> Option<Value> {
    let issuer = policy.issuer_name().filter(|it| !it.eq_ignore_ascii_case("Unknown"))?;
    let key = policy.key_props.clone().unwrap_or_default();
    let x509 = policy.x509_props.clone().unwrap_or_default();
    let by = policy.issuer.clone().unwrap_or_default();
    // A curve decides the size of its keys; the vault shows both.
    let key_size = key.key_size.filter(|_| key.crv.is_none());
    let content_type = policy.secret_props.as_ref().and_then(|it| it.content_type.as_ref());
    let actions = policy.lifetime_actions.as_ref().filter(|it| !it.is_empty());
    let written = without_nulls(json!({
        "keyProperties": {
            "keyType": key.kty, "keySize": key_size, "curve": key.crv, "exportable": key.exportable,
            "reuseKey": key.reuse_key,
        },
        "secretProperties": content_type.map(|it| json!({ "contentType": it })),
        "x509Properties": {
            "subject": x509.subject.filter(|it| !it.is_empty()),
            "subjectAlternativeNames": x509.sans.as_ref().and_then(names),
            "ekus": x509.ekus, "keyUsage": x509.key_usage, "validityMonths": x509.validity_months,
        },
        "issuer": {
            "name": issuer, "certificateType": by.certificate_type,
            "certificateTransparency": by.certificate_transparency,
        },
        "lifetimeActions": actions.map(|it| it.iter().map(action).collect::<Vec<_>>()),
    }));
    serde_json::from_value::<api::Policy>(written.clone()).ok()?;
    let mut spec = json!({ "policy": written });
    if policy.renews() {
        spec["renewal"] = json!({ "by": "Vault" });
    }
    Some(spec)
}

fn names(sans: &Sans) -> Option<Value> {
    let Sans { dns_names, emails, upns, uris, ip_addresses } = sans;
    let some = |it: &Vec<String>| (!it.is_empty()).then(|| it.clone());
    let names = without_nulls(json!({
        "dnsNames": some(dns_names), "emails": some(emails), "upns": some(upns), "uris": some(uris),
        "ipAddresses": some(ip_addresses),
    }));
    names.as_object().is_some_and(|it| !it.is_empty()).then_some(names)
}

fn action(it: &Action) -> Value {
    without_nulls(json!({
        "action": it.action.action_type,
        "lifetimePercentage": it.trigger.lifetime_percentage,
        "daysBeforeExpiry": it.trigger.days_before_expiry,
    }))
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(members) = value.as_object_mut() {
        members.retain(|_, it| !it.is_null());
        members.values_mut().for_each(|it| *it = without_nulls(it.take()));
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::key_vault::KeyVaultCertificateSpec;

    /// As a vault shows it.
    fn policy(more: Value) -> Policy {
        let mut shown = json!({
            "key_props": { "exportable": true, "kty": "EC", "key_size": 256, "reuse_key": false, "crv": "P-256" },
            "secret_props": { "contentType": "application/x-pem-file" },
            "x509_props": {
                "subject": "CN=web", "sans": { "dns_names": ["web.example"], "emails": [] },
                "ekus": ["1.3.6.1.5.5.7.3.1"], "key_usage": ["digitalSignature"], "validity_months": 12,
            },
            "lifetime_actions": [
                { "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "AutoRenew" } },
            ],
            "issuer": { "name": "Self", "cty": null },
        });
        for (member, value) in more.as_object().into_iter().flatten() {
            shown[member] = value.clone();
        }
        serde_json::from_value(shown).unwrap()
    }

    #[test]
    fn a_policy_that_is_declared_is_the_policy_that_is_wanted() {
        for more in [
            json!({}),
            json!({ "lifetime_actions": [
                { "trigger": { "days_before_expiry": 30 }, "action": { "action_type": "EmailContacts" } },
            ] }),
            json!({ "key_props": { "exportable": false, "kty": "RSA-HSM", "key_size": 3072, "reuse_key": true } }),
        ] {
            let held = policy(more.clone());
            let mut written = spec(&held).unwrap();
            written["accountRef"] = json!({ "kind": "CloudAccount", "name": "a" });
            written["vaultName"] = json!("vault-1");
            let written: KeyVaultCertificateSpec = serde_json::from_value(written).unwrap();
            let wanted = Policy::wanted(&written, written.policy.as_ref().unwrap());
            assert_eq!(wanted.differs_for_new_versions(&held), None, "{more}");
            assert_eq!(wanted.differs_for_later(&held), None, "{more}");
        }
    }

    #[test]
    fn what_the_vault_did_not_make_or_no_spec_can_say_is_not_declared_by_a_policy() {
        for more in [
            json!({ "issuer": { "name": "Unknown" } }),
            json!({ "issuer": null }),
            json!({ "key_props": { "kty": "oct" } }),
        ] {
            assert_eq!(spec(&policy(more.clone())), None, "{more}");
        }
    }
}
