//! The calls that change the hub.

use super::Observed;
use crate::api::reason::Reason;
use crate::engine;
use crate::pki::{Certificate, Thumbprint};
use crate::providers::possession::Proof;

/// One call.
pub enum Step {
    /// PUT without If-Match: creates, and only creates.
    Create {
        /// Under which name.
        name: String,
        /// What.
        upload: Upload,
        /// The name of the predecessor beside which it stands, if it does.
        beside: Option<String>,
    },
    /// PUT with If-Match.
    Replace {
        /// Under which name.
        name: String,
        /// What.
        upload: Upload,
        /// The tag of the certificate as last seen.
        etag: String,
    },
    /// POST generateVerificationCode with If-Match.
    RequestCode {
        /// Of which one.
        name: String,
        /// The tag of the certificate as last seen.
        etag: String,
        /// The certificate to be verified.
        thumbprint: Thumbprint,
        /// What was seen, which but for this certificate holds after the answer too.
        observed: Box<Observed>,
    },
    /// POST verify with If-Match.
    Verify {
        /// Of which one.
        name: String,
        /// The tag that came with the code.
        etag: String,
        /// The certificate to be verified.
        thumbprint: Thumbprint,
        /// The proof.
        proof: Proof,
    },
    /// DELETE with If-Match.
    Delete {
        /// Of which one.
        name: String,
        /// The tag of the certificate as last seen.
        etag: String,
        /// The certificate to be deleted.
        thumbprint: Thumbprint,
        /// Why.
        why: Why,
    },
}

/// What is uploaded.
pub struct Upload {
    /// The CA certificate.
    pub certificate: Certificate,
    /// Whether the upload says that it is verified.
    pub attested: bool,
}

/// Why a certificate is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The resource goes.
    Removal,
    /// Its successor has served for the grace time.
    Retired,
    /// It was uploaded for a source that has changed since, and never served.
    Outdated,
}

impl Step {
    /// The names of those that need an intent, as the record has them.
    pub const CREATE: &'static str = "Create";
    /// Beside a predecessor.
    pub const CREATE_BESIDE: &'static str = "CreateBeside";
    /// In a predecessor's place.
    pub const REPLACE: &'static str = "Replace";
    /// Away again.
    pub const DISCARD: &'static str = "Discard";
}

impl engine::Step for Step {
    fn name(&self) -> &'static str {
        match self {
            Self::Create { beside: None, .. } => Self::CREATE,
            Self::Create { beside: Some(_), .. } => Self::CREATE_BESIDE,
            Self::Replace { .. } => Self::REPLACE,
            Self::RequestCode { .. } => "RequestCode",
            Self::Verify { .. } => "Verify",
            Self::Delete { why: Why::Removal, .. } => "Delete",
            Self::Delete { why: Why::Retired, .. } => "Retire",
            Self::Delete { why: Why::Outdated, .. } => Self::DISCARD,
        }
    }

    /// The thumbprint: the one thing of its content that the hub shows in every version. Of a proof that somebody
    /// signed, what tells it from the next one.
    fn content_hash(&self) -> String {
        match self {
            Self::Create { upload, .. } | Self::Replace { upload, .. } => {
                upload.certificate.sha1_thumbprint()
            }
            Self::Verify { thumbprint, proof, .. } => return proof.content_hash(thumbprint.to_string()),
            Self::RequestCode { thumbprint, .. } | Self::Delete { thumbprint, .. } => *thumbprint,
        }
        .to_string()
    }

    /// The hub has no room for a mark of ownership: after an upload only our record tells whose the certificate is. It
    /// tells so until what was uploaded in vain is gone again. And a recorded code is used once.
    fn needs_intent(&self) -> bool {
        match self {
            Self::Create { .. }
            | Self::Replace { .. }
            | Self::Verify { proof: Proof::Signed(_), .. }
            | Self::Delete { why: Why::Outdated, .. } => true,
            Self::RequestCode { .. }
            | Self::Verify { proof: Proof::Unsigned { .. }, .. }
            | Self::Delete { why: Why::Removal | Why::Retired, .. } => false,
        }
    }

    /// Names, here: of what stands there already, so that more than one certificate is the resource's.
    fn known_ids(&self) -> Option<Vec<String>> {
        match self {
            Self::Create { beside, .. } => beside.clone().map(|it| vec![it]),
            Self::Delete { name, why: Why::Outdated, .. } => Some(vec![name.clone()]),
            Self::Replace { .. }
            | Self::RequestCode { .. }
            | Self::Verify { .. }
            | Self::Delete { why: Why::Removal | Why::Retired, .. } => None,
        }
    }

    fn progress(&self) -> Reason {
        match self {
            Self::Create { beside: None, .. } => Reason::Creating,
            Self::Create { beside: Some(_), .. } | Self::Replace { .. } => Reason::Updating,
            Self::RequestCode { .. } | Self::Verify { .. } => Reason::Verifying,
            Self::Delete { why: Why::Removal, .. } => Reason::Deleting,
            Self::Delete { why: Why::Retired | Why::Outdated, .. } => Reason::Updating,
        }
    }

    /// What retires is needed by nobody any more.
    fn serves(&self) -> bool {
        matches!(self, Self::Delete { why: Why::Retired, .. })
    }
}
