//! The table of what the hub needs next, read aloud; and what holds for every row.

use std::sync::Arc;

use super::*;
use crate::engine;
use crate::pki::{self, PrivateKey};
use crate::providers::possession::{Offline, Proof};

mod overlap_rows;

fn certificate(file: &[u8]) -> Certificate {
    pki::certificates(file).unwrap().remove(0)
}

fn ours() -> Certificate {
    certificate(include_bytes!("../../../../../tests/data/pki/p-256.pem"))
}

fn other() -> Certificate {
    certificate(include_bytes!("../../../../../tests/data/pki/p-384.pem"))
}

fn key() -> Arc<PrivateKey> {
    Arc::new(PrivateKey::parse(include_bytes!("../../../../../tests/data/pki/p-256.pkcs8.pem")).unwrap())
}

fn by_key() -> Verification {
    Verification::Proof(Box::new(Possession::Key(key())))
}

fn want(verification: Verification) -> Goal<Desired> {
    let grace = Duration::from_secs(3600);
    Goal::Present(Desired { certificate: ours(), verification, beside: None, grace })
}

fn remote(certificate: &Certificate) -> HubCertificate {
    HubCertificate {
        name: "ca".into(),
        id: "/hub/certificates/ca".into(),
        etag: "e1".into(),
        thumbprint: certificate.sha1_thumbprint(),
        fingerprint: None,
        verified: false,
        code: None,
    }
}

fn held(origin: Option<Origin>) -> Held {
    let thumbprint = origin.map(|_| ours().sha1_thumbprint());
    Held { name: "ca".into(), origin, thumbprint, ..Held::default() }
}

fn seen(remote: Option<HubCertificate>, held: Held) -> Observed {
    Observed { there: remote.into_iter().collect(), held, now: Timestamp::UNIX_EPOCH }
}

/// An intent of an upload under the current name.
fn put(certificate: &Certificate) -> Option<Intended> {
    let thumbprint = certificate.sha1_thumbprint();
    Some(Intended { thumbprint, what: Intention::Put, since: Timestamp::UNIX_EPOCH })
}

/// What is next, as its name.
fn named(goal: &Goal<Desired>, remote: Option<HubCertificate>, held: Held) -> String {
    told(next(goal, &seen(remote, held)))
}

fn told(next: Next<Step>) -> String {
    match next {
        Next::Done => "Done".into(),
        Next::Wait { .. } => "Wait".into(),
        Next::Await { reason, .. } => format!("Await {reason}"),
        Next::Stuck { reason, .. } => reason.to_string(),
        Next::Step(step) => engine::Step::name(&step).into(),
    }
}

#[test]
fn what_is_missing_is_created_and_what_differs_is_replaced() {
    let owned = || held(Some(Origin::Created));
    assert_eq!(named(&want(Verification::None), None, held(None)), "Create");
    assert_eq!(named(&want(Verification::None), None, owned()), "Create");
    assert_eq!(named(&want(Verification::None), Some(remote(&other())), owned()), "Replace");
    assert_eq!(named(&want(Verification::None), Some(remote(&ours())), owned()), "Done");
}

#[test]
fn a_sha1_twin_is_noticed_where_the_hub_shows_the_certificate() {
    let twin = HubCertificate { fingerprint: Some(other().sha256_fingerprint()), ..remote(&ours()) };
    assert_eq!(named(&want(Verification::None), Some(twin), held(Some(Origin::Created))), "Replace");
}

#[test]
fn verification_asks_for_a_code_then_proves_then_rests() {
    let owned = || held(Some(Origin::Created));
    let coded = HubCertificate { code: Some("00DF".parse().unwrap()), etag: "e2".into(), ..remote(&ours()) };
    let verified = HubCertificate { verified: true, ..remote(&ours()) };
    let proof = || want(by_key());
    assert_eq!(named(&proof(), Some(remote(&ours())), owned()), "RequestCode");
    assert_eq!(named(&proof(), Some(verified.clone()), owned()), "Done");
    assert_eq!(named(&want(Verification::Attested), Some(remote(&ours())), owned()), "Replace");
    assert_eq!(named(&want(Verification::None), Some(verified), owned()), "Done");
    let Next::Step(Step::Verify { etag, proof: Proof::Unsigned { code, .. }, .. }) =
        next(&proof(), &seen(Some(coded), owned()))
    else {
        panic!("no proof is made")
    };
    assert_eq!((etag.as_str(), code.as_str()), ("e2", "00DF"), "the tag is the one that came with the code");
}

#[test]
fn a_key_kept_offline_is_waited_for_and_each_bad_proof_is_told_apart() {
    let now = "2030-01-01T12:00:00Z".parse().unwrap();
    let sign = |code: &str| {
        let code = code.parse().unwrap();
        pki::proof(&ours(), &key(), &code, now).unwrap()
    };
    let missing = |reason| Err(Invalid::new(reason, "it is not there"));
    let offline = |signed, now| {
        want(Verification::Proof(Box::new(Possession::Offline(Offline {
            signed,
            place: "Secret `s`, key `k`".into(),
            now,
        }))))
    };
    let owned = || held(Some(Origin::Created));
    let coded = HubCertificate { code: Some("00DF".parse().unwrap()), etag: "e2".into(), ..remote(&ours()) };
    let later = "2030-02-01T12:00:00Z".parse().unwrap();
    let goal = offline(missing(Reason::SecretNotFound), now);
    assert_eq!(named(&goal, Some(remote(&ours())), owned()), "RequestCode", "the code comes first");
    for (signed, at, expected, part) in [
        (
            missing(Reason::SecretNotFound),
            now,
            "Await SecretNotFound",
            "code in `status.verificationCode.code`",
        ),
        (missing(Reason::SecretKeyMissing), now, "Await SecretKeyMissing", "Secret `s`, key `k`"),
        (missing(Reason::CertificateMalformed), now, "Await CertificateMalformed", "it is not there"),
        (Ok(sign("00DE")), now, "Await ProofRejected", "another code, perhaps an earlier one"),
        (Ok(ours()), now, "Await ProofRejected", "another code"),
        (Ok(sign("00DF")), later, "Await ProofRejected", "expired"),
        (Ok(sign("00DF")), now, "Verify", ""),
    ] {
        let goal = offline(signed, at);
        assert_eq!(named(&goal, Some(coded.clone()), owned()), expected, "{part}");
        if let Next::Await { message, .. } = next(&goal, &seen(Some(coded.clone()), owned())) {
            assert!(message.contains(part) && message.len() <= 256, "{message}");
        }
    }
    let forged = pki::proof(
        &other(),
        &PrivateKey::parse(include_bytes!("../../../../../tests/data/pki/p-384.pkcs8.pem")).unwrap(),
        &"00DF".parse().unwrap(),
        now,
    );
    assert_eq!(
        named(&offline(Ok(forged.unwrap()), now), Some(coded.clone()), owned()),
        "Await ProofRejected"
    );
    let Next::Step(step) = next(&offline(Ok(sign("00DF")), now), &seen(Some(coded), owned())) else {
        panic!("the proof is not used")
    };
    assert!(engine::Step::needs_intent(&step), "the code is spent before it is used");
}

#[test]
fn what_is_not_ours_is_taken_over_only_as_the_policy_says() {
    use AdoptionPolicy::{Always, IfIdentical, Never};
    for (adoption, found, expected) in [
        (Never, ours(), "NotOwned"),
        (Never, other(), "NotOwned"),
        (IfIdentical, ours(), "Done"),
        (IfIdentical, other(), "NotOwned"),
        (Always, ours(), "Done"),
        (Always, other(), "Replace"),
    ] {
        let held = Held { adoption, ..held(None) };
        assert_eq!(named(&want(Verification::None), Some(remote(&found)), held), expected, "{adoption:?}");
    }
}

#[test]
fn an_intent_to_write_just_this_proves_that_it_is_ours() {
    let intended = |certificate: Certificate| Held {
        intended: put(&certificate),
        adoption: AdoptionPolicy::Never,
        ..held(None)
    };
    let observed = seen(Some(remote(&ours())), intended(ours()));
    assert_eq!(observed.origin(&remote(&ours())), Some(Origin::Created));
    assert_eq!(named(&want(Verification::None), Some(remote(&ours())), intended(ours())), "Done");
    assert_eq!(named(&want(Verification::None), Some(remote(&ours())), intended(other())), "NotOwned");
}

#[test]
fn only_what_we_last_saw_as_ours_is_deleted() {
    let absent = Goal::Absent;
    assert_eq!(named(&absent, None, held(Some(Origin::Created))), "Done");
    assert_eq!(named(&absent, Some(remote(&ours())), held(Some(Origin::Created))), "Delete");
    assert_eq!(named(&absent, Some(remote(&ours())), held(None)), "Done", "never ours");
    assert_eq!(named(&absent, Some(remote(&other())), held(Some(Origin::Created))), "DeletionBlocked");
    let rotating = Held { intended: put(&other()), ..held(Some(Origin::Created)) };
    assert_eq!(named(&absent, Some(remote(&other())), rotating), "Delete", "a crash amid a rotation");
    let always = Held { adoption: AdoptionPolicy::Always, ..held(Some(Origin::Created)) };
    assert_eq!(named(&absent, Some(remote(&other())), always), "Delete");
}

#[test]
fn no_state_leads_to_a_write_of_what_is_not_ours() {
    let remotes = [None, Some(remote(&ours())), Some(remote(&other()))];
    let intents = [None, put(&ours()), put(&other())];
    let mut states = 0;
    for remote in &remotes {
        for verified in [false, true] {
            for intended in intents {
                for origin in [None, Some(Origin::Created), Some(Origin::Adopted)] {
                    for adoption in [AdoptionPolicy::Never, AdoptionPolicy::IfIdentical] {
                        for goal in [Goal::Absent, want(Verification::None), want(by_key())] {
                            let remote = remote.clone().map(|it| HubCertificate { verified, ..it });
                            let held = Held { intended, adoption, ..held(origin) };
                            let observed = seen(remote, held);
                            let owned = observed.current().is_some_and(|it| observed.origin(it).is_some());
                            let identical = observed
                                .current()
                                .is_some_and(|it| it.thumbprint == ours().sha1_thumbprint());
                            let may = owned || (identical && adoption == AdoptionPolicy::IfIdentical);
                            let writes = matches!(
                                next(&goal, &observed),
                                Next::Step(
                                    Step::Replace { .. }
                                        | Step::Delete { .. }
                                        | Step::RequestCode { .. }
                                        | Step::Verify { .. }
                                )
                            );
                            assert!(may || !writes, "a foreign certificate would be written");
                            states += 1;
                        }
                    }
                }
            }
        }
    }
    assert_eq!(states, 3 * 2 * 3 * 3 * 2 * 3);
}
