//! The rows in which a successor stands beside its predecessor.

use super::*;

const BESIDE: &str = "ca-0000beef";
const THIRD: &str = "ca-00000003";

fn third() -> Certificate {
    certificate(include_bytes!("../../../../../../tests/data/pki/rsa-2048.pem"))
}

/// The wish for `ours`, to stand beside what is there.
fn want_beside(verification: Verification) -> Goal<Desired> {
    let Goal::Present(want) = want(verification) else { unreachable!("it is") };
    Goal::Present(Desired { beside: Some(BESIDE.into()), ..want })
}

fn named(name: &str, certificate: &Certificate, verified: bool) -> HubCertificate {
    let id = format!("/hub/certificates/{name}");
    HubCertificate { name: name.into(), id, verified, ..remote(certificate) }
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_second(60 * minute).unwrap()
}

/// Records in which `certificate` is current under `name`.
fn holds(name: &str, certificate: &Certificate) -> Held {
    let thumbprint = Some(certificate.sha1_thumbprint());
    Held { name: name.into(), origin: Some(Origin::Created), thumbprint, ..Held::default() }
}

fn retired(name: &str, certificate: &Certificate, until: Option<i64>) -> Retired {
    let thumbprint = certificate.sha1_thumbprint();
    let id = format!("/hub/certificates/{name}");
    let entry = Retiring { id, content_hash: thumbprint.to_string(), until: until.map(at) };
    Retired { name: name.into(), thumbprint, entry }
}

fn intent(certificate: &Certificate, what: Intention) -> Option<Intended> {
    Some(Intended { thumbprint: certificate.sha1_thumbprint(), what, since: at(0) })
}

fn row(goal: &Goal<Desired>, there: &[HubCertificate], held: &Held, minute: i64) -> String {
    let observed = Observed { there: there.to_vec(), held: held.clone(), now: at(minute) };
    match next(goal, &observed) {
        Next::Step(step) => {
            let name = match &step {
                Step::Create { name, .. }
                | Step::Replace { name, .. }
                | Step::RequestCode { name, .. }
                | Step::Verify { name, .. }
                | Step::Delete { name, .. } => name.clone(),
            };
            format!("{} {name}", engine::Step::name(&step))
        }
        other => told(other),
    }
}

/// What the status would say: the current name, and what retires until which minute.
fn status(goal: &Goal<Desired>, there: &[HubCertificate], held: &Held, minute: i64) -> String {
    let Goal::Present(want) = goal else { unreachable!("it is") };
    let observed = Observed { there: there.to_vec(), held: held.clone(), now: at(minute) };
    let Some(standing) = standing(want, &observed) else { return "nothing".into() };
    let mut said = standing.certificate.name.clone();
    for old in standing.retiring {
        let name = old.id.rsplit('/').next().unwrap_or_default();
        let until = old.until.map_or("-".to_owned(), |it| (it.as_second() / 60).to_string());
        said.push_str(&format!(", {name} until {until}"));
    }
    said
}

#[test]
fn the_first_takes_the_plain_name_and_the_next_stands_beside_it_until_its_time_is_over() {
    let goal = want_beside(by_key());
    let (old, new) = (named("ca", &other(), true), |verified| named(BESIDE, &ours(), verified));
    assert_eq!(row(&goal, &[], &held(None), 0), "Create ca");
    assert_eq!(row(&goal, &[named("ca", &ours(), true)], &holds("ca", &ours()), 0), "Done");

    let before = holds("ca", &other());
    let known = Held { intended: intent(&ours(), Intention::PutBeside), ..before.clone() };
    for (there, records, expected) in [
        (vec![old.clone()], &before, "CreateBeside ca-0000beef"),
        (vec![old.clone()], &known, "CreateBeside ca-0000beef"), // lost, and repeated
        (vec![old.clone(), new(false)], &known, "RequestCode ca-0000beef"),
        (vec![old.clone(), new(true)], &known, "Done"),
    ] {
        assert_eq!(row(&goal, &there, records, 0), expected);
    }
    assert_eq!(status(&goal, &[old.clone(), new(false)], &known, 0), "ca-0000beef, ca until -");
    assert_eq!(status(&goal, &[old.clone(), new(true)], &known, 0), "ca-0000beef, ca until 60");

    let after = Held { retiring: vec![retired("ca", &other(), Some(60))], ..holds(BESIDE, &ours()) };
    for (there, minute, expected) in [
        (vec![new(true), old.clone()], 59, "Done"),
        (vec![new(true), old.clone()], 60, "Retire ca"),
        (vec![new(false), old.clone()], 60, "RequestCode ca-0000beef"), // first it serves again
        (vec![new(true), named("ca", &third(), true)], 60, "Done"),     // somebody else's by now
        (vec![new(true)], 60, "Done"),
        (vec![old.clone()], 60, "Create ca-0000beef"),
    ] {
        assert_eq!(row(&goal, &there, &after, minute), expected);
    }
    assert_eq!(status(&goal, &[new(true), old], &after, 30), "ca-0000beef, ca until 60");
    assert_eq!(status(&goal, &[new(true), named("ca", &third(), true)], &after, 30), "ca-0000beef");
    assert_eq!(status(&goal, &[new(true)], &after, 59), "ca-0000beef, ca until 60", "it may yet be found");
    assert_eq!(status(&goal, &[new(true)], &after, 60), "ca-0000beef");
}

#[test]
fn a_foreign_certificate_under_the_successors_name_is_taken_over_only_as_the_policy_says() {
    use AdoptionPolicy::{Always, IfIdentical, Never};
    let goal = want_beside(Verification::None);
    for (adoption, found, expected) in [
        (Never, ours(), "NotOwned"),
        (Never, third(), "NotOwned"),
        (IfIdentical, ours(), "Done"),
        (IfIdentical, third(), "NotOwned"),
        (Always, ours(), "Done"),
        (Always, third(), "Replace ca-0000beef"),
    ] {
        let there = [named("ca", &other(), true), named(BESIDE, &found, true)];
        let held = Held { adoption, ..holds("ca", &other()) };
        assert_eq!(row(&goal, &there, &held, 0), expected, "{adoption:?}");
    }
}

#[test]
fn what_stands_under_the_plain_name_stays_only_if_it_is_ours() {
    use AdoptionPolicy::{Always, IfIdentical, Never};
    let goal = want_beside(Verification::None);
    let foreign = [named("ca", &other(), true)];
    for (adoption, expected) in
        [(Never, "NotOwned"), (IfIdentical, "NotOwned"), (Always, "CreateBeside ca-0000beef")]
    {
        assert_eq!(row(&goal, &foreign, &Held { adoption, ..held(None) }, 0), expected, "{adoption:?}");
    }
    // Under our name, and not what we left there: drift, which nobody is to go by.
    assert_eq!(row(&goal, &foreign, &holds("ca", &third()), 0), "Replace ca");
    // The status was lost after a rotation.
    let after = [named("ca", &other(), true), named(BESIDE, &ours(), true)];
    assert_eq!(row(&goal, &after, &held(None), 0), "Done");
    assert_eq!(status(&goal, &after, &held(None), 0), "ca-0000beef", "what is not known is left alone");
}

#[test]
fn a_source_that_is_what_it_was_before_takes_its_certificate_back() {
    let goal = want_beside(by_key());
    let there = [named("ca-00000002", &other(), true), named("ca", &ours(), true)];
    let records = Held { retiring: vec![retired("ca", &ours(), Some(60))], ..holds("ca-00000002", &other()) };
    assert_eq!(row(&goal, &there, &records, 30), "Done");
    assert_eq!(status(&goal, &there, &records, 30), "ca, ca-00000002 until 90");
}

#[test]
fn a_second_rotation_in_the_grace_time_keeps_both() {
    let goal = want_beside(by_key());
    let records = Held { retiring: vec![retired("ca", &other(), Some(60))], ..holds(THIRD, &third()) };
    let mut there = vec![named(THIRD, &third(), true), named("ca", &other(), true)];
    assert_eq!(row(&goal, &there, &records, 30), "CreateBeside ca-0000beef");
    there.push(named(BESIDE, &ours(), true));
    let records = Held { intended: intent(&ours(), Intention::PutBeside), ..records };
    assert_eq!(row(&goal, &there, &records, 30), "Done");
    assert_eq!(status(&goal, &there, &records, 30), "ca-0000beef, ca until 60, ca-00000003 until 90");
}

#[test]
fn a_successor_that_never_served_goes_when_the_source_changes_again() {
    let goal = want_beside(by_key());
    // It was recorded while a signature was waited for: devices still go by `ca`.
    let waiting = Held { retiring: vec![retired("ca", &other(), None)], ..holds(THIRD, &third()) };
    let old = named("ca", &other(), true);
    let served = named(THIRD, &third(), true);
    for (there, expected) in [
        (vec![named(THIRD, &third(), false), old.clone()], "Discard ca-00000003"),
        (vec![old.clone()], "CreateBeside ca-0000beef"),
        (vec![served, old.clone()], "CreateBeside ca-0000beef"),
    ] {
        assert_eq!(row(&goal, &there, &waiting, 0), expected);
    }
    // Back to what it was at first.
    let back = Held { retiring: vec![retired("ca", &ours(), None)], ..waiting };
    let old = named("ca", &ours(), true);
    assert_eq!(row(&goal, &[named(THIRD, &third(), false), old.clone()], &back, 0), "Discard ca-00000003");
    assert_eq!(row(&goal, std::slice::from_ref(&old), &back, 0), "Done");
    assert_eq!(status(&goal, &[old], &back, 0), "ca");
}

#[test]
fn an_upload_beside_for_an_earlier_source_is_taken_away_or_waited_for() {
    let goal = want_beside(by_key());
    let old = named("ca", &other(), true);
    let intended = |what| Held { intended: intent(&third(), what), ..holds("ca", &other()) };
    let (put, gone) = (intended(Intention::PutBeside), intended(Intention::Discard));
    let stray = named(THIRD, &third(), false);
    for (there, records, minute, expected) in [
        (vec![old.clone(), stray.clone()], &put, 0, "Discard ca-00000003"),
        (vec![old.clone(), stray.clone()], &gone, 0, "Discard ca-00000003"),
        (vec![old.clone()], &put, 9, "Wait"),
        (vec![old.clone()], &put, 10, "CreateBeside ca-0000beef"),
        (vec![old.clone()], &gone, 0, "CreateBeside ca-0000beef"),
    ] {
        assert_eq!(row(&goal, &there, records, minute), expected);
    }
    // The strategy was changed meanwhile: the same for what takes the place.
    let in_place = want(Verification::None);
    assert_eq!(row(&in_place, &[old.clone(), stray.clone()], &put, 0), "Discard ca-00000003");
    assert_eq!(row(&in_place, std::slice::from_ref(&old), &put, 0), "Wait");
    // And when the source is back.
    let before = want_beside(Verification::None);
    let records = Held { intended: intent(&third(), Intention::PutBeside), ..holds("ca", &ours()) };
    assert_eq!(row(&before, &[named("ca", &ours(), true), stray], &records, 0), "Discard ca-00000003");
    assert_eq!(row(&before, &[named("ca", &ours(), true)], &records, 0), "Wait");
}

#[test]
fn where_no_more_can_retire_the_next_waits_until_one_has_gone() {
    let goal = want_beside(by_key());
    for (count, minute, expected) in
        [(15, 0, "CreateBeside ca-0000beef"), (16, 0, "Wait"), (16, 60, "Retire ca-00000100")]
    {
        let names: Vec<_> = (0..count).map(|it| format!("ca-{:08}", 100 + it)).collect();
        let retiring = names.iter().map(|it| retired(it, &other(), Some(60))).collect();
        let there = names.iter().map(|it| named(it, &other(), true));
        let there: Vec<_> = [named(THIRD, &third(), true)].into_iter().chain(there).collect();
        let records = Held { retiring, ..holds(THIRD, &third()) };
        assert_eq!(row(&goal, &there, &records, minute), expected, "{count}");
    }
}

#[test]
fn in_place_again_it_works_on_the_name_that_is_current() {
    let goal = want(Verification::None);
    let records = Held { retiring: vec![retired("ca", &third(), Some(60))], ..holds(BESIDE, &other()) };
    let old = named("ca", &third(), true);
    assert_eq!(row(&goal, &[named(BESIDE, &other(), true), old.clone()], &records, 0), "Replace ca-0000beef");
    assert_eq!(row(&goal, std::slice::from_ref(&old), &records, 0), "Create ca-0000beef");
    let there = [named(BESIDE, &ours(), true), old];
    assert_eq!(row(&goal, &there, &records, 60), "Retire ca");
    // The fingerprint in the name is another's since: there is no other name for this one.
    let beside = want_beside(Verification::None);
    assert_eq!(row(&beside, &[named(BESIDE, &other(), true)], &records, 0), "Replace ca-0000beef");
}

#[test]
fn a_deletion_takes_all_that_is_ours_and_nothing_else() {
    let records = Held {
        retiring: vec![retired("ca", &other(), Some(60))],
        intended: intent(&third(), Intention::PutBeside),
        ..holds(BESIDE, &ours())
    };
    let (current, old) = (named(BESIDE, &ours(), true), named("ca", &other(), true));
    let stray = named(THIRD, &third(), false);
    for (there, expected) in [
        (vec![current.clone(), old.clone(), stray.clone()], "Delete ca-0000beef"),
        (vec![old.clone(), stray.clone()], "Delete ca"),
        (vec![stray.clone()], "Delete ca-00000003"),
        (vec![named("ca", &ours(), true)], "Done"), // not what retires
        (vec![named(BESIDE, &other(), true), old], "DeletionBlocked"),
        (vec![], "Done"),
    ] {
        assert_eq!(row(&Goal::Absent, &there, &records, 0), expected);
    }
}

#[test]
fn an_adopted_predecessor_stays_and_what_was_put_beside_it_goes() {
    let records = Held {
        origin: Some(Origin::Adopted),
        keeps_adopted: true,
        intended: intent(&third(), Intention::PutBeside),
        ..holds("ca", &other())
    };
    let there = [named("ca", &other(), true), named(THIRD, &third(), false)];
    assert_eq!(row(&Goal::Absent, &there, &records, 0), "Delete ca-00000003");
    assert_eq!(row(&Goal::Absent, &there[..1], &records, 0), "Done");
    let said = Held { keeps_adopted: false, ..records };
    assert_eq!(row(&Goal::Absent, &there, &said, 0), "Delete ca");
}

#[test]
fn an_adopted_predecessor_stays_beside_its_successor_and_is_taken_over_again() {
    let goal = want_beside(Verification::None);
    let records = Held {
        origin: Some(Origin::Adopted),
        plain: "ca".into(),
        keeps_adopted: true,
        intended: intent(&ours(), Intention::PutBeside),
        ..holds("ca", &other())
    };
    let there = [named("ca", &other(), false), named(BESIDE, &ours(), false)];
    assert_eq!(row(&goal, &there, &records, 0), "Done");
    assert_eq!(status(&goal, &there, &records, 0), "ca-0000beef", "it does not retire");
    let said = Held { keeps_adopted: false, ..records };
    assert_eq!(status(&goal, &there, &said, 0), "ca-0000beef, ca until 60");
    // The source is what it was when it was adopted.
    let there = [named(THIRD, &third(), false), named("ca", &ours(), false)];
    let after = Held { plain: "ca".into(), keeps_adopted: true, ..holds(THIRD, &third()) };
    assert_eq!(row(&goal, &there, &after, 0), "Done");
    assert_eq!(status(&goal, &there, &after, 0), "ca, ca-00000003 until 60");
    let never = Held { adoption: AdoptionPolicy::Never, ..after };
    assert_eq!(row(&goal, &there, &never, 0), "CreateBeside ca-0000beef");
}

/// Whatever is recorded and wherever it stands: what no record of ours speaks of is not written.
#[test]
fn no_state_leads_to_a_write_of_what_is_not_ours() {
    let certificates = [ours(), other(), third()];
    let contents: Vec<_> = [None].into_iter().chain(certificates.iter().map(Some)).collect();
    let intents = [
        None,
        intent(&ours(), Intention::PutBeside),
        intent(&third(), Intention::PutBeside),
        intent(&third(), Intention::Discard),
    ];
    let mut states = 0;
    for plain in &contents {
        for beside in &contents {
            for elsewhere in &contents {
                for intended in intents {
                    for current in ["ca", BESIDE] {
                        for recorded in &contents {
                            for until in [None, Some(0)] {
                                let there: Vec<_> = [("ca", plain), (BESIDE, beside), (THIRD, elsewhere)]
                                    .into_iter()
                                    .filter_map(|(name, it)| it.map(|it| named(name, it, false)))
                                    .collect();
                                let records = recorded.map_or_else(|| held(None), |it| holds(current, it));
                                let records = Held {
                                    intended,
                                    retiring: vec![retired(THIRD, &other(), until)],
                                    ..records
                                };
                                let observed = Observed { there, held: records, now: at(5) };
                                for goal in [Goal::Absent, want_beside(by_key()), want(by_key())] {
                                    is_allowed(&goal, &observed);
                                    states += 1;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(states, 4 * 4 * 4 * 4 * 2 * 4 * 2 * 3);
}

fn is_allowed(goal: &Goal<Desired>, observed: &Observed) {
    let Next::Step(step) = next(goal, observed) else { return };
    let (name, deletes) = match &step {
        Step::Create { .. } => return, // creates, and only creates
        Step::Delete { name, .. } => (name, true),
        Step::Replace { name, .. } | Step::RequestCode { name, .. } | Step::Verify { name, .. } => {
            (name, false)
        }
    };
    let it = observed.under(name).expect("it is there");
    let held = &observed.held;
    let intended = held.intended.is_some_and(|intent| intent.thumbprint == it.thumbprint);
    let retires = held.retiring.iter().any(|old| old.name == it.name && old.thumbprint == it.thumbprint);
    let current = it.name == held.name && held.origin.is_some();
    let identical = it.thumbprint == ours().sha1_thumbprint(); // as the policy of these records allows
    let may = if deletes {
        intended || retires || (current && held.thumbprint == Some(it.thumbprint))
    } else {
        current || intended || retires || identical
    };
    assert!(may, "{} of {name} is not ours", engine::Step::name(&step));
}
