//! IoTDA's CA certificates. Source: the sheet `huawei-iotda`, and the description `openapi.yaml` beside it.

mod certificates;
mod errors;
mod hosts;
pub(crate) mod instance;
mod proof;
pub(crate) mod switches;
mod update;
mod wire;

use std::ops::RangeInclusive;

use hyper::Method;

use super::gateway::{self, Caller, Demands, Reach};
use super::signature::Scheme;
use crate::names::Names;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Captures, Found, Operation};
use crate::services::Service;
use crate::state::State;
use hosts::{Place, place};
use instance::{Edition, Instance};
use switches::{InstanceId, IotdaSwitches, LocalSigning};

pub(crate) const SERVICE: Service =
    Service { name: "iotda", serves, operation, answer, too_large: gateway::too_large };

struct Route {
    method: Method,
    path: &'static str,
    operation: &'static str,
    access: Access,
    /// The IAM action that it takes.
    action: &'static str,
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
        path: "/v5/iot/{project}/certificates",
        operation: "iotdaCertificates.upload",
        access: Access::Write,
        action: "iotda:certificates:upload",
        handle: certificates::upload,
    },
    Route {
        method: Method::GET,
        path: "/v5/iot/{project}/certificates",
        operation: "iotdaCertificates.list",
        access: Access::List,
        action: "iotda:certificates:queryList",
        handle: certificates::list,
    },
    Route {
        method: Method::GET,
        path: "/v5/iot/{project}/certificates/{certificate}",
        operation: "iotdaCertificates.get",
        access: Access::Get,
        action: "iotda:certificate:query",
        handle: certificates::get,
    },
    Route {
        method: Method::POST,
        path: "/v5/iot/{project}/certificates/{certificate}/action",
        operation: "iotdaCertificates.verify",
        access: Access::Write,
        action: "iotda:certificates:check",
        handle: certificates::verify,
    },
    Route {
        method: Method::PUT,
        path: "/v5/iot/{project}/certificates/{certificate}",
        operation: "iotdaCertificates.update",
        access: Access::Write,
        action: "iotda:certificates:update",
        handle: certificates::update,
    },
    Route {
        method: Method::DELETE,
        path: "/v5/iot/{project}/certificates/{certificate}",
        operation: "iotdaCertificates.delete",
        access: Access::Write,
        action: "iotda:certificates:delete",
        handle: certificates::delete,
    },
];

/// A call that was let in.
struct Call<'a> {
    state: &'a mut State,
    request: &'a Request,
    captures: Captures,
    /// Its place among the instances.
    instance: usize,
}

impl Call<'_> {
    fn now(&self) -> i64 {
        self.state.clock.now()
    }

    fn switches(&self) -> &IotdaSwitches {
        &self.state.world.switches.iotda
    }

    /// Whose the certificates are; what the real member holds is unconfirmed.
    fn owner(&self) -> String {
        self.state.world.huawei.id.clone()
    }

    fn instance(&mut self) -> &mut Instance {
        &mut self.state.world.instances[self.instance]
    }

    /// A parameter of the query, by its exact name.
    fn query(&self, name: &str, fits: fn(&str) -> bool) -> Result<Option<String>, Answer> {
        let mut values = self.request.query.iter().flatten().filter(|(key, _)| key == name);
        match (values.next(), values.next()) {
            (None, _) => Ok(None),
            (Some((_, value)), None) if fits(value) => Ok(Some(value.clone())),
            _ => Err(errors::bad_parameter(&format!("{name} does not have its form"))),
        }
    }

    fn number(&self, name: &str, range: RangeInclusive<usize>, default: usize) -> Result<usize, Answer> {
        let Some(text) = self.query(name, |_| true)? else { return Ok(default) };
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| errors::bad_parameter(&format!("{name} is out of its range")))
    }

    /// Codes that are too old give way to new ones. What a stale read shows is the past, in which nothing comes about.
    fn renew_codes(&mut self) {
        let (Some(life), now) = (self.switches().code_life_seconds, self.now()) else { return };
        if self.state.looks_back {
            return;
        }
        for stored in &mut self.instance().certificates {
            if !stored.status && stored.code_issued + life <= now {
                (stored.verify_code, stored.code_issued) = (random::guid(), now);
            }
        }
    }
}

fn serves(names: &Names, host: &str) -> bool {
    place(names, host).is_some()
}

fn operation(request: &Request) -> Operation {
    match meant(request) {
        Some((route, _)) => Operation { name: route.operation, access: route.access },
        None => Operation::UNKNOWN,
    }
}

/// Unlike the other services, the gateway compares paths to the letter.
fn meant(request: &Request) -> Option<(&'static Route, Captures)> {
    match routes::find(ROUTES.iter(), request) {
        Found::Route(route, captures) if routes::is_to_the_letter(route.path, request) => {
            Some((route, captures))
        }
        _ => None,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let mut answer = let_in(state, request).unwrap_or_else(|refused| refused);
    gateway::dress(&mut answer);
    answer
}

/// The gateway first: is there such an API, who calls, how often; then the service: which instance, whose project,
/// and whether the caller may.
fn let_in(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let place = place(&state.names, &request.host).ok_or_else(gateway::no_such_api)?;
    let (route, captures) = meant(request).ok_or_else(gateway::no_such_api)?;
    if request.query.is_none() {
        return Err(gateway::no_such_api());
    }
    if place.instance.is_some() && !state.world.instances.iter().any(|it| place.is_of(it)) {
        return Err(gateway::no_such_api());
    }
    let instance = instance_of(state, request, &place);
    let region = instance.as_ref().ok().map(|at| state.world.instances[*at].region.as_str());
    let demands = Demands { scheme: scheme(state, &place), region: region.or(place.region) };
    let caller = gateway::caller(state, request, &demands)?;
    gateway::throttled(state, &request.host)?;
    let instance = instance?;
    is_allowed(state, &caller, &state.world.instances[instance], captures.text("project"), route.action)?;
    (route.handle)(&mut Call { state, request, captures, instance })
}

fn scheme(state: &State, place: &Place) -> Option<Scheme> {
    place.scheme.or(match state.world.switches.iotda.local_signing {
        LocalSigning::Either => None,
        LocalSigning::Basic => Some(Scheme::Basic),
        LocalSigning::Derived => Some(Scheme::Derived),
    })
}

/// The host's instance, or the one that the header names; on the shared host without one, that of the basic edition.
/// What a foreign header answers is unconfirmed.
fn instance_of(state: &State, request: &Request, place: &Place) -> Result<usize, Answer> {
    let sent = request.header("instance-id");
    if sent.is_some_and(|id| !wire::is_certificate_id(id)) {
        return Err(errors::bad_parameter("Instance-Id does not have its form"));
    }
    if sent.is_none() && state.world.switches.iotda.instance_id == InstanceId::Required {
        return Err(errors::bad_parameter("Instance-Id is missing"));
    }
    let fits = |it: &Instance| match (place.instance, sent) {
        (_, Some(id)) => it.id == id,
        (Some(_), None) => true,
        (None, None) => it.edition == Edition::Basic,
    };
    let found = state.world.instances.iter().position(|it| place.is_of(it) && fits(it));
    found.ok_or_else(errors::not_subscribed)
}

fn is_allowed(
    state: &State,
    caller: &Caller,
    instance: &Instance,
    project: &str,
    action: &str,
) -> Result<(), Answer> {
    if !wire::is_project_id(project) {
        return Err(errors::bad_parameter("the project id does not have its form"));
    }
    if project != instance.project_id {
        return Err(errors::not_subscribed());
    }
    let reaches = match &caller.reach {
        Reach::Everywhere => true,
        Reach::Project(id) => id == project,
        Reach::IamAlone => false,
    };
    if !reaches || !state.world.huawei.allows(&caller.holder, action) {
        return Err(errors::no_permission(action));
    }
    Ok(())
}
