//! IAM, its security token service, and the agent that gives pods their keys: each on a host of its own. Source: the
//! sheet `huawei-iotda`, section 11, and the description `auth-openapi.yaml` beside it.

mod calls;
mod errors;
mod id_token;
mod issue;

use hyper::Method;
use serde::de::DeserializeOwned;

use super::account::Account;
use super::gateway;
use crate::names::Names;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Found, Operation};
use crate::services::Service;
use crate::state::State;

pub(crate) const SERVICE: Service =
    Service { name: "iam", serves, operation, answer, too_large: gateway::too_large };

/// The name, before the domain, of each host.
const IAM: &str = "iam";
const STS: &str = "sts";
const POD_IDENTITY: &str = "pod-identity";

struct Route {
    method: Method,
    path: &'static str,
    host: &'static str,
    operation: &'static str,
    access: Access,
    handle: fn(&mut Call) -> Result<Answer, Answer>,
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
        path: "/v3/auth/tokens",
        host: IAM,
        operation: "iam.token",
        access: Access::Write,
        handle: calls::token,
    },
    Route {
        method: Method::GET,
        path: "/v3/projects",
        host: IAM,
        operation: "iam.projects",
        access: Access::List,
        handle: calls::projects,
    },
    Route {
        method: Method::POST,
        path: "/v3.0/OS-AUTH/id-token/tokens",
        host: IAM,
        operation: "iam.tokenForIdToken",
        access: Access::Write,
        handle: calls::token_for_id_token,
    },
    Route {
        method: Method::POST,
        path: "/v3.0/OS-CREDENTIAL/securitytokens",
        host: IAM,
        operation: "iam.securityToken",
        access: Access::Write,
        handle: calls::security_token,
    },
    Route {
        method: Method::POST,
        path: "/v5/agencies/assume-with-oidc",
        host: STS,
        operation: "iam.assumeWithOidc",
        access: Access::Write,
        handle: calls::assume_with_oidc,
    },
    // The real path is the cluster's affair: a pod is told the whole URL.
    Route {
        method: Method::POST,
        path: "/v1/credentials",
        host: POD_IDENTITY,
        operation: "iam.podIdentity",
        access: Access::Write,
        handle: calls::pod_identity,
    },
];

struct Call<'a> {
    state: &'a mut State,
    request: &'a Request,
}

impl Call<'_> {
    fn now(&self) -> i64 {
        self.state.clock.now()
    }

    fn account(&mut self) -> &mut Account {
        &mut self.state.world.huawei
    }

    fn body<T: DeserializeOwned>(&self) -> Result<T, Answer> {
        if self.request.media_type().as_deref() != Some("application/json") {
            return Err(errors::bad_request("the content type is not application/json"));
        }
        let body = serde_json::from_slice(&self.request.body);
        body.map_err(|_| errors::bad_request("the request body is invalid"))
    }
}

/// Which of the three a host is, by the emulator's name or a real one, with or without a region.
fn front(names: &Names, host: &str) -> Option<&'static str> {
    let is_real = |service: &str| {
        let rest = host.strip_prefix(service).and_then(|rest| rest.strip_prefix('.'));
        let suffixes = ["myhuaweicloud.com", "myhuaweicloud.eu"];
        let fits = |rest: &str| {
            suffixes.iter().any(|suffix| {
                let region = rest.strip_suffix(suffix);
                region.is_some_and(|region| {
                    region.is_empty() || region.trim_end_matches('.').find('.').is_none()
                })
            })
        };
        rest.is_some_and(fits)
    };
    [IAM, STS, POD_IDENTITY]
        .into_iter()
        .find(|service| names.is(host, service) || (*service != POD_IDENTITY && is_real(service)))
}

fn serves(names: &Names, host: &str) -> bool {
    front(names, host).is_some()
}

fn meant(request: &Request) -> Option<&'static Route> {
    match routes::find(ROUTES.iter(), request) {
        Found::Route(route, _) if routes::is_to_the_letter(route.path, request) => Some(route),
        _ => None,
    }
}

fn operation(request: &Request) -> Operation {
    match meant(request) {
        Some(route) => Operation { name: route.operation, access: route.access },
        None => Operation::UNKNOWN,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let host = front(&state.names, &request.host);
    let mut answer = match meant(request).filter(|route| Some(route.host) == host) {
        Some(route) => (route.handle)(&mut Call { state, request }).unwrap_or_else(|refused| refused),
        None => gateway::no_such_api(),
    };
    gateway::dress(&mut answer);
    answer
}
