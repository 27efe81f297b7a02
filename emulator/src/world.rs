//! What exists in the emulated cloud: the file format of `--world`, the state kept over a restart, and what the
//! control endpoint shows. Plain data; each service defines its own part.

use serde::{Deserialize, Serialize};

use crate::arm::api_management::service::Service;
use crate::arm::iot_hub::hub::Hub;
use crate::entra::federation::FederatedCredential;
use crate::huawei::account::Account;
use crate::huawei::iotda::instance::Instance;
use crate::key_vault::vault::Vault;
use crate::roles::RoleAssignment;
use crate::switches::Switches;
use crate::throttle::Limits;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct World {
    pub(crate) tenants: Vec<Tenant>,
    pub(crate) clients: Vec<Client>,
    pub(crate) subscriptions: Vec<Subscription>,
    pub(crate) hubs: Vec<Hub>,
    pub(crate) services: Vec<Service>,
    pub(crate) vaults: Vec<Vault>,
    pub(crate) huawei: Account,
    pub(crate) instances: Vec<Instance>,
    pub(crate) switches: Switches,
    pub(crate) throttle: Limits,
    /// Tokens of an older generation are refused: how all issued tokens are invalidated at once.
    pub(crate) token_generation: u64,
    /// The last ETag given out, as a number, so that no two are ever equal.
    pub(crate) last_etag: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Tenant {
    pub(crate) id: String,
    /// The tenant's other name in token URLs, such as `contoso.example`.
    #[serde(default)]
    pub(crate) domain: String,
}

/// What a client is. Both kinds of applications take every secret and every assertion that they list; a managed
/// identity takes assertions and what the metadata service gives, never a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ClientKind {
    #[default]
    Secret,
    Federated,
    ManagedIdentity,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) client_id: String,
    pub(crate) tenant_id: String,
    pub(crate) object_id: String,
    #[serde(default)]
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) kind: ClientKind,
    #[serde(default)]
    pub(crate) secrets: Vec<ClientSecret>,
    #[serde(default)]
    pub(crate) federated_credentials: Vec<FederatedCredential>,
    /// Of a managed identity: it lives and dies with the machine, rather than being assigned to it.
    #[serde(default)]
    pub(crate) system_assigned: bool,
    /// Of a managed identity: its ARM id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) resource_id: Option<String>,
    #[serde(default)]
    pub(crate) roles: Vec<RoleAssignment>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ClientSecret {
    pub(crate) value: String,
    /// Unix seconds; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<i64>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) tenant_id: String,
    #[serde(default)]
    pub(crate) display_name: String,
    #[serde(default)]
    pub(crate) resource_groups: Vec<ResourceGroup>,
    /// Namespaces such as `Microsoft.Devices` that this subscription has not registered.
    #[serde(default)]
    pub(crate) unregistered_providers: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct ResourceGroup {
    pub(crate) name: String,
    pub(crate) location: String,
}

impl World {
    /// The world that is there without `--world`; `README.md` documents it.
    pub(crate) fn seeded() -> Self {
        // The file is part of the program and parsed by a test.
        serde_json::from_str(include_str!("seed.json")).expect("the seeded world parses")
    }

    /// A tenant by id or domain.
    pub(crate) fn tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|tenant| {
            tenant.id.eq_ignore_ascii_case(name)
                || (!name.is_empty() && tenant.domain.eq_ignore_ascii_case(name))
        })
    }

    pub(crate) fn client(&self, client_id: &str) -> Option<&Client> {
        self.clients.iter().find(|client| client.client_id.eq_ignore_ascii_case(client_id))
    }

    pub(crate) fn subscription(&self, id: &str) -> Option<&Subscription> {
        self.subscriptions.iter().find(|subscription| subscription.id.eq_ignore_ascii_case(id))
    }

    /// Exchanges what the services hold, and nothing of who may use it: how a read is served from old state.
    pub(crate) fn swap_resources(&mut self, other: &mut Self) {
        std::mem::swap(&mut self.hubs, &mut other.hubs);
        std::mem::swap(&mut self.services, &mut other.services);
        std::mem::swap(&mut self.vaults, &mut other.vaults);
        std::mem::swap(&mut self.instances, &mut other.instances);
    }
}

impl Subscription {
    pub(crate) fn resource_group(&self, name: &str) -> Option<&ResourceGroup> {
        self.resource_groups.iter().find(|group| group.name.eq_ignore_ascii_case(name))
    }

    pub(crate) fn has_registered(&self, namespace: &str) -> bool {
        !self.unregistered_providers.iter().any(|other| other.eq_ignore_ascii_case(namespace))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seeded_world_is_complete() {
        let world = World::seeded();
        let tenant = &world.tenants[0];
        assert!(world.tenant(&tenant.domain).is_some_and(|found| found.id == tenant.id));
        assert_eq!(world.clients.len(), 3);
        for hub in &world.hubs {
            let subscription =
                world.subscription(&hub.subscription_id).expect("the hub's subscription is there");
            assert!(subscription.resource_group(&hub.resource_group).is_some(), "{}", hub.name);
        }
        for instance in &world.instances {
            assert!(world.huawei.projects.iter().any(|project| project.id == instance.project_id));
        }
        assert_eq!(world.throttle, Limits::default());
    }
}
