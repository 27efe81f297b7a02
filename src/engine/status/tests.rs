//! The table from outcomes to conditions, and that nothing in it ticks.

use super::*;
use crate::api::certificate::{CertificateSummary, IssuedCode, Origin, Remote, Retiring};

const HOUR: Duration = Duration::from_secs(3600);

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn facts() -> Facts {
    Facts {
        remote: Remote {
            id: "/hub/ca".into(),
            version: None,
            etag: Some("e1".into()),
            origin: Origin::Created,
        },
        certificate: Some(CertificateSummary {
            subject: "CN=ca".into(),
            serial_number: Some("01".into()),
            sha1_thumbprint: "AA".into(),
            sha256_fingerprint: Some("BB".into()),
            not_before: Some(at("2026-01-01T00:00:00Z")),
            not_after: at("2027-01-01T00:00:00Z"),
        }),
        verified: Some(true),
        disabled: false,
        renewal: Renewal::Source,
        verification_code: None,
        operation: None,
        signing_request: None,
        retiring: Vec::new(),
    }
}

fn around(now: &str) -> Circumstances {
    Circumstances {
        generation: 3,
        now: at(now),
        resync_interval: HOUR,
        renew_before: RenewBefore::default(),
        observing: false,
        failures: 1,
        unread_for: Some(Duration::ZERO),
        together: None,
        chance: 0.5,
    }
}

fn failure(reason: Reason, behind: bool) -> Outcome {
    Outcome::Failed(Setback { behind, ..Setback::new(reason, "it failed") })
}

fn working(reason: Reason) -> Outcome {
    Outcome::Working { reason, message: String::new(), wait: HOUR, serves: false, facts: None }
}

/// The outcome of a pass that found all as wanted.
fn holds() -> Outcome {
    Outcome::Settled(Box::new(facts()))
}

fn settled(now: &str) -> CertificateStatus {
    report(&CertificateStatus::default(), &holds(), &around(now)).status
}

/// `Ready=True Synced=True`, in the order of the list.
fn listed(status: &CertificateStatus) -> String {
    status.conditions.iter().map(|it| format!("{:?}={:?}", it.type_, it.status)).collect::<Vec<_>>().join(" ")
}

#[test]
fn each_class_raises_its_conditions() {
    for (outcome, expected) in [
        (holds(), "Ready=True Synced=True Verified=True"),
        (working(Reason::Pending), "Ready=Unknown Reconciling=True Synced=Unknown"),
        (working(Reason::Creating), "Ready=False Reconciling=True Synced=False"),
        (failure(Reason::CloudUnavailable, false), "Ready=Unknown Reconciling=True Synced=Unknown"),
        (failure(Reason::CloudUnavailable, true), "Ready=False Reconciling=True Synced=False"),
        (failure(Reason::SecretNotFound, false), "Ready=False Reconciling=True Synced=Unknown"),
        (failure(Reason::KeyMismatch, false), "Ready=False Stalled=True Synced=Unknown"),
        (failure(Reason::AccessDenied, true), "Ready=False Stalled=True Synced=False"),
        (failure(Reason::NotOwned, true), "Ready=False Stalled=True Synced=False"),
        (failure(Reason::ProofRejected, true), "Ready=False Stalled=True Synced=False Verified=False"),
    ] {
        let status = report(&CertificateStatus::default(), &outcome, &around("2026-06-01T00:00:00Z")).status;
        assert_eq!(listed(&status), expected, "{outcome:?}");
        assert_eq!(status.observed_generation, Some(3));
        assert!(status.conditions.iter().all(|it| it.observed_generation == 3));
    }
}

#[test]
fn the_same_outcome_later_changes_nothing() {
    for outcome in [
        holds(),
        failure(Reason::CloudUnavailable, true),
        failure(Reason::KeyMismatch, false),
        failure(Reason::SecretNotFound, false),
    ] {
        let first = report(&CertificateStatus::default(), &outcome, &around("2026-06-01T00:00:00Z")).status;
        let again = report(&first, &outcome, &around("2026-06-01T00:04:00Z")).status;
        assert_eq!(first, again, "{outcome:?}");
    }
}

#[test]
fn a_passing_fault_leaves_a_ready_object_alone_for_two_resyncs() {
    let ready = settled("2026-06-01T00:00:00Z");
    let fault = failure(Reason::CloudUnavailable, false);
    let soon = Circumstances { unread_for: Some(HOUR), ..around("2026-06-01T01:00:00Z") };
    assert_eq!(report(&ready, &fault, &soon).status, ready);
    let late = Circumstances { unread_for: Some(HOUR * 2), ..around("2026-06-01T02:00:00Z") };
    let status = report(&ready, &fault, &late).status;
    assert_eq!(listed(&status), "Ready=Unknown Reconciling=True Synced=Unknown Verified=True");
    let changed = Circumstances { generation: 4, ..soon };
    assert_ne!(report(&ready, &fault, &changed).status, ready, "a new spec has not been confirmed");
    assert_ne!(
        report(&ready, &failure(Reason::CloudUnavailable, true), &around("2026-06-01T00:00:00Z")).status,
        ready
    );
}

#[test]
fn what_is_missing_for_five_minutes_stalls() {
    let missing = failure(Reason::SecretNotFound, false);
    let first = report(&CertificateStatus::default(), &missing, &around("2026-06-01T00:00:00Z"));
    assert_eq!(first.requeue, Duration::from_secs(300));
    let later = report(&first.status, &missing, &around("2026-06-01T00:05:00Z")).status;
    assert_eq!(listed(&later), "Ready=False Stalled=True Synced=Unknown");
    let much_later = report(&later, &missing, &around("2026-06-01T09:00:00Z")).status;
    assert_eq!(later, much_later, "it stays stalled");
}

#[test]
fn ready_means_valid_now_and_the_next_look_is_at_the_next_moment() {
    let early = report(&CertificateStatus::default(), &holds(), &around("2025-12-31T23:59:00Z"));
    assert_eq!(listed(&early.status), "Ready=False Reconciling=True Synced=True Verified=True");
    assert_eq!(early.requeue, Duration::from_secs(60));
    let last_hour = report(&CertificateStatus::default(), &holds(), &around("2026-12-31T23:30:00Z"));
    assert_eq!(last_hour.requeue, Duration::from_secs(1800));
    let late = report(&CertificateStatus::default(), &holds(), &around("2027-01-01T00:00:00Z"));
    assert_eq!(listed(&late.status), "Ready=False Stalled=True Synced=True Verified=True");
    assert_eq!(late.status.conditions[0].reason, "CertificateExpired");
}

#[test]
fn what_retires_is_looked_at_when_its_time_is_over() {
    for (until, requeue) in [
        (Some("2026-06-01T00:10:00Z"), Duration::from_secs(600)),
        (Some("2026-06-01T00:00:00Z"), Duration::from_secs(1)),
        (Some("2026-07-01T00:00:00Z"), HOUR),
        (None, HOUR),
    ] {
        let until = until.map(at);
        let retiring = vec![Retiring { id: "old".into(), content_hash: "aa".into(), until }];
        let outcome = Outcome::Settled(Box::new(Facts { retiring, ..facts() }));
        let told = report(&CertificateStatus::default(), &outcome, &around("2026-06-01T00:00:00Z"));
        assert_eq!(told.requeue, requeue, "{until:?}");
    }
}

#[test]
fn a_certificate_without_a_successor_is_told_in_time() {
    let before = report(&CertificateStatus::default(), &holds(), &around("2026-12-01T23:30:00Z"));
    assert_eq!(before.status.conditions[0].reason, "Ready");
    assert_eq!(before.requeue, Duration::from_secs(1800), "the next look is when it begins");
    let expiring = report(&before.status, &holds(), &around("2026-12-02T00:00:00Z")).status;
    assert_eq!(expiring.conditions[0].reason, "Expiring");
    assert_eq!(listed(&expiring), "Ready=True Synced=True Verified=True");
    assert_eq!(expiring.renewal_time, Some(at("2026-12-02T00:00:00Z")));
}

#[test]
fn a_suspended_object_keeps_what_was_last_seen() {
    let ready = settled("2026-06-01T00:00:00Z");
    let suspended = Outcome::Suspended { message: "suspended".into() };
    let status = report(&ready, &suspended, &around("2026-06-02T00:00:00Z")).status;
    assert_eq!(listed(&status), "Ready=True Synced=True Verified=True");
    assert_eq!(status.conditions[0].reason, "Suspended");
    let unseen = report(&CertificateStatus::default(), &suspended, &around("2026-06-02T00:00:00Z"));
    assert_eq!(listed(&unseen.status), "Ready=Unknown Synced=Unknown");
}

#[test]
fn a_refused_step_is_remembered_until_the_service_holds_what_is_wanted() {
    let attempt = Some(attempt(Reason::Verifying, "Verify", true));
    let refused = Outcome::Failed(Setback { attempt, ..Setback::new(Reason::ProofRejected, "refused") });
    let status = report(&CertificateStatus::default(), &refused, &around("2026-06-01T00:00:00Z")).status;
    assert_eq!(status.refused.as_ref().unwrap().content_hash, "AA");
    let healed = report(&status, &holds(), &around("2026-06-01T00:01:00Z")).status;
    assert_eq!(healed.refused, None);
}

fn attempt(progress: Reason, name: &'static str, refused: bool) -> Attempt {
    Attempt { progress, name, content_hash: "AA".into(), refused }
}

#[test]
fn only_a_refusal_of_that_very_write_settles_what_was_about_to_be_written() {
    let intent = Intent {
        step: "Create".into(),
        content_hash: "AA".into(),
        term: None,
        removal: false,
        known_ids: None,
        made: None,
        start_time: at("2026-06-01T00:00:00Z"),
    };
    let old = CertificateStatus { intent: Some(intent), ..CertificateStatus::default() };
    for (reason, name, refused, settled) in [
        (Reason::UploadRefused, "Create", true, true),
        (Reason::AccessDenied, "Create", true, true),
        (Reason::ProofRejected, "Verify", true, false),
        (Reason::TimedOut, "Create", false, false),
        (Reason::CloudUnavailable, "Create", false, false),
    ] {
        let attempt = attempt(Reason::Creating, name, refused);
        let setback = Setback { behind: true, attempt: Some(attempt), ..Setback::new(reason, "it failed") };
        let status = report(&old, &Outcome::Failed(setback), &around("2026-06-01T00:00:00Z")).status;
        assert_eq!(status.intent.is_none(), settled, "{reason}");
    }
}

#[test]
fn what_was_to_be_taken_back_is_not_forgotten_when_that_was_refused() {
    let intent = Intent {
        step: "Discard".into(),
        content_hash: "AA".into(),
        term: None,
        removal: false,
        known_ids: None,
        made: Some("id".into()),
        start_time: at("2026-06-01T00:00:00Z"),
    };
    let old = CertificateStatus { intent: Some(intent), ..CertificateStatus::default() };
    let attempt = Some(attempt(Reason::Updating, "Discard", true));
    let throttled = Outcome::Failed(Setback { attempt, ..Setback::new(Reason::Throttled, "later") });
    assert_eq!(report(&old, &throttled, &around("2026-06-01T00:00:00Z")).status.intent, old.intent);
}

#[test]
fn that_a_late_write_cannot_come_any_more_is_no_news() {
    let until = Some(at("2026-06-01T00:10:00Z"));
    let old = CertificateStatus { late_writes_until: until, ..settled("2026-06-01T00:00:00Z") };
    let later = report(&old, &holds(), &around("2026-06-01T01:00:00Z")).status;
    assert_eq!(later, old);
}

#[test]
fn what_waits_for_somebody_is_told_in_the_status() {
    let code = IssuedCode { code: "0F".into(), etag: "e2".into() };
    let waiting = Facts { verified: Some(false), verification_code: Some(code.clone()), ..facts() };
    let outcome = Outcome::Failed(Setback {
        behind: true,
        facts: Some(Box::new(waiting)),
        ..Setback::new(Reason::SecretNotFound, "sign the code")
    });
    let status = report(&CertificateStatus::default(), &outcome, &around("2026-06-01T00:00:00Z")).status;
    assert_eq!(listed(&status), "Ready=False Reconciling=True Synced=False Verified=False");
    assert_eq!(status.verification_code, Some(code));
    assert_eq!(status.remote, Some(facts().remote));
    let proven = report(&status, &holds(), &around("2026-06-01T00:01:00Z")).status;
    assert_eq!(proven.verification_code, None);
}

#[test]
fn a_rival_s_record_is_void_once_the_holder_has_its_own() {
    let ready = settled("2026-06-01T00:00:00Z");
    let stood_back = |void| Outcome::StoodBack { message: "another has it".into(), void };
    let now = around("2026-06-01T01:00:00Z");
    let kept = report(&ready, &stood_back(false), &now).status;
    assert_eq!(kept.remote, ready.remote);
    assert_eq!(listed(&kept), "Ready=False Stalled=True Synced=Unknown Verified=True");
    let void = report(&ready, &stood_back(true), &now).status;
    assert_eq!((void.remote, void.certificate, void.renewal_time), (None, None, None));
    assert_eq!(void.conditions[0].reason, "NameConflict");
}

/// The waits between the passes of the first hour in which this is found each time.
fn waits(found: Reason) -> Vec<u64> {
    let denied = failure(found, true);
    let mut status = settled("2026-06-01T00:00:00Z");
    let (mut now, mut waits) = (at("2026-06-01T01:00:00Z"), Vec::new());
    while now < at("2026-06-01T02:00:00Z") {
        let told = report(&status, &denied, &Circumstances { now, ..around("2026-06-01T00:00:00Z") });
        status = told.status;
        waits.push(told.requeue.as_secs());
        now = now.checked_add(SignedDuration::try_from(told.requeue).unwrap()).unwrap();
    }
    waits
}

#[test]
fn what_nobody_tells_of_is_tried_a_few_times_in_its_first_quarter_of_an_hour() {
    for reason in [Reason::AccessDenied, Reason::TargetNotFound, Reason::DeletionBlocked] {
        assert_eq!(waits(reason), [30, 30, 60, 120, 240, 480, 900, 900, 900], "{reason}");
    }
}

#[test]
fn a_missing_grant_is_looked_for_again_soon_as_no_watch_may_tell_of_it() {
    for reason in [Reason::SourcesNotGranted, Reason::OutputsNotGranted] {
        let waits = waits(reason);
        assert_eq!(waits[..10], [30; 10], "{reason}: before it stalls");
        assert_eq!(waits[10..], [30, 30, 60, 120, 240, 480, 900, 900, 900], "{reason}");
    }
}

#[test]
fn the_service_s_own_wait_wins_over_the_backoff() {
    let after = Some(Duration::from_secs(17));
    let throttled = Outcome::Failed(Setback { after, ..Setback::new(Reason::Throttled, "") });
    let report = report(&CertificateStatus::default(), &throttled, &around("2026-06-01T00:00:00Z"));
    assert_eq!(report.requeue, Duration::from_millis(17_850), "a little later, as others wait too");
}

#[test]
fn texts_are_short_and_printable() {
    assert_eq!(clip("a\r\nb\0c"), "abc");
    assert_eq!(clip(&"ü".repeat(300)).chars().count(), 256);
}

#[test]
fn an_account_has_no_remote_object_to_be_in_step_with() {
    let (status, requeue) =
        account_report(&AccountStatus::default(), &Outcome::SignedIn, &around("2026-06-01T00:00:00Z"));
    assert_eq!(status.conditions.len(), 1);
    assert_eq!(status.conditions[0].type_, ConditionType::Ready);
    assert_eq!(requeue, HOUR);
}
