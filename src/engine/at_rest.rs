//! A resource that is settled is looked at in its parent's listing. It is read by itself as soon as anything is not as it
//! was left.

use jiff::Timestamp;
use tokio::time::Instant;

use super::converge::{self, End};
use super::listing::Parent;
use super::memory::Look;
use super::reconcile::{Pass, sync_request};
use super::{Engine, Facts, Freshness, Goal, Next, Provider};
use crate::api::certificate::{CertificateResource, CertificateStatus};
use crate::api::condition::{self, ConditionStatus, ConditionType};
use crate::source::account::Account;

impl<P: Provider> Pass<'_, P> {
    /// That the certificate is as wanted and as recorded, by a listing that is recent enough. Nothing if that is not known.
    pub(super) async fn at_rest(
        &self,
        provider: &P,
        account: &Account,
        root: &P::Root,
        goal: &Goal<P::Desired>,
    ) -> Option<End<P::Observed>> {
        if matches!(goal, Goal::Absent) {
            return None;
        }
        let Engine { memory, clock, .. } = &*self.context.engine;
        let status = root.status().filter(|it| is_settled(root, it, clock.now()))?;
        let last = memory.looked(self.key);
        // One that is woken before is so by a change.
        if last.is_some_and(|it| it.due.is_none_or(|due| Instant::now() < due)) {
            return None;
        }
        let interval = root.common().resync_interval().ok()?;
        let (place, list) = provider.listing()?;
        let parent = Parent { account: account.id.uid.clone(), place };
        let listed = self.context.listings.recent(parent, interval, last.map(|it| it.at), list).await?;
        let observed = provider.observe(root, goal, Freshness::Listed(&listed.items)).await.ok()?;
        let settled = matches!(P::next(goal, &observed), Next::Done)
            && converge::facts::<P>(goal, &observed).is_some_and(|it| is_recorded(&it, status));
        settled.then(|| {
            memory.has_looked(self.key, Look { at: listed.began, due: Some(listed.due(interval)) });
            End::Settled(observed)
        })
    }

    /// Takes note that the service itself was read or written until now.
    pub(super) fn has_looked(&self) {
        self.context.engine.memory.has_looked(self.key, Look { at: Instant::now(), due: None });
    }
}

/// Whether the last pass over this generation left nothing to do, nothing may still take effect, and nobody asks for a
/// look.
fn is_settled<R: CertificateResource>(root: &R, status: &CertificateStatus, now: Timestamp) -> bool {
    condition::is_true(&status.conditions, ConditionType::Ready)
        && condition::is_true(&status.conditions, ConditionType::Synced)
        && status.observed_generation == root.meta().generation
        && status.intent.is_none()
        && status.operation.is_none()
        && status.late_writes_until.is_none_or(|it| it <= now)
        && status.retiring.iter().all(|it| it.until.is_none_or(|it| it > now))
        && sync_request(root).is_none_or(|it| status.last_handled_sync_request == Some(it))
}

/// Whether the status would tell the same of the service.
fn is_recorded(facts: &Facts, status: &CertificateStatus) -> bool {
    let verified = condition::find(&status.conditions, ConditionType::Verified).map(|it| it.status);
    status.remote.as_ref() == Some(&facts.remote)
        && status.certificate == facts.certificate
        && facts.verified.map(ConditionStatus::from) == verified
        && status.retiring == facts.retiring
        && !facts.disabled
}
