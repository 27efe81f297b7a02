//! What people are shown of a certificate in IoTDA. Pure, but for the listing of the instance.

use serde_json::{Value, json};

use super::next::{Desired, Observed, standing};
use super::step::Step;
use super::{Iotda, Operation, wire};
use crate::api::iotda::IotdaCertificate;
use crate::engine::error::CloudError;
use crate::engine::explained::{Explained, Row, Stocked, needed};

impl Explained for Iotda {
    fn permissions(root: &IotdaCertificate) -> Vec<&'static str> {
        let (spec, writes) = (&root.spec, root.spec.common.may_write());
        needed([
            (Operation::FindProject.action(), spec.iotda.project_id.is_none()),
            (Operation::List.action(), true),
            (Operation::Read.action(), true),
            (Operation::Upload.action(), writes),
            (Operation::Verify.action(), writes && spec.verification.is_some()),
            (Operation::Update.action(), writes),
            (Operation::Delete.action(), writes), // of what a rotation replaces
        ])
    }

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = standing(want, observed).map(|it| it.certificate).or(observed.current.as_ref());
        let wanted = want.certificate.sha256_fingerprint();
        let found = it.map(|it| match it.shown.fingerprint {
            Some(shown) => shown.to_string(),
            // Where the service shows name and dates alone, these are compared.
            None if want.content.is(&it.shown) => wanted.to_string(),
            None => "another certificate".to_owned(),
        });
        let mut rows = vec![Row::new("SHA-256 fingerprint", wanted, found)];
        rows.push(match want.possession {
            Some(_) => Row::new("verified", true, it.map(|it| it.verified)),
            None => Row::told("verified", it.is_some_and(|it| it.verified)),
        });
        let change = it.filter(|it| it.verified).and_then(|it| want.settings.change(&it.settings));
        rows.extend(change.into_iter().flatten().map(|(member, value)| {
            let mut row = Row::by_spec(member, true);
            row.wanted = Some(value.to_string());
            row
        }));
        rows
    }

    fn follows(want: &Desired, step: &Step) -> Vec<&'static str> {
        let manages = want.settings.provisioning.is_some() || want.settings.ocsp.is_some();
        let settings = manages.then_some("Update");
        match step {
            Step::Upload { .. } => {
                want.possession.as_ref().map(|_| "Verify").into_iter().chain(settings).collect()
            }
            Step::Verify { .. } => settings.into_iter().collect(),
            Step::Unbind { .. } => vec!["Delete"],
            Step::Update { .. } | Step::Delete { .. } | Step::Discard { .. } => Vec::new(),
        }
    }

    const PARENT: &'static str = "REGION/PROJECT_ID[/HOST][/app/APP_ID]";

    /// The resource space is a part of it: nothing is adopted that may stand in somebody else's.
    fn parent(text: &str) -> Option<Value> {
        let segments: Vec<_> = text.trim_matches('/').split('/').collect();
        let (place, app_id) = match segments.as_slice() {
            [place @ .., "app", app_id] => (place, Some(*app_id)),
            place => (place, None),
        };
        let mut spec = match place {
            [region, project] => json!({ "iotda": { "region": region, "projectId": project } }),
            [region, project, host] => {
                json!({ "iotda": { "region": region, "projectId": project, "host": host } })
            }
            _ => return None,
        };
        if let Some(app_id) = app_id {
            spec["appId"] = app_id.into();
        }
        Some(spec)
    }

    fn source(secret: &str) -> Value {
        json!({ "source": { "secretRef": { "name": secret } } })
    }

    async fn stock(&self, only: Option<&str>) -> Result<Vec<Stocked>, CloudError> {
        let stocked = self.list().await?.all.into_iter().map(stocked);
        Ok(stocked.filter(|it| it.is(only)).collect())
    }
}

/// IoTDA knows no names: what the certificate holds tells which one is meant.
fn stocked(it: wire::Description) -> Stocked {
    let (label, expires) = (it.common_name().map(str::to_owned), it.expires());
    let verified = it.clone().parsed().map(|it| if it.verified { "verified" } else { "not verified" });
    let told = [
        label.as_ref().map(|it| format!("CN={it}")),
        expires.map(|it| format!("expires {it}")),
        verified.map(str::to_owned),
    ];
    Stocked { name: it.certificate_id, label, spec: json!({}), told: told.into_iter().flatten().collect() }
}
