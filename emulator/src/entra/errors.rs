//! The token endpoint's errors: `error` is a text, the AADSTS number stands in `error_codes` and in the
//! description. Those about client assertions are in `assertion_errors`.

use hyper::StatusCode;
use serde::Serialize;

use crate::clock;
use crate::random;
use crate::request::Answer;
use crate::state::State;

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: String,
    error_codes: [u32; 1],
    timestamp: String,
    trace_id: String,
    correlation_id: String,
    error_uri: String,
}

/// One refusal of the token endpoint.
pub(crate) struct Refusal {
    status: StatusCode,
    error: &'static str,
    number: u32,
    message: String,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, error: &'static str, number: u32, message: String) -> Self {
        Self { status, error, number, message }
    }

    pub(super) fn missing_parameter(name: &str) -> Self {
        let message = format!("The request body must contain the following parameter: '{name}'.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", 900_144, message)
    }

    pub(super) fn unknown_tenant(name: &str) -> Self {
        let message =
            format!("Tenant '{name}' not found. Check the tenant and the cloud that it belongs to.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", 90_002, message)
    }

    pub(super) fn unsupported_grant(name: &str) -> Self {
        let message = format!("The app requested an unsupported grant type '{name}'.");
        Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", 70_003, message)
    }

    pub(super) fn unknown_client(client: &str, tenant: &str) -> Self {
        let message =
            format!("Application with identifier '{client}' was not found in the directory '{tenant}'.");
        Self::new(StatusCode::BAD_REQUEST, "unauthorized_client", 700_016, message)
    }

    pub(super) fn no_credential() -> Self {
        let message = "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant \
                       type.";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_216, message.to_owned())
    }

    pub(super) fn wrong_secret(client: &str) -> Self {
        let message = format!("Invalid client secret provided for app '{client}'.");
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_215, message)
    }

    pub(super) fn expired_secret(client: &str) -> Self {
        let message = format!("The provided client secret keys for app '{client}' are expired.");
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", 7_000_222, message)
    }

    pub(super) fn bad_scope(scope: &str) -> Self {
        let message = format!(
            "The provided value for scope '{scope}' is not valid. Client credential flows need exactly one scope, \
             a resource followed by /.default."
        );
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", 1_002_012, message)
    }

    pub(crate) fn unknown_resource(resource: &str, tenant: &str) -> Self {
        let message =
            format!("The resource principal named '{resource}' was not found in the tenant '{tenant}'.");
        Self::new(StatusCode::BAD_REQUEST, "invalid_resource", 500_011, message)
    }

    pub(crate) fn answer(self, state: &State) -> Answer {
        let now = state.clock.now();
        let (trace_id, correlation_id, timestamp) = (random::guid(), random::guid(), clock::spaced(now));
        let Self { status, error, number, message } = self;
        let error_description = format!(
            "AADSTS{number}: {message} Trace ID: {trace_id} Correlation ID: {correlation_id} Timestamp: {timestamp}"
        );
        let error_uri = format!("https://login.microsoftonline.com/error?code={number}");
        let error_codes = [number];
        let body =
            Body { error, error_description, error_codes, timestamp, trace_id, correlation_id, error_uri };
        Answer::json(status, &body)
    }
}

pub(super) fn wrong_method(state: &State, method: &str) -> Answer {
    let message = format!("The endpoint does not accept {method} requests.");
    let status = StatusCode::METHOD_NOT_ALLOWED;
    Refusal::new(status, "invalid_request", 900_561, message).answer(state)
}
