//! What a caller may do at a resource, in the form of its roles.
//! Source: Azure REST reference, Authorization, Permissions, List For Resource. That the caller needs an action for it is
//! by Resource Manager's naming rule, and unconfirmed; the stricter answer is the one to be prepared for.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Call, Needs, Provider, Route};
use crate::request::Answer;
use crate::routes::Access;

pub(super) const PROVIDER: Provider = Provider {
    namespace: "Microsoft.Authorization",
    types: &["permissions"],
    versions: &["2015-07-01", "2018-01-01-preview", "2022-04-01"],
    routes: &[Route {
        method: Method::GET,
        path: "/subscriptions/{subscription}/resourceGroups/{group}/providers/{namespace}/{type}/{resource}/providers/Microsoft.Authorization/permissions",
        operation: "permissions.listForResource",
        access: Access::List,
        needs: Needs::Action("Microsoft.Authorization/permissions/read"),
        handle: list,
    }],
};

/// One item for each role that is in effect there. Whether the resource exists is not asked.
fn list(call: &mut Call) -> Result<Answer, Answer> {
    let (world, now) = (&call.state.world, call.state.clock.now());
    let resource = &call.request.segments()[..8];
    let scope = format!("/{}", resource.join("/"));
    let shape = |actions: &[String], not_actions: &[String]| json!({"actions": actions, "notActions": not_actions, "dataActions": [], "notDataActions": []});
    let value: Vec<Value> = match world.client(&call.principal) {
        Some(client) => {
            let roles = client.roles.iter().filter(|role| role.is_in_effect(&scope, now));
            roles.map(|role| shape(&role.actions, &role.not_actions)).collect()
        }
        None => vec![shape(&["*".to_owned()], &[])], // tokens are not checked
    };
    Ok(Answer::json(StatusCode::OK, &json!({ "value": value })))
}
