//! Who calls a vault, and whether that caller may.

use crate::clouds;
use crate::request::{Answer, Request};
use crate::state::State;
use crate::switches::Tokens;

use super::errors;

/// The caller's client id; `None` where tokens are not checked.
pub(super) struct Caller(Option<String>);

pub(super) fn caller(state: &State, request: &Request) -> Result<Caller, Answer> {
    let bearer = request.header("authorization").and_then(|it| it.split_once(' '));
    let token = match bearer {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
            token.trim()
        }
        _ => return Err(challenge(state, request, "AKV10000: Request is missing a Bearer or PoP token.")),
    };
    if state.world.switches.tokens == Tokens::AnyBearer {
        return Ok(Caller(None));
    }
    let invalid = |message: &str| challenge(state, request, message);
    let claims = state.signer.read(token).map_err(|_| invalid("AKV10022: Invalid token."))?;
    let now = state.clock.now();
    if claims.exp <= now
        || claims.nbf > now + 300
        || claims.emulator_generation < state.world.token_generation
    {
        return Err(invalid("AKV10022: The token is expired or not valid now."));
    }
    if !clouds::is_vault_audience(&request.host, &claims.aud) && claims.aud != state.names.base("vault") {
        return Err(invalid("AKV10022: Invalid audience."));
    }
    Ok(Caller(Some(claims.appid)))
}

fn challenge(state: &State, request: &Request, message: &str) -> Answer {
    let tenant = state.world.tenants.first().map_or("common", |tenant| tenant.id.as_str());
    let cloud = clouds::CLOUDS.iter().find(|it| request.host.ends_with(it.vault_suffix));
    // The vendor's clients want the vault's host to be under the resource's, port and all.
    let resource = cloud.map_or_else(|| state.names.base("vault"), |it| it.vault_audience.to_owned());
    errors::unauthorized(&format!("{}/{tenant}", state.names.base("login")), &resource, message)
}

/// Access policies and roles say the same here; only the words of the refusal differ.
pub(super) fn authorized(
    state: &State,
    vault: usize,
    caller: &Caller,
    (object, word): (&str, &str),
) -> Result<(), Answer> {
    let Some(client) = &caller.0 else { return Ok(()) };
    let vault = &state.world.vaults[vault];
    let mut words = vault.access.iter().filter(|it| it.client_id.eq_ignore_ascii_case(client));
    let may = words.any(|it| {
        let list = if object == "secrets" { &it.secrets } else { &it.certificates };
        list.iter().any(|has| has.eq_ignore_ascii_case(word) || has == "all")
    });
    if may {
        return Ok(());
    }
    Err(if vault.rbac {
        let message = "Caller is not authorized to perform action on resource.";
        errors::forbidden(Some("ForbiddenByRbac"), message)
    } else {
        let message =
            format!("The user, group or application does not have {object} {word} permission on key vault.");
        errors::forbidden(Some("ForbiddenByPolicy"), &message)
    })
}
