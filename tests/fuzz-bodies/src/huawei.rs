//! What IoTDA, its gateway and IAM answer. Whatever it is, it has a meaning, nothing of its text gets into a message but a
//! code, and nothing but the service's own word is taken for absence.

use std::future::ready;

use certferry::engine::clock::Clock;
use certferry::engine::error::CloudError;
use certferry::engine::term::Term;
use certferry::http::{Http, HttpError, Plan};
use certferry::providers::huawei::{Call, Failure, Flag, Huawei, Operation, What, Whereabouts, date};
use certferry::source::account::{AccountId, HuaweiAccount, HuaweiEnvironment, HuaweiKeys};
use serde::Deserialize;
use serde_json::Value;
use tower::service_fn;

use crate::cloud::{Reply, wait};
use crate::hub::now;
use crate::plain;

/// The statuses of answers: the input's length chooses.
const STATUSES: [u16; 13] = [400, 404, 401, 403, 429, 500, 409, 413, 302, 405, 410, 502, 503];
const OPERATIONS: [Operation; 6] = [
    Operation::List,
    Operation::Read,
    Operation::Upload,
    Operation::Verify,
    Operation::Update,
    Operation::Delete,
];
pub(crate) const PROJECT: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";

/// An error's body, for each operation.
pub fn error(input: &[u8]) {
    let status = STATUSES[input.len() % STATUSES.len()];
    for operation in OPERATIONS {
        let failure = failed(status, input, operation);
        let again = failed(status, input, operation);
        let (What::Answered { body, .. }, What::Answered { body: second, .. }) = (&failure.what, &again.what)
        else {
            panic!("an answer with status {status} was taken for {:?}", failure.what)
        };
        assert_eq!(body, second, "one input, two results");
        assert!(body.refusal.is_none() || status == 401);
        let code = body.code.as_ref().map(|it| it.as_str().to_owned());
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        assert!(code.iter().all(|it| (1..=64).contains(&it.len()) && it.bytes().all(fine)), "{code:?}");
        if failure.is_absence() {
            assert!(
                status == 404 && code.as_deref().is_some_and(|it| it.eq_ignore_ascii_case("IOTDA.014306"))
            );
        }
        // The action is the operator's own word, also if the input has it.
        let may_quote = [code.as_deref().unwrap_or("-"), operation.action()];
        plain::text(&CloudError::from(failure).message, input, &may_quote);
    }
}

/// Members of an answer that are read leniently.
pub fn members(input: &[u8]) {
    #[derive(Deserialize)]
    struct Members {
        #[serde(default)]
        flag: Flag,
        #[serde(default, deserialize_with = "date")]
        date: Option<jiff::Timestamp>,
    }
    let Ok(body) = serde_json::from_slice::<Value>(input) else { return };
    if !body.is_object() {
        return; // members may come by their places as well; the services do not write them so
    }
    let read: Members = serde_json::from_value(body.clone()).expect("an odd member is unknown, not a fault");
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    match read.flag {
        Flag::On => assert!(body["flag"] == true || ["true", "true,"].contains(&&*text("flag"))),
        Flag::Off => assert!(
            body["flag"].is_null() || body["flag"] == false || ["false", "false,"].contains(&&*text("flag"))
        ),
        Flag::Unknown => assert!(!body["flag"].is_boolean() && !body["flag"].is_null()),
    }
    if let Some(date) = read.date {
        let digits: String = date.to_string().chars().filter(|it| !matches!(it, '-' | ':')).collect();
        let no_end = date == jiff::Timestamp::MAX && text("date") == "99991231T235959Z";
        assert!(no_end || digits == text("date"), "{digits}");
    }
}

/// A cloud that answers every request like that.
pub(crate) fn cloud(reply: Reply) -> Huawei {
    let wire = service_fn(move |_: Plan| ready(Ok::<_, HttpError>(reply.clone().answer())));
    Huawei::over(Http::over(wire), Term::endless("only"))
}

pub(crate) fn id() -> AccountId {
    AccountId { display: "CloudAccount `huawei`".to_owned(), uid: "1".to_owned() }
}

pub(crate) fn account() -> HuaweiAccount {
    let keys = HuaweiKeys {
        access_key_id: "AK".to_owned(),
        secret: "a-secret".to_owned().into(),
        security_token: None,
    };
    HuaweiAccount { environment: HuaweiEnvironment::Public, keys }
}

fn failed(status: u16, body: &[u8], operation: Operation) -> Failure {
    let session = cloud(Reply::new(status, body)).session(&id(), &account()).expect("the account is good");
    let whereabouts =
        Whereabouts { region: "cn-north-4", project_id: Some(PROJECT), instance_id: None, host: None };
    wait(async {
        let place = session.place(&whereabouts, &Clock::fixed(now())).await.expect("the place is good");
        place.call(&Call::new(operation, &["certificates"])).await.expect_err("it is no success")
    })
}
