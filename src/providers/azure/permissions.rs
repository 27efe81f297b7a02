//! What an identity may do at a resource, as Resource Manager tells it.
//!
//! Source: Azure REST reference, Authorization, Permissions, List For Resource, api-version 2022-04-01. The answer has one
//! item for each role that is in effect: its actions without its `notActions`. Deny assignments are not in it.

use serde::Deserialize;

use super::rest::{Rest, RestCall};
use crate::engine::error::CloudError;
use crate::engine::explained::Lacking;
use crate::http::{Limit, Method};
use crate::source::target::covers;

const API_VERSION: &str = "2022-04-01";

const READ: &str = "Microsoft.Authorization/permissions/read";

/// How many segments name a resource: `subscriptions/s/resourceGroups/g/providers/namespace/type/name`.
const RESOURCE: usize = 8;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Permissions {
    #[serde(default)]
    value: Vec<Permission>,
    next_link: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    not_actions: Vec<String>,
}

/// Those of the actions that the identity lacks at the resource which the path leads to or through.
pub(super) async fn lacking(
    arm: &Rest,
    path: &[String],
    needed: &[&'static str],
) -> Result<Lacking, CloudError> {
    let resource = path.iter().take(RESOURCE).map(String::as_str);
    let segments: Vec<_> = resource.chain(["providers", "Microsoft.Authorization", "permissions"]).collect();
    let call = RestCall { limit: Limit::Page, ..RestCall::new(Method::Get, &segments, API_VERSION, READ) };
    let permissions: Permissions = arm.read(&call).await?;
    Ok(permissions.lacking(needed))
}

impl Permissions {
    fn lacking(&self, needed: &[&'static str]) -> Lacking {
        let is_lacking = |action: &&&'static str| !self.value.iter().any(|it| it.allows(action));
        let lacking: Vec<_> = needed.iter().filter(is_lacking).copied().collect();
        let is_whole = self.next_link.as_ref().is_none_or(String::is_empty);
        match is_whole || lacking.is_empty() {
            true => Lacking::These(lacking),
            false => Lacking::Untold("the identity has more roles than one answer lists"),
        }
    }
}

impl Permission {
    fn allows(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let names = |globs: &[String]| globs.iter().any(|it| covers(&it.to_ascii_lowercase(), &action));
        names(&self.actions) && !names(&self.not_actions)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const HUB: [&str; 3] = [
        "Microsoft.Devices/iotHubs/certificates/Read",
        "Microsoft.Devices/iotHubs/certificates/Write",
        "Microsoft.Devices/iotHubs/certificates/verify/Action",
    ];

    #[test]
    fn a_role_gives_its_actions_without_those_that_it_takes_back() {
        let role = |actions: &[&str], not: &[&str]| json!({ "actions": actions, "notActions": not });
        for (roles, lacking) in [
            (vec![], &HUB[..]),
            (vec![role(&["*"], &[])], &[]),
            (vec![role(&["*/read"], &[])], &HUB[1..]),
            (vec![role(&["microsoft.devices/IOTHUBS/*"], &[])], &[]),
            (vec![role(&["Microsoft.Devices/iotHubs/certificates/*"], &["*/write"])], &HUB[1..2]),
            // What one role takes back, another gives.
            (vec![role(&["*"], &["Microsoft.Devices/*"]), role(&["*/write"], &[])], &[HUB[0], HUB[2]]),
            (vec![json!({})], &HUB[..]),
        ] {
            let shown = json!(roles).to_string();
            let permissions: Permissions = serde_json::from_value(json!({ "value": roles })).unwrap();
            assert_eq!(permissions.lacking(&HUB), Lacking::These(lacking.to_vec()), "{shown}");
        }
    }

    #[test]
    fn a_part_of_an_answer_tells_what_is_there_and_not_what_is_missing() {
        let part = |actions: &[&str]| -> Permissions {
            let value = json!([{ "actions": actions }]);
            serde_json::from_value(json!({ "value": value, "nextLink": "https://x.test" })).unwrap()
        };
        assert_eq!(part(&["*"]).lacking(&HUB), Lacking::These(Vec::new()));
        assert!(matches!(part(&["*/read"]).lacking(&HUB), Lacking::Untold(_)));
    }
}
