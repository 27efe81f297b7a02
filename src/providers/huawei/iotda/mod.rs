//! CA certificates in Huawei Cloud IoTDA.
//!
//! Source: Huawei Cloud, IoTDA API reference, "Device CA Certificate Management" (v5): upload, listing, verification,
//! update, deletion, and the single read that came later. Ids come from the service; the content of a certificate cannot be
//! changed.

mod content;
mod next;
mod settings;
mod step;
mod wire;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use self::content::Content;
use self::next::{CaCertificate, Desired, Held, Intended, Made, Observed};
use self::settings::{Ocsp, Settings};
use self::step::Step;
use super::{Call, Failure, Huawei, Operation, Place, Whereabouts};
use crate::api::certificate::{CertificateResource, CertificateStatus, IssuedCode, Remote, parse_duration};
use crate::api::iotda::{IotdaCertificate, IotdaCertificateRef};
use crate::api::reason::{Invalid, Reason};
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable};
use crate::http::Body;
use crate::providers::failure::Fault;
use crate::providers::possession::{self, Possession};
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference, material};

/// The largest page that the service gives.
const PAGE: &str = "50";

/// More pages than an instance can fill: it has room for 100 certificates.
const MAX_PAGES: usize = 20;

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

    /// IoTDA knows no names: the resource's own stands for it. A project that is not named has no id's form.
    fn target(root: &IotdaCertificate) -> Target {
        let place = &root.spec.iotda;
        let of_region = format!("in-{}", place.region);
        Target::new([
            "iotda",
            place.project_id.as_deref().unwrap_or(&of_region),
            place.host.as_deref().unwrap_or("shared"),
            root.spec.app_id.as_deref().unwrap_or("default"),
            root.metadata.namespace.as_deref().unwrap_or_default(),
            root.metadata.name.as_deref().unwrap_or_default(),
        ])
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
        _: Freshness,
    ) -> Result<Observed, CloudError> {
        let held = held(root);
        let mut reading = Reading { iotda: self, listing: None, by_listing: false };
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

/// What our records hold.
fn held(root: &IotdaCertificate) -> Held {
    let empty = CertificateStatus::default();
    let status = root.status().unwrap_or(&empty);
    let intended = status.intent.as_ref().and_then(|it| {
        let made = match (it.step.as_str(), it.made.clone()) {
            (Step::UPLOAD, None) => Made::NoneOf(it.known_ids.clone().unwrap_or_default()),
            (Step::UPLOAD, Some(id)) => Made::This(id),
            (Step::DISCARD, Some(id)) => Made::TakenBack(id),
            _ => return None,
        };
        Some(Intended { content: it.content_hash.parse().ok()?, made, since: it.start_time })
    });
    let certificate = status.remote.as_ref().and(status.certificate.as_ref());
    let fingerprint = certificate.and_then(|it| it.sha256_fingerprint.as_deref());
    Held {
        remote: status.remote.as_ref().map(|it| (it.id.clone(), it.origin)),
        fingerprint: fingerprint.and_then(|it| it.parse().ok()),
        intended,
        retiring: status.retiring.clone(),
        adoption: root.spec.common.adoption_policy.unwrap_or_default(),
        in_one_space: root.spec.app_id.is_some(),
        deletion: root.spec.common.deletion_policy,
    }
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

    /// All certificates of the resource space, newest first.
    async fn list(&self) -> Result<Listed, Failure> {
        let (mut all, mut counts) = (Vec::new(), Vec::new());
        let mut marker: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let mut call = Call::new(Operation::List, &["certificates"]).query("limit", PAGE);
            if let Some(app_id) = &self.app_id {
                call = call.query("app_id", app_id);
            }
            if let Some(marker) = &marker {
                call = call.query("marker", marker);
            }
            let listing: wire::Listing = self.place.read(&call).await?;
            let unreadable = || self.place.failed(Operation::List, Fault::Unreadable);
            let wire::Page { certificates, count, following } = listing.parsed().ok_or_else(unreadable)?;
            let is_last = certificates.is_empty();
            all.extend(certificates);
            counts.push(count);
            match following {
                Some(next) if !is_last && marker.as_ref().is_none_or(|before| next < *before) => {
                    marker = Some(next);
                }
                _ => {
                    let length = u64::try_from(all.len()).ok();
                    return Ok(Listed { is_whole: counts.iter().all(|it| *it == length), all });
                }
            }
        }
        Err(self.place.failed(Operation::List, Fault::Unreadable))
    }
}

/// What an instance listed.
struct Listed {
    all: Vec<wire::Description>,
    /// Whether each page counted just as many as all pages showed: what came or went between two of them is not hidden.
    is_whole: bool,
}

/// One look at an instance. What has to be listed is listed once.
struct Reading<'a> {
    iotda: &'a Iotda,
    listing: Option<Listed>,
    /// Whether the single read turned out not to be had.
    by_listing: bool,
}

impl Reading<'_> {
    async fn listing(&mut self) -> Result<&Listed, CloudError> {
        let listed = match self.listing.take() {
            Some(listed) => listed,
            None => self.iotda.list().await?,
        };
        Ok(self.listing.insert(listed))
    }

    async fn ids(&mut self) -> Result<Vec<String>, CloudError> {
        Ok(self.listing().await?.all.iter().map(|it| it.certificate_id.clone()).collect())
    }

    /// The certificate of that id, or that there is none. The single read is newer than the rest of the API and has a
    /// permission of its own: where it is not to be had, the listing tells.
    async fn one(&mut self, id: &str) -> Result<Option<CaCertificate>, CloudError> {
        let place = &self.iotda.place;
        let segments = ["certificates", id];
        let unreadable = || CloudError::from(place.failed(Operation::Read, Fault::Unreadable));
        match place.read::<wire::Description>(&Call::new(Operation::Read, &segments)).await {
            Ok(it) if it.certificate_id == id => it.parsed().map(Some).ok_or_else(unreadable),
            Ok(_) => Err(unreadable()),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) if is_without_single_read(&failure) => {
                self.by_listing = true;
                let listing = self.listing().await?;
                match listing.all.iter().find(|it| it.certificate_id == id).cloned() {
                    Some(it) => it.parsed().map(Some).ok_or_else(unreadable),
                    None if listing.is_whole => Ok(None),
                    None => Err(in_part()),
                }
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Those that are not known and hold one of these contents. Read is what may be it by the listing, and all that came
    /// since an upload was recorded: the service may show its name and dates otherwise than we do.
    async fn others(
        &mut self,
        contents: &[&Content],
        intended: Option<&Intended>,
        known: impl Fn(&str) -> bool,
    ) -> Result<Vec<CaCertificate>, CloudError> {
        let listed = self.listing().await?.all.iter();
        let is_new = |id: &str| intended.is_some_and(|intent| intent.may_have_given(id));
        let may_be = |it: &&wire::Description| {
            it.face().is_none_or(|face| contents.iter().any(|content| content.may_be(&face)))
                || is_new(&it.certificate_id)
        };
        let candidates = listed.filter(may_be).filter(|it| !known(&it.certificate_id));
        let mut candidates: Vec<_> =
            candidates.map(|it| (it.certificate_id.clone(), it.face().is_some())).collect();
        // A listing may be behind.
        let made = intended.and_then(Intended::given).filter(|id| !known(id));
        if let Some(id) = made.filter(|id| candidates.iter().all(|it| it.0 != *id)) {
            candidates.push((id.to_owned(), true));
        }
        let mut found = Vec::new();
        for (id, is_told) in candidates {
            match self.one(&id).await {
                // By the listing alone it cannot be told from others: somebody else's holds nobody up.
                Err(_) if self.by_listing && !is_told => {}
                read => found.extend(read?),
            }
        }
        found.retain(|it| contents.iter().any(|content| content.is(&it.shown)));
        Ok(found)
    }
}

/// What such a listing lacks is not proven to be gone.
fn in_part() -> CloudError {
    let message = "IoTDA's listing does not show as many certificates as it counts, so that none is known to be gone; it \
                   is listed again";
    CloudError::new(Reason::ConcurrentWrite, message)
}

/// The gateway knows no such call, or the account lacks the one permission.
fn is_without_single_read(failure: &Failure) -> bool {
    failure.has_code("APIGW.0101") || failure.has_code("IOTDA.000022")
}
