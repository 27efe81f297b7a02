//! CA certificates in Huawei Cloud IoTDA.
//!
//! Source: Huawei Cloud, IoTDA API reference, "Device CA Certificate Management" (v5): upload, listing, verification,
//! update, deletion, and the single read that came later. Ids come from the service; the content of a certificate cannot be
//! changed.

mod content;
mod explained;
mod next;
mod reading;
mod records;
mod settings;
mod step;
mod wire;

use std::future::Future;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use self::content::Content;
use self::next::{CaCertificate, Desired, Observed};
use self::reading::{Listed, Reading};
use self::settings::{Ocsp, Settings};
use self::step::Step;
use super::{Call, Failure, Huawei, Operation, Place, Whereabouts};
use crate::api::certificate::{IssuedCode, Remote, parse_duration};
use crate::api::iotda::{IotdaCertificate, IotdaCertificateRef};
use crate::api::reason::{Invalid, Reason};
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable};
use crate::http::Body;
use crate::providers::possession::{self, Possession};
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference, material};

/// One certificate in one instance.
pub struct Iotda {
    place: Place,
    app_id: Option<String>,
    clock: Clock,
}

impl Provider for Iotda {
    type Root = IotdaCertificate;
    type Cloud = Huawei;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;
    type Listing = Listed;

    /// IoTDA knows no names: the resource's own stands for it. A project that is not named has no id's form.
    fn target(root: &IotdaCertificate) -> Target {
        let within = [
            root.spec.app_id.as_deref().unwrap_or("default"),
            root.metadata.namespace.as_deref().unwrap_or_default(),
            root.metadata.name.as_deref().unwrap_or_default(),
        ];
        Target::new(instance(root).iter().map(String::as_str).chain(within))
    }

    fn place(root: &IotdaCertificate) -> Target {
        Target::new(instance(root).iter().map(String::as_str))
    }

    fn references(root: &IotdaCertificate) -> Vec<Reference> {
        let mut references = material::references(&root.spec.source);
        let asked = root.spec.verification.as_ref().map(|it| &it.proof_of_possession);
        references.extend(possession::references(asked));
        references.extend(server_ca(root).map(|it| Reference::iotda_certificate(&it.name)));
        references.dedup();
        references
    }

    fn check(root: &IotdaCertificate) -> Result<(), Invalid> {
        grace(root)?;
        if server_ca(root).is_some_and(|it| Some(&it.name) == root.metadata.name.as_ref()) {
            let message = "`spec.ocsp.ssl.serverCaRef` must name another IotdaCertificate";
            return Err(Invalid::new(Reason::SpecInvalid, message));
        }
        material::check(&root.spec.source)
    }

    fn desired(root: &IotdaCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
        Self::check(root)?;
        let spec = &root.spec;
        let certificate = material::lasting_certificate(&spec.source, found, now)?;
        let asked = spec.verification.as_ref().map(|it| &it.proof_of_possession);
        let possession = asked.map(|it| Possession::of(it, &spec.source, &certificate, found, now));
        Ok(Desired {
            content: Content::of(&certificate),
            possession: possession.transpose()?,
            settings: Settings { provisioning: spec.provisioning.clone(), ocsp: ocsp(root, found)? },
            grace: grace(root)?,
            certificate,
        })
    }

    fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
        next::next(goal, observed)
    }

    fn facts(desired: &Desired, observed: &Observed) -> Option<Facts> {
        let next::Standing { certificate, origin, retiring } = next::standing(desired, observed)?;
        let is_offline = matches!(desired.possession, Some(Possession::Offline(_)));
        let code = certificate.code.as_ref().filter(|_| is_offline && !certificate.verified);
        Some(Facts {
            remote: Remote { id: certificate.id.clone(), version: None, etag: None, origin },
            certificate: Some(material::summary(&desired.certificate)),
            verified: desired.possession.as_ref().map(|_| certificate.verified),
            verification_code: code
                .map(|it| IssuedCode { code: it.as_str().to_owned(), etag: certificate.id.clone() }),
            disabled: false,
            renewal: Renewal::Source,
            operation: None,
            signing_request: None,
            retiring,
        })
    }

    fn outputs(_: &Desired, _: &Observed) -> Vec<Output> {
        Vec::new()
    }

    fn made(answered: &Observed) -> Option<String> {
        answered.made().map(str::to_owned)
    }

    async fn connect(
        huawei: &Huawei,
        account: &Account,
        root: &IotdaCertificate,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        let keys = account.huawei().map_err(Unusable::Invalid)?;
        let session = huawei.session(&account.id, keys).map_err(Unusable::Cloud)?;
        let iotda = &root.spec.iotda;
        let whereabouts = Whereabouts {
            region: &iotda.region,
            project_id: iotda.project_id.as_deref(),
            instance_id: iotda.instance_id.as_deref(),
            host: iotda.host.as_deref(),
        };
        let place = session.place(&whereabouts, clock).await.map_err(Unusable::Cloud)?;
        Ok(Self { place, app_id: root.spec.app_id.clone(), clock: clock.clone() })
    }

    async fn observe(
        &self,
        root: &IotdaCertificate,
        goal: &Goal<Desired>,
        freshness: Freshness<'_, Self::Listing>,
    ) -> Result<Observed, CloudError> {
        let held = records::held(root);
        let mut reading = Reading::of(self, freshness);
        let current = match &held.remote {
            Some((id, _)) => reading.one(id).await?,
            None => None,
        };
        let mut retiring = Vec::new();
        for entry in &held.retiring {
            retiring.extend(reading.one(&entry.id).await?);
        }
        let wanted = match goal {
            Goal::Present(want) => Some(&want.content),
            Goal::Absent => None,
        };
        let mut there = current.iter().chain(&retiring);
        let is_there = wanted.is_none_or(|it| there.any(|shown| it.is(&shown.shown)));
        let (mut others, mut ids) = (Vec::new(), Vec::new());
        if !is_there || held.intended.is_some() {
            ids = reading.ids().await?;
            let looked_for: Vec<_> =
                wanted.into_iter().chain(held.intended.iter().map(|it| &it.content)).collect();
            let known = |id: &str| current.iter().chain(&retiring).any(|it| it.id == id);
            others = reading.others(&looked_for, held.intended.as_ref(), known).await?;
            let unlisted = |it: &&CaCertificate| !ids.contains(&it.id);
            ids.extend(others.iter().filter(unlisted).map(|it| it.id.clone()).collect::<Vec<_>>());
        }
        Ok(Observed { current, retiring, others, ids, held, now: self.clock.now() })
    }

    /// Content never changes under an id; all that does is listed.
    fn listing(&self) -> Option<(String, impl Future<Output = Result<Self::Listing, CloudError>> + Send)> {
        let space = self.app_id.as_deref().unwrap_or_default();
        let place =
            format!("{}/{}/{}/{space}", self.place.host(), self.place.project_id(), self.place.instance_id());
        Some((place, async { Ok(self.list().await?) }))
    }

    async fn apply(&self, step: Step) -> Result<Option<Observed>, CloudError> {
        match step {
            Step::Upload { certificate, observed } => {
                let body = wire::Upload { content: certificate.to_pem(), app_id: self.app_id.as_deref() };
                let call = Call::new(Operation::Upload, &["certificates"]).body(Body::json(&body));
                let answer = self.place.call(&call).await?;
                // What was made is told later too, by its content.
                let made = answer.json::<wire::Description>().ok().and_then(|it| it.holding(&certificate));
                Ok(made.map(|it| observed.with_made(it, Content::of(&certificate))))
            }
            Step::Verify { id, proof, .. } => {
                let proof = proof.certificate(self.clock.now()).await?;
                let segments = ["certificates", &id, "action"];
                let call = Call::new(Operation::Verify, &segments).query("action_id", "verify");
                let body = wire::Verification { verify_content: proof.to_pem() };
                self.done(self.place.call(&call.body(Body::json(&body))).await.map(drop))
            }
            Step::Update { id, change } => {
                self.send(Operation::Update, &["certificates", &id], &change).await
            }
            Step::Unbind { id, .. } => {
                self.send(Operation::Update, &["certificates", &id], &settings::unbound()).await
            }
            Step::Delete { id, .. } | Step::Discard { id, .. } => {
                let segments = ["certificates", id.as_str()];
                match self.place.call(&Call::new(Operation::Delete, &segments)).await {
                    Err(failure) if failure.is_absence() => Ok(None),
                    answered => self.done(answered.map(drop)),
                }
            }
        }
    }
}

/// How long a predecessor stays.
fn grace(root: &IotdaCertificate) -> Result<Duration, Invalid> {
    let asked = root.spec.rotation.as_ref().and_then(|it| it.grace_period.as_deref());
    parse_duration("spec.rotation.gracePeriod", asked.unwrap_or("24h"))
}

/// The instance; a project that is not named has no id's form.
fn instance(root: &IotdaCertificate) -> [String; 3] {
    let place = &root.spec.iotda;
    let project = place.project_id.clone().unwrap_or_else(|| format!("in-{}", place.region));
    ["iotda".to_owned(), project, place.host.clone().unwrap_or_else(|| "shared".to_owned())]
}

/// The IotdaCertificate of the OCSP server's CA, if one is named.
fn server_ca(root: &IotdaCertificate) -> Option<&IotdaCertificateRef> {
    root.spec.ocsp.as_ref()?.ssl.as_ref()?.server_ca_ref.as_ref()
}

/// The checks by OCSP that are wanted. The certificate of the server's CA has to stand in the same instance.
fn ocsp(root: &IotdaCertificate, found: &Fetched) -> Result<Option<Ocsp>, Invalid> {
    let Some(asked) = &root.spec.ocsp else { return Ok(None) };
    let named = asked.ssl.as_ref().and_then(|it| it.server_ca_id.clone());
    let server_ca = match server_ca(root) {
        None => named,
        Some(IotdaCertificateRef { name }) => {
            let data = found.data(&Reference::iotda_certificate(name));
            let place = data.and_then(|it| it.value("iotda"));
            if place.and_then(|it| serde_json::from_slice(it).ok()).as_ref() != Some(&root.spec.iotda) {
                let message =
                    format!("IotdaCertificate `{name}` stands elsewhere: its `spec.iotda` must be the same");
                return Err(Invalid::new(Reason::SpecInvalid, message));
            }
            let id = data.and_then(|it| it.value("id")).and_then(|it| std::str::from_utf8(it).ok());
            let missing = || {
                let message = format!("IotdaCertificate `{name}` has no certificate yet: see its conditions");
                Invalid::new(Reason::ReferenceNotFound, message)
            };
            Some(id.ok_or_else(missing)?.to_owned())
        }
    };
    Ok(Some(Ocsp { enabled: asked.enabled, server_ca }))
}

impl Iotda {
    async fn send(
        &self,
        operation: Operation,
        segments: &[&str],
        body: &impl Serialize,
    ) -> Result<Option<Observed>, CloudError> {
        let call = Call::new(operation, segments).body(Body::json(body));
        self.done(self.place.call(&call).await.map(drop))
    }

    /// A write whose effect the next read shows.
    fn done(&self, answered: Result<(), Failure>) -> Result<Option<Observed>, CloudError> {
        answered.map(|()| None).map_err(CloudError::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    #[test]
    fn all_spaces_and_namespaces_of_an_instance_are_in_one_place() {
        let object = |namespace: &str, space: &str, host: &str| -> IotdaCertificate {
            from_value(json!({
                "apiVersion": "certferry.dev/v1alpha1", "kind": "IotdaCertificate",
                "metadata": { "namespace": namespace, "name": "devices" },
                "spec": {
                    "accountRef": { "kind": "CloudAccount", "name": "huawei" }, "appId": space, "source": { "secretRef": { "name": "ca" } },
                    "iotda": { "region": "cn-north-4", "host": host },
                },
            }))
            .unwrap()
        };
        let (one, other) = (object("a", "1", "x.example"), object("b", "2", "x.example"));
        assert_eq!(Iotda::place(&one), Iotda::place(&other));
        assert_ne!(Iotda::target(&one), Iotda::target(&other));
        assert_ne!(Iotda::place(&one), Iotda::place(&object("a", "1", "y.example")));
    }
}
