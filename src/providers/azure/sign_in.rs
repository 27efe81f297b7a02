//! What a token endpoint's answer means: one table for the numbers that Entra gives, one for everything else.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use super::error_body;
use crate::api::reason::{Invalid, Reason};
use crate::engine::error::CloudError;
use crate::http::{Answer, HttpError};
use crate::providers::failure::unanswered;

/// The longest life of a token that is believed. Entra's live for an hour or a day; more is a sign of something else
/// answering, and a sum of times that overflows.
pub(super) const LONGEST_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Entra's numbers that say what to do. The rest is told by number alone.
const KNOWN: &[(u32, &str)] = &[
    (7000215, "The client secret is wrong: the Secret must hold the secret's value, not its ID"),
    (7000222, "The client secret has expired: make a new one and put it into the Secret"),
    (7000218, "The application wants a client secret and none arrived: check the Secret's key"),
    (7000112, "The application is disabled: enable its service principal, or use another"),
    (700016, "The tenant has no such application: check clientId and tenantId"),
    (700027, "The application's certificate or assertion was refused: check its credentials in Entra"),
    (70011, "The scope is not valid: check the account's Resource Manager scope"),
    (500011, "The tenant does not know the resource of the scope: check the account's cloud and scope"),
    (500014, "The resource of the scope is disabled in the tenant: check the account's cloud and scope"),
    (90002, "There is no such tenant in this cloud: check tenantId and cloud"),
    (900023, "The tenant's name is not valid: check tenantId"),
    (900382, "The tenant belongs to another cloud: check cloud and tenantId"),
    (900432, "The authority does not serve this tenant's cloud: check cloud and tenantId"),
    (53003, "A conditional access policy blocks the application: have it excluded or adapted"),
    (
        700211,
        "The application trusts no such token issuer: give its federated credential this cluster's issuer",
    ),
    (700212, "The federated credential's audience is another: set it to the audience of the account's cloud"),
    (
        700213,
        "The federated credential's subject is another: set it to system:serviceaccount:<namespace>:<name>",
    ),
    (
        7002138,
        "The federated credential's subject differs in letter case: write it as the ServiceAccount's name",
    ),
    (70021, "No federated credential fits: check its issuer, subject and audience"),
    (
        70025,
        "The application has no federated credential: add one for this cluster's issuer and the ServiceAccount",
    ),
    (700024, "The ServiceAccount's token is not valid now: check the clocks, and that the kubelet renews it"),
    (
        50013,
        "The ServiceAccount's token has a signature that Entra cannot check: check the issuer's published keys",
    ),
    (50034, "The tenant does not know the identity: check clientId and tenantId"),
];

/// Entra's numbers for failures that pass, whatever the status beside them.
const PASSING: &[u32] = &[50033, 90006, 90012, 90020, 90025, 90033, 90051];

/// Why there is no token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoToken {
    /// The authority answered otherwise than with a token.
    #[error("the authority answered with status {status}")]
    Answered { status: u16, number: Option<u32>, retry_after: Option<Duration> },
    /// The machine's metadata service answered otherwise than with a token.
    #[error("the instance metadata service answered with status {status}")]
    Metadata { status: u16, retry_after: Option<Duration> },
    /// It answered 200, and there is no usable token in it.
    #[error("the authority's answer has no usable token")]
    Unreadable,
    /// It did not answer.
    #[error("the {place} did not answer")]
    Unanswered { error: HttpError, place: &'static str },
    /// There is no Kubernetes token to exchange.
    #[error("there is no token to exchange")]
    NoAssertion(Invalid),
    /// The token client refused, before it asked or after.
    #[error("the token client refused")]
    Client,
}

/// How long to leave the authority alone after a failure, by how the failure may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// Somebody has to change something: 10 s, 20 s, … 10 min.
    Refused,
    /// It may pass: 1 s, 2 s, … 60 s.
    Passing,
}

impl Pace {
    /// The pause after so many failures in a row.
    pub(super) fn pause(self, failures: u32) -> Duration {
        let (first, longest) = match self {
            Self::Refused => (10, 600),
            Self::Passing => (1, 60),
        };
        let doublings = failures.saturating_sub(1).min(16);
        Duration::from_secs((first << doublings).min(longest))
    }
}

impl NoToken {
    /// Reads the authority's answer: nothing is wrong with it, or why there is no token.
    pub(super) fn check(answer: &Answer, retry_after: Option<Duration>) -> Result<(), Self> {
        if answer.status == 200 {
            let life = |body: &Value| body["expires_in"].as_i64();
            return if is_token(answer, life) { Ok(()) } else { Err(Self::Unreadable) };
        }
        let number = error_body::parse(answer).aadsts;
        Err(Self::Answered { status: answer.status, number, retry_after })
    }

    /// The same of the instance metadata service, which writes its numbers as text and gives no AADSTS number to trust.
    pub(super) fn check_metadata(answer: &Answer, retry_after: Option<Duration>) -> Result<(), Self> {
        if answer.status == 200 {
            let life = |body: &Value| {
                let until: i64 = body["expires_on"].as_str()?.parse().ok()?;
                until.checked_sub(Timestamp::now().as_second())
            };
            return if is_token(answer, life) { Ok(()) } else { Err(Self::Unreadable) };
        }
        Err(Self::Metadata { status: answer.status, retry_after })
    }

    /// How fast it is asked again, and how long the authority itself asked to be left alone.
    pub(super) fn pace(&self) -> (Pace, Option<Duration>) {
        let pace = match error(self).reason {
            Reason::CloudUnavailable | Reason::TimedOut | Reason::Throttled => Pace::Passing,
            _ => Pace::Refused,
        };
        match self {
            Self::Answered { retry_after, .. } | Self::Metadata { retry_after, .. } => (pace, *retry_after),
            Self::Unreadable | Self::Unanswered { .. } | Self::NoAssertion(_) | Self::Client => (pace, None),
        }
    }
}

/// Whether a later use of the answer is safe: a token that fits a header, and a life that can be added to a clock.
fn is_token(answer: &Answer, life: impl Fn(&Value) -> Option<i64>) -> bool {
    let Ok(body) = answer.json::<Value>() else { return false };
    let token = body["access_token"].as_str().unwrap_or_default();
    let life = life(&body).and_then(|it| u64::try_from(it).ok()).unwrap_or_default();
    !token.is_empty()
        && token.bytes().all(|b| b.is_ascii_graphic())
        && (1..=LONGEST_LIFE.as_secs()).contains(&life)
}

/// The error that resources of the account show.
pub(super) fn error(why: &NoToken) -> CloudError {
    match why {
        NoToken::Answered { status, number, .. } => answered(*status, *number),
        NoToken::Metadata { status, .. } => metadata(*status),
        NoToken::Unreadable => CloudError::new(
            Reason::CloudUnavailable,
            "The token endpoint answered 200 without a usable token. If it lasts, check the account's endpoints and \
             what stands before them.",
        ),
        NoToken::Unanswered { error, place } => unanswered(*error, place),
        NoToken::NoAssertion(Invalid { reason, message }) => CloudError::new(*reason, message),
        NoToken::Client => CloudError::new(
            Reason::AuthenticationFailed,
            "No token could be asked for with the account's tenantId, clientId and secret. Check that each is set and \
             well-formed.",
        ),
    }
}

fn metadata(status: u16) -> CloudError {
    match status {
        400 | 403 => CloudError::new(
            Reason::AuthenticationFailed,
            "The machine has no such managed identity: assign it to the nodes that the operator runs on, or correct \
             the account's `managedIdentity.clientId`.",
        ),
        429 => CloudError::new(Reason::Throttled, "The instance metadata service asked for fewer requests."),
        // 404 and 410: it is being set up or updated. Source: Azure, managed identities, "Error handling".
        404 | 408 | 410 | 500..=599 => CloudError::new(
            Reason::CloudUnavailable,
            format!("The instance metadata service failed with status {status}."),
        ),
        _ => CloudError::new(
            Reason::EndpointMisconfigured,
            format!("What answers for the instance metadata service is not it: status {status}."),
        ),
    }
}

fn answered(status: u16, number: Option<u32>) -> CloudError {
    let passes = number.is_some_and(|number| PASSING.contains(&number));
    match (status, number) {
        (300..=399, _) => CloudError::new(
            Reason::EndpointMisconfigured,
            "The token endpoint answered with a redirect, which is never followed. Check the account's cloud or \
             authority.",
        ),
        (429, _) => CloudError::new(Reason::Throttled, "The token endpoint asked for fewer requests."),
        (408 | 500..=599, _) => CloudError::new(
            Reason::CloudUnavailable,
            format!("The token endpoint failed with status {status}."),
        ),
        (_, Some(number)) if passes => CloudError::new(
            Reason::CloudUnavailable,
            format!("The token endpoint failed for a while (AADSTS{number})."),
        ),
        (_, Some(number)) => {
            let hint = KNOWN.iter().find(|(known, _)| *known == number).map_or(
                "Check tenantId, clientId and the Secret; Entra's sign-in log of the application tells more",
                |(_, hint)| hint,
            );
            CloudError::new(
                Reason::AuthenticationFailed,
                format!("Entra refused the account's credentials (AADSTS{number}). {hint}."),
            )
        }
        (400 | 401 | 403, None) => CloudError::new(
            Reason::AuthenticationFailed,
            format!(
                "The token endpoint refused the account's credentials with status {status} and no reason. Check \
                 tenantId, clientId and the Secret."
            ),
        ),
        (_, None) => CloudError::new(
            Reason::EndpointMisconfigured,
            format!(
                "What answers at the token endpoint is not Entra: status {status} and no AADSTS number. Check the \
                 account's cloud or authority."
            ),
        ),
    }
}

#[cfg(test)]
#[path = "sign_in_tests.rs"]
mod tests;
