//! Why a condition is as it is: one closed set for all kinds. Renaming a reason breaks users.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The reason of a condition and of the event that announces it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Reason {
    /// The certificate is in the service as wanted.
    Ready,
    /// The certificate is in the service as wanted, and the operator only looks (`managementPolicy: Observe`).
    Observed,
    /// The certificate is in the service as wanted, and its time before expiry has begun without a newer source.
    Expiring,
    /// The operator does nothing: the certificate, its account or the operator is suspended.
    Suspended,
    /// The controller has seen the object and not yet finished its first pass.
    Pending,
    /// The certificate is being created in the service.
    Creating,
    /// The certificate in the service is being changed.
    Updating,
    /// Possession of the CA's key is being proven to the service.
    Verifying,
    /// The certificate is being removed from the service.
    Deleting,
    /// A deleted certificate under the wanted name is being recovered.
    Recovering,
    /// The service is at work on the certificate and tells when it is done.
    OperationInProgress,
    /// The service's request for a certificate waits to be signed.
    AwaitingSignature,
    /// The certificate's validity has not begun.
    CertificateNotYetValid,
    /// The service asked for fewer requests.
    Throttled,
    /// The service failed or cannot be reached.
    CloudUnavailable,
    /// The service did not answer in time; what it did is read back before anything is repeated.
    TimedOut,
    /// Somebody else changes the same object at the same time.
    ConcurrentWrite,
    /// The parent (hub, service, vault) is busy with another change.
    TargetBusy,
    /// The Secret that is named does not exist.
    SecretNotFound,
    /// The Secret or ConfigMap lacks the key that is named.
    SecretKeyMissing,
    /// A referenced object other than a Secret does not exist.
    ReferenceNotFound,
    /// The source holds no certificate that can be read.
    CertificateMalformed,
    /// The private key cannot be used: unreadable, encrypted, or of a kind that is not supported.
    PrivateKeyUnusable,
    /// The private key does not belong to the certificate.
    KeyMismatch,
    /// The certificate is in the service as wanted, and disabled there: nobody can use it.
    Disabled,
    /// The certificate's validity is over.
    CertificateExpired,
    /// The certificate is not a CA certificate, and the service needs one.
    CertificateNotCA,
    /// The service refused the proof of possession.
    ProofRejected,
    /// The service refused the upload.
    UploadRefused,
    /// The service refused the settings of the certificate.
    UpdateRefused,
    /// The issuer did not issue the certificate.
    IssuanceFailed,
    /// The private key is to be exported, and the service does not give it away.
    KeyNotExportable,
    /// The spec cannot be carried out as it is written.
    SpecInvalid,
    /// The spec asks for something that this version does not do yet.
    NotSupported,
    /// The operator may not read Secrets or ConfigMaps in this namespace.
    SourcesNotGranted,
    /// The operator may not write Secrets, or ask cert-manager, in this namespace.
    OutputsNotGranted,
    /// The account that is named does not exist.
    AccountNotFound,
    /// The account does not serve this namespace or this target.
    AccountNotAllowed,
    /// The service or its token endpoint refused the account's credentials.
    AuthenticationFailed,
    /// The account's identity lacks a permission in the service.
    AccessDenied,
    /// A policy, lock or firewall of the service forbids the request.
    PolicyDenied,
    /// The service's quota is used up.
    QuotaExceeded,
    /// The parent (hub, service, vault, group or subscription) does not exist.
    TargetNotFound,
    /// The subscription is not registered for the service.
    ProviderNotRegistered,
    /// The service has no identity with which it could read a key vault.
    ServiceIdentityMissing,
    /// The service cannot read the certificate from the key vault.
    KeyVaultRefreshFailed,
    /// What answers at the endpoint is not the service.
    EndpointMisconfigured,
    /// Another owner's object stands under the wanted name.
    NotOwned,
    /// Another, older resource is for the same remote name.
    NameConflict,
    /// The service differs from the spec, and the operator only looks (`managementPolicy: Observe`).
    DriftDetected,
    /// The wanted name belongs to a deleted certificate that can be recovered.
    RemoteSoftDeleted,
    /// The service does not get done with what it is at work on.
    OperationStuck,
    /// It cannot be settled whether a create took effect.
    CreateOutcomeUnknown,
    /// The service did not come to the wanted state however often it was asked.
    Diverged,
    /// Removing the remote certificate needs somebody's decision first.
    DeletionBlocked,
    /// More remote certificates were to be deleted in a short time than the operator deletes unasked.
    DeleteBrake,
}

/// What follows from a reason: which condition is raised, and when the object is looked at again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The wanted state is reached.
    Fine,
    /// Nothing is done, as was asked.
    Suspended,
    /// Work is under way.
    Working,
    /// It failed and may succeed if repeated.
    Transient,
    /// Something that is referred to is not there yet; it often comes moments later.
    Missing,
    /// The user has to change the spec or what it refers to.
    User,
    /// Somebody outside has to grant or repair something.
    Grant,
    /// The remote state is somebody else's or undecided.
    Conflict,
}

impl Reason {
    /// The class of this reason.
    pub fn class(self) -> Class {
        use Reason::*;
        match self {
            Ready | Observed | Expiring => Class::Fine,
            Suspended => Class::Suspended,
            Pending
            | Creating
            | Updating
            | Verifying
            | Deleting
            | Recovering
            | OperationInProgress
            | AwaitingSignature
            | CertificateNotYetValid => Class::Working,
            Throttled | CloudUnavailable | TimedOut | ConcurrentWrite | TargetBusy => Class::Transient,
            SecretNotFound | SecretKeyMissing | ReferenceNotFound | AccountNotFound | SourcesNotGranted
            | OutputsNotGranted => Class::Missing,
            CertificateMalformed | PrivateKeyUnusable | KeyMismatch | Disabled | CertificateExpired
            | CertificateNotCA | ProofRejected | UploadRefused | UpdateRefused | IssuanceFailed
            | KeyNotExportable | SpecInvalid | NotSupported => Class::User,
            AccountNotAllowed
            | AuthenticationFailed
            | AccessDenied
            | PolicyDenied
            | QuotaExceeded
            | TargetNotFound
            | ProviderNotRegistered
            | ServiceIdentityMissing
            | KeyVaultRefreshFailed
            | EndpointMisconfigured => Class::Grant,
            NotOwned | NameConflict | DriftDetected | RemoteSoftDeleted | OperationStuck
            | CreateOutcomeUnknown | Diverged | DeletionBlocked | DeleteBrake => Class::Conflict,
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Debug::fmt(self, f) // a variant's name is its text, as in the schema
    }
}

/// Why a wish cannot be carried out: found by looking at the spec and at what it refers to, before any remote call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Invalid {
    /// The reason for conditions and events.
    pub reason: Reason,
    /// What is wrong, where (the field path), and what to do.
    pub message: String,
}

impl Invalid {
    /// A finding about the spec or what it refers to.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }
}
