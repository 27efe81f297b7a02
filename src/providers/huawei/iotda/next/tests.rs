//! The rows of what IoTDA needs next. Certificates go by the letter: `a` is wanted, `b` and `c` are others.

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::super::Flag;
use super::super::settings::Ocsp;
use super::*;
use crate::api::certificate::{AdoptionPolicy, DeletionPolicy};
use crate::api::iotda::Provisioning;
use crate::engine::Step as _;
use crate::pki::{self, PrivateKey};
use crate::providers::possession::Offline;

const NOW: &str = "2026-01-01T12:00:00Z";
const CODE: &str = "0b7a3c1e-0000-4000-8000-000000000000";
const TEMPLATE: &str = "61c970ce2d63eb6ee655dbf0";

fn data(file: &str) -> Vec<u8> {
    std::fs::read(format!("{}/tests/data/pki/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn certificate(letter: &str) -> Certificate {
    let file = match letter {
        "a" => "p-256.pem",
        "b" => "p-384.pem",
        _ => "p-521.pem",
    };
    pki::certificates(&data(file)).unwrap().remove(0)
}

fn content(letter: &str) -> Content {
    Content::of(&certificate(letter))
}

/// Wants `a`, proven with its key, nothing set.
fn want() -> Desired {
    let key = PrivateKey::parse(&data("p-256.pkcs8.pem")).unwrap();
    Desired {
        certificate: certificate("a"),
        content: content("a"),
        possession: Some(Possession::Key(Arc::new(key))),
        settings: Settings::default(),
        grace: Duration::from_secs(3600),
    }
}

/// `a1` is certificate `a` under an id of that name.
fn there(id: &str, verified: bool) -> CaCertificate {
    let certificate = certificate(&id[..1]);
    CaCertificate {
        id: id.to_owned(),
        shown: Shown {
            fingerprint: Some(certificate.sha256_fingerprint()),
            face: super::super::content::Face::of(&certificate),
        },
        verified,
        code: Some(CODE.parse().unwrap()),
        settings: ShownSettings::default(),
    }
}

fn at(minutes: i64) -> Timestamp {
    NOW.parse::<Timestamp>().unwrap().checked_add(SignedDuration::from_mins(minutes)).unwrap()
}

/// Nothing is there and nothing is recorded.
fn nothing() -> Observed {
    Observed {
        current: None,
        retiring: Vec::new(),
        others: Vec::new(),
        ids: Vec::new(),
        held: Held { in_one_space: true, ..Held::default() },
        now: at(0),
    }
}

/// That one is there and recorded as ours.
fn ours(id: &str, verified: bool) -> Observed {
    let held = Held {
        remote: Some((id.to_owned(), Origin::Created)),
        fingerprint: Some(certificate(&id[..1]).sha256_fingerprint()),
        in_one_space: true,
        ..Held::default()
    };
    Observed { current: Some(there(id, verified)), ids: vec![id.to_owned()], held, ..nothing() }
}

impl Observed {
    /// And that one, which is recorded nowhere.
    fn and(mut self, id: &str, verified: bool) -> Self {
        self.others.push(there(id, verified));
        self.ids.push(id.to_owned());
        self
    }

    /// And that one, which retires at that minute.
    fn retires(mut self, id: &str, until: Option<i64>) -> Self {
        let content_hash = content(&id[..1]).to_string();
        self.held.retiring.push(Retiring { id: id.to_owned(), content_hash, until: until.map(at) });
        self.retiring.push(there(id, true));
        self
    }

    /// And an upload of that certificate was recorded so many minutes ago, when these were there.
    fn intended(mut self, letter: &str, minutes: i64, known: &[&str]) -> Self {
        let made = Made::NoneOf(known.iter().map(|it| (*it).to_owned()).collect());
        self.held.intended = Some(Intended { content: content(letter), made, since: at(-minutes) });
        self
    }

    /// And an upload of the certificate of that letter was answered so many minutes ago: it made this id.
    fn answered(self, id: &str, minutes: i64) -> Self {
        self.recorded(id, minutes, Made::This)
    }

    /// The same, and it was to be taken back since.
    fn taken_back(self, id: &str, minutes: i64) -> Self {
        self.recorded(id, minutes, Made::TakenBack)
    }

    fn recorded(mut self, id: &str, minutes: i64, made: fn(String) -> Made) -> Self {
        let content = content(&id[..1]);
        self.held.intended = Some(Intended { content, made: made(id.to_owned()), since: at(-minutes) });
        self
    }

    /// A template is bound to all that is there.
    fn bound(mut self) -> Self {
        let all = self.current.iter_mut().chain(&mut self.retiring).chain(&mut self.others);
        all.for_each(|it| it.settings.template = Some(TEMPLATE.to_owned()));
        self
    }

    fn adopts(mut self, adoption: AdoptionPolicy) -> Self {
        self.held.adoption = adoption;
        self
    }
}

fn told(next: &Next<Step>) -> String {
    match next {
        Next::Done => "Done".to_owned(),
        Next::Step(Step::Upload { .. }) => "Upload".to_owned(),
        Next::Step(
            Step::Verify { id, .. }
            | Step::Update { id, .. }
            | Step::Unbind { id, .. }
            | Step::Delete { id, .. }
            | Step::Discard { id, .. },
        ) => {
            let Next::Step(step) = next else { unreachable!() };
            format!("{} {id}", step.name())
        }
        Next::Wait { reason, serves, .. } => {
            format!("Wait {reason}{}", if *serves { ", serves" } else { "" })
        }
        Next::Await { reason, .. } => format!("Await {reason}"),
        Next::Stuck { reason, .. } => format!("Stuck {reason}"),
    }
}

fn present(want: Desired, observed: &Observed) -> String {
    told(&next(&Goal::Present(want), observed))
}

fn absent(observed: &Observed) -> String {
    told(&next(&Goal::Absent, observed))
}

#[test]
fn a_certificate_is_uploaded_verified_and_set() {
    let provisioning = Some(Provisioning { enabled: true, template_id: Some(TEMPLATE.to_owned()) });
    let set = || Desired { settings: Settings { provisioning: provisioning.clone(), ocsp: None }, ..want() };
    let unproven = || Desired { possession: None, ..want() };
    for (want, observed, expected) in [
        (want(), nothing(), "Upload"),
        (want(), Observed { current: None, ..ours("a1", true) }, "Upload"),
        (want(), ours("a1", false), "Verify a1"),
        (set(), ours("a1", false), "Verify a1"),
        (set(), ours("a1", true), "Update a1"),
        (want(), ours("a1", true), "Done"),
        (unproven(), ours("a1", false), "Done"),
        (unproven(), nothing(), "Upload"),
    ] {
        assert_eq!(present(want, &observed), expected);
    }
}

#[test]
fn an_upload_records_what_is_there_and_what_it_makes() {
    let observed = ours("b1", true).and("c9", false);
    let Next::Step(step) = next(&Goal::Present(want()), &observed) else { panic!("nothing is uploaded") };
    assert!(step.needs_intent());
    assert_eq!(step.known_ids().unwrap(), ["b1", "c9"]);
    assert_eq!(step.content_hash(), content("a").to_string());
    assert_eq!(step.progress(), Reason::Updating);
}

#[test]
fn what_an_answer_shows_is_the_uploads_own_whatever_else_is_there() {
    let Next::Step(Step::Upload { observed, .. }) = next(&Goal::Present(want()), &nothing()) else {
        panic!("nothing is uploaded")
    };
    let answered = observed.with_made(there("a1", false), content("a"));
    assert_eq!(answered.made(), Some("a1"));
    assert_eq!(present(want(), &answered), "Verify a1");
    for (observed, expected) in [
        // Somebody else uploaded the same.
        (nothing().and("a1", true).and("a2", true).answered("a1", 1), "Done"),
        (nothing().and("a2", true).answered("a1", 5).adopts(AdoptionPolicy::Never), "Stuck NotOwned"),
        // It is not seen yet, or it is gone again.
        (nothing().answered("a1", 0), "Wait Creating"),
        (nothing().answered("a1", 1), "Upload"),
        (nothing().answered("b1", 0), "Wait Creating"),
        (nothing().answered("b1", 1), "Upload"),
    ] {
        assert_eq!(present(want(), &observed), expected);
    }
}

#[test]
fn what_is_taken_back_is_told_by_its_id_and_waited_for_no_more() {
    for (observed, expected) in [
        (nothing().and("b2", false).answered("b2", 1), "Discard b2"),
        (nothing().and("b2", false).and("b3", false).answered("b2", 1), "Discard b2"),
        (nothing().and("b2", false).taken_back("b2", 1), "Discard b2"),
        (nothing().taken_back("b2", 0), "Upload"),
        // The same certificate that came afterwards is somebody else's.
        (nothing().and("b3", false).taken_back("b2", 0), "Upload"),
        (ours("a1", true).and("b3", false).taken_back("b2", 0), "Done"),
    ] {
        assert_eq!(present(want(), &observed), expected);
    }
    let taken = nothing().and("b2", false).intended("b", 1, &[]);
    let Next::Step(step) = next(&Goal::Present(want()), &taken) else { panic!("it stays") };
    assert!(step.needs_intent());
    assert_eq!((step.takes_back(), step.content_hash()), (Some("b2".to_owned()), content("b").to_string()));
    // A record that names another's.
    assert_eq!(absent(&nothing().and("c9", true).recorded("b9", 1, |_| Made::This("c9".into()))), "Done");
}

#[test]
fn what_a_template_is_bound_to_is_unbound_before_it_goes() {
    let due = ours("a2", true).retires("b1", Some(0)).bound();
    let Next::Step(step) = next(&Goal::Present(want()), &due) else { panic!("it stays") };
    assert!(step.serves() && !step.needs_intent());
    for (observed, expected) in
        [(due, "Unbind b1"), (nothing().and("b2", true).answered("b2", 1).bound(), "Unbind b2")]
    {
        assert_eq!(present(want(), &observed), expected);
    }
    for (observed, expected) in [
        (ours("a1", true).bound(), "Unbind a1"),
        (nothing().retires("b1", None).bound(), "Unbind b1"),
        (nothing().and("a1", true).answered("a1", 1).bound(), "Unbind a1"),
        // Nothing can be set on it.
        (ours("a1", false).bound(), "Delete a1"),
    ] {
        assert_eq!(absent(&observed), expected);
    }
}

#[test]
fn a_proof_of_an_offline_key_is_waited_for() {
    let signed = |signed| Possession::Offline(Offline { signed, place: "there".to_owned(), now: at(0) });
    let missing = || Err(Invalid::new(Reason::SecretNotFound, "not there yet"));
    let want_of = |possession| Desired { possession: Some(possession), ..want() };
    let another = || Ok(certificate("b"));
    assert_eq!(present(want_of(signed(missing())), &ours("a1", false)), "Await SecretNotFound");
    assert_eq!(present(want_of(signed(another())), &ours("a1", false)), "Await ProofRejected");
    assert_eq!(present(want_of(signed(missing())), &ours("a1", true)), "Done");
    let no_code =
        Observed { current: Some(CaCertificate { code: None, ..there("a1", false) }), ..ours("a1", false) };
    assert_eq!(present(want(), &no_code), "Stuck ProofRejected");
}

#[test]
fn a_certificate_that_is_there_already_is_taken_over_as_the_policy_says() {
    use AdoptionPolicy::{Always, IfIdentical, Never};
    for (adoption, observed, expected) in [
        (Never, nothing().and("a1", true), "Stuck NotOwned"),
        (IfIdentical, nothing().and("a1", true), "Done"),
        (IfIdentical, nothing().and("a1", false), "Verify a1"),
        (Always, nothing().and("a1", true), "Done"),
        (Always, nothing().and("a1", true).and("a2", true), "Stuck CreateOutcomeUnknown"),
        // What the record says that we were about to upload is ours, whatever the policy.
        (Never, nothing().and("a1", true).intended("a", 1, &[]), "Done"),
        (Never, nothing().and("a1", true).and("a2", false).intended("a", 1, &["a1"]), "Verify a2"),
        // It was there before the upload.
        (Never, nothing().and("a1", true).intended("a", 1, &["a1"]), "Stuck NotOwned"),
        (
            Never,
            nothing().and("a1", true).and("a2", true).intended("a", 1, &[]),
            "Stuck CreateOutcomeUnknown",
        ),
    ] {
        assert_eq!(present(want(), &observed.adopts(adoption)), expected, "{adoption:?}");
    }
}

#[test]
fn where_no_space_is_named_nothing_is_taken_over() {
    let mut observed = nothing().and("a1", true).adopts(AdoptionPolicy::Always);
    observed.held.in_one_space = false;
    assert_eq!(present(want(), &observed), "Stuck NotOwned");
    assert!(standing(&want(), &observed).is_none());
    // Our own is ours all the same.
    assert_eq!(present(want(), &observed.intended("a", 1, &[])), "Done");
}

#[test]
fn what_devices_go_by_stays_while_nobody_proves_the_successor() {
    let unproven = || Desired { possession: None, ..want() };
    let rotated = ours("b1", true).and("a2", false).intended("a", 1, &["b1"]);
    assert_eq!(standing(&unproven(), &rotated).unwrap().retiring[0].until, None);
    assert_eq!(present(unproven(), &ours("a2", false).retires("b1", Some(0))), "Done");
    let mut untrusted = ours("a2", false).retires("b1", Some(0));
    untrusted.retiring[0].verified = false;
    assert_eq!(present(unproven(), &untrusted), "Retire b1");
}

#[test]
fn what_was_adopted_stays_beside_its_successor_unless_it_is_to_be_deleted() {
    let mut rotated = ours("b1", true).and("a2", true).intended("a", 1, &["b1"]);
    rotated.held.remote = Some(("b1".to_owned(), Origin::Adopted));
    assert_eq!(standing(&want(), &rotated).unwrap().retiring, []);
    rotated.held.deletion = Some(DeletionPolicy::Delete);
    assert_eq!(standing(&want(), &rotated).unwrap().retiring[0].id, "b1");
}

#[test]
fn of_many_that_waited_for_a_proof_in_vain_the_oldest_goes() {
    let mut waiting = ours("a2", false).retires("b1", None);
    for _ in 0..MOST {
        waiting = waiting.retires("c1", None);
    }
    assert_eq!(present(want(), &waiting), "Verify a2", "all others are trusted");
    waiting.retiring[1].verified = false;
    assert_eq!(present(want(), &waiting), "Retire c1");
}

#[test]
fn an_upload_without_an_answer_is_waited_for_and_never_lost() {
    for (observed, expected) in [
        (nothing().intended("a", 0, &[]), "Wait Creating"),
        (nothing().intended("a", 9, &[]), "Wait Creating"),
        (nothing().intended("a", 10, &[]), "Upload"),
        // The source has changed since.
        (nothing().intended("b", 9, &[]), "Wait Creating"),
        (nothing().intended("b", 10, &[]), "Upload"),
        (nothing().and("b2", false).intended("b", 1, &[]), "Discard b2"),
        (nothing().and("b2", false).intended("b", 60, &[]), "Discard b2"),
        (nothing().and("b2", false).intended("b", 10, &["b2"]), "Upload"),
        // And changed back.
        (ours("a1", true).intended("b", 1, &["a1"]), "Wait Creating, serves"),
        (ours("a1", true).intended("b", 10, &["a1"]), "Done"),
        (ours("a1", true).and("b2", true).intended("b", 1, &["a1"]), "Discard b2"),
    ] {
        assert_eq!(present(want(), &observed), expected);
    }
}

#[test]
fn a_successor_stands_beside_its_predecessor_until_that_is_due() {
    let uploaded = |verified| ours("b1", true).and("a2", verified).intended("a", 1, &["b1"]);
    for (observed, expected) in [
        (ours("b1", true), "Upload"),
        (uploaded(false), "Verify a2"),
        (uploaded(true), "Done"),
        (ours("a2", true).retires("b1", Some(1)), "Done"),
        (ours("a2", true).retires("b1", None), "Done"),
        (ours("a2", true).retires("b1", Some(0)), "Retire b1"),
        (ours("a2", false).retires("b1", Some(0)), "Verify a2"),
        (ours("a2", true).retires("c1", Some(1)).retires("b1", Some(-1)), "Retire b1"),
        // Rotated again before the first one is gone, and back to one that is still there.
        (ours("b1", true).retires("c1", Some(0)), "Upload"),
        (ours("b2", true).retires("a1", Some(0)), "Done"),
    ] {
        assert_eq!(present(want(), &observed), expected);
    }
    let mut crowd = ours("a2", true);
    for _ in 0..MOST {
        crowd = crowd.retires("b1", Some(1));
    }
    assert_eq!(present(want(), &crowd), "Done");
    assert_eq!(present(want(), &crowd.retires("c1", Some(1))), "Retire b1");
}

#[test]
fn the_time_of_a_predecessor_begins_when_its_successor_serves() {
    let standing_of = |observed: &Observed| {
        let standing = standing(&want(), observed).unwrap();
        let retiring: Vec<_> = standing.retiring.iter().map(|it| (it.id.clone(), it.until)).collect();
        (standing.certificate.id.clone(), standing.origin, retiring)
    };
    let uploaded = |verified| ours("b1", true).and("a2", verified).intended("a", 1, &["b1"]);
    let (created, end) = (Origin::Created, Some(at(60)));
    for (observed, id, origin, retiring) in [
        (uploaded(false), "a2", created, vec![("b1", None)]),
        (uploaded(true), "a2", created, vec![("b1", end)]),
        (ours("a2", true).retires("b1", None), "a2", created, vec![("b1", end)]),
        (ours("a2", true).retires("b1", Some(5)), "a2", created, vec![("b1", Some(at(5)))]),
        (ours("b2", true).retires("a1", Some(5)), "a1", created, vec![("b2", end)]),
        (ours("b1", true).and("a9", true), "a9", Origin::Adopted, vec![("b1", end)]),
        (ours("a1", true), "a1", created, vec![]),
    ] {
        let retiring: Vec<_> = retiring.into_iter().map(|(id, until)| (id.to_owned(), until)).collect();
        assert_eq!(standing_of(&observed), (id.to_owned(), origin, retiring));
    }
    assert!(standing(&want(), &nothing()).is_none());
}

#[test]
fn a_successor_gets_what_nobody_manages_from_its_predecessor() {
    let set = |mut it: CaCertificate| {
        it.settings.provision = Flag::On;
        it.settings.template = Some(TEMPLATE.to_owned());
        it
    };
    let mut first = ours("b1", true).and("a2", true).intended("a", 1, &["b1"]);
    first.current = first.current.map(set);
    assert_eq!(present(want(), &first), "Update a2");
    // The same after somebody had to be waited for, who signed the proof.
    let mut second = ours("a2", true).retires("b1", None);
    second.retiring = second.retiring.into_iter().map(set).collect();
    assert_eq!(present(want(), &second), "Update a2");
    // Once it serves, nobody manages it.
    let mut third = ours("a2", true).retires("b1", Some(5));
    third.retiring = third.retiring.into_iter().map(set).collect();
    assert_eq!(present(want(), &third), "Done");
    let ocsp = Some(Ocsp { enabled: true, server_ca: None });
    let managed = Desired { settings: Settings { provisioning: None, ocsp }, ..want() };
    assert_eq!(present(managed, &third), "Update a2");
}

#[test]
fn all_that_is_ours_goes_and_nothing_else() {
    for (observed, expected) in [
        (nothing(), "Done"),
        (ours("a1", true), "Delete a1"),
        (ours("a1", true).retires("b1", Some(60)), "Delete a1"),
        (Observed { current: None, ..ours("a1", true).retires("b1", Some(60)) }, "Delete b1"),
        (nothing().retires("b1", None), "Delete b1"),
        (nothing().and("a1", true), "Done"),
        (nothing().and("a1", true).intended("a", 1, &[]), "Discard a1"),
        (nothing().and("a1", true).and("a2", true).intended("a", 1, &[]), "Stuck CreateOutcomeUnknown"),
        (nothing().and("a1", true).and("a2", true).answered("a2", 1), "Discard a2"),
        (nothing().and("a1", true).taken_back("a2", 1), "Done"),
        (nothing().and("a1", true).intended("a", 1, &["a1"]), "Done"),
        (nothing().intended("a", 1, &[]), "Done"), // the engine waits for what may come
    ] {
        assert_eq!(absent(&observed), expected);
    }
}

#[test]
fn a_record_alone_makes_nothing_ours() {
    // Somebody wrote another's id into the status.
    let tampered = |id: &str| {
        let mut observed = ours("a1", true);
        observed.held.remote = Some((id.to_owned(), Origin::Created));
        observed.current = Some(there(id, true));
        observed
    };
    assert_eq!(absent(&tampered("b9")), "Stuck DeletionBlocked");
    assert_eq!(present(want(), &tampered("b9")), "Upload");
    let replaced = tampered("b9").and("a2", true).intended("a", 1, &["b9"]);
    assert_eq!(present(want(), &replaced), "Done");
    assert_eq!(standing(&want(), &replaced).unwrap().retiring, []);
    // Or among what retires.
    let mut retiring = ours("a1", true).retires("b9", Some(0));
    retiring.held.retiring[0].content_hash = content("c").to_string();
    assert_eq!(present(want(), &retiring), "Done");
    assert_eq!(standing(&want(), &retiring).unwrap().retiring, []);
    assert_eq!(absent(&Observed { current: None, ..retiring }), "Done");
}

#[test]
fn where_no_certificate_is_shown_name_and_dates_have_to_do() {
    let dim = |mut it: CaCertificate| {
        it.shown.fingerprint = None;
        it
    };
    let mut observed = ours("a1", true);
    observed.current = observed.current.map(dim);
    assert_eq!(present(want(), &observed), "Done");
    assert_eq!(absent(&observed), "Delete a1");
    let mut observed = ours("b1", true).and("a2", true).intended("a", 1, &["b1"]);
    observed.current = observed.current.map(dim);
    observed.others = observed.others.into_iter().map(dim).collect();
    assert_eq!(present(want(), &observed), "Done");
    let retiring = standing(&want(), &observed).unwrap().retiring;
    assert_eq!(retiring[0].content_hash, content("b").to_string(), "by the record");
}
