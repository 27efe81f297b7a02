//! The hubs themselves: read only, as far as clients look at them on their way to a certificate.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::hub::Hub;
use crate::arm::{Call, errors};
use crate::request::Answer;

#[derive(Serialize)]
struct IotHubDescription<'a> {
    id: String,
    name: &'a str,
    r#type: &'static str,
    location: &'a str,
    tags: &'a BTreeMap<String, String>,
    /// Members that no schema lists; Azure CLI reads the second when it looks for a hub's group.
    subscriptionid: &'a str,
    resourcegroup: &'a str,
    etag: &'static str,
    properties: Properties<'a>,
    sku: Sku,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    state: &'static str,
    provisioning_state: &'static str,
    host_name: String,
    location_name: &'a str,
}

#[derive(Serialize)]
struct Sku {
    name: &'static str,
    tier: &'static str,
    capacity: u64,
}

fn describe(hub: &Hub) -> IotHubDescription<'_> {
    IotHubDescription {
        id: hub.id(),
        name: &hub.name,
        r#type: "Microsoft.Devices/IotHubs",
        location: &hub.location,
        tags: &hub.tags,
        subscriptionid: &hub.subscription_id,
        resourcegroup: &hub.resource_group,
        etag: "AAAADEqHzgA=",
        properties: Properties {
            // Always Active, also while writes are answered 409: so it was seen.
            state: "Active",
            provisioning_state: "Succeeded",
            host_name: format!("{}.azure-devices.net", hub.name.to_ascii_lowercase()),
            location_name: &hub.location,
        },
        sku: Sku { name: "S1", tier: "Standard", capacity: 1 },
    }
}

/// Of the subscription, or of the group if the path names one.
pub(super) fn list(call: &mut Call) -> Result<Answer, Answer> {
    let (subscription, group) = (call.capture("subscription"), call.capture("group"));
    let any_group = !call.captures.has("group");
    let value: Vec<_> = (call.state.world.hubs.iter())
        .filter(|hub| hub.subscription_id.eq_ignore_ascii_case(subscription))
        .filter(|hub| any_group || hub.resource_group.eq_ignore_ascii_case(group))
        .map(describe)
        .collect();
    Ok(Answer::json(StatusCode::OK, &json!({ "value": value })))
}

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let (name, group) = (call.capture("hub"), call.capture("group"));
    let missing = || errors::unknown_resource(&format!("Microsoft.Devices/IotHubs/{name}"), group).answer();
    let found = position(call).ok_or_else(missing)?;
    Ok(Answer::json(StatusCode::OK, &describe(&call.state.world.hubs[found])))
}

/// Where in the world the hub is that the path names.
pub(super) fn position(call: &Call) -> Option<usize> {
    let (subscription, group, name) =
        (call.capture("subscription"), call.capture("group"), call.capture("hub"));
    call.state.world.hubs.iter().position(|hub| {
        hub.name.eq_ignore_ascii_case(name)
            && hub.resource_group.eq_ignore_ascii_case(group)
            && hub.subscription_id.eq_ignore_ascii_case(subscription)
    })
}
