//! Why a pass ended before it could converge, and what every end of a pass comes to.

use super::converge::{self, End, Setback};
use super::error::CloudError;
use super::status::Outcome;
use super::write::WriteError;
use super::{Goal, Provider, Unusable};
use crate::api::reason::{Class, Invalid, Reason};
use crate::source::cluster::FetchError;

/// Why a pass ended before it could converge.
pub(super) enum Halt {
    /// The resource, or what it refers to, does not say what is needed.
    Invalid(Invalid),
    /// The cloud could not be signed in to.
    Cloud(CloudError),
    /// The remote name belongs to another resource.
    StoodBack {
        /// Whose it is, and what to do.
        message: String,
        /// Whether what this resource recorded of the name no longer holds.
        void: bool,
    },
    /// The API server failed.
    Api(kube::Error),
    /// The resource changed meanwhile: start over.
    Outdated,
    /// The account has no turn left, or none for the parent.
    Busy,
}

impl From<Invalid> for Halt {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<kube::Error> for Halt {
    fn from(error: kube::Error) -> Self {
        Self::Api(error)
    }
}

impl From<FetchError> for Halt {
    fn from(error: FetchError) -> Self {
        match error {
            FetchError::Invalid(invalid) => Self::Invalid(invalid),
            FetchError::Api(error) => Self::Api(error),
        }
    }
}

impl From<Unusable> for Halt {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Invalid(invalid) => Self::Invalid(invalid),
            Unusable::Cloud(error) => Self::Cloud(error),
        }
    }
}

impl From<WriteError> for Halt {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Outdated => Self::Outdated,
            WriteError::Api(error) => Self::Api(error),
        }
    }
}

/// The outcome of a pass that could not converge.
pub(super) fn halted(halt: Halt) -> Result<Outcome, Halt> {
    match halt {
        Halt::Invalid(Invalid { reason: Reason::Suspended, message }) => Ok(Outcome::Suspended { message }),
        Halt::Invalid(Invalid { reason, message }) => Ok(Outcome::Failed(Setback::new(reason, message))),
        Halt::Cloud(error) => Ok(Outcome::Failed(error.into())),
        Halt::StoodBack { message, void } => Ok(Outcome::StoodBack { message, void }),
        Halt::Api(_) | Halt::Outdated | Halt::Busy => Err(halt),
    }
}

/// The outcome of a pass that converged, or tried to.
pub(super) fn ended<P: Provider>(goal: &Goal<P::Desired>, end: End<P::Observed>) -> Result<Outcome, Halt> {
    match end {
        End::Settled(observed) => converge::facts::<P>(goal, &observed)
            .map(|facts| Outcome::Settled(Box::new(facts)))
            .ok_or(Halt::Outdated),
        End::Waiting { observed, reason, message, wait, serves } => {
            let facts = converge::facts::<P>(goal, &observed).map(Box::new);
            Ok(Outcome::Working { reason, message, wait, serves, facts })
        }
        End::Failed(setback) | End::Waived(setback) => Ok(Outcome::Failed(setback)),
        End::Outdated => Err(Halt::Outdated),
    }
}

/// The outcome of a pass that converged, where what belongs to it in the namespace could not be written. What was seen
/// of the service is recorded all the same.
pub(super) fn undelivered<P: Provider>(
    goal: &Goal<P::Desired>,
    end: End<P::Observed>,
    why: Halt,
) -> Result<Outcome, Halt> {
    let outcome = halted(why)?;
    let (End::Settled(observed) | End::Waiting { observed, .. }) = end else { return Ok(outcome) };
    Ok(match outcome {
        Outcome::Failed(setback) => {
            let facts = converge::facts::<P>(goal, &observed).map(Box::new);
            Outcome::Failed(Setback { facts, ..setback })
        }
        other => other,
    })
}

/// What keeps a deletion from going on until somebody sees to it.
pub(super) fn blocks(outcome: &Outcome) -> Option<Reason> {
    match outcome {
        Outcome::Suspended { .. } => Some(Reason::Suspended),
        Outcome::Failed(Setback { reason, .. }) if reason.class() != Class::Transient => Some(*reason),
        Outcome::Failed(_)
        | Outcome::Settled(_)
        | Outcome::SignedIn
        | Outcome::StoodBack { .. }
        | Outcome::Working { .. } => None,
    }
}

/// What keeps a deletion from going on needs somebody, and says how to end it without the service.
pub(super) fn blocked(outcome: Outcome) -> Outcome {
    match outcome {
        Outcome::Failed(setback)
            if matches!(setback.reason.class(), Class::Missing | Class::User | Class::Grant) =>
        {
            let message = format!(
                "the remote certificate cannot be deleted; to leave it there, set `spec.deletionPolicy` to 'Retain'. \
                 {}: {}",
                setback.reason, setback.message
            );
            Outcome::Failed(Setback { reason: Reason::DeletionBlocked, message, ..setback })
        }
        Outcome::Suspended { message } => Outcome::Failed(Setback::new(
            Reason::DeletionBlocked,
            format!(
                "{message}. End that to delete the remote certificate, or set `spec.deletionPolicy` to 'Retain'"
            ),
        )),
        other => other,
    }
}
