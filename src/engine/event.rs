//! Events: told when the Ready condition's reason changes, never while things stay as they are.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Client, Resource, ResourceExt};
use kube_runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::time::Instant;

use super::status::clip;
use crate::api::FIELD_MANAGER;
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;

/// The same reason is told of the same object at most once in this time; longer than the recorder remembers.
const QUIET: Duration = Duration::from_secs(600);

/// Tells events to the API server.
pub struct Events {
    recorder: Recorder,
    told: Mutex<HashMap<(String, String), Instant>>,
}

impl Events {
    /// Tells events with this client, in the name of this process.
    pub fn new(client: Client, instance: Option<String>) -> Self {
        let reporter = Reporter { controller: FIELD_MANAGER.to_owned(), instance };
        Self { recorder: Recorder::new(client, reporter), told: Mutex::default() }
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
        let object: ObjectReference = root.object_ref(&());
        if let Err(error) = self.recorder.publish(&event, &object).await {
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
        if let Err(error) = self.recorder.publish(&event, &root.object_ref(&())).await {
            tracing::warn!(%error, %reason, message, "an event was not taken");
        }
    }

    /// An event that the recorder still remembers would be counted up there, by a patch: another right, for nothing new.
    fn is_due<K: Resource<DynamicType = ()>>(&self, root: &K, event: &Event) -> bool {
        let what = (root.uid().unwrap_or_default(), format!("{} {}", event.action, event.reason));
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.retain(|_, at| at.elapsed() < QUIET);
        if told.contains_key(&what) {
            return false;
        }
        told.insert(what, Instant::now());
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
