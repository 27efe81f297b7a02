//! How a call to a cloud service can fail, in the engine's terms. A provider classes every answer into one of these;
//! no text of the service gets further than here.

use std::time::Duration;

use crate::api::reason::Reason;

/// A failed call, or a refused one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct CloudError {
    /// The reason for conditions and events.
    pub reason: Reason,
    /// What happened and what to do, in our own words; at most the service's code is quoted.
    pub message: String,
    /// What the engine does next.
    pub then: Then,
}

/// What the engine does after a failed call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Read the object and plan anew, at once: the answer says that our view was old, or its outcome is unknown.
    Reread {
        /// How often in a row within one pass; after that the reason stands.
        tries: u8,
    },
    /// The service did not make the call, perhaps because of something that our view lacks: drop what was recorded for it,
    /// read and plan anew. If the same call is due again, the reason stands.
    Replan,
    /// Go on without it: the call was more than is needed. A deletion tells it as a warning and ends.
    Waive,
    /// Retry as the reason's class says, not before the service's own `Retry-After`.
    Retry {
        /// How long the service asked to be left alone.
        after: Option<Duration>,
    },
}

impl CloudError {
    /// An error that is retried as its reason's class says.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), then: Then::Retry { after: None } }
    }

    /// The same, after the time that the service asked for.
    #[must_use]
    pub fn retry_after(mut self, after: Option<Duration>) -> Self {
        self.then = Then::Retry { after };
        self
    }

    /// The same, with fresh reads first: three, as an object that changes faster is somebody else's.
    #[must_use]
    pub fn reread(mut self) -> Self {
        self.then = Then::Reread { tries: 3 };
        self
    }

    /// The same, as something that the resource can go without.
    #[must_use]
    pub fn waived(mut self) -> Self {
        self.then = Then::Waive;
        self
    }

    /// The same, with one fresh read and one more try first.
    #[must_use]
    pub fn reread_once(mut self) -> Self {
        self.then = Then::Reread { tries: 1 };
        self
    }
}
