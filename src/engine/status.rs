//! From a pass's outcome to conditions, status and the time of the next pass: the one table. Pure.
//!
//! Nothing in a status ticks: the same outcome over the same old status gives the same bytes, and then nothing is
//! written.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::backoff;
use super::converge::{Attempt, Setback};
use super::{Facts, Renewal, Work};
use crate::api::account::AccountStatus;
use crate::api::certificate::{
    CertificateStatus, CertificateSummary, Intent, Operation, Refusal, RenewBefore,
};
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType};
use crate::api::reason::{Class, Reason};

/// How long something that is referred to may be missing before the object counts as stalled: resources that were
/// applied together arrive one after the other.
const GRACE: SignedDuration = SignedDuration::from_mins(5);

/// How long a stalled object waits before it is looked at again without a change: never "never again".
const SLOW_CHECK: Duration = Duration::from_secs(15 * 60);

/// How long a newly refused object waits for its first retry.
const FIRST_TRY: Duration = Duration::from_secs(30);

/// How many resync periods may fail before a good state counts as unknown.
const MISSED_RESYNCS: u32 = 2;

/// What a pass came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A read shows the wanted state.
    Settled(Box<Facts>),
    /// An account: the cloud accepted its credentials.
    SignedIn,
    /// Nothing was looked at, as the spec or its account asks.
    Suspended {
        /// What suspends it.
        message: String,
    },
    /// The remote name belongs to another resource.
    StoodBack {
        /// Whose it is, and what to do.
        message: String,
        /// Whether what this resource recorded of the name no longer holds.
        void: bool,
    },
    /// Work goes on; look again after that time.
    Working {
        /// What is going on.
        reason: Reason,
        /// The same in words.
        message: String,
        /// When to look again.
        wait: Duration,
        /// Whether what stands there serves meanwhile.
        serves: bool,
        /// What is to be recorded of the service.
        facts: Option<Box<Facts>>,
    },
    /// It cannot go on as things are.
    Failed(Setback),
}

/// What the table has to know besides the outcome.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The generation of the spec that the pass read.
    pub generation: i64,
    /// The time now.
    pub now: Timestamp,
    /// How often the service is read at rest.
    pub resync_interval: Duration,
    /// How long before expiry a certificate is to be renewed.
    pub renew_before: RenewBefore,
    /// Whether the operator only looks.
    pub observing: bool,
    /// Failures in a row, this one included.
    pub failures: u32,
    /// Since when no pass could read the service; `None` if the last one could.
    pub unread_for: Option<Duration>,
    /// When the service is read next at rest, if others are looked at together with this one; else by chance.
    pub together: Option<Duration>,
    /// A number between 0 and 1, by chance.
    pub chance: f64,
}

/// The status to write, and when to look again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The whole status.
    pub status: CertificateStatus,
    /// When the next pass is due if nothing changes before.
    pub requeue: Duration,
}

/// The table.
pub fn report(old: &CertificateStatus, outcome: &Outcome, around: &Circumstances) -> Report {
    let verdict = verdict(&old.conditions, outcome, around);
    let mut status = old.clone();
    if let Outcome::Failed(setback) = outcome {
        let ends = ends_when_refused(old, around.now);
        status.intent = status.intent.filter(|intent| !(ends && refuses(setback, intent)));
    }
    match outcome {
        Outcome::Settled(facts) => {
            record(&mut status, facts, around);
            settle_writes(&mut status, around);
            (status.refused, status.planned_write) = (None, None);
        }
        Outcome::Failed(Setback { facts: Some(facts), .. }) => {
            record(&mut status, facts, around);
            settle_writes(&mut status, around);
        }
        // What is being made may yet have to be told from what others make.
        Outcome::Working { facts: Some(facts), .. } => record(&mut status, facts, around),
        Outcome::Failed(Setback { reason: Reason::DriftDetected, attempt: Some(attempt), .. }) => {
            status.planned_write = Some(attempt.name.to_owned());
        }
        Outcome::Failed(Setback { reason, message, attempt: Some(attempt), .. })
            if reason.class() == Class::User =>
        {
            status.refused = Some(Refusal {
                step: attempt.progress.to_string(),
                content_hash: attempt.content_hash.clone(),
                reason: *reason,
                message: clip(message),
            });
        }
        Outcome::StoodBack { void: true, .. } => {
            let CertificateStatus { observed_generation, conditions, last_handled_sync_request, .. } = status;
            status = CertificateStatus {
                observed_generation,
                conditions,
                last_handled_sync_request,
                ..CertificateStatus::default()
            };
        }
        Outcome::Failed(_)
        | Outcome::Working { .. }
        | Outcome::SignedIn
        | Outcome::Suspended { .. }
        | Outcome::StoodBack { void: false, .. } => {}
    }
    if !(verdict.keeps_a_good_state && is_steady(&old.conditions, old.observed_generation, around)) {
        status.conditions = conditions(&old.conditions, &verdict, around);
        status.observed_generation = Some(around.generation);
    }
    let requeue = requeue(&verdict, outcome, &status.conditions, around);
    Report { status, requeue }
}

/// Whether the service answered that it did not make this write.
fn refuses(setback: &Setback, intent: &Intent) -> bool {
    let written =
        |it: &Attempt| it.refused && it.name == intent.step && it.content_hash == intent.content_hash;
    setback.attempt.as_ref().is_some_and(written)
}

/// Whether nothing is left of what is recorded when the service refuses it. What was to be taken back stands there still,
/// and what is found may be what a try before this one made.
pub fn ends_when_refused(status: &CertificateStatus, now: Timestamp) -> bool {
    status.intent.as_ref().is_some_and(|it| it.made.is_none())
        && status.late_writes_until.is_none_or(|until| until <= now)
}

/// What is known of the remote object.
fn record(status: &mut CertificateStatus, facts: &Facts, around: &Circumstances) {
    let Facts {
        remote,
        certificate,
        verified: _,
        disabled: _,
        renewal: _,
        verification_code,
        operation,
        signing_request,
        retiring,
    } = facts;
    status.remote = Some(remote.clone());
    if let Some(certificate) = certificate {
        status.certificate = Some(certificate.clone());
        status.renewal_time = Some(renewal_time(certificate, around));
    }
    status.verification_code.clone_from(verification_code);
    status.signing_request.clone_from(signing_request);
    status.retiring.clone_from(retiring);
    let begun = |id: &str| status.operation.as_ref().filter(|it| it.id == id).map(|it| it.start_time);
    status.operation = operation.as_ref().map(|Work { id, content_hash }| Operation {
        id: id.clone(),
        content_hash: content_hash.clone(),
        start_time: begun(id).unwrap_or(around.now),
    });
}

/// A read showed what came of what was about to be written.
fn settle_writes(status: &mut CertificateStatus, around: &Circumstances) {
    if status.intent.take().is_some() {
        // With this write of the status, not by one of its own: its passing is no news.
        status.late_writes_until = status.late_writes_until.filter(|until| *until > around.now);
    }
}

/// The same table for accounts, which have no remote object: Ready alone, Reconciling and Stalled.
pub fn account_report(
    old: &AccountStatus,
    outcome: &Outcome,
    around: &Circumstances,
) -> (AccountStatus, Duration) {
    let verdict = Verdict { synced: None, verified: None, ..verdict(&old.conditions, outcome, around) };
    let mut status = old.clone();
    if !(verdict.keeps_a_good_state && is_steady(&old.conditions, old.observed_generation, around)) {
        status.conditions = conditions(&old.conditions, &verdict, around);
        status.observed_generation = Some(around.generation);
    }
    let requeue = requeue(&verdict, outcome, &status.conditions, around);
    (status, requeue)
}

/// A row of the table: what an outcome says in conditions.
struct Verdict {
    reason: Reason,
    message: String,
    class: Class,
    ready: ConditionStatus,
    synced: Option<ConditionStatus>,
    verified: Option<ConditionStatus>,
    /// A passing fault: an object that was ready stays so for a while.
    keeps_a_good_state: bool,
}

fn verdict(old: &[Condition], outcome: &Outcome, around: &Circumstances) -> Verdict {
    use ConditionStatus::{False, True, Unknown};
    match outcome {
        Outcome::Settled(facts) => settled(facts, around),
        Outcome::SignedIn => Verdict {
            reason: Reason::Ready,
            message: "the cloud accepted the account's credentials".to_owned(),
            class: Class::Fine,
            ready: True,
            synced: None,
            verified: None,
            keeps_a_good_state: false,
        },
        Outcome::Suspended { message } => Verdict {
            reason: Reason::Suspended,
            message: message.clone(),
            class: Class::Suspended,
            ready: condition::find(old, ConditionType::Ready).map_or(Unknown, |it| it.status),
            synced: Some(condition::find(old, ConditionType::Synced).map_or(Unknown, |it| it.status)),
            verified: condition::find(old, ConditionType::Verified).map(|it| it.status),
            keeps_a_good_state: false,
        },
        Outcome::StoodBack { message, .. } => Verdict {
            reason: Reason::NameConflict,
            message: message.clone(),
            class: Reason::NameConflict.class(),
            ready: False,
            synced: Some(Unknown),
            verified: None,
            keeps_a_good_state: false,
        },
        Outcome::Working { reason, message, serves, facts, .. } => Verdict {
            reason: *reason,
            message: message.clone(),
            class: reason.class(),
            ready: match (facts, condition::find(old, ConditionType::Ready)) {
                (Some(facts), _) if *serves => settled(facts, around).ready,
                (None, Some(before)) if *serves => before.status,
                _ if *reason == Reason::Pending => Unknown,
                _ => False,
            },
            synced: Some(if *reason == Reason::Pending { Unknown } else { False }),
            verified: None,
            keeps_a_good_state: false,
        },
        Outcome::Failed(Setback { reason, message, behind, facts, .. }) => {
            let class = reason.class();
            let blind = class == Class::Transient && !behind;
            Verdict {
                reason: *reason,
                message: message.clone(),
                class,
                ready: if blind { Unknown } else { False },
                synced: Some(if *behind { False } else { Unknown }),
                verified: match facts {
                    Some(facts) => facts.verified.map(ConditionStatus::from),
                    None => (*reason == Reason::ProofRejected).then_some(False),
                },
                keeps_a_good_state: blind,
            }
        }
    }
}

/// The service holds what is wanted: is it usable now?
fn settled(facts: &Facts, around: &Circumstances) -> Verdict {
    let (reason, ready, message) = match &facts.certificate {
        Some(it) if around.now >= it.not_after => {
            let message =
                format!("the certificate expired at {}: {}", it.not_after, successor(facts.renewal));
            (Reason::CertificateExpired, ConditionStatus::False, message)
        }
        Some(CertificateSummary { not_before: Some(begin), .. }) if around.now < *begin => {
            let message = format!("the certificate is in place and becomes valid at {begin}");
            (Reason::CertificateNotYetValid, ConditionStatus::False, message)
        }
        _ if facts.disabled => {
            let message = "the certificate is in place, and nobody can use it: enable it, in the spec or in the service"
                    .to_owned();
            (Reason::Disabled, ConditionStatus::False, message)
        }
        it => usable(facts, it.as_ref(), around),
    };
    Verdict {
        reason,
        message,
        class: reason.class(),
        ready,
        synced: Some(ConditionStatus::True),
        verified: facts.verified.map(ConditionStatus::from),
        keeps_a_good_state: false,
    }
}

/// It is valid now: is there anything to say of it?
fn usable(
    facts: &Facts,
    certificate: Option<&CertificateSummary>,
    around: &Circumstances,
) -> (Reason, ConditionStatus, String) {
    let verified = if facts.verified == Some(true) { " and verified" } else { "" };
    let expiring = certificate.filter(|it| around.now >= renewal_time(it, around));
    let (reason, message) = if let Some(it) = expiring {
        let successor = successor(facts.renewal);
        (Reason::Expiring, format!("the certificate expires at {}: {successor}", it.not_after))
    } else if around.observing {
        (Reason::Observed, format!("the service holds the wanted certificate{verified}; it is only observed"))
    } else {
        let pinned =
            if facts.renewal == Renewal::Nobody { ", at the version that the spec names" } else { "" };
        (Reason::Ready, format!("the service holds the wanted certificate{verified}{pinned}"))
    };
    (reason, ConditionStatus::True, message)
}

/// What brings a newer certificate.
fn successor(renewal: Renewal) -> &'static str {
    match renewal {
        Renewal::Source => "put a newer one into the source",
        Renewal::Operator => "it is being renewed",
        Renewal::Service => "the service is to renew it and has not done so yet",
        Renewal::Nobody => "name a newer version in the spec, or none, so that the newest is used",
    }
}

/// Whether the old status says Ready for the present spec, by a read that is not too long ago.
fn is_steady(old: &[Condition], observed_generation: Option<i64>, around: &Circumstances) -> bool {
    condition::is_true(old, ConditionType::Ready)
        && observed_generation == Some(around.generation)
        && around.unread_for.is_none_or(|it| it < around.resync_interval * MISSED_RESYNCS)
}

/// The conditions, sorted by type; a condition that is only listed while true is left out otherwise.
fn conditions(old: &[Condition], verdict: &Verdict, around: &Circumstances) -> Vec<Condition> {
    let stalled = is_stalled(old, verdict.class, around.now);
    let reconciling = !stalled && !matches!(verdict.class, Class::Fine | Class::Suspended);
    let held = condition::find(old, ConditionType::Verified);
    let mut rows = vec![(ConditionType::Ready, verdict.ready)];
    rows.extend(verdict.synced.map(|status| (ConditionType::Synced, status)));
    rows.extend(reconciling.then_some((ConditionType::Reconciling, ConditionStatus::True)));
    rows.extend(stalled.then_some((ConditionType::Stalled, ConditionStatus::True)));
    rows.extend(verdict.verified.map(|status| (ConditionType::Verified, status)));
    rows.sort();
    let mut conditions: Vec<_> =
        rows.into_iter().map(|(type_, status)| condition(old, type_, status, verdict, around)).collect();
    // Where this pass learned nothing about verification, what was known stays.
    if verdict.verified.is_none() && verdict.synced != Some(ConditionStatus::True) {
        conditions.extend(held.cloned());
    }
    conditions
}

fn is_stalled(old: &[Condition], class: Class, now: Timestamp) -> bool {
    match class {
        Class::Fine | Class::Suspended | Class::Working | Class::Transient => false,
        Class::User | Class::Grant | Class::Conflict => true,
        Class::Missing => condition::is_true(old, ConditionType::Stalled) || now >= end_of_grace(old, now),
    }
}

/// When something that is missing has been so for too long: counted from when the object began to be worked on.
fn end_of_grace(conditions: &[Condition], now: Timestamp) -> Timestamp {
    let since =
        condition::find(conditions, ConditionType::Reconciling).map_or(now, |it| it.last_transition_time);
    since.checked_add(GRACE).unwrap_or(Timestamp::MAX)
}

fn condition(
    old: &[Condition],
    type_: ConditionType,
    status: ConditionStatus,
    verdict: &Verdict,
    around: &Circumstances,
) -> Condition {
    let before = condition::find(old, type_).filter(|it| it.status == status);
    Condition {
        type_,
        status,
        reason: verdict.reason.to_string(),
        message: clip(&verdict.message),
        last_transition_time: before.map_or(around.now, |it| it.last_transition_time),
        observed_generation: around.generation,
    }
}

fn requeue(
    verdict: &Verdict,
    outcome: &Outcome,
    conditions: &[Condition],
    around: &Circumstances,
) -> Duration {
    let resync = around.together.unwrap_or_else(|| backoff::jittered(around.resync_interval, around.chance));
    match (verdict.class, outcome) {
        (_, Outcome::Settled(facts)) => {
            let moments = facts.certificate.iter().flat_map(|it| {
                [it.not_before.unwrap_or(Timestamp::MIN), renewal_time(it, around), it.not_after]
            });
            let retirements = facts.retiring.iter().filter_map(|it| it.until);
            let next = moments.filter(|it| *it > around.now).chain(retirements).min();
            next.map_or(resync, |moment| resync.min(until(moment, around.now)))
        }
        (_, Outcome::SignedIn | Outcome::Suspended { .. }) => resync,
        (_, Outcome::Working { wait, .. }) => *wait,
        (Class::Transient, Outcome::Failed(Setback { after, .. })) => {
            // Never before, and not all at once after.
            after
                .map(|it| it.mul_f64(1.0 + 0.1 * around.chance))
                .unwrap_or_else(|| backoff::after_failures(around.failures, around.chance))
        }
        _ if ends_unseen(verdict.reason) => {
            backoff::jittered(until_next_try(conditions, around.now), around.chance)
        }
        (Class::Missing, _) if !condition::is_true(conditions, ConditionType::Stalled) => {
            until(end_of_grace(conditions, around.now), around.now)
        }
        _ => backoff::jittered(SLOW_CHECK, around.chance),
    }
}

/// Whether nothing tells when the cause is gone: no cloud, and no watch that has not been interrupted. Any of these may be
/// what blocks a deletion.
fn ends_unseen(reason: Reason) -> bool {
    use Reason::{AccessDenied, DeletionBlocked, OutputsNotGranted, SourcesNotGranted, TargetNotFound};
    matches!(reason, AccessDenied | TargetNotFound | SourcesNotGranted | OutputsNotGranted | DeletionBlocked)
}

/// A role that was just assigned takes minutes to work, and a target may be in the making: an object that has just
/// stalled is tried after half a minute, then each time after as long as it has been stalled.
fn until_next_try(conditions: &[Condition], now: Timestamp) -> Duration {
    let since = condition::find(conditions, ConditionType::Stalled).map_or(now, |it| it.last_transition_time);
    Duration::try_from(now.duration_since(since)).unwrap_or_default().clamp(FIRST_TRY, SLOW_CHECK)
}

/// The time from now until then, at least a second.
fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1))
}

/// Begin of the time before expiry in which the certificate is to be renewed.
fn renewal_time(certificate: &CertificateSummary, around: &Circumstances) -> Timestamp {
    certificate.renewal_time(around.renew_before)
}

/// At most 256 printable characters, as conditions and events take them.
pub fn clip(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).take(256).collect()
}

#[cfg(test)]
mod tests;
