//! Events: told when the Ready condition's reason changes, never while things stay as they are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kube::{Client, Resource, ResourceExt};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::time::Instant;

use super::status::clip;
use crate::api::FIELD_MANAGER;
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;

/// The same reason is told of the same object at most once in this time.
const QUIET: Duration = Duration::from_secs(600);

/// Tells events to the API server.
pub struct Events {
    client: Client,
    reporter: Reporter,
    /// The digests of what was told.
    told: Mutex<HashMap<u64, Instant>>,
    digests: RandomState,
}

impl Events {
    /// Tells events with this client, in the name of this process.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance };
        Self { client, reporter, told: Mutex::default(), digests: RandomState::new() }
    }

    /// Tells what is new in the conditions, if anything is.
    pub async fn announce<K: Resource<DynamicType = ()>>(
        &self,
        root: &K,
        old: &[Condition],
        new: &[Condition],
    ) {
        let Some(event) = news(old, new) else { return };
        tracing::info!(reason = event.reason, "{}", event.note.as_deref().unwrap_or_default());
        if root.meta().deletion_timestamp.is_some() && event.type_ == EventType::Normal {
            return;
        }
        if !self.is_due(root, &event) {
            return;
        }
        if let Err(error) = self.publish(&event, root).await {
            tracing::warn!(%error, "an event was not taken; the status tells the same");
        }
    }

    /// Tells what no condition tells, because the object is about to go.
    pub async fn warn<K: Resource<DynamicType = ()>>(&self, root: &K, reason: Reason, message: &str) {
        let event = Event {
            type_: EventType::Warning,
            reason: reason.to_string(),
            note: Some(clip(message)),
            action: "Delete".to_owned(),
            secondary: None,
        };
        if !self.is_due(root, &event) {
            return;
        }
        if let Err(error) = self.publish(&event, root).await {
            tracing::warn!(%error, %reason, message, "an event was not taken");
        }
    }

    /// A recorder remembers for minutes what it told, to count it up when it is told again. As nothing is told again so soon,
    /// that would only hold an event for each of thousands of new objects.
    async fn publish<K: Resource<DynamicType = ()>>(&self, event: &Event, root: &K) -> kube::Result<()> {
        Recorder::new(self.client.clone(), self.reporter.clone()).publish(event, &root.object_ref(&())).await
    }

    fn is_due<K: Resource<DynamicType = ()>>(&self, root: &K, event: &Event) -> bool {
        let what = self.digests.hash_one((root.uid(), &event.action, &event.reason));
        let (now, mut told) = (Instant::now(), self.told.lock().unwrap_or_else(PoisonError::into_inner));
        told.retain(|_, at| now.duration_since(*at) < QUIET);
        if told.contains_key(&what) {
            return false;
        }
        told.insert(what, now);
        true
    }
}

/// The event for a change of conditions: when Ready has another reason or status than before.
fn news(old: &[Condition], new: &[Condition]) -> Option<Event> {
    let ready = condition::find(new, ConditionType::Ready)?;
    let before = condition::find(old, ConditionType::Ready);
    let same = before.is_some_and(|it| it.reason == ready.reason && it.status == ready.status);
    let first_look = before.is_none() && ready.status == ConditionStatus::Unknown;
    if same || first_look {
        return None;
    }
    let working = condition::is_true(new, ConditionType::Reconciling);
    let expiring = ready.reason == Reason::Expiring.to_string();
    let fine = (ready.status == ConditionStatus::True && !expiring) || working;
    Some(Event {
        type_: if fine { EventType::Normal } else { EventType::Warning },
        reason: ready.reason.clone(),
        note: Some(clip(&ready.message)),
        action: "Reconcile".to_owned(),
        secondary: None,
    })
}
