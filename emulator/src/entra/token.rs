//! Issuing tokens for the client-credentials grant.

use hyper::StatusCode;
use openssl::memcmp;
use serde::Serialize;

use super::errors::Refusal;
use super::jwt::Claims;
use crate::clouds;
use crate::encoding;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::Captures;
use crate::state::State;
use crate::world::{Client, ClientKind};

#[derive(Serialize)]
struct Issued {
    token_type: &'static str,
    expires_in: i64,
    ext_expires_in: i64,
    access_token: String,
}

/// How the client says who it is.
enum Credential<'a> {
    Secret(&'a str),
    /// A token of another issuer (workload identity federation). Reserved.
    Assertion,
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
    let credential = match (field("client_secret"), field("client_assertion")) {
        (Ok(secret), _) => Credential::Secret(secret),
        (_, Ok(_)) => Credential::Assertion,
        _ => return Err(Refusal::no_credential()),
    };
    match credential {
        Credential::Secret(secret) => check_secret(client, secret, state.clock.now())?,
        Credential::Assertion => return Err(Refusal::no_matching_federation(client_id)),
    }
    let audience = audience(state, request, field("scope")?, &tenant.id)?;

    let (now, life) = (state.clock.now(), state.world.switches.token_life_seconds.0);
    let claims = Claims {
        aud: audience,
        iss: format!("https://sts.windows.net/{}/", tenant.id),
        iat: now,
        nbf: now,
        exp: now + life,
        appid: client.client_id.clone(),
        appidacr: "1".to_owned(),
        idtyp: "app".to_owned(),
        oid: client.object_id.clone(),
        sub: client.object_id.clone(),
        tid: tenant.id.clone(),
        uti: random::guid(),
        ver: "1.0".to_owned(),
        emulator_generation: state.world.token_generation,
    };
    let access_token = state.signer.sign(&claims);
    Ok(Issued { token_type: "Bearer", expires_in: life, ext_expires_in: life, access_token })
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
    match found.filter(|_| client.kind == ClientKind::Secret) {
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
    let own_arm = state.names.base("arm");
    let known = clouds::is_arm_audience(&request.host, resource)
        || clouds::is_vault_audience(&request.host, resource)
        || resource.trim_end_matches('/') == own_arm;
    if known { Ok(resource.to_owned()) } else { Err(Refusal::unknown_resource(resource, tenant)) }
}
