//! Issuing tokens for the client-credentials grant.

use hyper::StatusCode;
use openssl::memcmp;
use serde::Serialize;

use super::assertion;
use super::errors::Refusal;
use super::issue::{AccessToken, Proof, is_known_resource};
use crate::encoding;
use crate::request::{Answer, Request};
use crate::routes::Captures;
use crate::state::State;
use crate::world::{Client, ClientKind};

/// The one type of assertion (RFC 7523 §2.2).
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

#[derive(Serialize)]
struct Issued {
    token_type: &'static str,
    expires_in: i64,
    ext_expires_in: i64,
    access_token: String,
}

pub(super) fn issue(state: &mut State, request: &Request, captures: &Captures) -> Answer {
    match issued(state, request, captures.text("tenant")) {
        Ok(issued) => Answer::json(StatusCode::OK, &issued),
        Err(refusal) => refusal.answer(state),
    }
}

fn issued(state: &State, request: &Request, tenant: &str) -> Result<Issued, Refusal> {
    let form = form(request);
    let field = |name: &'static str| {
        let found = form.iter().find(|(key, value)| key == name && !value.is_empty());
        found.map(|(_, value)| value.as_str()).ok_or_else(|| Refusal::missing_parameter(name))
    };
    let tenant = state.world.tenant(tenant).ok_or_else(|| Refusal::unknown_tenant(tenant))?;
    let grant = field("grant_type")?;
    if grant != "client_credentials" {
        return Err(Refusal::unsupported_grant(grant));
    }
    let client_id = field("client_id")?;
    let client = state.world.client(client_id).filter(|client| client.tenant_id == tenant.id);
    let client = client.ok_or_else(|| Refusal::unknown_client(client_id, &tenant.id))?;
    let proof = signed_in(state, client, field)?;
    let audience = audience(state, request, field("scope")?, &tenant.id)?;
    let token = AccessToken::new(state, client, audience, proof);
    let life = token.life();
    Ok(Issued { token_type: "Bearer", expires_in: life, ext_expires_in: life, access_token: token.text })
}

/// Of an assertion and a secret in one request the assertion counts; the real service's choice is not documented.
fn signed_in<'a>(
    state: &State,
    client: &Client,
    field: impl Fn(&'static str) -> Result<&'a str, Refusal>,
) -> Result<Proof, Refusal> {
    let now = state.clock.now();
    match (field("client_assertion"), field("client_secret")) {
        (Ok(assertion), _) => {
            if field("client_assertion_type")? != JWT_BEARER {
                return Err(Refusal::unexpected_assertion_type());
            }
            assertion::check(client, assertion, state.world.switches.assertion_algorithms, now)?;
            Ok(Proof::Assertion)
        }
        (Err(_), Ok(secret)) => check_secret(client, secret, now).map(|()| Proof::Secret),
        (Err(_), Err(_)) => Err(Refusal::no_credential()),
    }
}

/// A body of another media type has no fields, as Entra sees it.
fn form(request: &Request) -> Vec<(String, String)> {
    if request.media_type().as_deref() != Some("application/x-www-form-urlencoded") {
        return Vec::new();
    }
    std::str::from_utf8(&request.body).ok().and_then(encoding::pairs).unwrap_or_default()
}

fn check_secret(client: &Client, secret: &str, now: i64) -> Result<(), Refusal> {
    let same = |known: &str| known.len() == secret.len() && memcmp::eq(known.as_bytes(), secret.as_bytes());
    let found = client.secrets.iter().find(|known| same(&known.value));
    match found.filter(|_| client.kind != ClientKind::ManagedIdentity) {
        None => Err(Refusal::wrong_secret(&client.client_id)),
        Some(known) if known.expires.is_some_and(|at| at <= now) => {
            Err(Refusal::expired_secret(&client.client_id))
        }
        Some(_) => Ok(()),
    }
}

/// `https://management.azure.com/.default` → `https://management.azure.com`. The older audience with its slash
/// gives two slashes in front of `.default`, and keeps its own.
fn audience(state: &State, request: &Request, scope: &str, tenant: &str) -> Result<String, Refusal> {
    let mut scopes = scope.split_ascii_whitespace();
    let (Some(only), None) = (scopes.next(), scopes.next()) else { return Err(Refusal::bad_scope(scope)) };
    let resource = only.strip_suffix("/.default").ok_or_else(|| Refusal::bad_scope(scope))?;
    if !is_known_resource(state, &request.host, resource) {
        return Err(Refusal::unknown_resource(resource, tenant));
    }
    Ok(resource.to_owned())
}
