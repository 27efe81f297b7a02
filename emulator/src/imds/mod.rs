//! The instance metadata service's token endpoint, as the one machine of this cloud sees it. Sources: the
//! documentation of managed identities on virtual machines, the service's OpenAPI file, and answers that were seen.
//! The real one speaks plain HTTP; here it shares the emulator's TLS port.

mod identity;

use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::entra::errors::Refusal;
use crate::entra::issue::{AccessToken, Proof, is_known_resource};
use crate::names::Names;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Captures, Found, Operation};
use crate::services::{Service, content_too_large};
use crate::state::State;

pub(crate) const SERVICE: Service =
    Service { name: "imds", serves, operation, answer, too_large: content_too_large };

const ADDRESS: &str = "169.254.169.254";

/// The stable versions that the vendor's OpenAPI files describe.
const VERSIONS: &[&str] = &[
    "2018-02-01",
    "2018-04-02",
    "2018-10-01",
    "2019-02-01",
    "2019-03-11",
    "2019-04-30",
    "2019-06-01",
    "2019-06-04",
    "2019-08-01",
    "2019-08-15",
    "2019-11-01",
    "2020-06-01",
    "2020-07-15",
    "2020-09-01",
    "2020-10-01",
    "2020-12-01",
    "2021-01-01",
    "2021-02-01",
    "2021-03-01",
    "2021-05-01",
    "2021-10-01",
    "2021-11-01",
    "2021-11-15",
    "2021-12-13",
    "2023-07-01",
];

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

const ROUTES: &[Route] = &[Route {
    method: Method::GET,
    path: "/metadata/identity/oauth2/token",
    operation: "managedIdentityToken",
    handle: token,
}];

fn serves(names: &Names, host: &str) -> bool {
    names.is(host, "imds") || host == ADDRESS
}

fn operation(request: &Request) -> Operation {
    match routes::find(ROUTES.iter(), request) {
        Found::Route(route, _) => Operation { name: route.operation, access: Access::Get },
        Found::OtherMethods(_) | Found::Nothing => Operation::UNKNOWN,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let answer = match from_the_machine(request) {
        Err(refused) => refused,
        Ok(()) => routed(state, request),
    };
    answer.with("server", "IMDS/150.870.65.512")
}

fn routed(state: &mut State, request: &Request) -> Answer {
    match routes::find(ROUTES.iter(), request) {
        Found::Route(route, captures) => (route.handle)(state, request, &captures),
        Found::OtherMethods(methods) => {
            refusal(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Not allowed")
                .with("allow", methods.join(", "))
        }
        Found::Nothing => refusal(StatusCode::NOT_FOUND, "not_found", "Not found"),
    }
}

/// Whether a program of the machine asks, and no server that was talked into asking for somebody else: that one could
/// not set the one header, and a proxy would set the other.
fn from_the_machine(request: &Request) -> Result<(), Answer> {
    if request.header("metadata") != Some("true") {
        return Err(invalid_request("Required metadata header not specified"));
    }
    if request.headers.contains_key("x-forwarded-for") {
        return Err(invalid_request("Requests with the header X-Forwarded-For are not allowed"));
    }
    Ok(())
}

/// Every value is a text, as the service has it.
#[derive(Serialize)]
struct Issued {
    access_token: String,
    client_id: String,
    expires_in: String,
    expires_on: String,
    ext_expires_in: String,
    not_before: String,
    resource: String,
    token_type: &'static str,
}

fn token(state: &mut State, request: &Request, _: &Captures) -> Answer {
    issued(state, request).map_or_else(|refused| refused, |issued| Answer::json(StatusCode::OK, &issued))
}

fn issued(state: &State, request: &Request) -> Result<Issued, Answer> {
    if request.query.is_none() {
        return Err(invalid_request("Bad request"));
    }
    let version = parameter(request, "api-version")?;
    if !VERSIONS.contains(&version) {
        return Err(invalid_request(&format!("The api-version '{version}' is not supported")));
    }
    let resource = parameter(request, "resource")?;
    let client = identity::asked_for(&state.world, request).map_err(invalid_request)?;
    if !is_known_resource(state, &request.host, resource) {
        // What Entra answers is passed on as it is.
        return Err(Refusal::unknown_resource(resource, &client.tenant_id).answer(state));
    }
    let token = AccessToken::new(state, client, resource.to_owned(), Proof::Assertion);
    Ok(Issued {
        client_id: client.client_id.clone(),
        expires_in: token.life().to_string(),
        expires_on: token.claims.exp.to_string(),
        ext_expires_in: token.life().to_string(),
        not_before: token.claims.nbf.to_string(),
        resource: resource.to_owned(),
        token_type: "Bearer",
        access_token: token.text,
    })
}

/// A query parameter that has to be there, once.
fn parameter<'a>(request: &'a Request, name: &str) -> Result<&'a str, Answer> {
    match request.query_values(name).as_slice() {
        [one] if !one.is_empty() => Ok(one),
        [] | [_] => Err(invalid_request(&format!("Required query variable '{name}' is missing"))),
        [_, ..] => Err(invalid_request(&format!("Query variable '{name}' stands more than once"))),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    error_description: &'a str,
}

fn refusal(status: StatusCode, error: &str, error_description: &str) -> Answer {
    Answer::json(status, &Body { error, error_description })
}

fn invalid_request(description: &str) -> Answer {
    refusal(StatusCode::BAD_REQUEST, "invalid_request", description)
}
