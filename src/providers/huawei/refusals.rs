//! What is known of refused keys: a host that refused them is not asked again too soon, and the account says so.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::engine::error::CloudError;
use crate::http::Endpoint;
use crate::providers::random::jittered;

/// The pause after the first refusal; it doubles with each, so that wrong keys are not locked out for good.
const FIRST: Duration = Duration::from_secs(10);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(600);
/// After so long a refusal that nobody tried again says nothing any more.
const STALE: Duration = Duration::from_secs(2 * 3600);

/// Refusals by host: one resource that names a host which takes other keys must not hold back the others.
#[derive(Default)]
pub(super) struct Refusals(Mutex<Known>);

#[derive(Default)]
struct Known {
    hosts: HashMap<Endpoint, Refused>,
    /// The last refusal since a call was let through.
    last: Option<(CloudError, Instant)>,
}

struct Refused {
    error: CloudError,
    in_a_row: u32,
    until: Instant,
}

impl Refusals {
    /// The refusal that a call to this host would only repeat.
    pub(super) fn of(&self, host: &Endpoint) -> Option<CloudError> {
        let now = Instant::now();
        let known = self.lock();
        let refused = known.hosts.get(host).filter(|it| now < it.until)?;
        Some(refused.error.clone().retry_after(Some(refused.until.saturating_duration_since(now))))
    }

    /// The refusal that stands against the keys: none, once any call was let through.
    pub(super) fn standing(&self) -> Option<CloudError> {
        let known = self.lock();
        known.last.as_ref().filter(|(_, at)| at.elapsed() < STALE).map(|(error, _)| error.clone())
    }

    /// A host refused the keys.
    pub(super) fn refused(&self, host: &Endpoint, error: &CloudError) {
        let now = Instant::now();
        let mut known = self.lock();
        known.hosts.retain(|_, it| now.saturating_duration_since(it.until) < STALE);
        known.last = Some((error.clone(), now));
        if known.hosts.get(host).is_some_and(|it| now < it.until) {
            return; // sent beside the one that was refused first
        }
        let in_a_row = known.hosts.get(host).map_or(1, |it| it.in_a_row.saturating_add(1));
        let pause = FIRST.saturating_mul(1 << (in_a_row - 1).min(16)).min(LONGEST);
        let until = now + jittered(pause);
        known.hosts.insert(host.clone(), Refused { error: error.clone(), in_a_row, until });
    }

    /// A host let a call through.
    pub(super) fn accepted(&self, host: &Endpoint) {
        let mut known = self.lock();
        known.hosts.remove(host);
        known.last = None;
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
