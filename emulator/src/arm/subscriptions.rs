//! Tenants, subscriptions and provider registrations, as far as Azure CLI asks for them.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Call, Needs, PROVIDERS, Provider, Route, errors};
use crate::request::Answer;
use crate::routes::Access;
use crate::world::Subscription;

pub(super) const PROVIDER: Provider = Provider {
    namespace: "Microsoft.Resources",
    types: &["subscriptions"],
    versions: &[
        "2016-06-01",
        "2019-06-01",
        "2019-11-01",
        "2020-01-01",
        "2021-01-01",
        "2021-04-01",
        "2022-12-01",
    ],
    routes: &[
        Route {
            method: Method::GET,
            path: "/tenants",
            operation: "tenants.list",
            access: Access::List,
            needs: Needs::Token,
            handle: tenants,
        },
        Route {
            method: Method::GET,
            path: "/subscriptions",
            operation: "subscriptions.list",
            access: Access::List,
            needs: Needs::Token,
            handle: list,
        },
        Route {
            method: Method::GET,
            path: "/subscriptions/{subscription}",
            operation: "subscriptions.get",
            access: Access::Get,
            needs: Needs::Action("Microsoft.Resources/subscriptions/read"),
            handle: get,
        },
        Route {
            method: Method::GET,
            path: "/subscriptions/{subscription}/providers/{namespace}",
            operation: "providers.get",
            access: Access::Get,
            needs: Needs::Action("Microsoft.Resources/subscriptions/providers/read"),
            handle: provider,
        },
    ],
};

fn tenants(call: &mut Call) -> Result<Answer, Answer> {
    let own = call.state.world.client(&call.principal).map(|client| client.tenant_id.clone());
    let shown =
        call.state.world.tenants.iter().filter(|tenant| own.as_ref().is_none_or(|own| *own == tenant.id));
    let value: Vec<Value> = shown
        .map(|tenant| json!({"id": format!("/tenants/{}", tenant.id), "tenantId": tenant.id, "domains": [tenant.domain]}))
        .collect();
    Ok(Answer::json(StatusCode::OK, &json!({ "value": value })))
}

/// Those in which the caller has any role.
fn list(call: &mut Call) -> Result<Answer, Answer> {
    let (world, now) = (&call.state.world, call.state.clock.now());
    let visible = |subscription: &&Subscription| match world.client(&call.principal) {
        Some(client) => {
            let scope = format!("/subscriptions/{}", subscription.id);
            client.roles.iter().any(|role| role.touches(&scope, now))
        }
        None => true, // tokens are not checked
    };
    let value: Vec<Value> = world.subscriptions.iter().filter(visible).map(shape).collect();
    let count = json!({"type": "Total", "value": value.len()});
    Ok(Answer::json(StatusCode::OK, &json!({"value": value, "count": count})))
}

fn get(call: &mut Call) -> Result<Answer, Answer> {
    let id = call.capture("subscription");
    let found = call.state.world.subscription(id).ok_or_else(|| errors::unknown_subscription(id).answer())?;
    Ok(Answer::json(StatusCode::OK, &shape(found)))
}

fn shape(subscription: &Subscription) -> Value {
    json!({
        "id": format!("/subscriptions/{}", subscription.id),
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": subscription.id,
        "tenantId": subscription.tenant_id,
        "displayName": subscription.display_name,
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    })
}

fn provider(call: &mut Call) -> Result<Answer, Answer> {
    let asked = call.capture("namespace");
    let known = PROVIDERS.iter().find(|known| known.namespace.eq_ignore_ascii_case(asked));
    let known = known.ok_or_else(|| errors::unknown_type(call.request).answer())?;
    let id = call.capture("subscription");
    let found = call.state.world.subscription(id).ok_or_else(|| errors::unknown_subscription(id).answer())?;
    let registered = found.has_registered(known.namespace);
    let mut locations: Vec<&str> =
        found.resource_groups.iter().map(|group| group.location.as_str()).collect();
    locations.sort_unstable();
    locations.dedup();
    let kind =
        |name: &&str| json!({"resourceType": name, "locations": locations, "apiVersions": known.versions});
    let body = json!({
        "id": format!("/subscriptions/{}/providers/{}", found.id, known.namespace),
        "namespace": known.namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": if registered { "Registered" } else { "NotRegistered" },
        "resourceTypes": known.types.iter().map(kind).collect::<Vec<_>>(),
    });
    Ok(Answer::json(StatusCode::OK, &body))
}
