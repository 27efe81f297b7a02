//! ARM's own refusals: shape A, `{"error":{"code","message"}}`. The code names for 401, 403 and 404 are the usual
//! ones (unconfirmed for these providers).

use hyper::StatusCode;
use serde::Serialize;

use super::{PROVIDERS, Provider};
use crate::request::{Answer, Request};
use crate::throttle::Kind;

#[derive(Serialize)]
struct Envelope {
    error: Error,
}

#[derive(Serialize)]
struct Error {
    code: &'static str,
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    details: Vec<Detail>,
}

#[derive(Serialize)]
struct Detail {
    code: &'static str,
    target: String,
    message: String,
}

pub(crate) struct Refusal {
    status: StatusCode,
    error: Error,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, error: Error { code, message: message.into(), details: Vec::new() } }
    }

    pub(crate) fn answer(self) -> Answer {
        Answer::json(self.status, &Envelope { error: self.error })
    }
}

pub(super) fn malformed_uri() -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidRequestUri", "The request URI cannot be read safely.")
}

pub(super) fn missing_version() -> Refusal {
    let message = "Every request needs the query parameter api-version (?api-version=).";
    Refusal::new(StatusCode::BAD_REQUEST, "MissingApiVersionParameter", message)
}

pub(super) fn several_versions() -> Refusal {
    let message = "The query parameter api-version stands there more than once.";
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message)
}

pub(super) fn unknown_version(version: &str, provider: &Provider) -> Refusal {
    let supported = provider.versions.join(", ");
    // Resource Manager's own operations answer so; a provider's answer with the code below.
    if matches!(provider.namespace, "" | "Microsoft.Resources") {
        let message =
            format!("The api-version '{version}' is invalid. Supported versions are '{supported}'.");
        return Refusal::new(StatusCode::BAD_REQUEST, "InvalidApiVersionParameter", message);
    }
    let message = format!(
        "No registered resource provider found for API version '{version}' in namespace '{}'. The supported \
         api-versions are '{supported}'.",
        provider.namespace
    );
    Refusal::new(StatusCode::BAD_REQUEST, "NoRegisteredProviderFound", message)
}

pub(super) fn wrong_method(method: &str) -> Refusal {
    let message = format!("The requested resource does not support http method '{method}'.");
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message)
}

/// A path that no provider knows: the namespace is wrong, or the type in it.
pub(super) fn unknown_type(request: &Request) -> Refusal {
    let segments = request.segments();
    let at = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let namespace = at.and_then(|at| segments.get(at + 1));
    let is_known = |name: &str| PROVIDERS.iter().any(|known| known.namespace.eq_ignore_ascii_case(name));
    match namespace {
        Some(name) if !is_known(name) => {
            let message = format!("The resource namespace '{name}' is invalid.");
            Refusal::new(StatusCode::NOT_FOUND, "InvalidResourceNamespace", message)
        }
        _ => {
            let message = format!("No resource type answers at '{}'.", request.raw_path);
            Refusal::new(StatusCode::NOT_FOUND, "InvalidResourceType", message)
        }
    }
}

pub(super) fn bad_subscription_id(id: &str) -> Refusal {
    let message = format!("The provided subscription identifier '{id}' is malformed or invalid.");
    Refusal::new(StatusCode::BAD_REQUEST, "InvalidSubscriptionId", message)
}

pub(super) fn unknown_subscription(id: &str) -> Refusal {
    let message = format!("The subscription '{id}' could not be found.");
    Refusal::new(StatusCode::NOT_FOUND, "SubscriptionNotFound", message)
}

pub(super) fn unknown_group(name: &str) -> Refusal {
    let message = format!("Resource group '{name}' could not be found.");
    Refusal::new(StatusCode::NOT_FOUND, "ResourceGroupNotFound", message)
}

pub(crate) fn unknown_resource(type_and_name: &str, group: &str) -> Refusal {
    let message = format!("The Resource '{type_and_name}' under resource group '{group}' was not found.");
    Refusal::new(StatusCode::NOT_FOUND, "ResourceNotFound", message)
}

pub(crate) fn unknown_parent(type_name: &str, parent: &str) -> Refusal {
    let message = format!(
        "Can not perform the requested operation on a nested resource of type '{type_name}'. Parent resource \
         '{parent}' not found."
    );
    Refusal::new(StatusCode::NOT_FOUND, "ParentResourceNotFound", message)
}

/// 409 with the namespace as the target of its one detail.
pub(super) fn not_registered(namespace: &'static str, subscription: &str) -> Refusal {
    let code = "MissingSubscriptionRegistration";
    let message =
        format!("The subscription '{subscription}' is not registered to use namespace '{namespace}'.");
    let detail = Detail { code, target: namespace.to_owned(), message: message.clone() };
    let mut refusal = Refusal::new(StatusCode::CONFLICT, code, message);
    refusal.error.details.push(detail);
    refusal
}

pub(crate) fn unsupported_media_type(found: &str) -> Refusal {
    let message =
        format!("The content media type '{found}' is not supported. Only 'application/json' is supported.");
    Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
}

pub(super) fn throttled(kind: Kind, scope: &str, seconds: u64) -> Refusal {
    let message = format!(
        "The number of {} for '{scope}' exceeds the limit. Try again after {seconds} seconds.",
        kind.plural()
    );
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "SubscriptionRequestsThrottled", message)
}
