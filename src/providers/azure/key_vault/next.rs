//! What the vault needs next. Pure: the tables in `tests` list the rows.

mod at_work;

use std::time::Duration;

use jiff::SignedDuration;

use super::compare::{Repair, repair};
use super::observed::{Bundle, HandedOut, Held, Observed, Operation, State};
use super::step::{Create, Import, Step};
use super::tags::{self, ADOPTED, MOST, WISH};
use super::wire::Tags;
use super::wish::{Desired, Wish};
use crate::api::certificate::{AdoptionPolicy, Origin};
use crate::api::key_vault::OnSoftDeleted;
use crate::api::reason::Reason;
use crate::engine::{Goal, Next};
use crate::pki::Certificate;

/// A certificate is not renewed so soon: issuers date them back by some minutes.
const FRESH: SignedDuration = SignedDuration::from_hours(1);
/// How often a deletion that does not show yet is looked for.
const DELETION: Duration = Duration::from_secs(5);
/// How often something that needs somebody is looked at.
const SLOWLY: Duration = Duration::from_secs(15 * 60);

/// The next call, if one is needed.
pub fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
    match (goal, &observed.state) {
        (Goal::Absent, state) => remove(state, observed),
        (Goal::Present(want), State::Missing) => begin(want, observed),
        (Goal::Present(want), State::Deleted(it)) => recover(want, it, observed),
        (Goal::Present(want), State::Held(it)) if it.is_ours(&observed.held) => keep(want, it, observed),
        (Goal::Present(want), State::Held(it)) => adopt(want, it, &observed.held),
    }
}

/// Whether to look at what the vault is at work on, before it is given more to do.
pub fn needs_operation(goal: &Goal<Desired>, observed: &Observed) -> bool {
    let issued = |it: &Bundle| it.certificate.is_some();
    match &observed.state {
        State::Missing | State::Deleted(_) => false,
        State::Held(it) if !issued(it) || observed.held.operation.is_some() || observed.held.had_begun() => {
            true
        }
        State::Held(_) => matches!(next(goal, observed), Next::Step(Step::Create(_) | Step::Import(_))),
    }
}

/// Whether to read what the vault hands out: only where it is to be exported, is not there yet, and would be written.
pub fn needs_secret(goal: &Goal<Desired>, observed: &Observed) -> bool {
    let (Goal::Present(want), State::Held(it)) = (goal, &observed.state) else { return false };
    let (Some(export), Some(certificate)) = (&want.export, &it.certificate) else { return false };
    let exported = export.held.as_ref().is_some_and(|held| held.leaf() == certificate);
    !exported
        && !observed.held.observes
        && it.enabled != Some(false)
        && matches!(next(goal, observed), Next::Done)
}

/// How we own what is there: by record, or by its tags.
pub fn origin(it: &Bundle, held: &Held) -> Origin {
    let adopted = it.tags.contains_key(ADOPTED);
    held.origin.unwrap_or(if adopted { Origin::Adopted } else { Origin::Created })
}

/// There is nothing: the first version.
fn begin(want: &Desired, observed: &Observed) -> Next<Step> {
    lingering(observed, false).unwrap_or_else(|| make(want, &Tags::new(), observed, false))
}

/// An earlier request without an answer may still make what we would make again.
fn lingering(observed: &Observed, serves: bool) -> Option<Next<Step>> {
    let wait = observed.held.lingering(observed.now)?;
    let message = "an earlier request got no answer; the vault is read until it would show".to_owned();
    Some(Next::Wait { reason: Reason::Creating, message, wait, serves })
}

fn make(want: &Desired, held: &Tags, observed: &Observed, renews: bool) -> Next<Step> {
    let hash = want.hash.clone();
    with(tags::of_new_version(want, held, &observed.held), |tags| match &want.wish {
        Wish::Policy(issuance) => {
            let policy = issuance.policy.clone();
            Step::Create(Create { policy, enabled: want.enabled, tags, hash, renews })
        }
        Wish::Import(imported) => Step::Import(Box::new(Import::new(imported, want.enabled, tags, &hash))),
    })
}

/// A write with these tags, if a vault takes so many.
fn with(tags: Tags, step: impl FnOnce(Tags) -> Step) -> Next<Step> {
    if tags.len() <= MOST {
        return Next::Step(step(tags));
    }
    Next::Stuck {
        reason: Reason::SpecInvalid,
        message: format!(
            "with the operator's tags and those of others the certificate would have {} tags, and a vault takes {MOST}: \
             remove some there, or from `spec.tags`",
            tags.len()
        ),
    }
}

/// The name is kept for a deleted certificate.
fn recover(want: &Desired, it: &Bundle, observed: &Observed) -> Next<Step> {
    let held = &observed.held;
    let may = it.belongs_to(&held.uid) || may_adopt(want, it, held);
    if held.on_soft_deleted == OnSoftDeleted::Recover && may {
        return Next::Step(Step::Recover);
    }
    let what = match held.on_soft_deleted {
        OnSoftDeleted::Fail => "set `spec.onSoftDeleted` to 'Recover', or purge it",
        OnSoftDeleted::Recover => "set `spec.adoptionPolicy` to 'Always' to take it over, or purge it",
    };
    Next::Stuck {
        reason: Reason::RemoteSoftDeleted,
        message: format!("the name belongs to a deleted certificate that can still be recovered: {what}"),
    }
}

/// Another's certificate.
fn adopt(want: &Desired, it: &Bundle, held: &Held) -> Next<Step> {
    // Another took over what was ours; taking it back would go on for ever.
    let taken = held.origin.is_some() && held.adoption != AdoptionPolicy::Always;
    if !taken && may_adopt(want, it, held) {
        return with(tags::wanted(want, &it.tags, held, true), |tags| Step::Update {
            version: it.version.clone(),
            enabled: None,
            tags,
            adopts: true,
        });
    }
    let (which, wanted) = match held.adoption {
        AdoptionPolicy::Never => ("a certificate", "'IfIdentical' or 'Always'"),
        AdoptionPolicy::IfIdentical | AdoptionPolicy::Always => ("another certificate", "'Always'"),
    };
    Next::Stuck {
        reason: Reason::NotOwned,
        message: format!(
            "the vault holds {which} under this name, without the tag of this object: choose another \
             `spec.certificateName`, or set `spec.adoptionPolicy` to {wanted} to take it over"
        ),
    }
}

fn may_adopt(want: &Desired, it: &Bundle, held: &Held) -> bool {
    match held.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::Always => true,
        AdoptionPolicy::IfIdentical => {
            let identical =
                |certificate| matches!(repair(want, it, certificate), None | Some(Repair::Version));
            it.certificate.as_ref().is_some_and(identical)
        }
    }
}

/// Our own certificate.
fn keep(want: &Desired, it: &Bundle, observed: &Observed) -> Next<Step> {
    if let Operation::InProgress { .. } = &observed.operation {
        return at_work::next(want, it, observed);
    }
    let Some(certificate) = &it.certificate else {
        return failed(want, observed, false)
            .or_else(|| lingering(observed, false))
            .unwrap_or_else(|| make(want, &it.tags, observed, false));
    };
    match repair(want, it, certificate) {
        Some(Repair::NewVersion(field)) => remake(want, it, field, observed),
        // It carries the policy and the tags too, and does not wait for a repair that is refused.
        Some(Repair::Policy(_) | Repair::Version) if is_due(want, certificate, observed) => {
            renew(want, it, certificate, observed)
        }
        Some(Repair::Policy(_)) => Next::Step(Step::UpdatePolicy(policy(want))),
        Some(Repair::Version) => with(tags::wanted(want, &it.tags, &observed.held, false), |tags| {
            Step::Update { version: it.version.clone(), enabled: want.enabled, tags, adopts: false }
        }),
        None => renew(want, it, certificate, observed),
    }
}

/// The whole policy where the vault makes the certificate; of an import, only that the vault does not renew.
fn policy(want: &Desired) -> super::policy::Policy {
    match &want.wish {
        Wish::Policy(issuance) => issuance.policy.clone(),
        Wish::Import(imported) => super::policy::Policy {
            lifetime_actions: imported.policy.lifetime_actions.clone(),
            ..super::policy::Policy::default()
        },
    }
}

/// A version that was made for this very wish and is not as wanted would not be better the second time.
fn remake(want: &Desired, it: &Bundle, field: &str, observed: &Observed) -> Next<Step> {
    let held = &observed.held;
    let made_for_this = it.tags.get(WISH) == Some(&want.hash);
    if made_for_this && held.version.as_ref() != Some(&it.version) {
        return Next::Stuck {
            reason: Reason::Diverged,
            message: format!(
                "the vault made a version for this spec that differs in `{field}`: change the spec to what the \
                 issuer gives, or look for another writer of the certificate"
            ),
        };
    }
    failed(want, observed, false)
        .or_else(|| lingering(observed, false))
        .unwrap_or_else(|| make(want, &it.tags, observed, false))
}

/// All is as wanted: is it time for a new one?
fn renew(want: &Desired, it: &Bundle, certificate: &Certificate, observed: &Observed) -> Next<Step> {
    if !is_due(want, certificate, observed) {
        return done(want, observed);
    }
    failed(want, observed, true)
        .or_else(|| lingering(observed, true))
        .unwrap_or_else(|| make(want, &it.tags, observed, true))
}

/// Whether the operator is to renew it. A certificate that was due when it was made is not made again and again: that
/// it expires soon is told.
fn is_due(want: &Desired, certificate: &Certificate, observed: &Observed) -> bool {
    let Wish::Policy(issuance) = &want.wish else { return false };
    let Some(renew_before) = issuance.renew_before else { return false };
    let due = renew_before.of(certificate.not_before(), certificate.not_after());
    observed.now >= due && due.duration_since(certificate.not_before()) >= FRESH
}

fn done(want: &Desired, observed: &Observed) -> Next<Step> {
    match &observed.handed_out {
        Some(HandedOut::NoKey) if want.export.is_some() => Next::Stuck {
            reason: Reason::KeyNotExportable,
            message: "the vault does not give away the private key: set \
                      `spec.policy.keyProperties.exportable` to true, or remove `spec.exportTo`"
                .to_owned(),
        },
        _ => Next::Done,
    }
}

/// What was to be made for this very wish failed, and nobody asked for another try.
fn failed(want: &Desired, observed: &Observed, serves: bool) -> Option<Next<Step>> {
    let Operation::Failed { code } = &observed.operation else { return None };
    let held = &observed.held;
    if held.written.as_ref() != Some(&want.hash) || held.asks_anew {
        return None;
    }
    let code = code.as_ref().map(|it| format!(" (code {it})")).unwrap_or_default();
    let message = format!(
        "the certificate was not issued{code}: see the operation in the vault, correct `spec.policy` or the issuer, \
         then ask for another try with the annotation certferry.dev/sync-requested"
    );
    Some(Next::Wait { reason: Reason::IssuanceFailed, message, wait: SLOWLY, serves })
}

/// Only what has our tag is deleted.
fn remove(state: &State, observed: &Observed) -> Next<Step> {
    let held = &observed.held;
    let gone = || Next::Wait {
        reason: Reason::Deleting,
        message: "the certificate is deleted; it is purged once the vault shows it so".to_owned(),
        wait: DELETION,
        serves: false,
    };
    match state {
        State::Missing if held.purge && held.deletion_lag(observed.now).is_some() => gone(),
        State::Missing => Next::Done,
        State::Deleted(it) if held.purge && it.belongs_to(&held.uid) => Next::Step(Step::Purge),
        State::Deleted(_) => Next::Done,
        State::Held(it) if it.belongs_to(&held.uid) && origin(it, held) == Origin::Adopted && !held.deletes_adopted => {
            Next::Done
        }
        State::Held(it) if it.belongs_to(&held.uid) => match &observed.operation {
            Operation::InProgress { id, .. } => Next::Step(Step::DropOperation { id: id.clone() }),
            _ => Next::Step(Step::Delete { purge: held.purge }),
        },
        State::Held(_) if held.origin.is_none() => Next::Done, // never ours
        State::Held(_) => Next::Stuck {
            reason: Reason::DeletionBlocked,
            message: "the vault holds another certificate under this name, without the tag of this object: delete it \
                      there, or set `spec.deletionPolicy` to 'Retain' to leave it"
                .to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
