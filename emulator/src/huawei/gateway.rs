//! The API gateway before IAM and IoTDA: who calls, how often, and refusals in its own envelope. Texts follow those in
//! the threads that the sheet names; that of an expired date is unconfirmed.

use hyper::StatusCode;
use serde_json::json;

use super::account::Holder;
use super::canonical::canonical_request;
use super::signature::{Claimed, Scheme};
use crate::clock;
use crate::encoding::hex_lower;
use crate::random;
use crate::request::{Answer, Request};
use crate::state::State;
use crate::throttle::{Bucket, Kind, Limits, Verdict};

/// A date that is so many seconds off, or more, is refused.
const WINDOW: i64 = 15 * 60;
/// The name under which keys are derived for IoTDA.
const SERVICE: &str = "iotdm";

/// Who calls.
pub(super) struct Caller {
    pub(super) holder: Holder,
    pub(super) reach: Reach,
}

/// Where a caller's rights count.
#[derive(PartialEq, Eq)]
pub(super) enum Reach {
    Everywhere,
    Project(String),
    /// What a token without a project is good for.
    IamAlone,
}

/// What a host demands of signatures.
#[derive(Default)]
pub(super) struct Demands<'a> {
    /// `None`: either.
    pub(super) scheme: Option<Scheme>,
    /// Of a derived key's scope; `None`: any.
    pub(super) region: Option<&'a str>,
}

/// A signature, or a token in its place.
pub(super) fn caller(state: &State, request: &Request, demands: &Demands) -> Result<Caller, Answer> {
    match (request.header("authorization"), request.header("x-auth-token")) {
        (Some(header), _) => signed(state, request, header, demands),
        (None, Some(token)) => by_token(state, token),
        (None, None) => Err(unauthorized("Authorization and X-Auth-Token are both missing")),
    }
}

fn by_token(state: &State, value: &str) -> Result<Caller, Answer> {
    let now = state.clock.now();
    let token = state.world.huawei.tokens.iter().find(|token| token.value == value);
    match token {
        None => Err(unauthorized("decrypt token fail")),
        Some(token) if token.expires <= now => Err(unauthorized("token expired")),
        Some(token) => {
            let reach = token.project.clone().map_or(Reach::IamAlone, Reach::Project);
            Ok(Caller { holder: token.holder.clone(), reach })
        }
    }
}

fn signed(state: &State, request: &Request, header: &str, demands: &Demands) -> Result<Caller, Answer> {
    let claimed = Claimed::read(header).ok_or_else(|| unauthorized("Authorization format is incorrect"))?;
    let scheme = claimed.scheme();
    if demands.scheme.is_some_and(|demanded| demanded != scheme) {
        return Err(unauthorized(&format!("algorithm {} is not supported here", scheme.name())));
    }
    // A security token is signed too, where there is one.
    let token = request.header("x-security-token").map(|_| "x-security-token");
    for needed in ["host", "x-sdk-date"].into_iter().chain(token) {
        if !claimed.signed_headers.iter().any(|name| name == needed) {
            return Err(unauthorized(&format!("{needed} is not among the signed headers")));
        }
    }
    let date = request.header("x-sdk-date").unwrap_or_default();
    let (time, now) = (clock::from_compact(date), state.clock.now());
    let time = time.ok_or_else(|| unauthorized("X-Sdk-Date format is incorrect"))?;
    if (now - time).abs() >= WINDOW {
        let now = clock::compact(now);
        return Err(unauthorized(&format!("signature expired, signature time: {date}, server time: {now}")));
    }
    if let Some(scope) = &claimed.scope {
        let day_fits = date.starts_with(scope.day) && scope.day.len() == 8;
        let region_fits = demands.region.is_none_or(|region| region == scope.region);
        if !day_fits || !region_fits || scope.service != SERVICE {
            return Err(unauthorized("credential scope is incorrect"));
        }
    }
    let (holder, secret) = key(state, request, claimed.access, now)?;
    let canonical = canonical_request(request, &claimed.signed_headers)
        .ok_or_else(|| unauthorized("a signed header is missing"))?;
    // HMAC fails only when OpenSSL lacks SHA-256; then nothing is signed.
    if claimed.is_by(secret, date, &canonical).unwrap_or(false) {
        return Ok(Caller { holder, reach: Reach::Everywhere });
    }
    let shown = canonical.replace('\n', "|");
    Err(unauthorized(&format!("verify aksk signature fail, canonicalRequest:{shown}")))
}

/// The key of that name: a user's, or a temporary one, which is nothing without its token.
fn key<'a>(state: &'a State, request: &Request, access: &str, now: i64) -> Result<(Holder, &'a str), Answer> {
    let account = &state.world.huawei;
    let sent = request.header("x-security-token");
    if let Some(key) = account.temporary_keys.iter().find(|key| key.access == access) {
        return match sent {
            Some(token) if token != key.security_token => Err(unauthorized("decrypt security token fail")),
            Some(_) if key.expires <= now => Err(unauthorized("security token expired")),
            Some(_) => Ok((key.holder.clone(), &key.secret)),
            None => Err(unauthorized("X-Security-Token is missing")),
        };
    }
    let users = account.users.iter();
    let mut keys = users.flat_map(|user| user.access_keys.iter().map(move |key| (user, key)));
    match keys.find(|(_, key)| key.access == access) {
        Some(_) if sent.is_some() => Err(unauthorized("decrypt security token fail")),
        Some((user, key)) => Ok((Holder::User(user.name.clone()), &key.secret)),
        None => Err(unauthorized(&format!("Get secretKey failed,ak:{access},err:ak not exist"))),
    }
}

/// The limit that the switch sets, if any, for all calls to a host.
pub(super) fn throttled(state: &mut State, host: &str) -> Result<(), Answer> {
    let Some(limit) = state.world.switches.iotda.throttle else { return Ok(()) };
    let (calls, seconds) = (limit.calls as f64, limit.period_seconds as f64);
    let bucket = Bucket { size: calls, refill_per_second: calls / seconds };
    let limits = Limits { enabled: true, reads: bucket, everybody: 1.0, ..Limits::default() };
    match state.levels.take(&limits, host, "", Kind::Reads, state.clock.now_ms()) {
        Verdict::Pass { .. } => Ok(()),
        Verdict::Refused { .. } => {
            let message = format!(
                "The throttling threshold has been reached: policy user over ratelimit,limit:{},time:{} second",
                limit.calls, limit.period_seconds
            );
            Err(refusal(StatusCode::TOO_MANY_REQUESTS, "APIGW.0308", &message))
        }
    }
}

/// Wrong host, path or method: the gateway does not tell them apart, nor has 405.
pub(super) fn no_such_api() -> Answer {
    refusal(
        StatusCode::NOT_FOUND,
        "APIGW.0101",
        "The API does not exist or has not been published in the environment",
    )
}

pub(super) fn too_large(limit: usize) -> Answer {
    let message = format!("Request body too large, the limit is {limit} bytes");
    let mut answer = refusal(StatusCode::PAYLOAD_TOO_LARGE, "APIGW.0201", &message);
    dress(&mut answer);
    answer
}

fn unauthorized(why: &str) -> Answer {
    let message = format!("Incorrect IAM authentication information: {why}");
    refusal(StatusCode::UNAUTHORIZED, "APIGW.0301", &message)
}

fn refusal(status: StatusCode, code: &str, message: &str) -> Answer {
    let id = request_id();
    let body = json!({"error_msg": message, "error_code": code, "request_id": id});
    Answer::json(status, &body).with("x-request-id", id)
}

/// The headers of every answer that comes through the gateway.
pub(super) fn dress(answer: &mut Answer) {
    if !answer.has("x-request-id") {
        answer.set("x-request-id", request_id());
    }
    answer.set("server", "api-gateway");
    answer.set("strict-transport-security", "max-age=31536000; includeSubdomains;");
    answer.set("x-content-type-options", "nosniff");
}

fn request_id() -> String {
    hex_lower(&random::bytes::<16>())
}
