//! What the outcome table has to know besides the outcome, gathered from the clock, from chance and from memory.

use std::time::Duration;

use super::Engine;
use super::dependents::RootKey;
use super::status::{Circumstances, Outcome};
use crate::api::certificate::{CertificateResource, ManagementPolicy, RenewBefore};

const HOUR: Duration = Duration::from_secs(3600);

impl Engine {
    /// Of a certificate's pass. A malformed duration has its own condition; meanwhile the defaults hold.
    pub(super) fn around<R: CertificateResource>(
        &self,
        key: &RootKey,
        root: &R,
        outcome: &Outcome,
    ) -> Circumstances {
        let common = root.common();
        let resync_interval = common.resync_interval().unwrap_or(HOUR);
        let renew_before = common.renew_before().unwrap_or_default();
        let generation = root.meta().generation.unwrap_or_default();
        let observing = common.management_policy == Some(ManagementPolicy::Observe);
        Circumstances {
            renew_before,
            observing,
            ..self.around_any(key, generation, resync_interval, outcome)
        }
    }

    /// Of any object's pass.
    pub(super) fn around_any(
        &self,
        key: &RootKey,
        generation: i64,
        resync_interval: Duration,
        outcome: &Outcome,
    ) -> Circumstances {
        let (failures, unread_for) = self.memory.record(key, generation, outcome);
        Circumstances {
            generation,
            now: self.clock.now(),
            resync_interval,
            renew_before: RenewBefore::default(),
            observing: false,
            failures,
            unread_for,
            together: self.memory.time_left(key),
            chance: fastrand::f64(),
        }
    }
}
