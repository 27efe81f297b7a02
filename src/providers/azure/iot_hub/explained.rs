//! What people are shown of a certificate in a hub. Pure, but for the listing of the hub.

use serde_json::{Value, json};

use super::super::{permissions, resource};
use super::next::{Desired, HubCertificate, Observed, Step, Verification, standing};
use super::{CODE, DELETE, IotHub, READ, VERIFY, WRITE, overlaps};
use crate::api::iot_hub::IotHubCertificate;
use crate::engine::error::CloudError;
use crate::engine::explained::{Explained, Lacking, Row, Stocked, may_remove, needed};

impl Explained for IotHub {
    fn permissions(root: &IotHubCertificate) -> Vec<&'static str> {
        let writes = root.spec.common.may_write();
        let proves = root.spec.verification.as_ref().is_some_and(|it| it.proof_of_possession.is_some());
        let retires = overlaps(root) || root.status.as_ref().is_some_and(|it| !it.retiring.is_empty());
        needed([
            (READ, true),
            (WRITE, writes),
            (DELETE, may_remove(root) || writes && retires),
            (CODE, writes && proves),
            (VERIFY, writes && proves),
        ])
    }

    async fn lacking(&self, needed: &[&'static str]) -> Result<Lacking, CloudError> {
        permissions::lacking(self.session.arm(), &self.collection, needed).await
    }

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = standing(want, observed).map(|it| it.certificate).or(observed.current());
        let shown = |of: fn(&HubCertificate) -> String| it.map(of);
        let thumbprint = want.certificate.sha1_thumbprint();
        let mut rows = vec![Row::new("SHA-1 thumbprint", thumbprint, shown(|it| it.thumbprint.to_string()))];
        if let Some(fingerprint) = it.and_then(|it| it.fingerprint) {
            rows.push(Row::new(
                "SHA-256 fingerprint",
                want.certificate.sha256_fingerprint(),
                Some(fingerprint),
            ));
        }
        rows.push(match want.verification {
            Verification::None => Row::told("verified", it.is_some_and(|it| it.verified)),
            Verification::Proof(_) | Verification::Attested => {
                Row::new("verified", true, it.map(|it| it.verified))
            }
        });
        rows
    }

    fn follows(want: &Desired, step: &Step) -> Vec<&'static str> {
        match (step, &want.verification) {
            (Step::Create { .. } | Step::Replace { .. }, Verification::Proof(_)) => {
                vec!["RequestCode", "Verify"]
            }
            (Step::RequestCode { .. }, _) => vec!["Verify"],
            (Step::Create { .. } | Step::Replace { .. } | Step::Verify { .. } | Step::Delete { .. }, _) => {
                Vec::new()
            }
        }
    }

    const PARENT: &'static str =
        "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.Devices/IotHubs/NAME";

    fn parent(text: &str) -> Option<Value> {
        let [subscription, group, name] = resource(text, "Microsoft.Devices", "IotHubs")?;
        Some(json!({
            "iotHub": { "subscriptionId": subscription, "resourceGroup": group, "name": name },
        }))
    }

    fn source(secret: &str) -> Value {
        json!({ "source": { "secretRef": { "name": secret } } })
    }

    async fn stock(&self, only: Option<&str>) -> Result<Vec<Stocked>, CloudError> {
        let listing = self.list().await?;
        let stocked = listing.all().into_iter().map(|(name, it)| Stocked {
            name: it.map_or(name, |it| &it.name).to_owned(),
            label: None,
            spec: json!({ "certificateName": it.map_or(name, |it| &it.name) }),
            told: it.map(told).unwrap_or_default(),
        });
        Ok(stocked.filter(|it| it.is(only)).collect())
    }
}

fn told(it: &HubCertificate) -> Vec<String> {
    let verified = if it.verified { "verified" } else { "not verified" };
    let fingerprint = it.fingerprint.map(|it| format!("SHA-256 {it}"));
    [format!("SHA-1 {}", it.thumbprint)].into_iter().chain(fingerprint).chain([verified.to_owned()]).collect()
}
