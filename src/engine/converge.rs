//! The loop: observe, ask for the next call, make it, observe again, until nothing is left to do.

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;

use super::error::{CloudError, Then};
use super::{Facts, Freshness, Goal, Next, Provider, Step};
use crate::api::reason::Reason;

/// More calls than any provider needs to reach its goal from any state; one that needs more fights itself.
const MAX_STEPS: usize = 8;

/// How the loop ended.
#[derive(Debug)]
pub enum End<O> {
    /// A read shows the goal reached.
    Settled(O),
    /// The service, or somebody beside it, is at work.
    Waiting {
        /// What a read showed.
        observed: O,
        /// The reason for the condition.
        reason: Reason,
        /// What is waited for.
        message: String,
        /// When to look again.
        wait: Duration,
        /// Whether what stands there serves meanwhile.
        serves: bool,
    },
    /// A call was refused that the goal can go without.
    Waived(Setback),
    /// It cannot go on as things are, or a call failed.
    Failed(Setback),
    /// The resource changed meanwhile; start over with a fresh one.
    Outdated,
}

/// Why a pass could not reach its goal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setback {
    /// The reason for conditions and events.
    pub reason: Reason,
    /// What is wrong and what to do.
    pub message: String,
    /// When the service wants to be asked again.
    pub after: Option<Duration>,
    /// Whether the pass saw the service differ from the wish.
    pub behind: bool,
    /// The step that failed, if one was made.
    pub attempt: Option<Attempt>,
    /// What is to be recorded of the service all the same.
    pub facts: Option<Box<Facts>>,
}

impl Setback {
    /// Found before anything was learned of the service.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), after: None, behind: false, attempt: None, facts: None }
    }

    /// The same, of a service that was seen to differ from the wish, or not.
    #[must_use]
    fn seen(self, behind: bool, attempt: Option<Attempt>) -> Self {
        Self { behind, attempt, ..self }
    }
}

impl From<CloudError> for Setback {
    fn from(CloudError { reason, message, then }: CloudError) -> Self {
        let after = match then {
            Then::Retry { after } => after,
            Then::Reread { .. } | Then::Replan | Then::Waive => None,
        };
        Self { after, ..Self::new(reason, message) }
    }
}

/// A step that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// What it was part of: asking for a code and proving possession are one thing.
    pub progress: Reason,
    /// Its name.
    pub name: &'static str,
    /// Its content.
    pub content_hash: String,
    /// Whether the service answered that it did not make it: then nothing comes of it later.
    pub refused: bool,
}

/// What has to hold before a call that changes the service may be made.
pub trait Gate<P: Provider>: Send {
    /// Checks that the resource is still as it was, and records what must be recorded first. The resource is brought
    /// to how it is then.
    fn open(&mut self, root: &mut P::Root, step: &P::Step)
    -> impl Future<Output = Result<(), Closed>> + Send;

    /// Takes note that the service answered: what was recorded for the step does not take effect later. What it made has
    /// this id, where the service gives ids.
    fn answered(
        &mut self,
        root: &mut P::Root,
        made: Option<String>,
    ) -> impl Future<Output = Result<(), Closed>> + Send;

    /// Takes note that the service did not do what was recorded for the step.
    fn refused(&mut self, root: &mut P::Root) -> impl Future<Output = Result<(), Closed>> + Send;
}

/// Why a call may not be made.
#[derive(Debug)]
pub enum Closed {
    /// The resource changed or is gone.
    Outdated,
    /// The call is known to be in vain.
    Refused {
        /// The reason for the condition.
        reason: Reason,
        /// The message for the condition.
        message: String,
    },
}

/// Brings the service to the goal, one call at a time.
pub async fn converge<P: Provider>(
    provider: &P,
    root: &mut P::Root,
    goal: &Goal<P::Desired>,
    gate: &mut impl Gate<P>,
) -> End<P::Observed> {
    let mut behind = false;
    // A success in between is no progress if the same failure comes back: a code is given, its proof refused again.
    let mut rereads = HashMap::<Reason, u8>::new();
    let mut answered: Option<P::Observed> = None;
    let mut refused: Option<(Attempt, CloudError)> = None;
    for _ in 0..=MAX_STEPS {
        // What a call's own answer showed serves for the next call; that the goal is reached is believed of a read.
        let (observed, from_read) = match answered.take() {
            Some(observed) => (observed, false),
            None => match provider.observe(root, goal, Freshness::Live).await {
                Ok(observed) => (observed, true),
                Err(error) => return End::Failed(Setback::from(error).seen(behind, None)),
            },
        };
        let step = match P::next(goal, &observed) {
            Next::Done if from_read => return End::Settled(observed),
            Next::Done => continue,
            Next::Wait { .. } if !from_read => continue,
            Next::Wait { reason, message, wait, serves } => {
                return End::Waiting { observed, reason, message, wait, serves };
            }
            Next::Await { reason, message } => {
                let facts = facts::<P>(goal, &observed).map(Box::new);
                return End::Failed(Setback { behind: true, facts, ..Setback::new(reason, message) });
            }
            Next::Stuck { reason, message } => {
                return End::Failed(Setback::new(reason, message).seen(true, None));
            }
            Next::Step(step) => step,
        };
        behind = behind || !step.serves();
        let mut attempt = Attempt {
            progress: step.progress(),
            name: step.name(),
            content_hash: step.content_hash(),
            refused: false,
        };
        if let Some((before, error)) = refused.take()
            && (before.name, &before.content_hash) == (attempt.name, &attempt.content_hash)
        {
            return End::Failed(Setback::from(error).seen(behind, Some(before)));
        }
        match gate.open(root, &step).await {
            Ok(()) => {}
            Err(Closed::Outdated) => return End::Outdated,
            Err(Closed::Refused { reason, message }) => {
                return End::Failed(Setback::new(reason, message).seen(behind, Some(attempt)));
            }
        };
        let is_recorded = step.needs_intent();
        match provider.apply(step).await {
            Ok(seen) => {
                // Another step's record stays open: nothing is known of that one yet.
                let made = seen.as_ref().and_then(P::made);
                if is_recorded && gate.answered(root, made).await.is_err() {
                    return End::Outdated;
                }
                answered = seen;
            }
            Err(error) => {
                let so_far = rereads.entry(error.reason).or_default();
                match error.then {
                    Then::Reread { tries } if *so_far < tries => *so_far += 1,
                    Then::Replan => {
                        if is_recorded && gate.refused(root).await.is_err() {
                            return End::Outdated;
                        }
                        attempt.refused = true;
                        refused = Some((attempt, error));
                    }
                    Then::Waive => return End::Waived(error.into()),
                    Then::Reread { .. } | Then::Retry { .. } => {
                        attempt.refused = matches!(error.then, Then::Retry { .. });
                        return End::Failed(Setback::from(error).seen(behind, Some(attempt)));
                    }
                }
            }
        }
    }
    let message = "the service did not come to the wanted state, however often it was written: \
                   look for another writer of the same object";
    End::Failed(Setback::new(Reason::Diverged, message).seen(behind, None))
}

/// What the status tells of an observation.
pub fn facts<P: Provider>(goal: &Goal<P::Desired>, observed: &P::Observed) -> Option<Facts> {
    match goal {
        Goal::Present(desired) => P::facts(desired, observed),
        Goal::Absent => None,
    }
}

#[cfg(test)]
mod tests;
