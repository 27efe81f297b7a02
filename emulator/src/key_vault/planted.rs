//! Certificates that are put into a vault without a call, for the control endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::vault::{Deleted, Issuer, Object, Outcome, Pending, Status, Tags, Vault};
use super::versions::Version;
use super::{imports, passing, policy};
use crate::certificate;
use crate::encoding::hex_lower;
use crate::random;
use crate::request::Answer;

/// A certificate of this policy, issued at once; or one that is imported.
pub(crate) fn plant(
    vault: &mut Vault,
    name: &str,
    sent: Option<Value>,
    imported: Option<Value>,
    tags: Tags,
    deleted: bool,
    now: i64,
) -> Result<(), Answer> {
    let usual = || json!({"issuer": {"name": "Self"}, "x509_props": {"subject": format!("CN={name}")}});
    let full = policy::complete(&sent.unwrap_or_else(usual), vault, Version::NEWEST)?;
    let mut object = Object::new(name, full, now);
    let issuers = vault.issuers.clone();
    if let Some(body) = imported {
        let imports::Imported { key, chain, policy } = imports::read(&body)?;
        let made = Pending { tags, ..Pending::ended(key, policy.clone()) };
        object.policy = policy;
        passing::add(&mut object, hex_lower(&random::bytes::<16>()), &made, chain, now);
    } else {
        let refused = |_| super::errors::bad_parameter("The policy cannot be carried out.");
        let begun = passing::begin(None, &object.policy, &issuers, 0, now).map_err(refused)?;
        object.pending = Some(Pending { tags, due: Some(now), outcome: Outcome::Completed, ..begun });
        passing::end(&mut object, &issuers, now);
        object.pending = None;
    }
    let days = vault.soft_delete_days;
    object.deleted = deleted.then_some(Deleted { at: now, visible_at: now, purge_at: now + days * 86_400 });
    vault.certificates.retain(|it| !it.name.eq_ignore_ascii_case(name));
    vault.certificates.push(object);
    Ok(())
}

/// Ends an operation now, in this way; whether one was in progress. One that waits for a merge is completed by the
/// emulator's own CA.
pub(crate) fn finish(object: &mut Object, issuers: &[Issuer], outcome: Outcome, now: i64) -> bool {
    let Some(pending) = object.pending.as_mut().filter(|it| it.status == Status::InProgress) else {
        return false;
    };
    (pending.due, pending.outcome) = (Some(now), outcome);
    passing::end(object, issuers, now);
    true
}

/// Of a certificate in base64.
pub(crate) fn thumbprint(der: &str) -> Option<String> {
    certificate::from_der(&BASE64.decode(der).ok()?).ok().map(|it| certificate::thumbprint(&it))
}
