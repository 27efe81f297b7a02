//! CA certificates in Azure IoT hubs.
//!
//! Source: Azure REST reference, IoT Hub, Certificates, api-versions 2018-04-01 and 2023-06-30. The hub answers with a
//! bare ETag in the body and changes it at every write; PUT without If-Match creates only.

mod error;
mod next;
mod wire;

use std::sync::Arc;

use jiff::Timestamp;

use self::error::{Operation, classify};
use self::next::{Desired, Held, HubCertificate, Observed, Step, Upload, Verification};
use super::{Azure, RestCall, Session};
use crate::api::certificate::{CertificateResource, CertificateStatus, IssuedCode, Origin, Remote};
use crate::api::iot_hub::{IotHubApiVersion, IotHubCertificate, RotationStrategy, Verification as Asked};
use crate::api::reason::{Invalid, Reason};
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable};
use crate::http::{Body, Limit, Method};
use crate::pki::Certificate;
use crate::providers::failure::Fault;
use crate::providers::possession::{self, Possession, Proof};
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference, material};

/// Seen are 12 and 52 characters; the status has room for this many.
const LONGEST_ETAG: usize = 256;

const READ: &str = "Microsoft.Devices/iotHubs/certificates/Read";
const WRITE: &str = "Microsoft.Devices/iotHubs/certificates/Write";
const DELETE: &str = "Microsoft.Devices/iotHubs/certificates/Delete";
const CODE: &str = "Microsoft.Devices/iotHubs/certificates/generateVerificationCode/Action";
const VERIFY: &str = "Microsoft.Devices/iotHubs/certificates/verify/Action";

/// One certificate name in one hub.
pub struct IotHub {
    session: Arc<Session>,
    /// The segments of the certificate collection's path; the certificate's name follows.
    collection: Vec<String>,
    name: String,
    version: IotHubApiVersion,
    clock: Clock,
}

impl Provider for IotHub {
    type Root = IotHubCertificate;
    type Cloud = Azure;
    type Desired = Desired;
    type Observed = Observed;
    type Step = Step;

    fn target(root: &IotHubCertificate) -> Target {
        let hub = &root.spec.iot_hub;
        Target::new(["iothub", &hub.subscription_id, &hub.resource_group, &hub.name, name(root)])
    }

    fn references(root: &IotHubCertificate) -> Vec<Reference> {
        let asked = root.spec.verification.as_ref().and_then(|it| it.proof_of_possession.as_ref());
        let mut references = material::references(&root.spec.source);
        references.extend(possession::references(asked));
        references.dedup();
        references
    }

    fn check(root: &IotHubCertificate) -> Result<(), Invalid> {
        let not_yet = |field: &str| {
            Err(Invalid::new(Reason::NotSupported, format!("this version does not act on `{field}` yet")))
        };
        let spec = &root.spec;
        if spec.rotation.as_ref().is_some_and(|it| it.strategy == RotationStrategy::Overlap) {
            return not_yet("spec.rotation.strategy: Overlap");
        }
        material::check(&spec.source)
    }

    fn desired(root: &IotHubCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
        Self::check(root)?;
        let certificate = material::lasting_certificate(&root.spec.source, found, now)?;
        let verification = verification(root, &certificate, found, now)?;
        Ok(Desired { certificate, verification })
    }

    fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
        next::next(goal, observed)
    }

    fn facts(desired: &Desired, observed: &Observed) -> Option<Facts> {
        let remote = observed.remote.as_ref()?;
        Some(Facts {
            remote: Remote {
                id: remote.id.clone(),
                version: None,
                etag: Some(remote.etag.clone()),
                origin: observed.origin().unwrap_or(Origin::Adopted),
            },
            certificate: Some(material::summary(&desired.certificate)),
            verified: match desired.verification {
                Verification::None => None,
                Verification::Proof(_) | Verification::Attested => Some(remote.verified),
            },
            verification_code: match (&desired.verification, &remote.code) {
                (Verification::Proof(Possession::Offline(_)), Some(code)) if !remote.verified => {
                    Some(IssuedCode { code: code.as_str().to_owned(), etag: remote.etag.clone() })
                }
                _ => None,
            },
            disabled: false,
            renewal: Renewal::Source,
            operation: None,
            signing_request: None,
            retiring: Vec::new(),
        })
    }

    fn outputs(_: &Desired, _: &Observed) -> Vec<Output> {
        Vec::new()
    }

    async fn connect(
        azure: &Azure,
        account: &Account,
        root: &IotHubCertificate,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        let identity = account.azure().map_err(Unusable::Invalid)?;
        let session = azure.session(&account.id, identity).map_err(Unusable::Cloud)?;
        let hub = &root.spec.iot_hub;
        let collection = [
            "subscriptions",
            &hub.subscription_id,
            "resourceGroups",
            &hub.resource_group,
            "providers",
            "Microsoft.Devices",
            "IotHubs",
            &hub.name,
            "certificates",
        ];
        Ok(Self {
            session,
            collection: collection.map(str::to_owned).to_vec(),
            name: name(root).to_owned(),
            version: root.spec.api_version.unwrap_or_default(),
            clock: clock.clone(),
        })
    }

    async fn observe(
        &self,
        root: &IotHubCertificate,
        _: &Goal<Desired>,
        _: Freshness,
    ) -> Result<Observed, CloudError> {
        let mut remote = self.read().await?;
        let held = held(root, &self.path(&[]).join("/"));
        if let (Some(remote), Some((code, etag))) = (&mut remote, &held.code)
            && remote.etag == *etag
        {
            remote.code = Some(code.clone());
        }
        Ok(Observed { remote, held })
    }

    async fn apply(&self, step: Step) -> Result<Option<Observed>, CloudError> {
        match step {
            Step::Create(upload) => self.put(upload, None).await,
            Step::Replace(upload, etag) => self.put(upload, Some(&etag)).await,
            Step::RequestCode { etag, held, .. } => self.code(&etag, held).await.map(Some),
            Step::Verify { etag, proof, .. } => self.verify(&etag, proof).await,
            Step::Delete { etag, .. } => self.delete(&etag).await,
        }
    }
}

/// The certificate's name in the hub.
fn name(root: &IotHubCertificate) -> &str {
    root.spec.certificate_name.as_deref().or(root.metadata.name.as_deref()).unwrap_or_default()
}

/// How the hub is to hold the certificate as verified, with the key that is needed for it.
fn verification(
    root: &IotHubCertificate,
    certificate: &Certificate,
    found: &Fetched,
    now: Timestamp,
) -> Result<Verification, Invalid> {
    match &root.spec.verification {
        None => Ok(Verification::None),
        Some(Asked { proof_of_possession: None, .. }) => Ok(Verification::Attested),
        Some(Asked { proof_of_possession: Some(proof), .. }) => {
            Possession::of(proof, &root.spec.source, certificate, found, now).map(Verification::Proof)
        }
    }
}

/// Only then is a recorded code used: with a key at hand the operator signs none but those that it was just given.
fn signs_offline(root: &IotHubCertificate) -> bool {
    let proof = root.spec.verification.as_ref().and_then(|it| it.proof_of_possession.as_ref());
    proof.is_some_and(|it| it.signed_certificate_secret_ref.is_some())
}

/// What our records hold of the certificate of that id. A record of another id holds nothing.
fn held(root: &IotHubCertificate, path: &str) -> Held {
    let empty = CertificateStatus::default();
    let status = root.status().unwrap_or(&empty);
    let ours = status.remote.as_ref().filter(|it| it.id.trim_start_matches('/').eq_ignore_ascii_case(path));
    Held {
        origin: ours.map(|it| it.origin),
        thumbprint: ours.and(status.certificate.as_ref()).and_then(|it| it.sha1_thumbprint.parse().ok()),
        code: ours.and(status.verification_code.as_ref()).filter(|_| signs_offline(root)).and_then(|it| {
            let IssuedCode { code, etag } = it;
            Some((code.parse().ok()?, etag.clone()))
        }),
        intended: status.intent.as_ref().and_then(|it| it.content_hash.parse().ok()),
        adoption: root.spec.common.adoption_policy.unwrap_or_default(),
    }
}

impl IotHub {
    /// The certificate, or that there is none: a 404 counts only if it says so, or if the hub lists its certificates and
    /// this is not among them.
    async fn read(&self) -> Result<Option<HubCertificate>, CloudError> {
        let path = self.path(&[]);
        let call = self.call(Method::Get, &path, READ);
        match self.session.arm().read::<wire::Description>(&call).await {
            Ok(description) => self.parse(&call, description).map(Some),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) if failure.status() == Some(404) && !failure.is_of_a_parent() => {
                let mut listing = self.call(Method::Get, &path[..path.len() - 1], READ);
                listing.limit = Limit::Page;
                let listed: wire::Listing = self.session.arm().read(&listing).await?;
                if listed.has(&self.name) {
                    let message =
                        "The hub lists the certificate and does not find it by its name; it is read again.";
                    return Err(CloudError::new(Reason::CloudUnavailable, message));
                }
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    async fn put(&self, upload: Upload, etag: Option<&str>) -> Result<Option<Observed>, CloudError> {
        let path = self.path(&[]);
        let mut call = self.call(Method::Put, &path, WRITE);
        call.if_match = etag;
        call.body = Body::json(&wire::Upload::new(self.version, &upload.certificate, upload.attested));
        self.send(&call, Operation::Upload).await
    }

    async fn code(&self, etag: &str, held: Held) -> Result<Observed, CloudError> {
        let path = self.path(&["generateVerificationCode"]);
        let mut call = self.call(Method::Post, &path, CODE);
        call.if_match = Some(etag);
        let answer = self.session.arm().read::<wire::Description>(&call).await;
        let description = answer.map_err(|failure| classify(Operation::RequestCode, &failure))?;
        let remote = self.parse(&call, description)?;
        Ok(Observed { remote: Some(remote), held })
    }

    async fn verify(&self, etag: &str, proof: Proof) -> Result<Option<Observed>, CloudError> {
        let proof = proof.certificate(self.clock.now()).await?;
        let path = self.path(&["verify"]);
        let mut call = self.call(Method::Post, &path, VERIFY);
        call.if_match = Some(etag);
        call.body = Body::json(&wire::Proof::new(&proof));
        self.send(&call, Operation::Verify).await
    }

    async fn delete(&self, etag: &str) -> Result<Option<Observed>, CloudError> {
        let path = self.path(&[]);
        let mut call = self.call(Method::Delete, &path, DELETE);
        call.if_match = Some(etag);
        self.send(&call, Operation::Delete).await
    }

    /// A write whose effect the next read shows.
    async fn send(&self, call: &RestCall<'_>, operation: Operation) -> Result<Option<Observed>, CloudError> {
        match self.session.arm().call(call).await {
            Ok(_) => Ok(None),
            Err(failure) if operation == Operation::Delete && failure.is_absence() => Ok(None),
            Err(failure) => Err(classify(operation, &failure)),
        }
    }

    fn call<'a>(&self, method: Method, segments: &'a [&'a str], action: &'static str) -> RestCall<'a> {
        let version = match self.version {
            IotHubApiVersion::V20180401 => "2018-04-01",
            IotHubApiVersion::V20230630 => "2023-06-30",
        };
        RestCall::new(method, segments, version, action)
    }

    fn path<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let collection = self.collection.iter().map(String::as_str);
        collection.chain([self.name.as_str()]).chain(more.iter().copied()).collect()
    }

    fn parse(
        &self,
        call: &RestCall<'_>,
        description: wire::Description,
    ) -> Result<HubCertificate, CloudError> {
        let unreadable = || CloudError::from(call.failed(Fault::Unreadable));
        let properties = &description.properties;
        Ok(HubCertificate {
            // The operator's own path, not the answer's: samples of the service name other resource types in `id`.
            id: format!("/{}", self.path(&[]).join("/")),
            etag: description.etag.clone().filter(|it| it.len() <= LONGEST_ETAG).ok_or_else(unreadable)?,
            thumbprint: properties.thumbprint.parse().map_err(|_| unreadable())?,
            fingerprint: properties.certificate().map(|it| it.sha256_fingerprint()),
            verified: properties.is_verified.unwrap_or(false),
            code: match &properties.verification_code {
                Some(code) => Some(code.parse().map_err(|_| unreadable())?),
                None => None,
            },
        })
    }
}
