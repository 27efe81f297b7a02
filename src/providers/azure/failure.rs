//! A call to a service that did not succeed, and the one table of what follows from it. A service that knows
//! better looks first.

use std::time::Duration;

use super::error_body::ErrorBody;
use super::rest::Service;
use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::providers::code::Code;
use crate::providers::failure::{Fault, by_status};

/// A call that did not succeed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Whose call it was.
    pub service: Service,
    /// What came instead of success.
    pub what: What,
    /// Whether the call was to change something.
    pub write: bool,
    /// The permission that the call needs, for example `Microsoft.Devices/iotHubs/certificates/write`.
    pub action: &'static str,
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
    /// 202: the service goes on by itself.
    Working,
    /// No token, so no call.
    NoToken(CloudError),
    /// Nothing to judge.
    Fault(Fault),
}

impl From<Fault> for What {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

/// What a code says, whatever the status beside it.
const CODES: &[(&str, Reason, &str)] = &[
    (
        "RequestDisallowedByPolicy",
        Reason::PolicyDenied,
        "An Azure Policy forbids it: have the policy changed",
    ),
    ("RequestDisallowedByAzure", Reason::PolicyDenied, "A policy of the cloud forbids it"),
    ("PolicyViolation", Reason::PolicyDenied, "A policy forbids it: have the policy changed"),
    (
        "DenyAssignmentAuthorizationFailed",
        Reason::PolicyDenied,
        "A deny assignment forbids it: have it changed",
    ),
    ("ScopeLocked", Reason::PolicyDenied, "A lock stands on the target: remove the lock"),
    ("ReadOnlyDisabledSubscription", Reason::PolicyDenied, "The subscription is disabled: enable it"),
    ("DisabledSubscription", Reason::PolicyDenied, "The subscription is disabled: enable it"),
    ("IpAddressNotAllowed", Reason::PolicyDenied, "A firewall forbids it: let the operator's address in"),
    (
        "QuotaExceeded",
        Reason::QuotaExceeded,
        "The quota is used up: have it raised, or remove what is not needed",
    ),
    (
        "ParentResourceNotFound",
        Reason::TargetNotFound,
        "The parent resource does not exist: check the target",
    ),
    (
        "ResourceGroupNotFound",
        Reason::TargetNotFound,
        "The resource group does not exist: check resourceGroup",
    ),
    ("SubscriptionNotFound", Reason::TargetNotFound, "The subscription does not exist: check subscriptionId"),
    (
        "InvalidSubscriptionId",
        Reason::TargetNotFound,
        "The subscription does not exist: check subscriptionId",
    ),
    (
        "InvalidAuthenticationTokenTenant",
        Reason::AuthenticationFailed,
        "The subscription belongs to another tenant: check subscriptionId and the account's tenantId",
    ),
];

/// Codes of a subscription that is not registered for the service.
const UNREGISTERED: [&str; 2] = ["MissingSubscriptionRegistration", "SubscriptionNotRegistered"];

impl Failure {
    /// The status, if there was an answer that is no success.
    pub fn status(&self) -> Option<u16> {
        match self.what {
            What::Answered { status, .. } => Some(status),
            What::Working | What::NoToken(_) | What::Fault(_) => None,
        }
    }

    /// Whether the answer has this code, without letter case.
    pub fn has_code(&self, code: &str) -> bool {
        self.codes().iter().any(|it| it.is(code))
    }

    /// Whether Resource Manager says that there is no such resource.
    pub fn is_absence(&self) -> bool {
        self.status() == Some(404) && self.has_code("ResourceNotFound")
    }

    /// Whether what is missing is a parent of what was asked for.
    pub fn is_of_a_parent(&self) -> bool {
        ["ParentResourceNotFound", "ResourceGroupNotFound", "SubscriptionNotFound"]
            .iter()
            .any(|code| self.has_code(code))
    }

    /// Whether the error is about the member of that name.
    pub fn is_about(&self, member: &str) -> bool {
        matches!(&self.what, What::Answered { body, .. } if body.targets.iter().any(|it| it.is(member)))
    }

    /// IoT Hub's number, the six digits of its `IH…` token.
    pub fn iot_hub_code(&self) -> Option<u32> {
        match &self.what {
            What::Answered { body, .. } => body.iot_hub,
            What::Working | What::NoToken(_) | What::Fault(_) => None,
        }
    }

    /// How the service names the failure, for messages: ` (code X)`, or nothing.
    pub fn named(&self) -> String {
        match (self.iot_hub_code(), self.codes().first()) {
            (Some(number), _) => format!(" (code IH{number})"),
            (None, Some(code)) => format!(" (code {})", code.as_str()),
            (None, None) => String::new(),
        }
    }

    fn codes(&self) -> &[Code] {
        match &self.what {
            What::Answered { body, .. } => &body.codes,
            What::Working | What::NoToken(_) | What::Fault(_) => &[],
        }
    }
}

impl From<Failure> for CloudError {
    fn from(failure: Failure) -> Self {
        common(&failure)
    }
}

/// What follows from a failure where the service's own table has nothing to say. A 404 for the object itself is among
/// the things that only the caller can judge; here it means that the target is not there.
pub fn common(failure: &Failure) -> CloudError {
    let service = failure.service.name();
    match &failure.what {
        What::NoToken(error) => error.clone(),
        What::Fault(fault) => fault.judged(service, failure.write),
        What::Working => CloudError::new(
            Reason::TargetBusy,
            format!("{service} took the request and is still working on it; the object is read again."),
        )
        .reread(),
        What::Answered { status, retry_after, .. } => answered(failure, *status, *retry_after),
    }
}

fn answered(failure: &Failure, status: u16, retry_after: Option<Duration>) -> CloudError {
    let (service, named, action) = (failure.service.name(), failure.named(), failure.action);
    let error = |reason, text: String| CloudError::new(reason, text);
    if UNREGISTERED.iter().any(|code| failure.has_code(code)) {
        let namespace = action.split('/').next().unwrap_or_default();
        return error(
            Reason::ProviderNotRegistered,
            format!(
                "The subscription is not registered for {namespace}. Register it, for example with az provider \
                 register --namespace {namespace}"
            ),
        );
    }
    if let Some((code, reason, text)) = CODES.iter().find(|(code, ..)| failure.has_code(code)) {
        return error(*reason, format!("{text} (code {code})."));
    }
    if let Some(error) = by_status(service, status, &named, retry_after, failure.write) {
        return error;
    }
    match status {
        401 => error(
            Reason::AuthenticationFailed,
            format!(
                "{service} refused a fresh token{named}. Check that the account's cloud, tenant and scope belong \
                 together."
            ),
        ),
        403 => error(
            Reason::AccessDenied,
            format!(
                "The account's identity lacks {action}{named}. Assign a role with it; that takes minutes to work."
            ),
        ),
        404 | 410 => error(
            Reason::TargetNotFound,
            format!(
                "{service} does not find the target{named}. Check subscription, resource group and resource name, and \
                 that the identity may read them."
            ),
        ),
        409 => error(
            Reason::ConcurrentWrite,
            format!("Another change to the same target is under way{named}; it is tried again."),
        )
        .retry_after(retry_after),
        412 => error(
            Reason::ConcurrentWrite,
            format!("Somebody else changed the object since it was read{named}; it is read again."),
        )
        .reread(),
        _ => error(
            Reason::SpecInvalid,
            format!("{service} refused the request with status {status}{named}. Check the resource's spec."),
        ),
    }
}

#[cfg(test)]
#[path = "failure_tests.rs"]
mod tests;
