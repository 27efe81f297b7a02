//! The calls that change an instance, as the engine has to know them. Pure.

use serde_json::{Map, Value};

use super::content::Content;
use super::next::Observed;
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
        /// What was seen, which but for the new one holds after the answer too.
        observed: Box<Observed>,
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
    /// PUT that takes the template away: bound to one, a certificate may not be deleted.
    Unbind {
        /// Of which one.
        id: String,
        /// Why it is to be deleted.
        why: Why,
    },
    /// DELETE.
    Delete {
        /// Of which one.
        id: String,
        /// Why.
        why: Why,
    },
    /// DELETE of what an upload made in vain.
    Discard {
        /// Of which one.
        id: String,
        /// What was uploaded.
        content: Content,
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

impl Why {
    fn progress(self) -> Reason {
        match self {
            Self::Removal => Reason::Deleting,
            Self::Retired | Self::Outdated => Reason::Updating,
        }
    }
}

impl Step {
    /// The names of those that need an intent, as the record has them.
    pub const UPLOAD: &'static str = "Upload";
    /// Of what an upload made in vain.
    pub const DISCARD: &'static str = "Discard";
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Upload { .. } => Self::UPLOAD,
            Self::Verify { .. } => "Verify",
            Self::Update { .. } => "Update",
            Self::Unbind { .. } => "Unbind",
            Self::Delete { why: Why::Removal | Why::Outdated, .. } => "Delete",
            Self::Delete { why: Why::Retired, .. } => "Retire",
            Self::Discard { .. } => Self::DISCARD,
        }
    }

    fn content_hash(&self) -> String {
        match self {
            Self::Upload { certificate, .. } => Content::of(certificate).to_string(),
            Self::Verify { proof, content, .. } => proof.content_hash(content.to_string()),
            Self::Update { change, .. } => {
                Fingerprint::of(Value::Object(change.clone()).to_string().as_bytes()).to_string()
            }
            Self::Discard { content, .. } => content.to_string(),
            Self::Unbind { id, .. } | Self::Delete { id, .. } => id.clone(),
        }
    }

    /// IoTDA gives the id, and has no room for a mark of ownership. What is taken back is recorded too: the same
    /// certificate that comes afterwards is somebody else's.
    fn needs_intent(&self) -> bool {
        match self {
            Self::Upload { .. } | Self::Discard { .. } => true,
            Self::Verify { .. } | Self::Update { .. } | Self::Unbind { .. } | Self::Delete { .. } => false,
        }
    }

    fn known_ids(&self) -> Option<Vec<String>> {
        match self {
            Self::Upload { observed, .. } => Some(observed.ids.clone()),
            Self::Verify { .. }
            | Self::Update { .. }
            | Self::Unbind { .. }
            | Self::Delete { .. }
            | Self::Discard { .. } => None,
        }
    }

    fn takes_back(&self) -> Option<String> {
        match self {
            Self::Discard { id, .. } => Some(id.clone()),
            Self::Upload { .. }
            | Self::Verify { .. }
            | Self::Update { .. }
            | Self::Unbind { .. }
            | Self::Delete { .. } => None,
        }
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Upload { observed, .. } if observed.current.is_none() => Reason::Creating,
            Self::Upload { .. } | Self::Update { .. } => Reason::Updating,
            Self::Verify { .. } => Reason::Verifying,
            Self::Unbind { why, .. } | Self::Delete { why, .. } | Self::Discard { why, .. } => why.progress(),
        }
    }

    /// What retires is needed by nobody any more.
    fn serves(&self) -> bool {
        matches!(self, Self::Unbind { why: Why::Retired, .. } | Self::Delete { why: Why::Retired, .. })
    }
}
