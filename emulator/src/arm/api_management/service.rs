//! What an API Management service holds. Plain data, part of the world.

use serde::{Deserialize, Serialize};

use crate::world::World;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Service {
    /// Unique among all services, as it becomes a host name.
    pub(crate) name: String,
    pub(crate) subscription_id: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
    /// The client id of the identity that the service itself is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) system_identity: Option<String>,
    /// The client ids of the identities that were assigned to it.
    #[serde(default)]
    pub(crate) user_identities: Vec<String>,
    /// So many writes are still answered 409 PessimisticConcurrencyConflict.
    #[serde(default)]
    pub(crate) busy_writes: u64,
    #[serde(default)]
    pub(crate) certificates: Vec<Stored>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) name: String,
    /// With its quotes.
    pub(crate) etag: String,
    pub(crate) thumbprint: String,
    pub(crate) subject: String,
    /// Unix seconds.
    pub(crate) expiry: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) key_vault: Option<VaultReference>,
    /// An API or a backend needs it: it cannot be deleted.
    #[serde(default)]
    pub(crate) in_use: bool,
    /// How often calls changed it.
    #[serde(default)]
    pub(crate) writes: u64,
}

/// Where a vault keeps it, and what the last look there came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct VaultReference {
    pub(crate) secret_identifier: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity_client_id: Option<String>,
    /// `Success`, or a word for what went wrong.
    pub(crate) status: String,
    pub(crate) message: String,
    /// Unix seconds.
    pub(crate) looked_at: i64,
}

impl Service {
    pub(crate) fn id(&self) -> String {
        let Self { subscription_id, resource_group, name, .. } = self;
        format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.ApiManagement/service/{name}"
        )
    }

    pub(crate) fn certificate(&mut self, name: &str) -> Option<&mut Stored> {
        self.certificates.iter_mut().find(|it| it.name.eq_ignore_ascii_case(name))
    }
}

impl World {
    pub(crate) fn service_mut(&mut self, name: &str) -> Option<&mut Service> {
        self.services.iter_mut().find(|it| it.name.eq_ignore_ascii_case(name))
    }
}
