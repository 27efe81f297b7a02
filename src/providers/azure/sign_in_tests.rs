use super::*;
use crate::http::{Distrust, NoConnection, Refusal};

fn read(status: u16, body: &str) -> Result<(), NoToken> {
    NoToken::check(&Answer::of(status, body), None)
}

fn token(token: &str, life: &str) -> String {
    format!(r#"{{"token_type":"Bearer","access_token":{token},"expires_in":{life}}}"#)
}

#[test]
fn only_a_usable_token_is_one() {
    assert_eq!(read(200, &token("\"abc.def\"", "3599")), Ok(()));
    for body in [
        String::new(),
        "{}".to_owned(),
        "<html>".to_owned(),
        token("\"\"", "3599"),
        token("null", "3599"),
        token("\"a\\r\\nb\"", "3599"),
        token("\"a b\"", "3599"),
        token("\"ü\"", "3599"),
        token("\"abc\"", "0"),
        token("\"abc\"", "-1"),
        token("\"abc\"", "9223372036854775807"),
        token("\"abc\"", "604801"),
        token("\"abc\"", "\"3599\""),
    ] {
        assert_eq!(read(200, &body), Err(NoToken::Unreadable), "{body}");
    }
    assert!(read(201, &token("\"abc\"", "3599")).is_err());
}

#[test]
fn an_authoritys_answer_has_one_meaning() {
    use Reason::*;
    let numbered =
        |number: u32| format!(r#"{{"error":"e","error_description":"secret","error_codes":[{number}]}}"#);
    let table = [
        (400, numbered(90002), AuthenticationFailed, "AADSTS90002", Pace::Refused),
        (400, numbered(700016), AuthenticationFailed, "clientId", Pace::Refused),
        (401, numbered(7000215), AuthenticationFailed, "not its ID", Pace::Refused),
        (401, numbered(7000222), AuthenticationFailed, "expired", Pace::Refused),
        (401, numbered(7000112), AuthenticationFailed, "disabled", Pace::Refused),
        (400, numbered(70011), AuthenticationFailed, "scope", Pace::Refused),
        (400, numbered(500011), AuthenticationFailed, "scope", Pace::Refused),
        (400, numbered(12345), AuthenticationFailed, "AADSTS12345", Pace::Refused),
        (404, numbered(90002), AuthenticationFailed, "AADSTS90002", Pace::Refused),
        (400, numbered(90033), CloudUnavailable, "AADSTS90033", Pace::Passing),
        (400, "{}".to_owned(), AuthenticationFailed, "status 400", Pace::Refused),
        (401, String::new(), AuthenticationFailed, "status 401", Pace::Refused),
        (404, "<html>".to_owned(), EndpointMisconfigured, "status 404", Pace::Refused),
        (201, "{}".to_owned(), EndpointMisconfigured, "status 201", Pace::Refused),
        (302, String::new(), EndpointMisconfigured, "redirect", Pace::Refused),
        (307, numbered(1), EndpointMisconfigured, "redirect", Pace::Refused),
        (408, String::new(), CloudUnavailable, "408", Pace::Passing),
        (429, numbered(90025), Throttled, "fewer", Pace::Passing),
        (500, numbered(90033), CloudUnavailable, "500", Pace::Passing),
        (503, "<html>".to_owned(), CloudUnavailable, "503", Pace::Passing),
    ];
    for (status, body, reason, part, pace) in table {
        let why = read(status, &body).unwrap_err();
        let error = error(&why);
        assert_eq!((error.reason, why.pace().0), (reason, pace), "{status} {body}");
        assert!(error.message.contains(part), "{}", error.message);
        assert!(!error.message.contains("secret\""), "{}", error.message);
    }
}

#[test]
fn an_authority_that_does_not_answer() {
    let untrusted = NoConnection::Untrusted(Distrust::UnknownIssuer);
    let table = [
        (HttpError::NotSent(NoConnection::Unreachable), Reason::CloudUnavailable, Pace::Passing),
        (HttpError::NotSent(NoConnection::Name), Reason::CloudUnavailable, Pace::Passing),
        (HttpError::TimedOut, Reason::TimedOut, Pace::Passing),
        (HttpError::Cut, Reason::CloudUnavailable, Pace::Passing),
        (HttpError::NotSent(untrusted), Reason::EndpointMisconfigured, Pace::Refused),
        (HttpError::Refused(Refusal::Address), Reason::EndpointMisconfigured, Pace::Refused),
    ];
    for (why, reason, pace) in table {
        let why = NoToken::Unanswered { error: why, place: "token endpoint" };
        assert_eq!((error(&why).reason, why.pace().0), (reason, pace), "{why:?}");
    }
}

#[test]
fn an_instance_metadata_services_answer_has_one_meaning() {
    use Reason::*;
    let until = Timestamp::now().as_second() + 3600;
    let token = |until: &str| {
        format!(r#"{{"access_token":"abc","expires_in":"3599","expires_on":{until},"token_type":"Bearer"}}"#)
    };
    let read = |status, body: &str| NoToken::check_metadata(&Answer::of(status, body), None);
    assert_eq!(read(200, &token(&format!("\"{until}\""))), Ok(()));
    for bad in ["\"1\"", "\"\"", "\"9223372036854775807\"", "\"-9223372036854775808\"", "null", "3"] {
        assert_eq!(read(200, &token(bad)), Err(NoToken::Unreadable), "{bad}");
    }
    for (status, reason, pace) in [
        (400, AuthenticationFailed, Pace::Refused),
        (403, AuthenticationFailed, Pace::Refused),
        (404, CloudUnavailable, Pace::Passing),
        (410, CloudUnavailable, Pace::Passing),
        (429, Throttled, Pace::Passing),
        (503, CloudUnavailable, Pace::Passing),
        (302, EndpointMisconfigured, Pace::Refused),
    ] {
        let why = read(status, r#"{"error":"invalid_request","error_description":"AADSTS1"}"#).unwrap_err();
        assert_eq!((error(&why).reason, why.pace().0), (reason, pace), "{status}");
        assert!(error(&why).message.len() <= 256);
    }
}

#[test]
fn pauses_grow_to_a_limit() {
    let seconds =
        |pace: Pace| [0, 1, 2, 3, 6, 7, 8, 100, u32::MAX].map(|failures| pace.pause(failures).as_secs());
    assert_eq!(seconds(Pace::Refused), [10, 10, 20, 40, 320, 600, 600, 600, 600]);
    assert_eq!(seconds(Pace::Passing), [1, 1, 2, 4, 32, 60, 60, 60, 60]);
}

#[test]
fn texts_fit() {
    for (number, _) in KNOWN.iter().copied().chain([(u32::MAX, "")]) {
        let answered = NoToken::Answered { status: 400, number: Some(number), retry_after: None };
        let message = error(&answered).message;
        assert!(message.len() <= 256 && message.is_ascii(), "{message}");
    }
    for why in [
        HttpError::NotSent(NoConnection::Untrusted(Distrust::UnknownIssuer)),
        HttpError::NotSent(NoConnection::Name),
        HttpError::Refused(Refusal::Address),
        HttpError::Refused(Refusal::Segment),
        HttpError::Refused(Refusal::Header),
        HttpError::Encoded,
    ] {
        for service in ["token endpoint", "Azure Resource Manager"] {
            let message = unanswered(why, service).message;
            assert!(message.len() <= 256 && message.is_ascii(), "{message}");
        }
    }
    for why in [NoToken::Unreadable, NoToken::Client] {
        assert!(error(&why).message.len() <= 256);
    }
}
