//! The world as a whole: tenants, clients, roles, subscriptions, switches, bucket sizes.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::entra::federation::FederatedCredential;
use crate::faults::merge;
use crate::request::Answer;
use crate::roles::RoleAssignment;
use crate::throttle::Levels;
use crate::world::{Client, ClientSecret, Subscription, Tenant, World};

pub(super) fn reset(control: &mut Control) -> Result<Value, Answer> {
    control.state.reset();
    Ok(json!({}))
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    let mut shown = value(&control.state.world);
    shown["hubs"] = control.state.world.hubs.iter().map(super::hubs::shape).collect();
    shown["vaults"] = control.state.world.vaults.iter().map(super::vaults::shape).collect();
    Ok(shown)
}

pub(super) fn replace(control: &mut Control) -> Result<Value, Answer> {
    let mut world: World = control.body()?;
    world.token_generation = world.token_generation.max(control.state.world.token_generation);
    world.last_etag = world.last_etag.max(control.state.world.last_etag);
    world.complete(control.now());
    control.state.world = world;
    Ok(json!({}))
}

pub(super) fn switches(control: &mut Control) -> Result<Value, Answer> {
    Ok(value(&control.state.world.switches))
}

pub(super) fn set_switches(control: &mut Control) -> Result<Value, Answer> {
    control.state.world.switches = merged(&control.state.world.switches, &control.body()?)?;
    switches(control)
}

pub(super) fn throttle(control: &mut Control) -> Result<Value, Answer> {
    Ok(value(&control.state.world.throttle))
}

pub(super) fn set_throttle(control: &mut Control) -> Result<Value, Answer> {
    control.state.world.throttle = merged(&control.state.world.throttle, &control.body()?)?;
    control.state.levels = Levels::default();
    throttle(control)
}

fn merged<T: Serialize + DeserializeOwned>(current: &T, patch: &Value) -> Result<T, Answer> {
    let mut target = value(current);
    merge(&mut target, patch);
    serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))
}

/// The body with the name of the path filled in.
fn named<T: DeserializeOwned>(control: &Control, member: &str, capture: &str) -> Result<T, Answer> {
    let mut body: Value = control.body()?;
    if !body.is_object() {
        return Err(bad_request("the body is no object"));
    }
    body[member] = control.captures.text(capture).into();
    serde_json::from_value(body).map_err(|error| bad_request(&error.to_string()))
}

pub(super) fn put_tenant(control: &mut Control) -> Result<Value, Answer> {
    let tenant: Tenant = named(control, "id", "tenant")?;
    let shown = value(&tenant);
    let tenants = &mut control.state.world.tenants;
    tenants.retain(|other| !other.id.eq_ignore_ascii_case(&tenant.id));
    tenants.push(tenant);
    Ok(shown)
}

pub(super) fn put_subscription(control: &mut Control) -> Result<Value, Answer> {
    let subscription: Subscription = named(control, "id", "subscription")?;
    let shown = value(&subscription);
    let subscriptions = &mut control.state.world.subscriptions;
    subscriptions.retain(|other| !other.id.eq_ignore_ascii_case(&subscription.id));
    subscriptions.push(subscription);
    Ok(shown)
}

pub(super) fn delete_subscription(control: &mut Control) -> Result<Value, Answer> {
    let id = control.captures.text("subscription");
    let world = &mut control.state.world;
    if world.subscription(id).is_none() {
        return Err(not_found("subscription", id));
    }
    world.subscriptions.retain(|other| !other.id.eq_ignore_ascii_case(id));
    world.hubs.retain(|hub| !hub.subscription_id.eq_ignore_ascii_case(id));
    Ok(json!({}))
}

pub(super) fn put_client(control: &mut Control) -> Result<Value, Answer> {
    let client: Client = named(control, "clientId", "client")?;
    let shown = value(&client);
    let clients = &mut control.state.world.clients;
    clients.retain(|other| !other.client_id.eq_ignore_ascii_case(&client.client_id));
    clients.push(client);
    Ok(shown)
}

pub(super) fn delete_client(control: &mut Control) -> Result<Value, Answer> {
    client(control)?;
    let id = control.captures.text("client");
    control.state.world.clients.retain(|other| !other.client_id.eq_ignore_ascii_case(id));
    Ok(json!({}))
}

fn client<'a>(control: &'a mut Control) -> Result<&'a mut Client, Answer> {
    let id = control.captures.text("client");
    let found =
        control.state.world.clients.iter_mut().find(|client| client.client_id.eq_ignore_ascii_case(id));
    found.ok_or_else(|| not_found("client", id))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotation {
    secret: String,
    /// Unix seconds at which the new one ends.
    expires: Option<i64>,
    /// Whether the secrets before it stay good.
    #[serde(default)]
    keep_old: bool,
}

pub(super) fn rotate_secret(control: &mut Control) -> Result<Value, Answer> {
    let Rotation { secret, expires, keep_old } = control.body()?;
    let client = client(control)?;
    if !keep_old {
        client.secrets.clear();
    }
    client.secrets.push(ClientSecret { value: secret, expires });
    Ok(value(client))
}

pub(super) fn put_federated_credentials(control: &mut Control) -> Result<Value, Answer> {
    let credentials: Vec<FederatedCredential> = control.body()?;
    let client = client(control)?;
    client.federated_credentials = credentials;
    Ok(value(client))
}

/// Roles that the client did not have before take effect after the switch `roleDelaySeconds`.
pub(super) fn put_roles(control: &mut Control) -> Result<Value, Answer> {
    let mut roles: Vec<RoleAssignment> = control.body()?;
    let delay = control.state.world.switches.role_delay_seconds;
    let from = control.now() + delay;
    let client = client(control)?;
    let same = |new: &RoleAssignment, old: &RoleAssignment| {
        new.scope == old.scope && new.actions == old.actions && new.not_actions == old.not_actions
    };
    for role in roles.iter_mut().filter(|role| role.effective_from.is_none() && delay > 0) {
        match client.roles.iter().find(|old| same(role, old)) {
            Some(old) => role.effective_from = old.effective_from,
            None => role.effective_from = Some(from),
        }
    }
    client.roles = roles;
    Ok(value(client))
}

pub(super) fn invalidate_tokens(control: &mut Control) -> Result<Value, Answer> {
    control.state.world.token_generation += 1;
    control.state.world.huawei.revoke_all();
    Ok(json!({}))
}
