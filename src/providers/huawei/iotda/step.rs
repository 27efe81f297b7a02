//! The calls that change an instance, as the engine has to know them. Pure.

use serde_json::{Map, Value};

use super::content::Content;
use crate::api::reason::Reason;
use crate::engine;
use crate::pki::{Certificate, Fingerprint};
use crate::providers::possession::Proof;

/// One call.
pub enum Step {
    /// POST: a new certificate, under an id that the service gives.
    Upload {
        /// The CA certificate.
        certificate: Certificate,
        /// The ids of those that are there.
        known_ids: Vec<String>,
        /// Whether it follows another.
        replaces: bool,
    },
    /// POST verify.
    Verify {
        /// Of which one.
        id: String,
        /// What it holds.
        content: Content,
        /// The proof.
        proof: Proof,
    },
    /// PUT of the settings that differ.
    Update {
        /// Of which one.
        id: String,
        /// The members that are sent.
        change: Map<String, Value>,
    },
    /// DELETE.
    Delete {
        /// Of which one.
        id: String,
        /// Why.
        why: Why,
    },
}

/// Why a certificate is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The resource goes.
    Removal,
    /// Its successor has served for the grace time.
    Retired,
    /// It was uploaded for a source that has changed since.
    Outdated,
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Upload { .. } => "Upload",
            Self::Verify { .. } => "Verify",
            Self::Update { .. } => "Update",
            Self::Delete { why: Why::Removal, .. } => "Delete",
            Self::Delete { why: Why::Retired, .. } => "Retire",
            Self::Delete { why: Why::Outdated, .. } => "Discard",
        }
    }

    fn content_hash(&self) -> String {
        match self {
            Self::Upload { certificate, .. } => Content::of(certificate).to_string(),
            Self::Verify { proof, content, .. } => proof.content_hash(content.to_string()),
            Self::Update { change, .. } => {
                Fingerprint::of(Value::Object(change.clone()).to_string().as_bytes()).to_string()
            }
            Self::Delete { id, .. } => id.clone(),
        }
    }

    /// IoTDA gives the id, and has no room for a mark of ownership.
    fn needs_intent(&self) -> bool {
        matches!(self, Self::Upload { .. })
    }

    fn known_ids(&self) -> Vec<String> {
        match self {
            Self::Upload { known_ids, .. } => known_ids.clone(),
            Self::Verify { .. } | Self::Update { .. } | Self::Delete { .. } => Vec::new(),
        }
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Upload { replaces: false, .. } => Reason::Creating,
            Self::Upload { replaces: true, .. } | Self::Update { .. } => Reason::Updating,
            Self::Verify { .. } => Reason::Verifying,
            Self::Delete { why: Why::Removal, .. } => Reason::Deleting,
            Self::Delete { why: Why::Retired | Why::Outdated, .. } => Reason::Updating,
        }
    }

    /// What retires is needed by nobody any more.
    fn serves(&self) -> bool {
        matches!(self, Self::Delete { why: Why::Retired, .. })
    }
}
