//! What a hub, Resource Manager and the token endpoint answer. Whatever it is, it has a meaning, nothing of its text
//! gets into a message but a code, and nothing is written that the answer does not give a right to.

use certferry::engine::error::CloudError;
use certferry::engine::{Freshness, Goal, Next, Provider, Step};
use certferry::http::{Method, Plan};
use certferry::pki::VerificationCode;
use certferry::providers::azure::iot_hub::IotHub;
use certferry::providers::azure::{Failure, RestCall, What, common};
use serde_json::Value;

use crate::cloud::{self, Reply, wait};
use crate::{hub, plain};

/// The statuses of answers to reads and writes: the input's length chooses.
const STATUSES: [u16; 17] =
    [400, 404, 409, 412, 429, 500, 503, 401, 403, 302, 202, 408, 410, 405, 502, 504, 418];
const TOKEN_STATUSES: [u16; 7] = [200, 400, 401, 429, 500, 302, 200];
const PAUSES: [Option<&str>; 5] =
    [None, Some("1"), Some("17"), Some("99999999999"), Some("Tue, 01 Jan 2030 00:00:30 GMT")];

const SEGMENTS: [&str; 9] = [
    "subscriptions",
    "44444444-4444-4444-8444-444444444444",
    "resourceGroups",
    "rg-devices",
    "providers",
    "Microsoft.Devices",
    "IotHubs",
    "hub-1",
    "certificates",
];
const ABSENT: &str = r#"{"error":{"code":"ResourceNotFound","message":"absent"}}"#;
const DENIED: &str = r#"{"error":{"code":"AuthorizationFailed","message":"denied"}}"#;
const ETAG: usize = 256;

/// An error's body, and what follows from it for a read and for an upload.
pub fn error(input: &[u8]) {
    let status = STATUSES[input.len() % STATUSES.len()];
    let retry_after = PAUSES[input.len() / STATUSES.len() % PAUSES.len()];
    let reply = Reply { retry_after, ..Reply::new(status, input) };

    let failure = failed(&reply);
    let again = failed(&reply);
    let codes = match (&failure.what, again.what) {
        (What::Answered { status: seen, body, .. }, What::Answered { body: again, .. }) => {
            assert_eq!((*seen, body), (status, &again), "one input, two results");
            assert!(body.iot_hub.is_none_or(|it| (400_000..600_000).contains(&it)));
            body.codes.iter().map(|it| it.as_str().to_owned()).collect()
        }
        (What::Working, _) => Vec::new(),
        (what, _) => panic!("an answer with status {status} was taken for {what:?}"),
    };
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    assert!(codes.iter().all(|it| (1..=64).contains(&it.len()) && it.bytes().all(fine)), "{codes:?}");
    assert!(codes.len() <= 10, "{} codes", codes.len());
    said(&common(&failure), input, &codes);

    let root = hub::resource(Value::Null);
    let read = reply.clone();
    match hub::observe(
        &root,
        move |plan| if is_listing(plan) { Reply::new(403, DENIED) } else { read.clone() },
    ) {
        Ok(seen) => {
            assert!(seen.there.is_empty(), "a certificate was seen in an error");
            assert!(status == 404 && failure.has_code("ResourceNotFound"), "it was taken for absent");
        }
        // The listing's own code may be said, also if the input has it by chance.
        Err(error) => said(&error, input, &[codes.clone(), vec!["AuthorizationFailed".to_owned()]].concat()),
    }

    let hub = hub::connect(&root, move |plan| match plan.method.as_str() {
        "GET" => Reply::new(404, ABSENT),
        _ => reply.clone(),
    });
    let hub = hub.expect("the account is good");
    let absent = wait(hub.observe(&root, &Goal::Absent, Freshness::Live)).expect("it says that it is absent");
    let Next::Step(create) = IotHub::next(&hub::PRESENT, &absent) else {
        panic!("what is absent is not created")
    };
    assert_eq!(create.name(), "Create");
    match wait(hub.apply(create)) {
        Ok(_) => panic!("an upload that failed with {status} was taken for done"),
        Err(error) => said(&error, input, &codes),
    }
}

fn failed(reply: &Reply) -> Failure {
    let reply = reply.clone();
    let azure = cloud::azure(move |_| reply.clone());
    let account = cloud::account();
    let session = azure.session(&account.id, &cloud::azure_account()).expect("the account is good");
    let call =
        RestCall::new(Method::Get, &SEGMENTS, "2018-04-01", "Microsoft.Devices/iotHubs/certificates/Read");
    wait(session.arm().call(&call)).expect_err("it is no success")
}

fn is_listing(plan: &Plan) -> bool {
    plan.url.path().ends_with("/certificates")
}

/// The namespace is the operator's own word, also if the input has it.
fn said(error: &CloudError, input: &[u8], codes: &[String]) {
    let codes: Vec<_> = codes.iter().map(String::as_str).chain(["Microsoft.Devices"]).collect();
    plain::text(&error.message, input, &codes);
}

/// An answer of the token endpoint.
pub fn token(input: &[u8]) {
    let status = TOKEN_STATUSES[input.len() % TOKEN_STATUSES.len()];
    let azure = cloud::azure_with(Reply::new(status, input), |_| Reply::new(500, ""));
    let account = cloud::account();
    let session = azure.session(&account.id, &cloud::azure_account()).expect("the account is good");
    match wait(session.sign_in()) {
        Ok(()) => {
            let body: Value = serde_json::from_slice(input).expect("no token comes from what is not JSON");
            let token = body["access_token"].as_str().expect("no token comes from an answer without one");
            assert!(status == 200 && !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic()));
        }
        Err(error) => said(&error, input, &[]),
    }
}

/// A certificate as the hub describes it, in answers to a read and to the request for a code.
pub fn iot_hub(input: &[u8]) {
    let wanted = hub::WANTED.sha1_thumbprint().to_string();
    let body: Value = serde_json::from_slice(input).unwrap_or_default();
    let told = &body["properties"];
    let is_wanted = told["thumbprint"].as_str().is_some_and(|it| it.eq_ignore_ascii_case(&wanted));
    let is_verified = told["isVerified"] == true;
    for status in [Value::Null, hub::ours()] {
        let is_ours = !status.is_null();
        let root = hub::resource(status);
        let answer = Reply::new(200, input);
        let hub = hub::connect(&root, move |_| answer.clone()).expect("the account is good");
        let observe = || wait(hub.observe(&root, &Goal::Absent, Freshness::Live));
        let (seen, again) = match (observe(), observe()) {
            (Ok(seen), Ok(again)) => (seen, again),
            (Err(error), Err(again)) => {
                assert_eq!(error, again, "one input, two results");
                said(&error, input, &[]);
                continue;
            }
            _ => panic!("one input, two results"),
        };
        bounded(&seen);
        let next = hub::next_call(&hub::PRESENT, &seen);
        assert_eq!(next, hub::next_call(&hub::PRESENT, &again), "one input, two results");
        match next {
            // Ready would be said.
            None if matches!(IotHub::next(&hub::PRESENT, &seen), Next::Done) => {
                assert!(is_wanted && is_verified, "another certificate, or one unverified, is called done");
            }
            None => assert!(!is_ours && !is_wanted, "what is ours waits for nobody"),
            Some("Replace") => assert!(is_ours, "what is not ours is replaced"),
            Some("RequestCode") => {
                assert!(is_wanted && !is_verified);
                code(&hub, &seen, input);
            }
            Some("Verify") => assert!(is_wanted && !is_verified),
            Some(other) => panic!("{other} follows from what is there"),
        }
        match hub::next_call(&Goal::Absent, &seen) {
            None => {}
            Some("Delete") => assert!(is_ours && is_wanted, "what was not last seen as ours is deleted"),
            Some(other) => panic!("{other} is no step of a deletion"),
        }
    }
}

/// Asks for a code, which the same body answers.
fn code(hub: &IotHub, seen: &hub::Observed, input: &[u8]) {
    let Next::Step(step) = IotHub::next(&hub::PRESENT, seen) else { unreachable!("it was asked before") };
    match wait(hub.apply(step)) {
        Ok(given) => bounded(&given.expect("no read shows the code, so the answer has to")),
        // An ETag that fits no header goes nowhere.
        Err(error) => said(&error, input, &[]),
    }
}

fn bounded(seen: &hub::Observed) {
    let remote = seen.there.first().expect("a success describes a certificate");
    assert!(remote.etag.len() <= ETAG);
    assert!(remote.code.as_ref().is_none_or(|it| it.as_str().len() <= VerificationCode::MAX));
    let Goal::Present(wanted) = &*hub::PRESENT else { unreachable!("it is") };
    let facts = IotHub::facts(wanted, seen).expect("there is a certificate");
    assert!(
        facts.remote.id.len() <= 1024 && facts.certificate.is_none_or(|it| it.subject.chars().count() <= 256)
    );
}
