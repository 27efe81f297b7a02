//! What stands between a plan and a remote write: the resource is unchanged, the finalizer stands on it, and what is
//! about to be written is recorded.

use std::time::Duration;

use kube::{Api, Resource, ResourceExt};

use super::converge::{Closed, Gate};
use super::deletion;
use super::dependents::RootKey;
use super::reconcile::sync_request;
use super::status::{self, Outcome};
use super::write::{self, WriteError};
use super::{Engine, Provider, Step};
use crate::api::certificate::{CertificateResource, CertificateStatus, Intent, ManagementPolicy};
use crate::api::condition::{self, ConditionType};
use crate::api::reason::Reason;
use crate::api::{DELETE_APPROVED, SYNC_REQUESTED};

/// Lets a step pass once the resource is known to be unchanged, holds the finalizer, and holds the intent.
pub(super) struct Recording<'a, R> {
    pub(super) engine: &'a Engine,
    pub(super) api: &'a Api<R>,
    pub(super) key: &'a RootKey,
    /// Whether a step was due because the service differs from the wish, and not to renew what is there.
    pub(super) differs: bool,
}

impl<P: Provider> Gate<P> for Recording<'_, P::Root> {
    async fn open(&mut self, root: &mut P::Root, step: &P::Step) -> Result<(), Closed> {
        self.differs |= !step.serves();
        if !self.engine.term.lasts() {
            return Err(Closed::Outdated);
        }
        if let Some(refusal) = held_back(root, step) {
            return Err(refusal);
        }
        match self.api.get_opt(&self.key.name).await {
            Ok(Some(fresh)) if is_same(root, &fresh) => *root = fresh,
            _ => return Err(Closed::Outdated),
        }
        tracing::info!(step = step.name(), "writing to the service");
        let deleting = root.meta().deletion_timestamp.is_some();
        if deleting && let Some(refusal) = self.braked(root) {
            return Err(refusal);
        }
        let makes_more = step.known_ids().is_some() || step.takes_back().is_some();
        let deletes = deletion::deletes_after(root, makes_more);
        if !deleting && deletes && !write::has_finalizer(root) {
            write::add_finalizer(self.api, root).await.map_err(closed)?;
        }
        if step.needs_intent() {
            let status = with_intent(self.engine, self.key, root, step);
            let fence = root.resource_version();
            write::status(self.api, root, &status, fence.as_deref()).await.map_err(closed)?;
        }
        Ok(())
    }

    async fn answered(&mut self, root: &mut P::Root, made: Option<String>) -> Result<(), Closed> {
        let Some(intent) = root.status().and_then(|it| it.intent.clone()) else { return Ok(()) };
        self.engine.memory.answered(self.key, intent.start_time);
        if made.is_none() {
            return Ok(());
        }
        self.record(root, Some(Intent { made, ..intent })).await
    }

    async fn refused(&mut self, root: &mut P::Root) -> Result<(), Closed> {
        let now = self.engine.clock.now();
        match root.status() {
            Some(status) if status::ends_when_refused(status, now) => self.record(root, None).await,
            _ => Ok(()),
        }
    }
}

impl<R: CertificateResource> Recording<'_, R> {
    /// Brings the record of the write that was made to what its answer told.
    async fn record(&self, root: &mut R, intent: Option<Intent>) -> Result<(), Closed> {
        if !self.engine.term.lasts() {
            return Err(Closed::Outdated);
        }
        let before = root.clone();
        let status = CertificateStatus { intent, ..root.status().cloned().unwrap_or_default() };
        // Without a fence: whatever else has changed, this has been made.
        write::status(self.api, root, &status, None).await.map_err(closed)?;
        if is_same(&before, root) { Ok(()) } else { Err(Closed::Outdated) }
    }
}

impl<R: CertificateResource> Recording<'_, R> {
    /// Many deletions at once wait for somebody's approval. One that was stopped goes on waiting, whoever leads and
    /// however long it takes.
    fn braked(&self, root: &R) -> Option<Closed> {
        let approval = root.annotations().get(DELETE_APPROVED).map(String::as_str);
        let conditions = root.status().map(|it| it.conditions.as_slice()).unwrap_or_default();
        let was_stopped = condition::find(conditions, ConditionType::Ready)
            .is_some_and(|it| it.reason == Reason::DeleteBrake.to_string());
        let message = match approval {
            Some("true") => return None,
            Some(_) => format!("the annotation `{DELETE_APPROVED}` must be 'true'"),
            None if !was_stopped && self.engine.brake.admits(self.key) => return None,
            None => format!(
                "more than {} remote certificates were to be deleted within ten minutes: if that is meant, annotate \
                 this object with {DELETE_APPROVED}=true",
                self.engine.brake.most()
            ),
        };
        Some(Closed::Refused { reason: Reason::DeleteBrake, message })
    }
}

fn closed(error: WriteError) -> Closed {
    if let WriteError::Api(error) = error {
        tracing::warn!(%error, "the API server failed before a remote write; starting over");
    }
    Closed::Outdated
}

/// The status that says what is about to be written.
fn with_intent<R: CertificateResource>(
    engine: &Engine,
    key: &RootKey,
    root: &R,
    step: &impl Step,
) -> CertificateStatus {
    let old = root.status().cloned().unwrap_or_default();
    let message = format!("{}: the service is being written", step.name());
    let outcome = Outcome::Working {
        reason: step.progress(),
        message,
        wait: Duration::ZERO,
        serves: step.serves(),
        facts: None,
    };
    let around = engine.around(key, root, &outcome);
    let mut status = status::report(&old, &outcome, &around).status;
    let (known_ids, made, content_hash) = (step.known_ids(), step.takes_back(), step.content_hash());
    let step = step.name().to_owned();
    status.verification_code = None; // a code is used once
    status.last_handled_sync_request = sync_request(root).or(status.last_handled_sync_request);
    let term = Some(engine.term.name().to_owned());
    status.late_writes_until =
        deletion::last_late_write(root, engine.memory.last_answered(key)).filter(|until| *until > around.now);
    let removal = root.meta().deletion_timestamp.is_some();
    status.intent =
        Some(Intent { step, content_hash, term, removal, known_ids, made, start_time: around.now });
    status
}

/// Whether the resource itself keeps the step from being made.
pub(super) fn held_back<R: CertificateResource>(root: &R, step: &impl Step) -> Option<Closed> {
    observing(root, step).or_else(|| refused(root, step))
}

/// Who only looks is told what would be written.
fn observing<R: CertificateResource>(root: &R, step: &impl Step) -> Option<Closed> {
    let observes = root.common().management_policy == Some(ManagementPolicy::Observe);
    observes.then(|| Closed::Refused {
        reason: Reason::DriftDetected,
        message: format!(
            "the service differs from the spec: {} would be the next write; set `spec.managementPolicy` to 'Enforce' \
             to have it made",
            step.name()
        ),
    })
}

/// A step that the service refused for this content and this spec is not made again.
fn refused<R: CertificateResource>(root: &R, step: &impl Step) -> Option<Closed> {
    let status = root.status()?;
    let refusal = status.refused.as_ref()?;
    let same = refusal.step == step.progress().to_string()
        && refusal.content_hash == step.content_hash()
        && status.observed_generation == root.meta().generation
        && !asks_anew(root, status);
    same.then(|| Closed::Refused { reason: refusal.reason, message: refusal.message.clone() })
}

/// A sync request that no pass has answered makes a refused step worth another try.
fn asks_anew<R: CertificateResource>(root: &R, status: &CertificateStatus) -> bool {
    root.annotations()
        .get(SYNC_REQUESTED)
        .is_some_and(|it| status.last_handled_sync_request.as_ref() != Some(it))
}

fn is_same<R: CertificateResource>(one: &R, other: &R) -> bool {
    let (one, other) = (one.meta(), other.meta());
    one.uid == other.uid
        && one.generation == other.generation
        && one.deletion_timestamp.is_some() == other.deletion_timestamp.is_some()
}
