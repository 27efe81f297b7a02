//! Entra's token endpoint and what clients ask before it. Source: `azure-common`, sections "Tokens" and "The
//! emulator must". Every sign-in ends in `issue`.

mod assertion;
mod assertion_errors;
mod discovery;
pub(crate) mod errors;
pub(crate) mod federation;
pub(crate) mod issue;
pub(crate) mod jwt;
mod token;

use hyper::{Method, StatusCode};

use crate::clouds::CLOUDS;
use crate::names::Names;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Captures, Found, Operation};
use crate::services::{Service, content_too_large};
use crate::state::State;

pub(crate) const SERVICE: Service =
    Service { name: "entra", serves, operation, answer, too_large: content_too_large };

struct Route {
    method: Method,
    path: &'static str,
    operation: &'static str,
    handle: fn(&mut State, &Request, &Captures) -> Answer,
}

impl routes::Route for Route {
    fn method(&self) -> &Method {
        &self.method
    }

    fn path(&self) -> &'static str {
        self.path
    }
}

const ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/{tenant}/oauth2/v2.0/token",
        operation: "token",
        handle: token::issue,
    },
    Route {
        method: Method::GET,
        path: "/{tenant}/v2.0/.well-known/openid-configuration",
        operation: "openidConfiguration",
        handle: discovery::openid_configuration,
    },
    Route {
        method: Method::GET,
        path: "/{tenant}/discovery/v2.0/keys",
        operation: "tokenKeys",
        handle: discovery::keys,
    },
    Route {
        method: Method::GET,
        path: "/{tenant}/discovery/instance",
        operation: "instanceDiscovery",
        handle: discovery::instance,
    },
];

fn serves(names: &Names, host: &str) -> bool {
    names.is(host, "login") || CLOUDS.iter().any(|cloud| cloud.login_hosts.contains(&host))
}

fn operation(request: &Request) -> Operation {
    match routes::find(ROUTES.iter(), request) {
        // Asking for a token changes nothing that anybody could read later.
        Found::Route(route, _) => Operation { name: route.operation, access: Access::Get },
        Found::OtherMethods(_) | Found::Nothing => Operation::UNKNOWN,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let mut answer = match routes::find(ROUTES.iter(), request) {
        Found::Route(route, captures) => (route.handle)(state, request, &captures),
        Found::OtherMethods(methods) => {
            errors::wrong_method(state, request.method.as_str()).with("allow", methods.join(", "))
        }
        Found::Nothing => Answer::empty(StatusCode::NOT_FOUND),
    };
    answer.set("cache-control", "no-store, no-cache");
    answer.set("pragma", "no-cache");
    answer.set("x-ms-request-id", random::guid());
    if let Some(id) = request.header("client-request-id") {
        answer.set("client-request-id", id);
    }
    answer
}
