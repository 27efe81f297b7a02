//! References to a vault: the service reads the secret there with one of its identities.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;

use super::contract::{invalid, refusal};
use super::service::{Service, VaultReference};
use super::upload::Leaf;
use crate::certificate;
use crate::clouds::CLOUDS;
use crate::names::Names;
use crate::request::Answer;
use crate::world::World;

/// How long a versionless reference stays as it is: up to four hours.
const REFRESH_SECONDS: i64 = 4 * 3600;

/// `https://{vault host}/secrets/{name}[/{version}]`.
struct Secret {
    vault: String,
    name: String,
    version: Option<String>,
}

/// Refuses what no look at a vault could heal.
pub(super) fn check(
    names: &Names,
    service: &Service,
    identifier: &str,
    identity: Option<&str>,
) -> Result<(), Answer> {
    if parse(names, identifier).is_none() {
        let message = "The secret identifier must have the form https://{vault}/secrets/{name}[/{version}].";
        return Err(invalid("secretIdentifier", message));
    }
    match identity {
        None if service.system_identity.is_none() => {
            let message = "Managed identity is not enabled on the service.";
            Err(refusal(StatusCode::BAD_REQUEST, "InvalidOperation", message, None))
        }
        Some(client) if !service.user_identities.iter().any(|it| it.eq_ignore_ascii_case(client)) => {
            Err(invalid("identityClientId", "The identity is not assigned to the service."))
        }
        None | Some(_) => Ok(()),
    }
}

/// What the vault holds now; or a word for why it cannot be had.
pub(super) fn look(
    world: &World,
    names: &Names,
    service: &Service,
    reference: &VaultReference,
    now: i64,
) -> Result<Leaf, &'static str> {
    let secret = parse(names, &reference.secret_identifier).ok_or("InvalidSecretIdentifier")?;
    let identity = reference.identity_client_id.as_ref().or(service.system_identity.as_ref());
    let vault =
        world.vaults.iter().find(|it| it.name.eq_ignore_ascii_case(&secret.vault)).ok_or("VaultNotFound")?;
    let may = vault.access.iter().any(|it| {
        identity.is_some_and(|identity| it.client_id.eq_ignore_ascii_case(identity))
            && it.secrets.iter().any(|word| word.eq_ignore_ascii_case("get") || word == "all")
    });
    if !may {
        return Err("Forbidden");
    }
    let object = vault.certificates.iter().find(|it| it.name.eq_ignore_ascii_case(&secret.name));
    let object = object.filter(|it| it.deleted.is_none()).ok_or("SecretNotFound")?;
    let issued = object.versions.iter().rev().filter(|it| !it.chain.is_empty());
    let mut wanted = issued.filter(|it| secret.version.as_ref().is_none_or(|id| *id == it.id));
    let held = wanted.next().ok_or("SecretNotFound")?;
    if !held.enabled || held.exp <= now {
        return Err("SecretDisabled");
    }
    let der = BASE64.decode(&held.chain[0]).unwrap_or_default();
    certificate::from_der(&der).map(|it| Leaf::of(&it)).map_err(|_| "NotACertificate")
}

/// Whether the service looks again by itself.
pub(super) fn is_due(names: &Names, reference: &VaultReference, now: i64) -> bool {
    let pinned = parse(names, &reference.secret_identifier).is_some_and(|it| it.version.is_some());
    !pinned && now - reference.looked_at >= REFRESH_SECONDS
}

fn parse(names: &Names, identifier: &str) -> Option<Secret> {
    let rest = identifier.strip_prefix("https://")?;
    let (authority, path) = rest.split_once('/')?;
    let host = authority.split(':').next()?.to_ascii_lowercase();
    let own = format!(".vault.{}", names.domain);
    let suffixes = CLOUDS.iter().map(|cloud| format!(".{}", cloud.vault_suffix)).chain([own]);
    let vault = suffixes.into_iter().find_map(|it| host.strip_suffix(it.as_str()).map(str::to_owned))?;
    let parts: Vec<_> = path.trim_end_matches('/').split('/').collect();
    let (name, version) = match parts.as_slice() {
        ["secrets", name] => (*name, None),
        ["secrets", name, version] => (*name, Some((*version).to_owned())),
        _ => return None,
    };
    (!name.is_empty()).then(|| Secret { vault, name: name.to_owned(), version })
}
