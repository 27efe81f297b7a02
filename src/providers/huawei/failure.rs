//! A call that did not succeed, and the one table of what follows from each code.
//!
//! Source: Huawei Cloud, IoTDA API reference, "Error Codes". What the texts there leave open is settled by reading again.

use std::time::Duration;

use super::call::Operation;
use super::error_body::{ErrorBody, Refusal};
use crate::api::reason::Reason;
use crate::engine::error::{CloudError, Then};
use crate::providers::code::Code;
use crate::providers::failure::{Fault, by_status, unknown_if};

/// The only code that says that there is no such certificate.
const ABSENT: &str = "IOTDA.014306";

/// A throttled caller is left alone for so long at least: the gateway counts over minutes, and seldom says when to return.
pub(super) const THROTTLED: Duration = Duration::from_secs(30);

/// A call that did not succeed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What the call was for.
    pub operation: Operation,
    /// What came instead of success.
    pub what: What,
}

/// What came instead of success.
#[derive(Clone, Debug)]
pub enum What {
    /// An answer that is no success.
    Answered {
        /// Its status.
        status: u16,
        /// What its body says.
        body: ErrorBody,
        /// How long the service asked to be left alone.
        retry_after: Option<Duration>,
    },
    /// No call: the host refused the account's keys a short time ago.
    Held(CloudError),
    /// Nothing to judge.
    Fault(Fault),
}

impl From<Fault> for What {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// A code, the operations for which it says this (any unless some are named), and what it says. The first row that fits
/// counts.
type Row = (&'static str, &'static [Operation], Reason, Then, &'static str);

const ANY: &[Operation] = &[];
const RETRY: Then = Then::Retry { after: None };
const REREAD: Then = Then::Reread { tries: 3 };
const REREAD_ONCE: Then = Then::Reread { tries: 1 };
const REPLAN: Then = Then::Replan;

const CODES: &[Row] = &[
    (
        "IOTDA.014300",
        ANY,
        Reason::QuotaExceeded,
        RETRY,
        "The instance has as many CA certificates as it may: remove some, or have the quota raised. A changed one \
         stands beside the old one first",
    ),
    (
        "IOTDA.014301",
        &[Operation::Verify],
        Reason::ProofRejected,
        RETRY,
        "The proof of possession is not a certificate that the service can read",
    ),
    (
        "IOTDA.014301",
        ANY,
        Reason::CertificateMalformed,
        RETRY,
        "The service cannot read the certificate: check the source",
    ),
    (
        "IOTDA.014302",
        ANY,
        Reason::UploadRefused,
        REPLAN,
        "The service refused the certificate: check it, and whether another resource space holds it already",
    ),
    // That it exists is among these three; which one says so is not documented.
    (
        "IOTDA.014303",
        ANY,
        Reason::UploadRefused,
        REPLAN,
        "The service refused the certificate: check it, and whether another resource space holds it already",
    ),
    (
        "IOTDA.014304",
        ANY,
        Reason::DeletionBlocked,
        RETRY,
        "The service does not delete the certificate: a template or a device may still use it",
    ),
    (
        ABSENT,
        ANY,
        Reason::ConcurrentWrite,
        REREAD,
        "The certificate was gone when it was called for; it is looked for again",
    ),
    (
        "IOTDA.014307",
        ANY,
        Reason::ProofRejected,
        REREAD_ONCE,
        "The proof's common name is not the verification code that the service expects",
    ),
    (
        "IOTDA.014308",
        ANY,
        Reason::ProofRejected,
        RETRY,
        "The service refused the proof of possession: check that the key signs for this certificate",
    ),
    (
        "IOTDA.014309",
        ANY,
        Reason::UploadRefused,
        REPLAN,
        "The service refused the certificate: check it, and whether another resource space holds it already",
    ),
    (
        "IOTDA.014319",
        ANY,
        Reason::UpdateRefused,
        REREAD_ONCE,
        "The service refused the settings: the certificate may be unverified, or the edition without them",
    ),
    (
        "IOTDA.014320",
        ANY,
        Reason::UpdateRefused,
        RETRY,
        "The service refused the settings: check that the template exists and is for pre-provisioning",
    ),
    (
        "IOTDA.000006",
        ANY,
        Reason::SpecInvalid,
        RETRY,
        "The service refused a value: check the resource's spec",
    ),
    (
        "IOTDA.000008",
        ANY,
        Reason::SpecInvalid,
        RETRY,
        "The service could not read the request: check the resource's spec",
    ),
    ("IOTDA.000020", ANY, Reason::CloudUnavailable, RETRY, "The service failed inside"),
    (
        "IOTDA.000021",
        ANY,
        Reason::AccessDenied,
        RETRY,
        "IoTDA is not subscribed in the project, or does not know the account's user",
    ),
    ("IOTDA.000022", ANY, Reason::AccessDenied, RETRY, "The account's user lacks a permission"),
    (
        "IOTDA.001005",
        ANY,
        Reason::TargetNotFound,
        RETRY,
        "The resource space does not exist or is another's: check `spec.appId`",
    ),
    (
        "IOTDA.001006",
        ANY,
        Reason::TargetNotFound,
        RETRY,
        "The resource space does not exist or is another's: check `spec.appId`",
    ),
    (
        "IOTDA.001007",
        ANY,
        Reason::TargetNotFound,
        RETRY,
        "The resource space does not exist or is another's: check `spec.appId`",
    ),
    (
        "APIGW.0101",
        ANY,
        Reason::EndpointMisconfigured,
        RETRY,
        "The host does not serve this call: check region, host and the account's endpoints",
    ),
    (
        "APIGW.0201",
        ANY,
        Reason::SpecInvalid,
        RETRY,
        "The request is too large for the service: check the source",
    ),
    (
        "APIGW.0301",
        ANY,
        Reason::AuthenticationFailed,
        RETRY,
        "The service refused the account's keys: check its Secret",
    ),
    (
        "APIGW.0308",
        ANY,
        Reason::Throttled,
        Then::Retry { after: Some(THROTTLED) },
        "The service asked for fewer requests",
    ),
];

impl Failure {
    /// The status, if there was an answer that is no success.
    pub fn status(&self) -> Option<u16> {
        match self.what {
            What::Answered { status, .. } => Some(status),
            What::Held(_) | What::Fault(_) => None,
        }
    }

    /// Whether the answer has this code, without letter case.
    pub fn has_code(&self, code: &str) -> bool {
        self.code().is_some_and(|it| it.is(code))
    }

    /// Whether the service itself says that there is no such certificate. A gateway's 404 is a wrong endpoint, and one
    /// without a code is somebody else's.
    pub fn is_absence(&self) -> bool {
        self.status() == Some(404) && self.has_code(ABSENT)
    }

    /// How the service names the failure, for messages: ` (code X)`, or nothing.
    pub fn named(&self) -> String {
        self.code().map(|code| format!(" (code {})", code.as_str())).unwrap_or_default()
    }

    fn code(&self) -> Option<&Code> {
        match &self.what {
            What::Answered { body, .. } => body.code.as_ref(),
            What::Held(_) | What::Fault(_) => None,
        }
    }
}

impl From<Failure> for CloudError {
    fn from(failure: Failure) -> Self {
        common(&failure)
    }
}

/// What follows from a failure where the kind's own table has nothing to say.
pub fn common(failure: &Failure) -> CloudError {
    let operation = failure.operation;
    match &failure.what {
        What::Held(error) => error.clone(),
        What::Fault(fault) => fault.judged(operation.service(), operation.is_write()),
        What::Answered { status: 401, body, .. } => refused(failure, body.refusal),
        What::Answered { status, retry_after, .. } => answered(failure, *status, *retry_after),
    }
}

fn answered(failure: &Failure, status: u16, retry_after: Option<Duration>) -> CloudError {
    let (operation, named) = (failure.operation, failure.named());
    let row = CODES.iter().find(|(code, operations, ..)| {
        failure.has_code(code) && (operations.is_empty() || operations.contains(&operation))
    });
    // A certificate is absent by that code with that status only.
    let row = row.filter(|(code, ..)| *code != ABSENT || status == 404);
    if let Some((_, _, reason, then, text)) = row {
        let text = match reason {
            Reason::AccessDenied => format!("{text}, for {}{named}.", operation.action()),
            _ => format!("{text}{named}."),
        };
        let error = CloudError { reason: *reason, message: text, then: *then };
        return match reason {
            Reason::Throttled => error.retry_after(Some(retry_after.unwrap_or_default().max(THROTTLED))),
            Reason::CloudUnavailable => unknown_if(operation.is_write(), error),
            _ => error,
        };
    }
    let service = operation.service();
    if let Some(error) = by_status(service, status, &named, retry_after, operation.is_write()) {
        return match status {
            429 => error.retry_after(Some(retry_after.unwrap_or_default().max(THROTTLED))),
            _ => error,
        };
    }
    let is_the_services = failure.code().is_some_and(|it| it.as_str().starts_with("IOTDA."));
    let (reason, text) = match status {
        403 => (Reason::AccessDenied, format!("The account's user lacks {}{named}.", operation.action())),
        404 | 410 if is_the_services => (
            Reason::TargetNotFound,
            format!("{service} does not find the target{named}. Check project, instance and resource space."),
        ),
        // IoTDA knows no preconditions.
        404 | 410 | 405 | 412 => (
            Reason::EndpointMisconfigured,
            format!(
                "What answers is not {service}: status {status}{named}. Check region, host and the account's endpoints."
            ),
        ),
        409 => (Reason::ConcurrentWrite, format!("Another change is under way{named}; it is tried again.")),
        _ => (
            Reason::SpecInvalid,
            format!("{service} refused the request with status {status}{named}. Check the resource's spec."),
        ),
    };
    CloudError::new(reason, text)
}

/// A 401, by what it is about. Nothing here can renew the keys: a replaced Secret makes another session.
fn refused(failure: &Failure, about: Option<Refusal>) -> CloudError {
    let (service, named) = (failure.operation.service(), failure.named());
    let text = match about {
        Some(Refusal::Clock) => {
            "the request's date: the clock of the operator's node is 15 minutes off or more. Set the clock; the keys may \
             be right"
        }
        Some(Refusal::Key) => {
            "the access key: it is unknown, disabled or deleted. Put a valid one into the Secret"
        }
        Some(Refusal::Signature) => {
            "the signature: the secret does not belong to the access key, or the host takes the other scheme \
             (`endpoints.signing`)"
        }
        Some(Refusal::Token) => {
            "the security token: it is over, or not that of the access key. Put new temporary keys into the Secret"
        }
        None => "the account's keys, and does not say why. Check the Secret and the host",
    };
    CloudError::new(Reason::AuthenticationFailed, format!("{service} refused {text}{named}."))
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
