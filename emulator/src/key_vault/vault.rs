//! A vault and what it holds: plain data, kept over a restart and shown by the control endpoint.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::switches::StatusWords;

pub(crate) type Tags = BTreeMap<String, String>;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Vault {
    pub(crate) name: String,
    /// Whether it has keys in hardware.
    #[serde(default)]
    pub(crate) premium: bool,
    /// Whether refusals speak of roles instead of access policies.
    #[serde(default)]
    pub(crate) rbac: bool,
    #[serde(default)]
    pub(crate) purge_protection: bool,
    /// For how long a deleted certificate can be recovered.
    #[serde(default = "ninety")]
    pub(crate) soft_delete_days: i64,
    #[serde(default)]
    pub(crate) access: Vec<AccessPolicy>,
    #[serde(default)]
    pub(crate) issuers: Vec<Issuer>,
    #[serde(default)]
    pub(crate) contacts: Vec<Value>,
    #[serde(default)]
    pub(crate) delays: Delays,
    #[serde(default)]
    pub(crate) certificates: Vec<Object>,
    /// Names that were just purged, and until when they stay blocked.
    #[serde(default)]
    pub(crate) blocked: BTreeMap<String, i64>,
}

const fn ninety() -> i64 {
    90
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AccessPolicy {
    pub(crate) client_id: String,
    #[serde(default)]
    pub(crate) certificates: Vec<String>,
    #[serde(default)]
    pub(crate) secrets: Vec<String>,
}

/// An issuer that the vault knows, and what comes of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Issuer {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) outcome: Outcome,
    #[serde(default)]
    pub(crate) delay_seconds: i64,
    /// Whether the alternative names vanish from the policy, as with partners' issuers.
    #[serde(default)]
    pub(crate) drops_sans: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Outcome {
    #[default]
    Completed,
    Failed,
    Cancelled,
    Never,
}

/// Seconds. The real ones: 5 to 10, 6 to 18, up to 8, 1 to 5.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Delays {
    pub(crate) issue: i64,
    pub(crate) deleted_visible: i64,
    pub(crate) recover: i64,
    pub(crate) purge_blocks: i64,
}

/// A certificate with all its versions.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Object {
    pub(crate) name: String,
    /// The whole policy, defaults filled in.
    pub(crate) policy: Value,
    #[serde(default)]
    pub(crate) policy_created: i64,
    #[serde(default)]
    pub(crate) policy_updated: i64,
    /// Oldest first.
    pub(crate) versions: Vec<Held>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<Pending>,
    /// The member `pending` stays after the operation is done.
    #[serde(default)]
    pub(crate) was_pending: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deleted: Option<Deleted>,
    /// Until then it is not seen after it was recovered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) recovered_at: Option<i64>,
}

/// One version.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Held {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    #[serde(default)]
    pub(crate) tags: Tags,
    /// The certificate (DER in base64) and its issuers; none while it is being made.
    #[serde(default)]
    pub(crate) chain: Vec<String>,
    /// PKCS#8 in PEM.
    #[serde(default)]
    pub(crate) key: String,
    pub(crate) exportable: bool,
    pub(crate) content_type: String,
}

/// An operation, in progress or done.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Pending {
    pub(crate) request_id: String,
    pub(crate) issuer: String,
    /// What it was begun with: a policy that is changed meanwhile is for the next version.
    #[serde(default)]
    pub(crate) policy: Value,
    /// DER in base64.
    pub(crate) csr: String,
    /// PKCS#8 in PEM.
    pub(crate) key: String,
    pub(crate) status: Status,
    #[serde(default)]
    pub(crate) cancellation_requested: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
    /// When it is done, and how; never, where somebody has to merge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) due: Option<i64>,
    #[serde(default)]
    pub(crate) outcome: Outcome,
    #[serde(default)]
    pub(crate) enabled: bool,
    #[serde(default)]
    pub(crate) tags: Tags,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Status {
    InProgress,
    Completed,
    Cancelled,
    Failed,
}

impl Pending {
    /// Of what comes with its key.
    pub(super) fn ended(key: String, policy: Value) -> Self {
        Self {
            request_id: String::new(),
            issuer: String::new(),
            policy,
            csr: String::new(),
            key,
            status: Status::Completed,
            cancellation_requested: false,
            error: None,
            due: None,
            outcome: Outcome::Completed,
            enabled: true,
            tags: Tags::new(),
        }
    }
}

impl Status {
    /// All spellings stand in some document or answer of the service.
    pub(super) const fn word(self, words: StatusWords) -> &'static str {
        match (self, words) {
            (Self::InProgress, StatusWords::Capital) => "InProgress",
            (Self::InProgress, StatusWords::Camel | StatusWords::Old) => "inProgress",
            (Self::Completed, StatusWords::Camel) => "completed",
            (Self::Completed, StatusWords::Capital) => "Completed",
            (Self::Completed, StatusWords::Old) => "complete",
            (Self::Cancelled, StatusWords::Camel) => "cancelled",
            (Self::Cancelled, StatusWords::Capital) => "Cancelled",
            (Self::Cancelled, StatusWords::Old) => "canceled",
            (Self::Failed, StatusWords::Camel | StatusWords::Old) => "failed",
            (Self::Failed, StatusWords::Capital) => "Failed",
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Deleted {
    pub(crate) at: i64,
    pub(crate) visible_at: i64,
    pub(crate) purge_at: i64,
}

impl Vault {
    /// The certificate of that name, whatever its state. Names compare without regard to case.
    pub(crate) fn object(&mut self, name: &str) -> Option<&mut Object> {
        self.certificates.iter_mut().find(|it| it.name.eq_ignore_ascii_case(name))
    }

    /// The certificate if it is there and not deleted.
    pub(super) fn live(&mut self, name: &str, now: i64) -> Option<&mut Object> {
        self.object(name).filter(|it| it.deleted.is_none() && it.recovered_at.is_none_or(|at| at <= now))
    }

    /// The deleted certificate, once it is seen.
    pub(super) fn gone(&mut self, name: &str, now: i64) -> Option<&mut Object> {
        self.object(name).filter(|it| it.deleted.as_ref().is_some_and(|deleted| deleted.visible_at <= now))
    }
}

impl Object {
    /// Without any version.
    pub(super) fn new(name: &str, policy: Value, now: i64) -> Self {
        Self {
            name: name.to_owned(),
            policy,
            policy_created: now,
            policy_updated: now,
            versions: Vec::new(),
            pending: None,
            was_pending: false,
            deleted: None,
            recovered_at: None,
        }
    }

    pub(super) fn latest(&mut self) -> Option<&mut Held> {
        self.versions.last_mut()
    }

    /// What was only announced goes; what was issued stays.
    pub(super) fn drop_ghosts(&mut self) {
        self.versions.retain(|it| !it.chain.is_empty());
    }

    pub(super) fn is_issued(&self) -> bool {
        self.versions.iter().any(|it| !it.chain.is_empty())
    }

    pub(super) fn in_progress(&self) -> bool {
        self.pending.as_ref().is_some_and(|it| it.status == Status::InProgress)
    }

    /// The version of that id; the latest if none is named.
    pub(super) fn version(&mut self, id: &str) -> Option<&mut Held> {
        if id.is_empty() { self.latest() } else { self.versions.iter_mut().find(|it| it.id == id) }
    }
}
