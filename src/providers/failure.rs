//! What every service's calls may fail by, and what follows from it: no answer, an answer that says nothing of its own.

use std::time::Duration;

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::{HttpError, NoConnection, Refusal};

/// Why there is no answer to judge.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    /// A success that cannot be read.
    Unreadable,
    /// No answer.
    Unanswered(HttpError),
    /// No call: it would have to wait so long for its turn.
    Paced(Duration),
    /// No call: this process may not write any more.
    TermOver,
}

impl Fault {
    /// What follows from it, for a call to this service that was a write or not.
    pub(super) fn judged(self, service: &str, write: bool) -> CloudError {
        match self {
            Self::Paced(wait) => CloudError::new(
                Reason::Throttled,
                format!(
                    "The account's calls are held back: it is near its limit, or {service} asked for a pause."
                ),
            )
            .retry_after(Some(wait)),
            Self::TermOver => CloudError::new(
                Reason::CloudUnavailable,
                "This replica does not lead any more; the one that does goes on.",
            ),
            Self::Unanswered(error) => {
                let said = unanswered(error, service);
                if error.certainly_unseen() { said } else { unknown_if(write, said) }
            }
            Self::Unreadable => {
                let said = format!(
                    "{service} reported success with a body that cannot be read. If it lasts, check what stands \
                     between the operator and the endpoint."
                );
                unknown_if(write, CloudError::new(Reason::CloudUnavailable, said))
            }
        }
    }
}

/// What follows from a status that says the same wherever it comes from; `named` is how the service names the failure,
/// in brackets after a space, or nothing.
pub(super) fn by_status(
    service: &str,
    status: u16,
    named: &str,
    retry_after: Option<Duration>,
    write: bool,
) -> Option<CloudError> {
    let error = match status {
        300..=399 => CloudError::new(
            Reason::EndpointMisconfigured,
            format!(
                "The endpoint of {service} answered with a redirect, which is never followed. Check the account's \
                 endpoints."
            ),
        ),
        408 | 500..=599 => {
            let said = format!("{service} failed with status {status}{named}.");
            let error = CloudError::new(Reason::CloudUnavailable, said);
            unknown_if(write, error.retry_after(retry_after))
        }
        429 => {
            let said = format!("{service} asked for fewer requests{named}.");
            CloudError::new(Reason::Throttled, said).retry_after(retry_after)
        }
        _ => return None,
    };
    Some(error)
}

/// What follows where a service did not answer at all, before it is asked whether the call was a write.
pub(super) fn unanswered(error: HttpError, service: &str) -> CloudError {
    match error {
        HttpError::Refused(Refusal::Address) => CloudError::new(
            Reason::EndpointMisconfigured,
            format!(
                "The {service}'s host resolves to an address that no cloud service has (loopback, link-local or the \
                 like). Check the cluster's DNS and the account's endpoints."
            ),
        ),
        HttpError::Refused(refusal) => CloudError::new(
            Reason::SpecInvalid,
            format!("The request to the {service} was refused before it was sent: {refusal}."),
        ),
        HttpError::NotSent(NoConnection::Untrusted(why)) => CloudError::new(
            Reason::EndpointMisconfigured,
            format!(
                "The {service}'s TLS certificate is not trusted: {why}. For endpoints of your own put their CA \
                 into the account's caBundle."
            ),
        ),
        HttpError::NotSent(why) => CloudError::new(
            Reason::CloudUnavailable,
            format!(
                "The {service} was not reached: {why}. If it lasts, check DNS, egress policy and endpoints."
            ),
        ),
        HttpError::TimedOut => {
            CloudError::new(Reason::TimedOut, format!("The {service} did not answer within 30 s."))
        }
        HttpError::Cut | HttpError::TooLarge | HttpError::Encoded => CloudError::new(
            Reason::CloudUnavailable,
            format!("No usable answer from the {service}: {error}."),
        ),
    }
}

/// After a write that may have taken effect, the object is read before anything is repeated.
pub(super) fn unknown_if(write: bool, error: CloudError) -> CloudError {
    if write { error.reread() } else { error }
}
