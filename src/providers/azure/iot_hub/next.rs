//! What the hub needs next. Pure: the tables in `tests` list the rows.

use crate::api::certificate::{AdoptionPolicy, Origin};
use crate::api::reason::{Invalid, Reason};
use crate::engine::{self, Goal, Next};
use crate::pki::{Certificate, Fingerprint, Thumbprint, VerificationCode};
use crate::providers::possession::{Possession, Proof};

/// What the resource wants in the hub.
pub struct Desired {
    /// The CA certificate.
    pub certificate: Certificate,
    /// How the hub is to hold it as verified.
    pub verification: Verification,
}

/// How the hub is to hold the certificate as verified.
pub enum Verification {
    /// Not at all.
    None,
    /// By proof of possession.
    Proof(Possession),
    /// By the upload's own word.
    Attested,
}

/// What the hub says under the wanted name, and what our records hold of it.
pub struct Observed {
    /// The hub's certificate, if there is one.
    pub remote: Option<HubCertificate>,
    /// Our records.
    pub held: Held,
}

/// A certificate in the hub.
#[derive(Clone, Debug)]
pub struct HubCertificate {
    /// The hub's id of it.
    pub id: String,
    /// The tag that the next write has to carry; every write changes it, asking for a code too.
    pub etag: String,
    /// SHA-1 of the DER form.
    pub thumbprint: Thumbprint,
    /// SHA-256 of the DER form, where the hub shows the certificate itself.
    pub fingerprint: Option<Fingerprint>,
    /// Whether possession of its key has been proven.
    pub verified: bool,
    /// The code that a proof must name: only in the answer to the call that asks for one, or in our record of that
    /// answer while the tag is the same.
    pub code: Option<VerificationCode>,
}

/// What our records hold of the remote certificate.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// How we came to own the name, if we do.
    pub origin: Option<Origin>,
    /// The certificate that we last saw there as ours.
    pub thumbprint: Option<Thumbprint>,
    /// The certificate that we were about to write.
    pub intended: Option<Thumbprint>,
    /// The code that was given to us, and the tag that came with it.
    pub code: Option<(VerificationCode, String)>,
    /// What to do with a certificate that is not ours.
    pub adoption: AdoptionPolicy,
}

/// One call.
pub enum Step {
    /// PUT without If-Match: creates, and only creates.
    Create(Upload),
    /// PUT with If-Match.
    Replace(Upload, String),
    /// POST generateVerificationCode with If-Match.
    RequestCode {
        /// The tag of the certificate as last seen.
        etag: String,
        /// The certificate to be verified.
        thumbprint: Thumbprint,
        /// Our records, which hold for the answer too.
        held: Held,
    },
    /// POST verify with If-Match.
    Verify {
        /// The tag that came with the code.
        etag: String,
        /// The certificate to be verified.
        thumbprint: Thumbprint,
        /// The proof.
        proof: Proof,
    },
    /// DELETE with If-Match.
    Delete {
        /// The tag of the certificate as last seen.
        etag: String,
        /// The certificate to be deleted.
        thumbprint: Thumbprint,
    },
}

/// What is uploaded.
pub struct Upload {
    /// The CA certificate.
    pub certificate: Certificate,
    /// Whether the upload says that it is verified.
    pub attested: bool,
}

impl Observed {
    /// How we own what stands in the hub: by record, by the intent to write just this, or not yet.
    pub fn origin(&self) -> Option<Origin> {
        let remote = self.remote.as_ref()?;
        let intended = self.held.intended.is_some_and(|it| it == remote.thumbprint);
        self.held.origin.or(intended.then_some(Origin::Created))
    }
}

/// The next call, if one is needed.
pub fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
    match (goal, &observed.remote) {
        (Goal::Absent, None) => Next::Done,
        (Goal::Absent, Some(it)) => remove(it, &observed.held, observed.origin()),
        (Goal::Present(want), None) => Next::Step(Step::Create(upload(want))),
        (Goal::Present(want), Some(it)) => match observed.origin() {
            None if !may_adopt(observed.held.adoption, want, it) => foreign(observed.held.adoption),
            _ if !is_same(want, it) => Next::Step(Step::Replace(upload(want), it.etag.clone())),
            _ if it.verified => Next::Done,
            _ => verify(want, it, &observed.held),
        },
    }
}

fn upload(want: &Desired) -> Upload {
    let attested = matches!(want.verification, Verification::Attested);
    Upload { certificate: want.certificate.clone(), attested }
}

/// By SHA-256 where the hub shows the certificate, so that a SHA-1 twin is noticed.
fn is_same(want: &Desired, it: &HubCertificate) -> bool {
    it.thumbprint == want.certificate.sha1_thumbprint()
        && it.fingerprint.is_none_or(|shown| shown == want.certificate.sha256_fingerprint())
}

fn may_adopt(policy: AdoptionPolicy, want: &Desired, it: &HubCertificate) -> bool {
    match policy {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfIdentical => is_same(want, it),
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
            "the hub holds {which} under this name, which this object did not create: choose another \
             `spec.certificateName`, or set `spec.adoptionPolicy` to {wanted} to take it over"
        ),
    }
}

fn verify(want: &Desired, it: &HubCertificate, held: &Held) -> Next<Step> {
    match (&want.verification, &it.code) {
        (Verification::None, _) => Next::Done,
        (Verification::Attested, _) => Next::Step(Step::Replace(upload(want), it.etag.clone())),
        (Verification::Proof(_), None) => Next::Step(Step::RequestCode {
            etag: it.etag.clone(),
            thumbprint: it.thumbprint,
            held: held.clone(),
        }),
        (Verification::Proof(possession), Some(code)) => match possession.proof(&want.certificate, code) {
            Ok(proof) => Next::Step(Step::Verify { etag: it.etag.clone(), thumbprint: it.thumbprint, proof }),
            Err(Invalid { reason, message }) => Next::Await { reason, message },
        },
    }
}

/// Only what we wrote or took over, and last saw or were about to write, is deleted.
fn remove(it: &HubCertificate, held: &Held, origin: Option<Origin>) -> Next<Step> {
    let known = [held.thumbprint, held.intended].into_iter().flatten().any(|ours| ours == it.thumbprint);
    match origin {
        None => Next::Done, // never ours
        Some(_) if known || held.adoption == AdoptionPolicy::Always => {
            Next::Step(Step::Delete { etag: it.etag.clone(), thumbprint: it.thumbprint })
        }
        Some(_) => Next::Stuck {
            reason: Reason::DeletionBlocked,
            message: "the hub holds another certificate under this name than the one last seen: delete it there, or \
                      set `spec.deletionPolicy` to 'Retain' to leave it"
                .to_owned(),
        },
    }
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "Create",
            Self::Replace(..) => "Replace",
            Self::RequestCode { .. } => "RequestCode",
            Self::Verify { .. } => "Verify",
            Self::Delete { .. } => "Delete",
        }
    }

    /// The thumbprint: the one thing of its content that the hub shows in every version. Of a proof that somebody
    /// signed, what tells it from the next one.
    fn content_hash(&self) -> String {
        match self {
            Self::Create(upload) | Self::Replace(upload, _) => upload.certificate.sha1_thumbprint(),
            Self::Verify { thumbprint, proof, .. } => return proof.content_hash(thumbprint.to_string()),
            Self::RequestCode { thumbprint, .. } | Self::Delete { thumbprint, .. } => *thumbprint,
        }
        .to_string()
    }

    /// The hub has no room for a mark of ownership: after an upload only our record tells whose the certificate is.
    /// And a recorded code is used once.
    fn needs_intent(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Replace(..) | Self::Verify { proof: Proof::Signed(_), .. })
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Create(_) => Reason::Creating,
            Self::Replace(..) => Reason::Updating,
            Self::RequestCode { .. } | Self::Verify { .. } => Reason::Verifying,
            Self::Delete { .. } => Reason::Deleting,
        }
    }
}

#[cfg(test)]
mod tests;
