//! Which of the machine's identities a request means. The machine has every managed identity of the world.

use crate::request::Request;
use crate::world::{Client, ClientKind, World};

const NOT_FOUND: &str = "Identity not found";
const SEVERAL: &str = "Multiple user assigned identities exist, please specify the clientId / resourceId of the \
                       identity in the token request";

/// The ways to name one. `principal_id` and `mi_res_id` are other names that the service takes beside the documented.
const NAMES: [&str; 5] = ["client_id", "object_id", "principal_id", "msi_res_id", "mi_res_id"];

/// The identity, or why there is none.
pub(super) fn asked_for<'a>(world: &'a World, request: &Request) -> Result<&'a Client, &'static str> {
    let given =
        NAMES.iter().flat_map(|name| request.query_values(name).into_iter().map(move |id| (*name, id)));
    let given: Vec<_> = given.filter(|(_, id)| !id.is_empty()).collect();
    let mut all = world.clients.iter().filter(|client| client.kind == ClientKind::ManagedIdentity);
    match given.as_slice() {
        [] => unnamed(all),
        [(name, id)] => all.find(|client| is_named(client, name, id)).ok_or(NOT_FOUND),
        [_, ..] => Err("client_id, object_id and msi_res_id are mutually exclusive"),
    }
}

/// The machine's own identity; else the only one that is assigned to it.
fn unnamed<'a>(all: impl Iterator<Item = &'a Client>) -> Result<&'a Client, &'static str> {
    let (own, assigned): (Vec<_>, Vec<_>) = all.partition(|client| client.system_assigned);
    match (own.as_slice(), assigned.as_slice()) {
        ([own, ..], _) => Ok(own),
        ([], [only]) => Ok(only),
        ([], []) => Err(NOT_FOUND),
        ([], [_, ..]) => Err(SEVERAL),
    }
}

fn is_named(client: &Client, name: &str, id: &str) -> bool {
    let known = match name {
        "client_id" => Some(&client.client_id),
        "object_id" | "principal_id" => Some(&client.object_id),
        _ => client.resource_id.as_ref(),
    };
    known.is_some_and(|known| known.eq_ignore_ascii_case(id))
}
