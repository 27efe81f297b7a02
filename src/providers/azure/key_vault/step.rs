//! The calls that change a vault.

use jiff::SignedDuration;

use super::policy::Policy;
use super::wire::Tags;
use super::wish::Imported;
use crate::api::key_vault_policy::ContentType;
use crate::api::reason::Reason;
use crate::engine;
use crate::pki::{Certificate, Identity, SigningRequest};

/// One call.
pub enum Step {
    /// POST create: a new version, issued by the policy.
    Create(Create),
    /// POST import: a new version, as it is.
    Import(Box<Import>),
    /// POST pending/merge, with a certificate that is issued first where the operator is the CA.
    Merge(Box<Merge>),
    /// PATCH of a version: tags, and whether it is enabled.
    Update {
        /// The version.
        version: String,
        /// Whether it is to be enabled; left alone if not said.
        enabled: Option<bool>,
        /// All tags.
        tags: Tags,
        /// Whether this makes a foreign certificate ours.
        adopts: bool,
    },
    /// PATCH policy.
    UpdatePolicy(Policy),
    /// DELETE pending.
    DropOperation {
        /// The operation.
        id: String,
    },
    /// POST recover.
    Recover,
    /// DELETE.
    Delete {
        /// Whether a purge is to follow.
        purge: bool,
    },
    /// DELETE of what was deleted.
    Purge,
}

/// A new version.
pub struct Create {
    /// The policy.
    pub policy: Policy,
    /// Whether it is to be enabled.
    pub enabled: Option<bool>,
    /// Its tags.
    pub tags: Tags,
    /// Over the wish.
    pub hash: String,
    /// Whether what is there serves until it is done.
    pub renews: bool,
}

/// A new version.
pub struct Import {
    /// The pair and its issuers.
    pub identity: Identity,
    /// The form in which it is handed out.
    pub content_type: ContentType,
    /// The policy.
    pub policy: Policy,
    /// Whether it is to be enabled.
    pub enabled: Option<bool>,
    /// Its tags.
    pub tags: Tags,
    /// Over the wish.
    pub hash: String,
}

impl Import {
    /// The import of a wish.
    pub fn new(imported: &Imported, enabled: Option<bool>, tags: Tags, hash: &str) -> Self {
        let Imported { identity, content_type, policy, chain_hash: _ } = imported;
        let (identity, policy) = (identity.clone(), policy.clone());
        Self { identity, content_type: *content_type, policy, enabled, tags, hash: hash.to_owned() }
    }
}

/// A signed certificate for the vault's own key.
pub struct Merge {
    /// What is merged.
    pub signed: Signed,
    /// Whether it is to be enabled.
    pub enabled: Option<bool>,
    /// Its tags.
    pub tags: Tags,
    /// Over the wish, the request, and the certificates that it is signed with.
    pub hash: String,
    /// Whether what is there serves until it is done.
    pub renews: bool,
}

/// The certificate that is merged.
pub enum Signed {
    /// It is there: the certificate, its issuers behind it.
    Chain(Vec<Certificate>),
    /// It is to be issued.
    ByCa(Box<ToIssue>),
}

/// A certificate that the operator is to issue.
pub struct ToIssue {
    /// The vault's request.
    pub request: SigningRequest,
    /// The CA.
    pub ca: Identity,
    /// For how long.
    pub life: SignedDuration,
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Create(Create { renews: false, .. }) => "Create",
            Self::Create(Create { renews: true, .. }) => "Renew",
            Self::Import(_) => "Import",
            Self::Merge(_) => "Merge",
            Self::Update { adopts: true, .. } => "Adopt",
            Self::Update { adopts: false, .. } => "Update",
            Self::UpdatePolicy(_) => "UpdatePolicy",
            Self::DropOperation { .. } => "DropOperation",
            Self::Recover => "Recover",
            Self::Delete { .. } => "Delete",
            Self::Purge => "Purge",
        }
    }

    fn content_hash(&self) -> String {
        match self {
            Self::Create(Create { hash, .. }) => hash.clone(),
            Self::Import(import) => import.hash.clone(),
            Self::Merge(merge) => merge.hash.clone(),
            Self::Update { version, .. } => version.clone(),
            Self::DropOperation { id } => id.clone(),
            Self::UpdatePolicy(_) | Self::Recover | Self::Delete { .. } | Self::Purge => String::new(),
        }
    }

    /// What makes a version cannot be repeated; what becomes ours is told first; and only a record tells a name whose deletion does not show yet from one
    /// that never was, or that was purged.
    fn needs_intent(&self) -> bool {
        match self {
            Self::Create(_) | Self::Import(_) => true,
            Self::Delete { purge } => *purge,
            Self::Purge => true,
            Self::Update { adopts, .. } => *adopts,
            Self::Merge(_) | Self::UpdatePolicy(_) => false,
            Self::DropOperation { .. } | Self::Recover => false,
        }
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Create(_) | Self::Import(_) | Self::Merge(_) => Reason::Creating,
            Self::Update { .. } | Self::UpdatePolicy(_) | Self::DropOperation { .. } => Reason::Updating,
            Self::Recover => Reason::Recovering,
            Self::Delete { .. } | Self::Purge => Reason::Deleting,
        }
    }

    fn serves(&self) -> bool {
        match self {
            Self::Create(Create { renews, .. }) => *renews,
            Self::Merge(merge) => merge.renews,
            Self::Import(_) | Self::Update { .. } | Self::UpdatePolicy(_) => false,
            Self::DropOperation { .. } | Self::Recover | Self::Delete { .. } | Self::Purge => false,
        }
    }
}
