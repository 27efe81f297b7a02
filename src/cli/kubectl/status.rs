//! `status`: one object explained down to the remote certificate.

use anyhow::{Result, bail};
use jiff::Timestamp;
use serde::Serialize;

use super::connection::{Connection, Flags};
use super::events::{self, Told};
use super::kinds::{self, Object};
use super::printing::{Output, Paint, columns, plain};
use super::service::Seen;
use crate::api::certificate::{CertificateStatus, CertificateSummary, IssuedCode, Remote, Retiring};
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType};

/// What `status` is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The object, such as iothubcertificate/factory-root.
    #[arg(value_name = "TYPE/NAME", required = true, num_args = 1..=2)]
    object: Vec<String>,
    /// Read the service too, with the account's credentials.
    #[arg(long)]
    remote: bool,
}

/// An object as it stands.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    pub(super) state: State,
    next_action: String,
    conditions: Vec<Condition>,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateSummary>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<Remote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    renewal_time: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    retiring: Vec<Retiring>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verification_code: Option<IssuedCode>,
    events: Vec<Told>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<Seen>,
    notes: Vec<String>,
}

/// How it stands, by the rules of kstatus; `Ready` and `NotReady` tell apart what kstatus leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum State {
    /// Usable.
    Ready,
    /// Not usable, and nobody is at work on it.
    NotReady,
    /// The operator is at work, or has not seen the present spec.
    InProgress,
    /// Somebody has to change something.
    Stalled,
    /// It is being deleted.
    Terminating,
}

/// Prints how an object stands; gives whether it is ready, and as wanted where the service was read.
pub(super) async fn status(flags: &Flags, output: &Output, args: Args) -> Result<bool> {
    let (kind, name) = kinds::subject(&args.object)?;
    let connection = Connection::open(flags).await?;
    let object = kind.get(&connection, &name).await?;
    let service = if args.remote {
        let preview = kind.provider()?.preview(&connection.viewer, &connection.clouds, object.manifest()?);
        Some(Seen::of(preview.await)?)
    } else {
        None
    };
    let report = report(&connection, &object, service).await?;
    let now = connection.viewer.clock.now();
    output.print(&report, |paint| report.text(now, paint))?;
    Ok(report.state == State::Ready && report.service.as_ref().is_none_or(|it| it.is_as_wanted))
}

/// How an object stands, with the last events about it.
pub(super) async fn report(
    connection: &Connection,
    object: &Object,
    service: Option<Seen>,
) -> Result<Report> {
    let mut notes = Vec::new();
    let events = match events::about(&connection.client, object).await {
        Ok(events) => events,
        Err(kube::Error::Api(status)) if status.code == 403 => {
            notes.push("you may not list events, so none are told".to_owned());
            Vec::new()
        }
        Err(error) => bail!(super::connection::refused(error)),
    };
    let CertificateStatus {
        conditions, certificate, remote, renewal_time, retiring, verification_code, ..
    } = object.status.clone();
    let state = state(object);
    Ok(Report {
        kind: object.kind.clone(),
        namespace: object.namespace(),
        name: object.name(),
        state,
        next_action: next_action(object, state),
        conditions,
        certificate,
        remote,
        renewal_time,
        retiring,
        verification_code,
        events,
        service,
        notes,
    })
}

/// How an object stands.
fn state(object: &Object) -> State {
    let (status, metadata) = (&object.status, &object.raw.metadata);
    let is = |type_| condition::is_true(&status.conditions, type_);
    let has_ready = condition::find(&status.conditions, ConditionType::Ready).is_some();
    match () {
        () if metadata.deletion_timestamp.is_some() => State::Terminating,
        () if !has_ready || status.observed_generation != metadata.generation => State::InProgress,
        () if is(ConditionType::Reconciling) => State::InProgress,
        () if is(ConditionType::Stalled) => State::Stalled,
        () if is(ConditionType::Ready) => State::Ready,
        () => State::NotReady,
    }
}

/// What happens next, or who has to do what.
fn next_action(object: &Object, state: State) -> String {
    let status = &object.status;
    let ready = condition::find(&status.conditions, ConditionType::Ready);
    let said = ready.map(|it| plain(&it.message)).unwrap_or_default();
    let is_new = status.observed_generation != object.raw.metadata.generation;
    match state {
        State::InProgress if ready.is_none() => {
            "the operator has not seen it yet: wait, or check that the operator runs".to_owned()
        }
        State::InProgress if is_new => "the operator has not seen the present spec yet: wait".to_owned(),
        State::InProgress => format!("wait: {said}"),
        State::Terminating if ready.is_some_and(|it| it.status == ConditionStatus::True) => {
            "it is being deleted: wait".to_owned()
        }
        State::Terminating | State::Stalled | State::NotReady => said,
        State::Ready if ready.is_some_and(|it| it.reason == "Expiring") => said,
        State::Ready => match (&status.renewal_time, &object.common) {
            (Some(renewal), Some(common)) => format!(
                "none; the service is read every {}, and renewal is due at {renewal}",
                common.resync_interval.as_deref().unwrap_or("1h")
            ),
            _ => "none".to_owned(),
        },
    }
}

impl Report {
    /// In words and columns.
    pub(super) fn text(&self, now: Timestamp, paint: Paint) -> String {
        let place = self.namespace.as_ref().map(|it| format!("{it}/")).unwrap_or_default();
        let state = paint.verdict(&format!("{:?}", self.state), self.state == State::Ready);
        let mut text = format!("{} {place}{}: {state}\n", self.kind, self.name);
        text += &format!("Next:         {}\n", self.next_action);
        if let Some(it) = &self.certificate {
            text += &format!("Subject:      {}\n", plain(&it.subject));
            let fingerprint = it.sha256_fingerprint.as_ref();
            let print = fingerprint
                .map_or_else(|| format!("SHA-1 {}", it.sha1_thumbprint), |it| format!("SHA-256 {it}"));
            text += &format!("Fingerprint:  {}\n", plain(&print));
            text += &format!("Expires:      {}\n", expiry(it.not_after, now));
        }
        if let Some(it) = &self.remote {
            text += &format!("Remote:       {} ({:?})\n", plain(&it.id), it.origin);
        }
        for it in &self.retiring {
            let until = it.until.map_or("its successor serves".to_owned(), |it| it.to_string());
            text += &format!("Retiring:     {} until {until}\n", plain(&it.id));
        }
        if let Some(it) = &self.verification_code {
            text += &format!("Code to sign: {}\n", plain(&it.code));
        }
        if !self.conditions.is_empty() {
            text += "Conditions:\n";
            text += &columns(&self.conditions.iter().map(row).collect::<Vec<_>>());
        }
        if !self.events.is_empty() {
            text += "Events:\n";
            text += &columns(&self.events.iter().map(event).collect::<Vec<_>>());
        }
        if let Some(service) = &self.service {
            text += &format!("{}\n{}", paint.strong("In the service"), service.text(paint));
        }
        for note in &self.notes {
            text += &format!("Note:         {note}\n");
        }
        text
    }
}

fn expiry(not_after: Timestamp, now: Timestamp) -> String {
    let days = not_after.duration_since(now).as_hours() / 24;
    match days {
        _ if not_after <= now => format!("{not_after} (expired)"),
        0 => format!("{not_after} (in less than a day)"),
        days => format!("{not_after} (in {days} days)"),
    }
}

fn row(it: &Condition) -> [String; 4] {
    let status = format!("{:?}={:?}", it.type_, it.status);
    [status, plain(&it.reason), it.last_transition_time.to_string(), plain(&it.message)]
}

fn event(it: &Told) -> [String; 4] {
    let time = it.time.map(|it| it.strftime("%FT%TZ").to_string()).unwrap_or_default();
    [time, it.kind.clone(), it.reason.clone(), it.message.clone()]
}

/// Whether the operator has handled that sync request and is not at work any more.
pub(super) fn has_handled(object: &Object, request: &str) -> bool {
    object.status.last_handled_sync_request.as_deref() == Some(request)
        && !condition::is_true(&object.status.conditions, ConditionType::Reconciling)
        && object.status.observed_generation == object.raw.metadata.generation
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const NOW: &str = "2026-01-01T00:00:00Z";

    fn object(conditions: &[(&str, &str, &str)], more: &Value) -> Object {
        let conditions: Vec<_> = conditions
            .iter()
            .map(|(type_, status, reason)| {
                json!({
                    "type": type_, "status": status, "reason": reason, "message": format!("{reason} it is"),
                    "lastTransitionTime": NOW, "observedGeneration": 1,
                })
            })
            .collect();
        let mut manifest = json!({
            "metadata": { "name": "ca", "namespace": "devices", "generation": 1, "uid": "u" },
            "spec": { "accountRef": { "kind": "CloudAccount", "name": "a" }, "resyncInterval": "2h" },
            "status": { "observedGeneration": 1, "conditions": conditions },
        });
        for (pointer, value) in more.as_object().into_iter().flatten() {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            manifest.pointer_mut(parent).unwrap()[member] = value.clone();
        }
        let kind = kinds::named("iothubcert").unwrap();
        kind.of(serde_json::from_value(manifest).unwrap())
    }

    #[test]
    fn the_state_follows_kstatus_and_names_the_next_action() {
        let (ready, stalled) = (("Ready", "True", "Ready"), ("Stalled", "True", "NotOwned"));
        let (not_ready, working) = (("Ready", "False", "NotOwned"), ("Reconciling", "True", "Creating"));
        let none = json!({});
        for (conditions, more, state_of, action) in [
            (vec![], json!({ "/status": null }), State::InProgress, "check that the operator runs"),
            (vec![ready], none.clone(), State::Ready, "none"),
            (
                vec![ready],
                json!({ "/status/renewalTime": NOW }),
                State::Ready,
                "every 2h, and renewal is due at 2026",
            ),
            (vec![("Ready", "True", "Expiring")], none.clone(), State::Ready, "Expiring it is"),
            (vec![ready], json!({ "/metadata/generation": 2 }), State::InProgress, "the present spec"),
            (vec![not_ready, working], none.clone(), State::InProgress, "wait: NotOwned it is"),
            (vec![not_ready, stalled], none.clone(), State::Stalled, "NotOwned it is"),
            (vec![not_ready], none, State::NotReady, "NotOwned it is"),
            (vec![ready], json!({ "/metadata/deletionTimestamp": NOW }), State::Terminating, "being deleted"),
            (
                vec![not_ready],
                json!({ "/metadata/deletionTimestamp": NOW }),
                State::Terminating,
                "NotOwned it is",
            ),
        ] {
            let object = object(&conditions, &more);
            assert_eq!(state(&object), state_of, "{conditions:?} {more}");
            let told = next_action(&object, state_of);
            assert!(told.contains(action), "{conditions:?} {more}: {told}");
        }
    }

    #[test]
    fn a_sync_request_is_handled_when_no_work_is_left() {
        let ready = ("Ready", "True", "Ready");
        let handled = |value: &str| json!({ "/status/lastHandledSyncRequest": value });
        assert!(has_handled(&object(&[ready], &handled("t")), "t"));
        assert!(!has_handled(&object(&[ready], &handled("earlier")), "t"));
        assert!(!has_handled(&object(&[ready], &json!({})), "t"));
        assert!(!has_handled(&object(&[ready, ("Reconciling", "True", "Updating")], &handled("t")), "t"));
    }

    #[test]
    fn a_ready_object_is_told_in_a_few_lines() {
        let certificate = json!({
            "subject": "CN=Factory", "sha1Thumbprint": "AA", "sha256Fingerprint": "BB",
            "notAfter": "2026-01-31T00:00:00Z",
        });
        let more = json!({
            "/status/certificate": certificate, "/status/remote": { "id": "/hub/ca", "origin": "Created" },
        });
        let object = object(&[("Ready", "True", "Ready")], &more);
        let CertificateStatus { conditions, certificate, remote, .. } = object.status.clone();
        let report = Report {
            kind: object.kind.clone(),
            namespace: object.namespace(),
            name: object.name(),
            state: State::Ready,
            next_action: "none".to_owned(),
            conditions,
            certificate,
            remote,
            renewal_time: None,
            retiring: Vec::new(),
            verification_code: None,
            events: Vec::new(),
            service: None,
            notes: Vec::new(),
        };
        assert_eq!(
            report.text(NOW.parse().unwrap(), Paint::PLAIN),
            "IotHubCertificate devices/ca: Ready
Next:         none
Subject:      CN=Factory
Fingerprint:  SHA-256 BB
Expires:      2026-01-31T00:00:00Z (in 30 days)
Remote:       /hub/ca (Created)
Conditions:
  Ready=True  Ready  2026-01-01T00:00:00Z  Ready it is
"
        );
        let json = serde_json::to_value(&report).unwrap();
        assert_eq!((&json["state"], &json["remote"]["origin"]), (&json!("Ready"), &json!("Created")));
    }

    #[test]
    fn an_expiry_is_told_from_now() {
        let now: Timestamp = NOW.parse().unwrap();
        for (not_after, said) in [
            ("2025-12-31T00:00:00Z", "(expired)"),
            ("2026-01-01T05:00:00Z", "(in less than a day)"),
            ("2026-01-03T05:00:00Z", "(in 2 days)"),
        ] {
            assert!(expiry(not_after.parse().unwrap(), now).ends_with(said), "{not_after}");
        }
    }
}
