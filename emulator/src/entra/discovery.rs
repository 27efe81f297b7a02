//! What MSAL-based clients ask before they ask for a token. The URLs are built from the host that the client
//! used, since it will compare them with it.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::errors::Refusal;
use crate::request::{Answer, Request};
use crate::routes::Captures;
use crate::state::State;

/// Names that stand for no tenant of their own.
const ANY_TENANT: [&str; 3] = ["common", "organizations", "consumers"];

fn is_any(tenant: &str) -> bool {
    ANY_TENANT.iter().any(|name| name.eq_ignore_ascii_case(tenant))
}

pub(super) fn openid_configuration(state: &mut State, request: &Request, captures: &Captures) -> Answer {
    let asked = captures.text("tenant");
    let issuer = match state.world.tenant(asked) {
        Some(tenant) => tenant.id.clone(),
        None if is_any(asked) => "{tenantid}".to_owned(),
        None => return Refusal::unknown_tenant(asked).answer(state),
    };
    let base = format!("https://{}", request.authority);
    let body = json!({
        "token_endpoint": format!("{base}/{asked}/oauth2/v2.0/token"),
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "jwks_uri": format!("{base}/{asked}/discovery/v2.0/keys"),
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token", "id_token token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": format!("{base}/{issuer}/v2.0"),
        "authorization_endpoint": format!("{base}/{asked}/oauth2/v2.0/authorize"),
        "device_authorization_endpoint": format!("{base}/{asked}/oauth2/v2.0/devicecode"),
        "end_session_endpoint": format!("{base}/{asked}/oauth2/v2.0/logout"),
        "tenant_region_scope": "EU",
        "cloud_instance_name": request.host,
    });
    Answer::json(StatusCode::OK, &body)
}

pub(super) fn keys(state: &mut State, _: &Request, _: &Captures) -> Answer {
    match state.signer.public() {
        Ok(key) => Answer::json(StatusCode::OK, &json!({"keys": [key]})),
        Err(_) => Answer::empty(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// The aliases of an authority; the emulator knows only the one that it is asked at.
pub(super) fn instance(_: &mut State, request: &Request, _: &Captures) -> Answer {
    let asked = request.query_values("authorization_endpoint");
    let tenant =
        asked.first().and_then(|url| url.strip_prefix("https://")?.split('/').nth(1)).unwrap_or("common");
    let base = &request.authority;
    let alias = json!({"preferred_network": base, "preferred_cache": base, "aliases": [base]});
    let mut body = json!({"api-version": "1.1", "metadata": [alias]});
    body["tenant_discovery_endpoint"] =
        Value::from(format!("https://{base}/{tenant}/v2.0/.well-known/openid-configuration"));
    Answer::json(StatusCode::OK, &body)
}
