//! The last events about an object.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Event;
use kube::api::ListParams;
use kube::{Api, Client};
use serde::Serialize;

use super::kinds::Object;
use super::printing::plain;

/// As many are told.
const MOST: usize = 5;

/// Something that was told about an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    pub(super) time: Option<Timestamp>,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) message: String,
}

/// The last events about an object, the newest last.
pub(super) async fn about(client: &Client, object: &Object) -> Result<Vec<Told>, kube::Error> {
    // Those about objects without a namespace stand in `default`.
    let namespace = object.namespace().unwrap_or_else(|| "default".to_owned());
    let uid = object.raw.metadata.uid.clone().unwrap_or_default();
    let of_object = ListParams::default().fields(&format!("involvedObject.uid={uid}"));
    let listed = Api::<Event>::namespaced(client.clone(), &namespace).list(&of_object).await?;
    let mut events: Vec<_> = listed.items.into_iter().map(told).collect();
    events.sort_by_key(|it| it.time);
    let superfluous = events.len().saturating_sub(MOST);
    Ok(events.split_off(superfluous))
}

fn told(event: Event) -> Told {
    let repeated = event.series.and_then(|it| it.last_observed_time).map(|it| it.0);
    let times = [repeated, event.last_timestamp.map(|it| it.0), event.event_time.map(|it| it.0)];
    Told {
        time: times.into_iter().flatten().max(),
        kind: plain(&event.type_.unwrap_or_default()),
        reason: plain(&event.reason.unwrap_or_default()),
        message: plain(&event.message.unwrap_or_default()),
    }
}
