//! `/_emulator/…`, on any host: what tests set and read. Not part of any service, never journaled, no fault
//! strikes it, and no key guards it: the emulator is for the local machine.

mod clock;
mod cloud;
mod faults;
mod huawei;
mod hubs;
mod instances;
mod journal;
mod services;
mod vaults;

use hyper::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::pipeline::Cloud;
use crate::request::{Answer, Request};
use crate::routes::{self, Captures, Found};
use crate::state::State;

struct Route {
    method: Method,
    path: &'static str,
    /// One line for `GET /_emulator`.
    does: &'static str,
    handle: fn(&mut Control) -> Result<Value, Answer>,
}

impl routes::Route for Route {
    fn method(&self) -> &Method {
        &self.method
    }

    fn path(&self) -> &'static str {
        self.path
    }
}

const fn route(
    method: Method,
    path: &'static str,
    does: &'static str,
    handle: fn(&mut Control) -> Result<Value, Answer>,
) -> Route {
    Route { method, path, does, handle }
}

const ROUTES: &[Route] = &[
    route(Method::GET, "/_emulator", "this table", table),
    route(
        Method::POST,
        "/_emulator/reset",
        "back to the world of the start; faults, journal and clock too",
        cloud::reset,
    ),
    route(Method::GET, "/_emulator/state", "everything that exists", cloud::show),
    route(Method::PUT, "/_emulator/state", "replace everything that exists", cloud::replace),
    route(Method::GET, "/_emulator/faults", "the faults, with how often each struck", faults::list),
    route(Method::POST, "/_emulator/faults", "add a fault, or a list of them", faults::add),
    route(Method::DELETE, "/_emulator/faults", "remove all faults and stale views", faults::clear),
    route(Method::DELETE, "/_emulator/faults/{id}", "remove one fault", faults::remove),
    route(Method::POST, "/_emulator/release", "let late effects without a time land", faults::release),
    route(Method::GET, "/_emulator/requests", "the journal; ?operation, method, path, since", journal::list),
    route(Method::GET, "/_emulator/requests/counts", "requests per operation", journal::counts),
    route(Method::DELETE, "/_emulator/requests", "forget the journal and the counts", journal::clear),
    route(Method::GET, "/_emulator/clock", "the emulator's time", clock::show),
    route(Method::PUT, "/_emulator/clock", "set it: time, unix or offsetSeconds", clock::set),
    route(Method::POST, "/_emulator/clock/advance", "move it by seconds", clock::advance),
    route(Method::GET, "/_emulator/switches", "the switches", cloud::switches),
    route(Method::PATCH, "/_emulator/switches", "change some (merge patch)", cloud::set_switches),
    route(Method::GET, "/_emulator/throttle", "the bucket sizes", cloud::throttle),
    route(
        Method::PATCH,
        "/_emulator/throttle",
        "change some (merge patch), and fill all buckets",
        cloud::set_throttle,
    ),
    route(Method::PUT, "/_emulator/tenants/{tenant}", "add or replace a tenant", cloud::put_tenant),
    route(
        Method::PUT,
        "/_emulator/subscriptions/{subscription}",
        "add or replace a subscription",
        cloud::put_subscription,
    ),
    route(
        Method::DELETE,
        "/_emulator/subscriptions/{subscription}",
        "remove it and its hubs",
        cloud::delete_subscription,
    ),
    route(Method::PUT, "/_emulator/clients/{client}", "add or replace a client", cloud::put_client),
    route(Method::DELETE, "/_emulator/clients/{client}", "remove a client", cloud::delete_client),
    route(Method::POST, "/_emulator/clients/{client}/secret", "rotate its secret", cloud::rotate_secret),
    route(
        Method::PUT,
        "/_emulator/clients/{client}/federated-credentials",
        "replace its federated credentials",
        cloud::put_federated_credentials,
    ),
    route(Method::PUT, "/_emulator/clients/{client}/roles", "replace its roles", cloud::put_roles),
    route(
        Method::POST,
        "/_emulator/tokens/invalidate",
        "refuse all tokens issued so far",
        cloud::invalidate_tokens,
    ),
    route(Method::GET, "/_emulator/hubs/{hub}", "a hub and its certificates", hubs::show),
    route(Method::PUT, "/_emulator/hubs/{hub}", "add a hub, or change what the body names", hubs::put),
    route(Method::DELETE, "/_emulator/hubs/{hub}", "remove a hub", hubs::delete),
    route(
        Method::GET,
        "/_emulator/hubs/{hub}/certificates/{certificate}",
        "one certificate",
        hubs::certificate,
    ),
    route(
        Method::PUT,
        "/_emulator/hubs/{hub}/certificates/{certificate}",
        "put one there",
        hubs::put_certificate,
    ),
    route(
        Method::PATCH,
        "/_emulator/hubs/{hub}/certificates/{certificate}",
        "change some of it",
        hubs::change_certificate,
    ),
    route(
        Method::DELETE,
        "/_emulator/hubs/{hub}/certificates/{certificate}",
        "remove one",
        hubs::delete_certificate,
    ),
    route(
        Method::GET,
        "/_emulator/services/{service}",
        "an API Management service and its certificates",
        services::show,
    ),
    route(
        Method::PUT,
        "/_emulator/services/{service}",
        "add a service, or change what the body names",
        services::put,
    ),
    route(
        Method::GET,
        "/_emulator/services/{service}/certificates/{certificate}",
        "one certificate",
        services::certificate,
    ),
    route(
        Method::PUT,
        "/_emulator/services/{service}/certificates/{certificate}",
        "put one there: certificate",
        services::put_certificate,
    ),
    route(
        Method::PATCH,
        "/_emulator/services/{service}/certificates/{certificate}",
        "change inUse, vaultStatus",
        services::change_certificate,
    ),
    route(
        Method::DELETE,
        "/_emulator/services/{service}/certificates/{certificate}",
        "remove one",
        services::delete_certificate,
    ),
    route(Method::GET, "/_emulator/vaults/{vault}", "a vault and its certificates", vaults::show),
    route(
        Method::PUT,
        "/_emulator/vaults/{vault}",
        "add a vault, or change what the body names",
        vaults::put,
    ),
    route(Method::DELETE, "/_emulator/vaults/{vault}", "remove a vault", vaults::delete),
    route(
        Method::GET,
        "/_emulator/vaults/{vault}/certificates/{certificate}",
        "one certificate, its versions, its operation",
        vaults::certificate,
    ),
    route(
        Method::PUT,
        "/_emulator/vaults/{vault}/certificates/{certificate}",
        "put one there: policy or import, tags, deleted",
        vaults::plant,
    ),
    route(
        Method::PATCH,
        "/_emulator/vaults/{vault}/certificates/{certificate}",
        "change tags, enabled, policy (merge patch), pending (its end)",
        vaults::change,
    ),
    route(
        Method::DELETE,
        "/_emulator/vaults/{vault}/certificates/{certificate}",
        "remove one at once",
        vaults::remove,
    ),
    route(
        Method::PUT,
        "/_emulator/users/{user}",
        "add a Huawei Cloud user, or change what the body names",
        huawei::put_user,
    ),
    route(Method::DELETE, "/_emulator/users/{user}", "remove a Huawei Cloud user", huawei::delete_user),
    route(
        Method::PUT,
        "/_emulator/agencies/{agency}",
        "add an agency, or change what the body names",
        huawei::put_agency,
    ),
    route(
        Method::GET,
        "/_emulator/instances/{instance}",
        "an IoTDA instance and its certificates",
        instances::show,
    ),
    route(
        Method::PUT,
        "/_emulator/instances/{instance}",
        "add an instance, or change what the body names",
        instances::put,
    ),
    route(Method::DELETE, "/_emulator/instances/{instance}", "remove an instance", instances::delete),
    route(
        Method::GET,
        "/_emulator/instances/{instance}/certificates",
        "its certificates, newest last",
        instances::list,
    ),
    route(
        Method::POST,
        "/_emulator/instances/{instance}/certificates",
        "put one there: content, appId, name, status, verifyCode, settings",
        instances::plant,
    ),
    route(
        Method::GET,
        "/_emulator/instances/{instance}/certificates/{certificate}",
        "one certificate",
        instances::certificate,
    ),
    route(
        Method::PATCH,
        "/_emulator/instances/{instance}/certificates/{certificate}",
        "change some of it (merge patch)",
        instances::change,
    ),
    route(
        Method::DELETE,
        "/_emulator/instances/{instance}/certificates/{certificate}",
        "remove one",
        instances::remove,
    ),
];

/// One control call.
struct Control<'a> {
    cloud: &'a Cloud,
    state: &'a mut State,
    request: &'a Request,
    captures: Captures,
}

impl Control<'_> {
    /// The body as this type; an unknown member is an error, so that no test sets what does not exist.
    fn body<T: DeserializeOwned>(&self) -> Result<T, Answer> {
        serde_json::from_slice(&self.request.body).map_err(|error| bad_request(&error.to_string()))
    }

    fn now(&self) -> i64 {
        self.state.clock.now()
    }
}

pub(crate) fn is_for(request: &Request) -> bool {
    request.segments().first().is_some_and(|first| first == "_emulator")
}

pub(crate) fn answer(cloud: &Cloud, request: &Request) -> Answer {
    let (route, captures) = match routes::find(ROUTES.iter(), request) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => {
            let allowed = methods.join(", ");
            return problem(StatusCode::METHOD_NOT_ALLOWED, "this path has other methods")
                .with("allow", allowed);
        }
        Found::Nothing => return problem(StatusCode::NOT_FOUND, "no such path; GET /_emulator lists them"),
    };
    let mut state = cloud.state();
    let done = (route.handle)(&mut Control { cloud, state: &mut state, request, captures });
    drop(state);
    if request.method != Method::GET {
        cloud.changed();
    }
    done.map_or_else(|refused| refused, |value| Answer::json(StatusCode::OK, &value))
}

fn table(_: &mut Control) -> Result<Value, Answer> {
    let row =
        |route: &Route| json!({"method": route.method.as_str(), "path": route.path, "does": route.does});
    Ok(ROUTES.iter().map(row).collect())
}

fn problem(status: StatusCode, message: &str) -> Answer {
    Answer::json(status, &json!({"error": message}))
}

fn bad_request(message: &str) -> Answer {
    problem(StatusCode::BAD_REQUEST, message)
}

fn not_found(what: &str, name: &str) -> Answer {
    problem(StatusCode::NOT_FOUND, &format!("no {what} '{name}'"))
}

/// A value as JSON; the world's types all serialise.
fn value(of: &impl serde::Serialize) -> Value {
    serde_json::to_value(of).unwrap_or(Value::Null)
}
