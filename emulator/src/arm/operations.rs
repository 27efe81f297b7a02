//! Polling of long-running calls. None of the certificate calls is declared long-running; the fault `accepted`
//! makes one look so, and then its poll URL has to answer.

use std::collections::HashMap;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Call, Needs, Provider, Route, errors};
use crate::faults::Accepted;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::Access;
use crate::state::State;

const PATH: &str = "/subscriptions/{subscription}/providers/Emulator/operationStatuses/{operation}";

pub(super) const PROVIDER: Provider = Provider {
    namespace: "Emulator",
    types: &["operationStatuses"],
    versions: &["2022-12-01"],
    routes: &[Route {
        method: Method::GET,
        path: PATH,
        operation: "operationStatuses.get",
        access: Access::Get,
        needs: Needs::Token,
        handle: status,
    }],
};

#[derive(Default)]
pub(crate) struct Operations(HashMap<String, Running>);

struct Running {
    polls: u64,
    failure: Option<Value>,
}

/// Begins one, and gives the URL to poll.
pub(crate) fn start(state: &mut State, request: &Request, accepted: &Accepted) -> String {
    let id = random::guid();
    let running = Running { polls: accepted.polls, failure: accepted.failure.clone() };
    state.operations.0.insert(id.clone(), running);
    let subscription = request.segments().get(1).map_or("", String::as_str);
    let path = PATH.replace("{subscription}", subscription).replace("{operation}", &id);
    format!("https://{}{path}?api-version=2022-12-01", request.authority)
}

fn status(call: &mut Call) -> Result<Answer, Answer> {
    let id = call.capture("operation").to_ascii_lowercase();
    let Some(running) = call.state.operations.0.get_mut(&id) else {
        return Err(errors::unknown_resource(&format!("Emulator/operationStatuses/{id}"), "").answer());
    };
    let mut body = json!({"name": id});
    body["status"] = match (&running.failure, running.polls) {
        (None, 0) => "Succeeded".into(),
        (Some(error), 0) => {
            body["error"] = error.clone();
            "Failed".into()
        }
        _ => "Running".into(),
    };
    running.polls = running.polls.saturating_sub(1);
    Ok(Answer::json(StatusCode::OK, &body))
}
