//! Who calls ARM, and whether that caller may: tokens and role assignments.

use hyper::StatusCode;

use super::errors::Refusal;
use crate::clouds;
use crate::entra::jwt::Claims;
use crate::request::{Answer, Request};
use crate::state::State;
use crate::switches::Tokens;

#[derive(Debug, Default)]
pub(super) struct Principal {
    pub(super) client_id: String,
    pub(super) object_id: String,
    /// Empty where tokens are not checked: such a caller belongs to every tenant.
    pub(super) tenant_id: String,
    /// Tokens are not checked, so neither are roles.
    unchecked: bool,
}

pub(super) fn principal(state: &State, request: &Request) -> Result<Principal, Answer> {
    let Some(value) = request.header("authorization") else {
        let message = "Authentication failed. The 'Authorization' header is missing.";
        return Err(unauthorized(state, "AuthenticationFailed", message));
    };
    let token = match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            token.trim()
        }
        _ => {
            let message =
                "Authentication failed. The 'Authorization' header is provided in an invalid format.";
            return Err(unauthorized(state, "AuthenticationFailedInvalidHeader", message));
        }
    };
    let read = state.signer.read(token);
    if state.world.switches.tokens == Tokens::AnyBearer {
        // The token may be anybody's; ours still tell who it is, for the buckets.
        let client_id = read.map_or_else(|_| "anybody".to_owned(), |claims| claims.appid);
        let none = String::new();
        return Ok(Principal { client_id, object_id: none.clone(), tenant_id: none, unchecked: true });
    }
    let invalid = |message: &str| unauthorized(state, "InvalidAuthenticationToken", message);
    let claims = read.map_err(|_| invalid("The access token is invalid."))?;
    check(state, request, &claims)?;
    Ok(Principal { client_id: claims.appid, object_id: claims.oid, tenant_id: claims.tid, unchecked: false })
}

fn check(state: &State, request: &Request, claims: &Claims) -> Result<(), Answer> {
    let now = state.clock.now();
    if claims.exp <= now {
        let message = format!("The access token expiry is at {}, the current time is {now}.", claims.exp);
        return Err(unauthorized(state, "ExpiredAuthenticationToken", &message));
    }
    // Five minutes for clocks that differ.
    if claims.nbf > now + 300 || claims.emulator_generation < state.world.token_generation {
        return Err(unauthorized(state, "InvalidAuthenticationToken", "The access token is not valid now."));
    }
    let own = claims.aud.trim_end_matches('/') == state.names.base("arm");
    if !own && !clouds::is_arm_audience(&request.host, &claims.aud) {
        let message = format!("The access token is for the audience '{}', not for this service.", claims.aud);
        return Err(unauthorized(state, "InvalidAuthenticationTokenAudience", &message));
    }
    Ok(())
}

/// The token is of another tenant than the subscription.
pub(super) fn wrong_tenant(state: &State, token: &str, subscription: &str) -> Answer {
    let message =
        format!("The access token is from tenant '{token}', the subscription is in '{subscription}'.");
    unauthorized(state, "InvalidAuthenticationTokenTenant", &message)
}

fn unauthorized(state: &State, code: &'static str, message: &str) -> Answer {
    let tenant = state.world.tenants.first().map_or("common", |tenant| tenant.id.as_str());
    let authority = format!("{}/{tenant}", state.names.base("login"));
    let challenge = format!(
        "Bearer authorization_uri=\"{authority}\", error=\"invalid_token\", error_description=\"{code}\""
    );
    Refusal::new(StatusCode::UNAUTHORIZED, code, message).answer().with("www-authenticate", challenge)
}

pub(super) fn authorized(
    state: &State,
    principal: &Principal,
    action: &str,
    request: &Request,
) -> Result<(), Answer> {
    let scope = format!("/{}", request.segments().join("/"));
    let now = state.clock.now();
    let roles =
        state.world.client(&principal.client_id).map(|client| client.roles.as_slice()).unwrap_or_default();
    if principal.unchecked || roles.iter().any(|role| role.allows(action, &scope, now)) {
        return Ok(());
    }
    let (client, object) = (&principal.client_id, &principal.object_id);
    let message = format!(
        "The client '{client}' with object id '{object}' does not have authorization to perform action '{action}' \
         over scope '{scope}' or the scope is invalid. If access was recently granted, refresh your credentials."
    );
    Err(Refusal::new(StatusCode::FORBIDDEN, "AuthorizationFailed", message).answer())
}
