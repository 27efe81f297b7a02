//! Conditions as every kind carries them, following kstatus: Ready and Synced always, Reconciling and Stalled only
//! while true, Verified where verification is asked.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One condition of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition speaks of.
    #[serde(rename = "type")]
    pub type_: ConditionType,
    /// Whether it holds.
    pub status: ConditionStatus,
    /// Why, as one word of a closed set.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z]+$"))]
    pub reason: String,
    /// Why, for people, and what to do next.
    #[schemars(length(max = 256))]
    pub message: String,
    /// When `status` last changed.
    #[schemars(schema_with = "super::certificate::time_schema")]
    pub last_transition_time: Timestamp,
    /// The generation of the spec that was looked at.
    #[schemars(range(min = 0))]
    pub observed_generation: i64,
}

/// The types of conditions, in the order in which they are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionType {
    /// Usable: a read after the last write showed the wanted certificate, verified if asked, inside its validity.
    Ready,
    /// Work is in progress, or a transient fault is being retried.
    Reconciling,
    /// Retrying will not help until somebody changes something.
    Stalled,
    /// The last remote read equals what is wanted.
    Synced,
    /// Possession of the CA's key has been proven for the present content.
    Verified,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// It cannot be told.
    Unknown,
}

impl From<bool> for ConditionStatus {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// The condition of that type, if it is listed.
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|it| it.type_ == type_)
}

/// Whether the condition of that type is listed and True.
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|it| it.status == ConditionStatus::True)
}
