//! Azure Resource Manager: the front door that every call passes, and the list of the providers behind it.
//! Source: `azure-common`, sections 3, 5, 6 and "The emulator must".

mod access;
pub(crate) mod api_management;
pub(crate) mod errors;
pub(crate) mod iot_hub;
mod metadata;
pub(crate) mod operations;
mod permissions;
mod subscriptions;

use hyper::Method;

use crate::arm::access::Principal;
use crate::clock;
use crate::clouds::CLOUDS;
use crate::names::Names;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Captures, Found, Operation};
use crate::services::{Service, content_too_large};
use crate::state::State;
use crate::throttle::{Kind, Verdict};

pub(crate) const SERVICE: Service =
    Service { name: "arm", serves, operation, answer, too_large: content_too_large };

/// A further ARM provider stands here with one line.
const PROVIDERS: &[Provider] = &[
    metadata::PROVIDER,
    subscriptions::PROVIDER,
    operations::PROVIDER,
    permissions::PROVIDER,
    iot_hub::PROVIDER,
    api_management::PROVIDER,
];

pub(crate) struct Provider {
    /// Empty for what belongs to ARM itself.
    pub(crate) namespace: &'static str,
    /// Its resource types, for `GET …/providers/{namespace}`.
    pub(crate) types: &'static [&'static str],
    pub(crate) versions: &'static [&'static str],
    pub(crate) routes: &'static [Route],
}

pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) operation: &'static str,
    pub(crate) access: Access,
    pub(crate) needs: Needs,
    pub(crate) handle: fn(&mut Call) -> Result<Answer, Answer>,
}

/// What a caller needs to be let in.
pub(crate) enum Needs {
    Nothing,
    /// A token, no role.
    Token,
    /// A role with this action at the resource.
    Action(&'static str),
}

impl routes::Route for Route {
    fn method(&self) -> &Method {
        &self.method
    }

    fn path(&self) -> &'static str {
        self.path
    }
}

/// A call that the front door let in.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) request: &'a Request,
    pub(crate) captures: Captures,
    /// One of the provider's `versions`.
    pub(crate) version: &'a str,
    /// Client id; empty where no token was needed.
    pub(crate) principal: String,
}

impl Call<'_> {
    pub(crate) fn capture(&self, name: &str) -> &str {
        self.captures.text(name)
    }

    pub(crate) fn now(&self) -> i64 {
        self.state.clock.now()
    }
}

fn serves(names: &Names, host: &str) -> bool {
    names.is(host, "arm") || CLOUDS.iter().any(|cloud| cloud.arm_host == host)
}

/// The route that a request means, with the provider it belongs to.
enum Meant {
    Route(&'static Provider, &'static Route, Captures),
    OtherMethods(Vec<&'static str>),
    Nothing,
}

fn meant(request: &Request) -> Meant {
    let mut methods = Vec::new();
    for provider in PROVIDERS {
        match routes::find(provider.routes.iter(), request) {
            Found::Route(route, captures) => return Meant::Route(provider, route, captures),
            Found::OtherMethods(others) => methods.extend(others),
            Found::Nothing => {}
        }
    }
    if methods.is_empty() { Meant::Nothing } else { Meant::OtherMethods(methods) }
}

fn operation(request: &Request) -> Operation {
    match meant(request) {
        Meant::Route(_, route, _) => Operation { name: route.operation, access: route.access },
        Meant::OtherMethods(_) | Meant::Nothing => Operation::UNKNOWN,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let mut remaining = None;
    let mut answer = let_in(state, request, &mut remaining).unwrap_or_else(|refused| refused);
    if let Some((name, count)) = remaining {
        answer.set(&name, count.to_string());
    }
    dress(&mut answer, state, request);
    answer
}

/// The front door, in the order in which ARM was seen to check: who, what, how often, whether allowed, whether it
/// exists; then the provider's own module.
fn let_in(
    state: &mut State,
    request: &Request,
    remaining: &mut Option<(String, u64)>,
) -> Result<Answer, Answer> {
    if request.segments.is_none() || request.query.is_none() {
        return Err(errors::malformed_uri().answer());
    }
    let meant = meant(request);
    let open = matches!(&meant, Meant::Route(_, route, _) if matches!(route.needs, Needs::Nothing));
    let principal = if open { Principal::default() } else { access::principal(state, request)? };
    let version = version(request)?;
    let subscription = subscription(state, request, &principal)?;
    if !open {
        *remaining = throttled(state, request, subscription.as_deref(), &principal)?;
    }
    let (provider, route, captures) = match meant {
        Meant::Route(provider, route, captures) => (provider, route, captures),
        Meant::OtherMethods(methods) => {
            let refusal = errors::wrong_method(request.method.as_str());
            return Err(refusal.answer().with("allow", methods.join(", ")));
        }
        Meant::Nothing => return Err(errors::unknown_type(request).answer()),
    };
    if let Needs::Action(action) = route.needs {
        access::authorized(state, &principal, action, request)?;
    }
    exists(state, provider, &captures)?;
    let known = provider.versions.iter().find(|known| known.eq_ignore_ascii_case(version));
    let version = known.ok_or_else(|| errors::unknown_version(version, provider).answer())?;
    let principal = principal.client_id;
    (route.handle)(&mut Call { state, request, captures, version, principal })
}

/// Exactly one api-version, always; none has a default.
fn version(request: &Request) -> Result<&str, Answer> {
    match request.query_values("api-version").as_slice() {
        [one] if !one.is_empty() => Ok(one),
        [] | [_] => Err(errors::missing_version().answer()),
        [_, ..] => Err(errors::several_versions().answer()),
    }
}

/// The subscription that the path names, if it names one and the caller's tenant owns it.
fn subscription(state: &State, request: &Request, principal: &Principal) -> Result<Option<String>, Answer> {
    let [first, id, ..] = request.segments() else { return Ok(None) };
    if !first.eq_ignore_ascii_case("subscriptions") {
        return Ok(None);
    }
    if !is_guid(id) {
        return Err(errors::bad_subscription_id(id).answer());
    }
    let found = state.world.subscription(id).ok_or_else(|| errors::unknown_subscription(id).answer())?;
    if !principal.tenant_id.is_empty() && !found.tenant_id.eq_ignore_ascii_case(&principal.tenant_id) {
        return Err(access::wrong_tenant(state, &principal.tenant_id, &found.tenant_id));
    }
    Ok(Some(found.id.clone()))
}

fn is_guid(text: &str) -> bool {
    let dash = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    let fits = |(at, byte): (usize, u8)| if dash(at) { byte == b'-' } else { byte.is_ascii_hexdigit() };
    text.len() == 36 && text.bytes().enumerate().all(fits)
}

/// Takes a token out of the bucket; gives the header with what is left. POSTs count as writes.
fn throttled(
    state: &mut State,
    request: &Request,
    subscription: Option<&str>,
    principal: &Principal,
) -> Result<Option<(String, u64)>, Answer> {
    let kind = match request.method {
        Method::GET | Method::HEAD | Method::OPTIONS => Kind::Reads,
        Method::DELETE => Kind::Deletes,
        _ => Kind::Writes,
    };
    let (sort, scope) = match subscription {
        Some(id) => ("subscription", id),
        None => ("tenant", principal.tenant_id.as_str()),
    };
    let now = state.clock.now_ms();
    let header = format!("x-ms-ratelimit-remaining-{sort}-{}", kind.plural());
    match state.levels.take(&state.world.throttle, scope, &principal.client_id, kind, now) {
        Verdict::Pass { remaining } => Ok(Some((header, remaining))),
        Verdict::Refused { retry_after_seconds } => {
            let refused = errors::throttled(kind, scope, retry_after_seconds).answer().with(&header, "0");
            Err(match state.world.throttle.retry_after {
                true => refused.with("retry-after", retry_after_seconds.to_string()),
                false => refused,
            })
        }
    }
}

/// The group of the path exists and the subscription has registered the provider.
fn exists(state: &State, provider: &Provider, captures: &Captures) -> Result<(), Answer> {
    let Some(subscription) = state.world.subscription(captures.text("subscription")) else { return Ok(()) };
    let group = captures.text("group");
    if captures.has("group") && subscription.resource_group(group).is_none() {
        return Err(errors::unknown_group(group).answer());
    }
    if !subscription.has_registered(provider.namespace) {
        return Err(errors::not_registered(provider.namespace, &subscription.id).answer());
    }
    Ok(())
}

/// The headers of every ARM answer.
fn dress(answer: &mut Answer, state: &State, request: &Request) {
    let id = random::guid();
    let routing = format!("EMULATOR:{}:{id}", clock::iso(state.clock.now()).replace(['-', ':'], ""));
    answer.set("cache-control", "no-cache");
    answer.set("pragma", "no-cache");
    answer.set("expires", "-1");
    answer.set("server", "Microsoft-HTTPAPI/2.0");
    answer.set("strict-transport-security", "max-age=31536000; includeSubDomains");
    answer.set("x-content-type-options", "nosniff");
    answer.set("x-ms-request-id", random::guid());
    answer.set("x-ms-correlation-request-id", request.header("x-ms-correlation-request-id").unwrap_or(&id));
    answer.set("x-ms-routing-request-id", routing);
    let echo =
        request.header("x-ms-return-client-request-id").is_some_and(|wish| wish.eq_ignore_ascii_case("true"));
    if let (true, Some(own)) = (echo, request.header("x-ms-client-request-id")) {
        answer.set("x-ms-client-request-id", own);
    }
}
