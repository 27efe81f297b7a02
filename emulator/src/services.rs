//! The list of services, told apart by Host.

use hyper::StatusCode;
use serde_json::json;

use crate::names::Names;
use crate::request::{Answer, Request};
use crate::routes::Operation;
use crate::state::State;
use crate::{arm, entra, huawei, imds, key_vault};

pub(crate) struct Service {
    pub(crate) name: &'static str,
    /// Whether it answers on this host (lower case, without port).
    pub(crate) serves: fn(&Names, &str) -> bool,
    /// What a request is, by method and path alone.
    pub(crate) operation: fn(&Request) -> Operation,
    pub(crate) answer: fn(&mut State, &Request) -> Answer,
    /// The answer to a body that is longer than this, which is not read.
    pub(crate) too_large: fn(usize) -> Answer,
}

/// A further service stands here with one line.
const SERVICES: &[Service] = &[
    entra::SERVICE,
    imds::SERVICE,
    arm::SERVICE,
    key_vault::SERVICE,
    huawei::iam::SERVICE,
    huawei::iotda::SERVICE,
];

pub(crate) fn of(names: &Names, host: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| (service.serves)(names, host))
}

/// 413 as Azure's front doors have it.
pub(crate) fn content_too_large(limit: usize) -> Answer {
    let message = format!("The request is larger than {limit} bytes.");
    let body = json!({"error": {"code": "RequestContentTooLarge", "message": message}});
    Answer::json(StatusCode::PAYLOAD_TOO_LARGE, &body)
}

/// 421: no service has this Host. Bodies of real front ends differ; this one is for the person who mistyped.
pub(crate) fn misdirected(request: &Request) -> Answer {
    let message = format!("the emulator has no service at host {:?}", request.host);
    let body = json!({"error": {"code": "MisdirectedRequest", "message": message}});
    Answer::json(StatusCode::MISDIRECTED_REQUEST, &body)
}
