//! What the service needs next. Pure: the tables in `tests` list the rows.

use aws_lc_rs::digest;
use jiff::Timestamp;

use crate::api::api_management::Pkcs12Encryption;
use crate::api::certificate::{AdoptionPolicy, CertificateSummary, Origin};
use crate::api::reason::Reason;
use crate::engine::{self, Goal, Next};
use crate::pki::{Identity, Thumbprint};

/// What the resource wants in the service.
pub enum Desired {
    /// A file, made of this pair.
    File {
        /// The pair and its issuers.
        identity: Box<Identity>,
        /// How the file is protected.
        encryption: Pkcs12Encryption,
    },
    /// What a vault holds.
    Vault(Box<VaultWish>),
}

/// What a vault holds, as the service is to read it.
pub struct VaultWish {
    /// Where.
    pub place: Place,
    /// The client id of a user-assigned identity.
    pub identity: Option<String>,
    /// What the KeyVaultCertificate that is referred to says of its certificate.
    pub newest: Option<CertificateSummary>,
}

/// A place in a vault.
pub enum Place {
    /// As the user wrote it.
    Written(String),
    /// By the names of a KeyVaultCertificate; the host follows from the account.
    Named {
        /// The vault.
        vault: String,
        /// The certificate.
        certificate: String,
    },
}

/// What the service says under the wanted id, and what our records hold of it.
pub struct Observed {
    /// The service's certificate, if there is one.
    pub remote: Option<Remote>,
    /// Where the wanted certificate stands in a vault, in full.
    pub identifier: Option<String>,
    /// Our records.
    pub held: Held,
}

/// A certificate in the service.
#[derive(Clone, Debug)]
pub struct Remote {
    /// The service's id of it.
    pub id: String,
    /// The tag that the next write has to carry, quotes and all.
    pub etag: String,
    /// SHA-1 of the certificate.
    pub thumbprint: Thumbprint,
    /// Its subject, as the service shows it.
    pub subject: String,
    /// End of its validity.
    pub not_after: Option<Timestamp>,
    /// Where it comes from, if from a vault.
    pub vault: Option<VaultReference>,
}

/// Where the service reads a certificate, and what came of its last look.
#[derive(Clone, Debug)]
pub struct VaultReference {
    /// The secret's id.
    pub identifier: String,
    /// The client id of a user-assigned identity.
    pub identity: Option<String>,
    /// Why the last look failed, as a word, if it did.
    pub failed: Option<String>,
}

/// What our records hold of the remote certificate.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// How we came to own the id, if we do.
    pub origin: Option<Origin>,
    /// The certificate that we last saw there as ours.
    pub thumbprint: Option<Thumbprint>,
    /// What we were about to write.
    pub intended: Option<String>,
    /// Whether the resource is for a vault's certificate, which changes without us.
    pub by_vault: bool,
    /// What to do with a certificate that is not ours.
    pub adoption: AdoptionPolicy,
}

/// One call.
pub enum Step {
    /// PUT; without a tag it is to create.
    Put {
        /// What is put.
        upload: Upload,
        /// The tag of what it replaces.
        etag: Option<String>,
        /// Whether the service must not have had any: then somebody else's was overwritten if it had.
        alone: bool,
    },
    /// POST refreshSecret.
    Refresh {
        /// What the vault is known to hold by now.
        newest: Option<Thumbprint>,
    },
    /// DELETE with If-Match.
    Delete {
        /// The tag of the certificate as last seen.
        etag: String,
        /// The certificate to be deleted.
        thumbprint: Thumbprint,
    },
}

/// What is put.
pub enum Upload {
    /// A file, made of this pair.
    File(Box<Identity>, Pkcs12Encryption),
    /// A reference.
    Vault {
        /// The secret's id.
        identifier: String,
        /// The client id of a user-assigned identity.
        identity: Option<String>,
    },
}

impl Observed {
    /// How we own what stands there: by record, by the intent to write just this, or not yet.
    pub fn origin(&self) -> Option<Origin> {
        let remote = self.remote.as_ref()?;
        let intended = self.held.intended.as_ref().is_some_and(|it| *it == mark(remote));
        self.held.origin.or(intended.then_some(Origin::Created))
    }
}

/// The next call, if one is needed.
pub fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
    match (goal, &observed.remote) {
        (Goal::Absent, None) => Next::Done,
        (Goal::Absent, Some(it)) => remove(it, observed),
        (Goal::Present(want), None) => put(want, observed, None),
        (Goal::Present(want), Some(it)) => match observed.origin() {
            None if !may_adopt(want, it, observed) => foreign(observed.held.adoption),
            _ if !is_same(want, it, observed) => put(want, observed, Some(it.etag.clone())),
            _ => refresh(want, it),
        },
    }
}

fn put(want: &Desired, observed: &Observed, etag: Option<String>) -> Next<Step> {
    let upload = match want {
        Desired::File { identity, encryption } => Upload::File(identity.clone(), *encryption),
        Desired::Vault(wish) => Upload::Vault {
            identifier: observed.identifier.clone().unwrap_or_default(),
            identity: wish.identity.clone(),
        },
    };
    let held = &observed.held;
    let alone = etag.is_none() && held.intended.is_none() && held.adoption != AdoptionPolicy::Always;
    Next::Step(Step::Put { upload, etag, alone })
}

/// A file is compared by the thumbprint of its leaf: its body never comes back. A reference is compared as such.
fn is_same(want: &Desired, it: &Remote, observed: &Observed) -> bool {
    match (want, &it.vault) {
        (Desired::File { identity, .. }, None) => it.thumbprint == identity.leaf().sha1_thumbprint(),
        (Desired::Vault(wish), Some(reference)) => {
            let identity = |it: &Option<String>| it.as_deref().unwrap_or_default().to_ascii_lowercase();
            let wanted = observed.identifier.as_deref().unwrap_or_default();
            plain(wanted) == plain(&reference.identifier)
                && identity(&wish.identity) == identity(&reference.identity)
        }
        (Desired::File { .. }, Some(_)) | (Desired::Vault(_), None) => false,
    }
}

/// The host in lower case, without a slash at the end.
fn plain(identifier: &str) -> String {
    let trimmed = identifier.trim_end_matches('/');
    let host = trimmed.match_indices('/').nth(2).map_or(trimmed.len(), |(at, _)| at);
    format!("{}{}", trimmed[..host].to_ascii_lowercase(), &trimmed[host..])
}

/// Whether the service has to look at the vault again.
fn refresh(want: &Desired, it: &Remote) -> Next<Step> {
    let (Desired::Vault(wish), Some(reference)) = (want, &it.vault) else { return Next::Done };
    let newest = wish.newest.as_ref().and_then(|it| it.sha1_thumbprint.parse().ok());
    let behind = !is_pinned(&reference.identifier) && newest.is_some_and(|newest| newest != it.thumbprint);
    if behind || reference.failed.is_some() {
        return Next::Step(Step::Refresh { newest: newest.filter(|_| behind) });
    }
    Next::Done
}

/// Whether a version is named, so that no newer one is ever read.
pub fn is_pinned(identifier: &str) -> bool {
    identifier.trim_end_matches('/').split('/').count() > 5
}

fn may_adopt(want: &Desired, it: &Remote, observed: &Observed) -> bool {
    match observed.held.adoption {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfIdentical => is_same(want, it, observed),
        AdoptionPolicy::Always => true,
    }
}

fn foreign(policy: AdoptionPolicy) -> Next<Step> {
    let (which, wanted) = match policy {
        AdoptionPolicy::Never => ("a certificate", "'IfIdentical' or 'Always'"),
        AdoptionPolicy::IfIdentical | AdoptionPolicy::Always => ("another certificate", "'Always'"),
    };
    Next::Stuck {
        reason: Reason::NotOwned,
        message: format!(
            "the service holds {which} under this id, which this object did not create: choose another \
             `spec.certificateId`, or set `spec.adoptionPolicy` to {wanted} to take it over"
        ),
    }
}

/// Only what we wrote or took over, and last saw or were about to write, is deleted.
fn remove(it: &Remote, observed: &Observed) -> Next<Step> {
    let held = &observed.held;
    let seen = held.thumbprint.is_some_and(|ours| ours == it.thumbprint);
    let intended = held.intended.as_ref().is_some_and(|ours| *ours == mark(it));
    let moved = held.by_vault && it.vault.is_some();
    match observed.origin() {
        None => Next::Done, // never ours
        Some(_) if seen || intended || moved || held.adoption == AdoptionPolicy::Always => {
            Next::Step(Step::Delete { etag: it.etag.clone(), thumbprint: it.thumbprint })
        }
        Some(_) => Next::Stuck {
            reason: Reason::DeletionBlocked,
            message: "the service holds another certificate under this id than the one last seen: delete it there, or \
                      set `spec.deletionPolicy` to 'Retain' to leave it"
                .to_owned(),
        },
    }
}

/// What a read shows of a write: the thumbprint of a file, or the reference.
pub fn mark(it: &Remote) -> String {
    match &it.vault {
        None => it.thumbprint.to_string(),
        Some(reference) => mark_of(&reference.identifier, reference.identity.as_deref()),
    }
}

fn mark_of(identifier: &str, identity: Option<&str>) -> String {
    let text = format!("{} {}", plain(identifier), identity.unwrap_or_default().to_ascii_lowercase());
    let digest = digest::digest(&digest::SHA256, text.as_bytes());
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Put { etag: None, .. } => "Create",
            Self::Put { etag: Some(_), .. } => "Replace",
            Self::Refresh { .. } => "Refresh",
            Self::Delete { .. } => "Delete",
        }
    }

    fn content_hash(&self) -> String {
        match self {
            Self::Put { upload: Upload::File(identity, _), .. } => {
                identity.leaf().sha1_thumbprint().to_string()
            }
            Self::Put { upload: Upload::Vault { identifier, identity }, .. } => {
                mark_of(identifier, identity.as_deref())
            }
            Self::Refresh { newest } => newest.map(|it| it.to_string()).unwrap_or_default(),
            Self::Delete { thumbprint, .. } => thumbprint.to_string(),
        }
    }

    /// The service has no room for a mark of ownership: after an upload only our record tells whose the certificate is.
    fn needs_intent(&self) -> bool {
        matches!(self, Self::Put { .. })
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Put { etag: None, .. } => Reason::Creating,
            Self::Put { etag: Some(_), .. } | Self::Refresh { .. } => Reason::Updating,
            Self::Delete { .. } => Reason::Deleting,
        }
    }

    fn serves(&self) -> bool {
        matches!(self, Self::Refresh { .. })
    }
}

#[cfg(test)]
mod tests;
