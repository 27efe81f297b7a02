//! What the vault says under the wanted name, and what our records hold of it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::policy::Policy;
use super::tags::OWNER;
use super::wire::Tags;
use crate::api::SYNC_REQUESTED;
use crate::api::certificate::{
    AdoptionPolicy, CertificateResource, CertificateStatus, DeletionPolicy, ManagementPolicy, Origin,
};
use crate::api::key_vault::{KeyVaultCertificate, OnSoftDeleted, OnStuckOperation};
use crate::pki::{Certificate, Identity, SigningRequest};

/// How long a write whose answer was lost may take until it shows: longer than a call may take.
const LINGERING: SignedDuration = SignedDuration::from_secs(30);
/// The same of a deletion, until the deleted certificate shows. Seen were 6 to more than 16 seconds.
const DELETION_LAG: SignedDuration = SignedDuration::from_secs(60);

/// What was seen.
pub struct Observed {
    /// The vault's name.
    pub vault: String,
    /// The certificate's name.
    pub name: String,
    /// The certificate.
    pub state: State,
    /// What the vault is at work on.
    pub operation: Operation,
    /// What the vault hands out, where that was looked at.
    pub handed_out: Option<HandedOut>,
    /// Our records.
    pub held: Held,
    /// When this was read.
    pub now: Timestamp,
}

/// The certificate under the wanted name.
pub enum State {
    /// There is none.
    Missing,
    /// There was one; the name is kept for it.
    Deleted(Box<Bundle>),
    /// There is one, issued or not.
    Held(Box<Bundle>),
}

/// A certificate with its policy.
#[derive(Clone, Debug, Default)]
pub struct Bundle {
    /// The version that is the latest.
    pub version: String,
    /// The certificate, once it is issued.
    pub certificate: Option<Certificate>,
    /// Whether it may be used.
    pub enabled: Option<bool>,
    /// The tags.
    pub tags: Tags,
    /// The policy.
    pub policy: Policy,
}

impl Bundle {
    /// Whether it is this resource's: by its tags, or by our record where somebody took the tags away.
    pub fn is_ours(&self, held: &Held) -> bool {
        self.belongs_to(&held.uid) || held.origin.is_some() && !self.tags.contains_key(OWNER)
    }

    /// Whether the tags name this resource.
    pub fn belongs_to(&self, uid: &str) -> bool {
        self.tags.get(OWNER).is_some_and(|it| it == uid)
    }
}

/// What the vault is at work on, or was last.
#[derive(Clone, Debug, Default)]
pub enum Operation {
    /// Not looked at.
    #[default]
    Unread,
    /// Nothing is known.
    None,
    /// It is at work, or waits for a merge.
    InProgress {
        /// The vault's id of it.
        id: String,
        /// What is to be signed.
        request: Option<SigningRequest>,
        /// When to look again.
        wait: Duration,
    },
    /// It is done.
    Completed,
    /// It was given up or failed.
    Failed {
        /// The issuer's code, if it gave one.
        code: Option<String>,
    },
}

/// What the vault hands out to those who may read its secrets.
pub enum HandedOut {
    /// The certificate and its key.
    Pair(Identity),
    /// No key.
    NoKey,
}

/// What our records hold.
#[derive(Clone, Debug)]
pub struct Held {
    /// The resource's uid.
    pub uid: String,
    /// How we came to own the certificate, if that is recorded.
    pub origin: Option<Origin>,
    /// The version that we last saw as wanted.
    pub version: Option<String>,
    /// The wish of the last version that we had made, or were about to.
    pub written: Option<String>,
    /// The step that was about to be made, and when.
    pub intent: Option<(String, Timestamp)>,
    /// The operation that was last seen, and since when.
    pub operation: Option<(String, Timestamp)>,
    /// Whether somebody asked for another try.
    pub asks_anew: bool,
    /// Whether we only look.
    pub observes: bool,
    /// What to do with a certificate that is not ours.
    pub adoption: AdoptionPolicy,
    /// What to do with a deleted one.
    pub on_soft_deleted: OnSoftDeleted,
    /// What to do with an operation that does not end.
    pub on_stuck: OnStuckOperation,
    /// Whether a certificate that was there before the resource is to be deleted with it.
    pub deletes_adopted: bool,
    /// Whether a deleted certificate is to be purged.
    pub purge: bool,
}

impl Held {
    /// What the resource's own status and spec hold.
    pub fn of(root: &KeyVaultCertificate) -> Self {
        let empty = CertificateStatus::default();
        let status = root.status().unwrap_or(&empty);
        let spec = &root.spec;
        let asked = root.annotations().get(SYNC_REQUESTED);
        Self {
            uid: root.uid().unwrap_or_default(),
            origin: status.remote.as_ref().map(|it| it.origin),
            version: status.remote.as_ref().and_then(|it| it.version.clone()),
            written: match (&status.intent, &status.operation) {
                (Some(intent), _) if intent.step != "Delete" => Some(intent.content_hash.clone()),
                (_, operation) => operation.as_ref().map(|it| it.content_hash.clone()),
            },
            intent: status.intent.as_ref().map(|it| (it.step.clone(), it.start_time)),
            operation: status.operation.as_ref().map(|it| (it.id.clone(), it.start_time)),
            asks_anew: asked.is_some() && asked != status.last_handled_sync_request.as_ref(),
            observes: spec.common.management_policy == Some(ManagementPolicy::Observe),
            adoption: spec.common.adoption_policy.unwrap_or_default(),
            on_soft_deleted: spec.on_soft_deleted.unwrap_or_default(),
            on_stuck: spec.on_stuck_operation.unwrap_or_default(),
            deletes_adopted: spec.common.deletion_policy.is_some_and(|it| it != DeletionPolicy::Retain),
            purge: spec.common.deletion_policy == Some(DeletionPolicy::Purge),
        }
    }

    /// The time until a write that was about to be made would show by now.
    pub fn lingering(&self, now: Timestamp) -> Option<Duration> {
        let (step, at) = self.intent.as_ref()?;
        (self.had_begun() || step == "Import").then(|| left(*at, LINGERING, now))?
    }

    /// Whether the vault was about to be given work that goes on after the call.
    pub fn had_begun(&self) -> bool {
        self.intent.as_ref().is_some_and(|(step, _)| matches!(step.as_str(), "Create" | "Renew"))
    }

    /// The time until a certificate that was deleted would show as deleted by now.
    pub fn deletion_lag(&self, now: Timestamp) -> Option<Duration> {
        let (step, at) = self.intent.as_ref()?;
        (step == "Delete").then(|| left(*at, DELETION_LAG, now))?
    }

    /// Since when the operation goes on.
    pub fn begun(&self, id: &str) -> Option<Timestamp> {
        let seen = self.operation.as_ref().filter(|(seen, _)| seen == id).map(|(_, at)| *at);
        seen.or(self.intent.as_ref().map(|(_, at)| *at))
    }
}

fn left(from: Timestamp, span: SignedDuration, now: Timestamp) -> Option<Duration> {
    let left = from.checked_add(span).ok()?.duration_since(now);
    Duration::try_from(left).ok().filter(|it| !it.is_zero())
}
