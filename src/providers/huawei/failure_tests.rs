use super::*;
use crate::api::reason::Class;
use crate::http::HttpError;

fn failure(operation: Operation, status: u16, code: &str) -> Failure {
    let body = ErrorBody { code: Code::new(code), refusal: None };
    Failure { operation, what: What::Answered { status, body, retry_after: None } }
}

#[test]
fn each_code_has_one_meaning() {
    use Operation::*;
    use Reason::*;
    let table = [
        (400, "IOTDA.014300", Upload, QuotaExceeded, RETRY),
        (400, "IOTDA.014301", Upload, CertificateMalformed, RETRY),
        (400, "IOTDA.014301", Verify, ProofRejected, RETRY),
        (400, "IOTDA.014302", Upload, UploadRefused, REPLAN),
        (400, "IOTDA.014303", Upload, UploadRefused, REPLAN),
        (400, "IOTDA.014309", Upload, UploadRefused, REPLAN),
        (400, "IOTDA.014304", Delete, DeletionBlocked, RETRY),
        (404, "IOTDA.014306", Update, ConcurrentWrite, REREAD),
        (400, "IOTDA.014307", Verify, ProofRejected, REREAD_ONCE),
        (400, "IOTDA.014308", Verify, ProofRejected, RETRY),
        (403, "IOTDA.014319", Update, UpdateRefused, REREAD_ONCE),
        (400, "IOTDA.014320", Update, UpdateRefused, RETRY),
        (400, "IOTDA.000006", Update, SpecInvalid, RETRY),
        (400, "IOTDA.000008", Update, SpecInvalid, RETRY),
        (500, "IOTDA.000020", Read, CloudUnavailable, RETRY),
        (500, "IOTDA.000020", Upload, CloudUnavailable, REREAD),
        (403, "IOTDA.000021", List, AccessDenied, RETRY),
        (403, "IOTDA.000022", List, AccessDenied, RETRY),
        (403, "IOTDA.001005", Upload, TargetNotFound, RETRY),
        (403, "IOTDA.001006", Upload, TargetNotFound, RETRY),
        (403, "IOTDA.001007", Upload, TargetNotFound, RETRY),
        (401, "APIGW.0301", List, AuthenticationFailed, RETRY),
        (404, "APIGW.0101", List, EndpointMisconfigured, RETRY),
        (413, "APIGW.0201", Upload, SpecInvalid, RETRY),
        (429, "APIGW.0308", Upload, Throttled, Then::Retry { after: Some(THROTTLED) }),
        // Without a code that is known the status decides.
        (403, "IOTDA.000004", List, AccessDenied, RETRY),
        (404, "IOTDA.000004", List, TargetNotFound, RETRY),
        (400, "IOTDA.014306", Read, SpecInvalid, RETRY),
        (404, "", Read, EndpointMisconfigured, RETRY),
        (404, "APIGW.9999", Read, EndpointMisconfigured, RETRY),
        (405, "", Read, EndpointMisconfigured, RETRY),
        (302, "", Read, EndpointMisconfigured, RETRY),
        (401, "", Read, AuthenticationFailed, RETRY),
        (409, "", Update, ConcurrentWrite, RETRY),
        (429, "", Read, Throttled, Then::Retry { after: Some(THROTTLED) }),
        (502, "", Read, CloudUnavailable, RETRY),
        (502, "", Update, CloudUnavailable, REREAD),
        (418, "", Read, SpecInvalid, RETRY),
    ];
    for (status, code, operation, reason, then) in table {
        let error = common(&failure(operation, status, code));
        assert_eq!((error.reason, error.then), (reason, then), "{status} {code} {operation:?}: {error}");
    }
    let tested = |code: &str| table.iter().any(|it| it.1 == code);
    assert!(CODES.iter().all(|(code, ..)| tested(code)));
}

#[test]
fn only_the_services_own_404_is_absence() {
    assert!(failure(Operation::Read, 404, "IOTDA.014306").is_absence());
    for (status, code) in
        [(404, "APIGW.0101"), (404, ""), (404, "IOTDA.000004"), (400, "IOTDA.014306"), (410, "IOTDA.014306")]
    {
        let failure = failure(Operation::Delete, status, code);
        assert!(!failure.is_absence(), "{status} {code}");
        assert_ne!(common(&failure).reason.class(), Class::Fine);
    }
}

#[test]
fn messages_say_what_to_do_and_fit() {
    let longest = "A".repeat(64);
    let refusals = [Refusal::Clock, Refusal::Key, Refusal::Signature, Refusal::Token];
    let table = [
        (Some(Refusal::Clock), "clock"),
        (Some(Refusal::Key), "access key: it is unknown"),
        (Some(Refusal::Signature), "does not belong to the access key"),
        (Some(Refusal::Token), "security token"),
        (None, "does not say why"),
    ];
    for (refusal, part) in table {
        let body = ErrorBody { code: Code::new(&longest), refusal };
        let what = What::Answered { status: 401, body, retry_after: None };
        let error = common(&Failure { operation: Operation::List, what });
        assert!(error.message.contains(part) && error.message.chars().count() <= 256, "{error}");
    }
    assert!(refusals.iter().all(|it| table.iter().any(|(refusal, _)| refusal == &Some(*it))));
    for status in 300..=599 {
        let error = common(&failure(Operation::List, status, &longest));
        assert!(error.message.chars().count() <= 256, "{error}");
    }
    for (code, ..) in CODES {
        let error = common(&failure(Operation::List, 404, code));
        assert!(error.message.chars().count() <= 256 && error.message.contains(code), "{error}");
    }
    let denied = common(&failure(Operation::Read, 403, "IOTDA.000022"));
    assert!(denied.message.contains("iotda:certificate:query"), "{denied}");
}

#[test]
fn what_was_not_answered_is_read_before_a_write_is_repeated() {
    let what = What::from(Fault::Unanswered(HttpError::TimedOut));
    for (operation, then) in [(Operation::Upload, REREAD), (Operation::List, RETRY)] {
        let error = common(&Failure { operation, what: what.clone() });
        assert_eq!((error.reason, error.then), (Reason::TimedOut, then));
    }
    let held = CloudError::new(Reason::AuthenticationFailed, "m");
    assert_eq!(common(&Failure { operation: Operation::List, what: What::Held(held.clone()) }), held);
}
