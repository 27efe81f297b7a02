use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::super::error_body;
use super::*;
use crate::api::reason::Class;
use crate::engine::error::Then;
use crate::http::{Answer, Distrust, HttpError, NoConnection, Refusal};

const ACTION: &str = "Microsoft.Devices/iotHubs/certificates/write";

fn failure(what: What, write: bool) -> Failure {
    Failure { service: Service::ResourceManager, what, write, action: ACTION }
}

fn answered(status: u16, body: &str, write: bool) -> Failure {
    let body = error_body::parse(&Answer::of(status, body));
    failure(What::Answered { status, body, retry_after: Some(Duration::from_secs(7)) }, write)
}

fn arm(code: &str) -> String {
    format!(r#"{{"error":{{"code":"{code}","message":"m"}}}}"#)
}

#[test]
fn an_answer_has_one_meaning() {
    use Reason::*;
    const RETRY: Then = Then::Retry { after: None };
    const READ: Then = Then::Reread { tries: 3 };
    const WAIT: Then = Then::Retry { after: Some(Duration::from_secs(7)) };
    let table = [
        // status, body, after a read, after a write
        (301, String::new(), EndpointMisconfigured, RETRY, RETRY),
        (307, arm("Whatever"), EndpointMisconfigured, RETRY, RETRY),
        (400, arm("BadRequest"), SpecInvalid, RETRY, RETRY),
        (400, String::new(), SpecInvalid, RETRY, RETRY),
        (401, arm("InvalidAuthenticationToken"), AuthenticationFailed, RETRY, RETRY),
        (401, arm("InvalidAuthenticationTokenTenant"), AuthenticationFailed, RETRY, RETRY),
        (401, String::new(), AuthenticationFailed, RETRY, RETRY),
        (403, arm("AuthorizationFailed"), AccessDenied, RETRY, RETRY),
        (403, String::new(), AccessDenied, RETRY, RETRY),
        (403, arm("RequestDisallowedByPolicy"), PolicyDenied, RETRY, RETRY),
        (409, arm("ScopeLocked"), PolicyDenied, RETRY, RETRY),
        (409, arm("scopelocked"), PolicyDenied, RETRY, RETRY),
        (404, arm("ResourceNotFound"), TargetNotFound, RETRY, RETRY),
        (404, arm("ParentResourceNotFound"), TargetNotFound, RETRY, RETRY),
        (404, arm("ResourceGroupNotFound"), TargetNotFound, RETRY, RETRY),
        (404, arm("SubscriptionNotFound"), TargetNotFound, RETRY, RETRY),
        (404, "<html>".to_owned(), TargetNotFound, RETRY, RETRY),
        (408, String::new(), CloudUnavailable, WAIT, READ),
        (409, arm("MissingSubscriptionRegistration"), ProviderNotRegistered, RETRY, RETRY),
        (409, arm("Conflict"), ConcurrentWrite, WAIT, WAIT),
        (412, r#"{"code":412001}"#.to_owned(), ConcurrentWrite, READ, READ),
        (413, String::new(), SpecInvalid, RETRY, RETRY),
        (429, arm("TooManyRequests"), Throttled, WAIT, WAIT),
        (429, arm("QuotaExceeded"), QuotaExceeded, RETRY, RETRY),
        (500, r#"{"code":500019}"#.to_owned(), CloudUnavailable, WAIT, READ),
        (502, "<html>".to_owned(), CloudUnavailable, WAIT, READ),
        (503, String::new(), CloudUnavailable, WAIT, READ),
        (504, String::new(), CloudUnavailable, WAIT, READ),
    ];
    for (status, body, reason, after_read, after_write) in table {
        for (write, then) in [(false, after_read), (true, after_write)] {
            let error = common(&answered(status, &body, write));
            assert_eq!((error.reason, error.then), (reason, then), "{status} {body} {write}");
        }
    }
}

#[test]
fn what_was_not_answered_is_read_before_a_write_is_repeated() {
    use Reason::*;
    let untrusted = NoConnection::Untrusted(Distrust::UnknownIssuer);
    let table = [
        (Fault::Unanswered(HttpError::TimedOut), TimedOut, true),
        (Fault::Unanswered(HttpError::Cut), CloudUnavailable, true),
        (Fault::Unanswered(HttpError::TooLarge), CloudUnavailable, true),
        (Fault::Unanswered(HttpError::Encoded), CloudUnavailable, true),
        (Fault::Unreadable, CloudUnavailable, true),
        (Fault::Unanswered(NoConnection::Name.into()), CloudUnavailable, false),
        (Fault::Unanswered(NoConnection::Unreachable.into()), CloudUnavailable, false),
        (Fault::Unanswered(NoConnection::Handshake.into()), CloudUnavailable, false),
        (Fault::Unanswered(untrusted.into()), EndpointMisconfigured, false),
        (Fault::Unanswered(Refusal::Address.into()), EndpointMisconfigured, false),
        (Fault::Unanswered(Refusal::Segment.into()), SpecInvalid, false),
    ];
    for (fault, reason, unknown) in table {
        let error = common(&failure(fault.into(), true));
        assert_eq!((error.reason, matches!(error.then, Then::Reread { .. })), (reason, unknown), "{fault:?}");
        assert_eq!(common(&failure(fault.into(), false)).then, Then::Retry { after: None });
    }
    assert_eq!(common(&failure(What::Working, true)).then, Then::Reread { tries: 3 });
    let no_token = CloudError::new(AuthenticationFailed, "m");
    assert_eq!(common(&failure(What::NoToken(no_token.clone()), true)), no_token);
}

#[test]
fn messages_say_what_to_do() {
    let table = [
        (answered(403, &arm("AuthorizationFailed"), true), ACTION),
        (answered(403, &arm("AuthorizationFailed"), true), "(code AuthorizationFailed)"),
        (answered(409, &arm("MissingSubscriptionRegistration"), true), "--namespace Microsoft.Devices"),
        (answered(412, r#"{"code":412001,"message":"errorcode: IH412001"}"#, true), "(code IH412001)"),
        (answered(401, &arm("InvalidAuthenticationTokenTenant"), true), "tenantId"),
        (
            failure(Fault::Unanswered(NoConnection::Untrusted(Distrust::UnknownIssuer).into()).into(), true),
            "caBundle",
        ),
    ];
    for (failure, part) in table {
        let message = common(&failure).message;
        assert!(message.contains(part), "{message}");
    }
}

proptest! {
    #[test]
    fn no_text_of_the_service_is_shown(
        status in 100u16..600,
        canary in "[a-z ]{16,40}!",
        code in prop_oneof!["[A-Za-z0-9._-]{1,64}", "[a-z ]{16,80}", Just("ScopeLocked".to_owned())],
        shape in 0..4,
        write: bool,
    ) {
        let detail = json!({"code": canary, "message": canary});
        let body = match shape {
            0 => json!({"error": {"code": code, "message": canary, "target": canary, "details": [detail]}}).to_string(),
            1 => json!({"code": code, "httpStatusCode": canary, "message": canary}).to_string(),
            2 => json!({"error": code, "error_description": canary}).to_string(),
            _ => canary.clone(),
        };
        let error = common(&answered(status, &body, write));
        prop_assert!(error.message.len() <= 256 && error.message.bytes().all(|b| (b' '..=b'~').contains(&b)));
        for window in canary.as_bytes().windows(16) {
            prop_assert!(!error.message.as_bytes().windows(16).any(|part| part == window), "{}", error.message);
        }
        prop_assert_eq!(error, common(&answered(status, &body, write)), "the same bytes for the same situation");
    }
}

#[test]
fn the_longest_texts_fit() {
    const LONG: &str = "Microsoft.ApiManagement/service/workspaces/certificates/refreshSecret/action";
    let code = "W".repeat(64);
    for status in 300..600 {
        let mut failure = answered(status, &arm(&code), true);
        failure.action = LONG;
        let error = common(&failure);
        assert!(error.message.len() <= 256, "{} {}", error.message.len(), error.message);
        assert_ne!(error.reason.class(), Class::Fine);
    }
    for (code, ..) in CODES.iter().copied().chain(UNREGISTERED.map(|code| (code, Reason::Ready, ""))) {
        let message = common(&answered(400, &arm(code), true)).message;
        assert!(message.len() <= 256, "{message}");
    }
}
