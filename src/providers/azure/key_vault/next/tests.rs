//! The rows of what a vault needs next.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::super::policy::Policy;
use super::super::tags::OWNER;
use super::super::wish;
use super::*;
use crate::api::key_vault::{KeyVaultCertificate, OnStuckOperation};
use crate::engine::Step as _;
use crate::source::{Fetched, Reference};

const UID: &str = "uid-1";
/// Ten minutes after the certificate of `tests/data/pki/p-256.pem` began to be valid is long before this.
const NOW: &str = "2030-01-01T00:00:00Z";

fn now() -> Timestamp {
    NOW.parse().unwrap()
}

fn root(members: Value) -> KeyVaultCertificate {
    let mut manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "KeyVaultCertificate", "metadata": { "name": "web", "uid": UID },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "azure" }, "vaultName": "vault-1",
            "policy": { "x509Properties": { "subject": "CN=P-256, O=Certferry tests, C=DE" }, "issuer": { "name": "Self" } },
        },
    });
    for (member, value) in members.as_object().into_iter().flatten() {
        manifest["spec"][member] = value.clone(); // of an optional member, `null` is none
    }
    serde_json::from_value(manifest).unwrap()
}

fn desired(members: Value) -> Desired {
    let mut found = Fetched::default();
    let pair = |file| std::fs::read(format!("{}/tests/data/pki/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let entries = [("tls.crt", pair("p-256.pem")), ("tls.key", pair("p-256.pkcs8.pem"))];
    found.insert(
        Reference::secret("web"),
        entries.map(|(key, it)| (key.to_owned(), it)).into_iter().collect(),
    );
    wish::desired(&root(members), &found, now()).unwrap_or_else(|why| panic!("{why}"))
}

fn wanted() -> Desired {
    desired(json!({}))
}

fn held() -> Held {
    Held {
        uid: UID.to_owned(),
        origin: None,
        version: None,
        written: None,
        intent: None,
        operation: None,
        asks_anew: false,
        observes: false,
        adoption: AdoptionPolicy::IfIdentical,
        on_soft_deleted: OnSoftDeleted::Recover,
        on_stuck: OnStuckOperation::Report,
        deletes_adopted: false,
        purge: false,
    }
}

/// The certificate of the files, with the policy of the wish, as somebody's.
fn bundle(want: &Desired, owner: Option<&str>) -> Bundle {
    let pem = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/pki/p-256.pem")).unwrap();
    let policy = match &want.wish {
        Wish::Policy(issuance) => issuance.policy.clone(),
        Wish::Import(imported) => imported.policy.clone(),
    };
    Bundle {
        version: "v1".to_owned(),
        certificate: crate::pki::certificates(&pem).unwrap().pop(),
        enabled: Some(true),
        tags: owner.map(|it| (OWNER.to_owned(), it.to_owned())).into_iter().collect(),
        policy,
    }
}

fn seen(state: State, operation: Operation, held: Held) -> Observed {
    let (vault, name) = ("vault-1".to_owned(), "web".to_owned());
    Observed { vault, name, state, operation, handed_out: None, held, now: now() }
}

fn there(it: Bundle) -> State {
    State::Held(Box::new(it))
}

/// `Create`, `Done`, `Wait OperationInProgress`, `Stuck NotOwned`.
fn told(next: &Next<Step>) -> String {
    match next {
        Next::Done => "Done".to_owned(),
        Next::Step(step) => step.name().to_owned(),
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

fn at_work(id: &str) -> Operation {
    Operation::InProgress { id: id.to_owned(), request: None, wait: Duration::from_secs(10) }
}

#[test]
fn what_is_missing_is_made_and_what_is_deleted_recovered() {
    let ours = |want: &Desired| bundle(want, Some(UID));
    let fail = Held { on_soft_deleted: OnSoftDeleted::Fail, ..held() };
    let always = Held { adoption: AdoptionPolicy::Always, ..held() };
    let just_asked = Held { intent: Some(("Create".into(), now())), ..held() };
    let long_ago = now() - SignedDuration::from_secs(31);
    let asked_before = Held { intent: Some(("Create".into(), long_ago)), ..held() };
    let deleted = |it: Bundle| State::Deleted(Box::new(it));
    let mut stranger = bundle(&wanted(), None);
    stranger.certificate = None;
    for (state, records, expected) in [
        (State::Missing, held(), "Create"),
        (State::Missing, just_asked, "Wait Creating"),
        (State::Missing, asked_before, "Create"),
        (deleted(ours(&wanted())), held(), "Recover"),
        (deleted(ours(&wanted())), fail, "Stuck RemoteSoftDeleted"),
        (deleted(stranger.clone()), held(), "Stuck RemoteSoftDeleted"),
        (deleted(stranger), always, "Recover"),
    ] {
        assert_eq!(present(wanted(), &seen(state, Operation::Unread, records)), expected);
    }
}

#[test]
fn anothers_certificate_is_taken_over_as_the_policy_says() {
    let identical = || bundle(&wanted(), None);
    let other =
        || Bundle { policy: Policy::default(), certificate: None, ..bundle(&wanted(), Some("uid-2")) };
    for (it, adoption, expected) in [
        (identical(), AdoptionPolicy::Never, "Stuck NotOwned"),
        (identical(), AdoptionPolicy::IfIdentical, "Adopt"),
        (other(), AdoptionPolicy::IfIdentical, "Stuck NotOwned"),
        (other(), AdoptionPolicy::Always, "Adopt"),
    ] {
        let observed = seen(there(it), Operation::None, Held { adoption, ..held() });
        assert_eq!(present(wanted(), &observed), expected, "{adoption:?}");
    }
    // What was ours and is another's now is not taken back: the other would do the same.
    let recorded = Held { origin: Some(Origin::Created), ..held() };
    let observed = seen(there(bundle(&wanted(), Some("uid-2"))), Operation::None, recorded);
    assert_eq!(present(wanted(), &observed), "Stuck NotOwned");
}

#[test]
fn each_difference_has_its_own_repair() {
    let with = |members: Value| desired(members);
    let policy = |x509: Value| json!({ "policy": { "x509Properties": x509, "issuer": { "name": "Self" } } });
    let subject = "CN=P-256, O=Certferry tests, C=DE";
    for (members, expected) in [
        (json!({}), "Done"),
        (policy(json!({ "subject": "C=DE, O=Certferry tests, CN=P-256" })), "Done"),
        (json!({ "tags": { "a": "b" } }), "Update"),
        (json!({ "attributes": { "enabled": false } }), "Update"),
        (policy(json!({ "subject": "CN=other" })), "Create"),
        (policy(json!({ "subject": subject, "ekus": ["1.3.6.1.5.5.7.3.1"] })), "Create"),
        (
            policy(json!({ "subject": subject, "subjectAlternativeNames": { "dnsNames": ["a.example"] } })),
            "Create",
        ),
    ] {
        let want = with(members.clone());
        let there_already = bundle(&wanted(), Some(UID));
        let there_already = Bundle { policy: bundle(&want, None).policy, ..there_already };
        let observed = seen(there(there_already), Operation::None, held());
        assert_eq!(present(want, &observed), expected, "{members}");
    }
    for (change, expected) in [
        (json!({ "secret_props": { "contentType": "application/x-pem-file" } }), "Done"), // nobody asked for another
        (json!({ "issuer": { "name": "Other" } }), "Create"),
        (json!({ "x509_props": { "subject": "CN=other" } }), "UpdatePolicy"),
        (json!({ "lifetime_actions": [] }), "UpdatePolicy"),
    ] {
        let mut it = bundle(&wanted(), Some(UID));
        let mut shown = serde_json::to_value(&it.policy).unwrap();
        for (member, value) in change.as_object().into_iter().flatten() {
            shown[member] = value.clone();
        }
        it.policy = serde_json::from_value(shown).unwrap();
        assert_eq!(
            present(wanted(), &seen(there(it.clone()), Operation::None, held())),
            expected,
            "{change}"
        );
        // Where the version was made for just this, only the next one would be another.
        it.tags.insert(WISH.to_owned(), wanted().hash);
        let expected = if expected == "Create" { "UpdatePolicy" } else { expected };
        assert_eq!(present(wanted(), &seen(there(it), Operation::None, held())), expected, "{change}");
    }
}

#[test]
fn a_tag_that_the_user_takes_out_goes_and_those_of_others_stay() {
    let with = |tags: Value| desired(json!({ "tags": tags }));
    let mut it = bundle(&wanted(), Some(UID));
    it.tags.insert("theirs".into(), "x".into());
    for (wish, expected) in [
        (json!({ "a": "1", "b": "2" }), "a b theirs"),
        (json!({ "b": "3", "c": "4" }), "b c theirs"),
        (json!({ "theirs": "mine" }), "theirs"),
        (json!({}), ""),
    ] {
        let observed = seen(there(it.clone()), Operation::None, held());
        let Next::Step(Step::Update { tags, .. }) = next(&Goal::Present(with(wish.clone())), &observed)
        else {
            panic!("{wish}: no update");
        };
        it.tags = tags;
        let users: Vec<_> =
            it.tags.keys().filter(|it| !it.starts_with("certferry") && *it != "managed-by").collect();
        assert_eq!(users.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" "), expected, "{wish}");
        assert_eq!(present(with(wish), &seen(there(it.clone()), Operation::None, held())), "Done");
    }
}

#[test]
fn more_tags_than_a_vault_takes_are_told_before_any_call() {
    let mut it = bundle(&wanted(), Some(UID));
    it.tags.extend((0..11).map(|number| (format!("theirs-{number}"), String::new())));
    let ask = |tags: Value| {
        present(desired(json!({ "tags": tags })), &seen(there(it.clone()), Operation::None, held()))
    };
    assert_eq!(ask(json!({ "a": "1" })), "Update");
    assert_eq!(ask(json!({ "a": "1", "b": "2" })), "Stuck SpecInvalid");
}

#[test]
fn a_version_made_for_this_wish_is_not_made_again() {
    let want = || {
        desired(
            json!({ "policy": { "x509Properties": { "subject": "CN=x" }, "issuer": { "name": "Self" } } }),
        )
    };
    let mut it = bundle(&want(), Some(UID));
    assert_eq!(present(want(), &seen(there(it.clone()), Operation::None, held())), "Create");
    it.tags.insert(WISH.to_owned(), want().hash);
    assert_eq!(present(want(), &seen(there(it.clone()), Operation::None, held())), "Stuck Diverged");
    // It was as wanted before, and somebody changed it.
    let settled = Held { version: Some("v1".into()), ..held() };
    assert_eq!(present(want(), &seen(there(it), Operation::None, settled)), "Create");
}

#[test]
fn work_of_the_vault_is_waited_for_and_a_failure_told_once() {
    let ghost = || Bundle { certificate: None, enabled: Some(false), ..bundle(&wanted(), Some(UID)) };
    let hash = wanted().hash;
    let records = |change: fn(&mut Held)| {
        let mut held = Held { written: Some(hash.clone()), ..held() };
        change(&mut held);
        held
    };
    let old = |it: &mut Held| it.operation = Some(("op".into(), now() - SignedDuration::from_mins(16)));
    let failed = || Operation::Failed { code: Some("Refused".into()) };
    for (it, operation, held, expected) in [
        (ghost(), at_work("op"), records(|_| {}), "Wait OperationInProgress"),
        (ghost(), at_work("op"), records(old), "Wait OperationStuck"),
        (
            ghost(),
            at_work("op"),
            records(|it| {
                it.operation = Some(("op".into(), now() - SignedDuration::from_mins(16)));
                it.on_stuck = OnStuckOperation::Cancel;
            }),
            "DropOperation",
        ),
        (ghost(), failed(), records(|_| {}), "Wait IssuanceFailed"),
        (ghost(), failed(), records(|it| it.asks_anew = true), "Create"),
        (ghost(), failed(), records(|it| it.written = Some("another wish".into())), "Create"),
        (ghost(), Operation::None, records(|_| {}), "Create"),
        (bundle(&wanted(), Some(UID)), at_work("op"), records(|_| {}), "Wait OperationInProgress, serves"),
    ] {
        assert_eq!(present(wanted(), &seen(there(it), operation, held)), expected);
    }
}

#[test]
fn a_request_that_cannot_be_read_is_not_waited_for_without_end() {
    let import = || desired(json!({ "policy": null, "import": { "secretRef": { "name": "web" } } }));
    let signed = || {
        desired(json!({
            "policy": { "x509Properties": { "subject": "CN=web" }, "issuer": { "name": "Unknown" } },
            "signedBy": { "external": {} },
        }))
    };
    let since = |minutes| {
        let begun = now() - SignedDuration::from_mins(minutes);
        Held { operation: Some(("op".into(), begun)), ..held() }
    };
    let cancels = Held { on_stuck: OnStuckOperation::Cancel, ..since(16) };
    for want in [import as fn() -> Desired, signed] {
        for (held, expected) in [
            (since(1), "Wait OperationInProgress"),
            (since(16), "Wait OperationStuck"),
            (cancels.clone(), "DropOperation"),
        ] {
            let ghost = Bundle { certificate: None, ..bundle(&want(), Some(UID)) };
            assert_eq!(present(want(), &seen(there(ghost), at_work("op"), held)), expected);
        }
    }
}

#[test]
fn it_is_renewed_once_its_time_has_come() {
    let it = || bundle(&wanted(), Some(UID));
    let expiry = it().certificate.unwrap().not_after();
    let due = |before: &str, at: Timestamp| {
        let want = desired(json!({ "renewBefore": before }));
        let observed = Observed { now: at, ..seen(there(it()), Operation::None, held()) };
        present(want, &observed)
    };
    assert_eq!(due("720h", expiry - SignedDuration::from_hours(721)), "Done");
    assert_eq!(due("720h", expiry - SignedDuration::from_hours(720)), "Renew");
    let whole = expiry.duration_since(it().certificate.unwrap().not_before()).as_hours();
    assert_eq!(due(&format!("{whole}h"), expiry), "Done", "it would be made again and again");
    let asked = Held { intent: Some(("Renew".into(), now())), ..held() };
    let want = || desired(json!({ "renewBefore": format!("{}h", whole - 2) }));
    let asked = seen(there(it()), Operation::None, asked);
    assert!(needs_operation(&Goal::Present(want()), &asked), "the vault may be at work on it");
    assert_eq!(present(want(), &asked), "Wait Creating, serves");
    let by_the_vault = desired(json!({ "renewal": { "by": "Vault" } }));
    let policy = bundle(&by_the_vault, None).policy;
    assert!(policy.renews());
    let late = Observed { now: expiry, ..seen(there(Bundle { policy, ..it() }), Operation::None, held()) };
    assert_eq!(present(by_the_vault, &late), "Done");
}

#[test]
fn a_key_that_is_not_given_away_is_told_where_it_is_to_be_exported() {
    let exports = || desired(json!({ "exportTo": { "secretName": "web-tls" } }));
    let observed = seen(there(bundle(&exports(), Some(UID))), Operation::None, held());
    assert!(needs_secret(&Goal::Present(exports()), &observed));
    assert!(!needs_secret(&Goal::Present(wanted()), &observed), "nobody asked for the key");
    let watching =
        seen(there(bundle(&exports(), Some(UID))), Operation::None, Held { observes: true, ..held() });
    assert!(!needs_secret(&Goal::Present(exports()), &watching), "the key is read, and goes nowhere");
    let closed = Observed { handed_out: Some(HandedOut::NoKey), ..observed };
    assert_eq!(present(exports(), &closed), "Stuck KeyNotExportable");
}

#[test]
fn only_what_carries_the_tag_is_deleted() {
    let ours = || there(bundle(&wanted(), Some(UID)));
    let theirs = || there(bundle(&wanted(), None));
    let recorded = Held { origin: Some(Origin::Created), ..held() };
    let adopted = Held { origin: Some(Origin::Adopted), ..held() };
    let purge = Held { purge: true, deletes_adopted: true, ..held() };
    let just_deleted = Held { intent: Some(("Delete".into(), now())), ..purge.clone() };
    let purged = Held { intent: Some(("Purge".into(), now())), ..purge.clone() };
    let gone = || State::Deleted(Box::new(bundle(&wanted(), Some(UID))));
    for (state, operation, held, expected) in [
        (State::Missing, Operation::Unread, held(), "Done"),
        (ours(), Operation::None, held(), "Delete"),
        (ours(), at_work("op"), held(), "DropOperation"),
        (ours(), Operation::None, adopted, "Done"),
        (theirs(), Operation::None, held(), "Done"),
        (theirs(), Operation::None, recorded, "Stuck DeletionBlocked"),
        (gone(), Operation::Unread, held(), "Done"),
        (gone(), Operation::Unread, purge, "Purge"),
        (State::Missing, Operation::Unread, just_deleted, "Wait Deleting"),
        (State::Missing, Operation::Unread, purged, "Done"),
    ] {
        assert_eq!(told(&next(&Goal::Absent, &seen(state, operation, held))), expected);
    }
}
