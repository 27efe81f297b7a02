//! CA certificates in Azure IoT hubs.
//!
//! Source: Azure REST reference, IoT Hub, Certificates, api-versions 2018-04-01 and 2023-06-30. The hub answers with a
//! bare ETag in the body and changes it at every write; PUT without If-Match creates only.

mod error;
mod explained;
mod names;
mod next;
mod records;
mod wire;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use self::error::{Operation, classify};
use self::next::{Desired, HubCertificate, Observed, Standing, Step, Upload, Verification};
use super::{Azure, Listing, RestCall, Session};
use crate::api::certificate::{IssuedCode, Remote, parse_duration};
use crate::api::iot_hub::{IotHubApiVersion, IotHubCertificate, RotationStrategy, Verification as Asked};
use crate::api::reason::{Invalid, Reason};
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::{Facts, Freshness, Goal, Next, Output, Provider, Renewal, Unusable};
use crate::http::{Body, Limit, Method};
use crate::pki::{Certificate, Thumbprint};
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

/// What one resource is for in one hub: a certificate name, and those beside it.
pub struct IotHub {
    session: Arc<Session>,
    /// The segments of the certificate collection's path; a certificate's name follows.
    collection: Vec<String>,
    /// The name that the spec gives.
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
    type Listing = Listing<HubCertificate>;

    fn target(root: &IotHubCertificate) -> Target {
        target(root, name(root))
    }

    fn references(root: &IotHubCertificate) -> Vec<Reference> {
        let asked = root.spec.verification.as_ref().and_then(|it| it.proof_of_possession.as_ref());
        let mut references = material::references(&root.spec.source);
        references.extend(possession::references(asked));
        references.dedup();
        references
    }

    fn check(root: &IotHubCertificate) -> Result<(), Invalid> {
        grace(root)?;
        if overlaps(root) && name(root).len() > names::LONGEST_PLAIN {
            let message = format!(
                "`spec.certificateName` must be at most {} characters long where `spec.rotation.strategy` is 'Overlap': \
                 the certificate's fingerprint is added to it",
                names::LONGEST_PLAIN
            );
            return Err(Invalid::new(Reason::SpecInvalid, message));
        }
        material::check(&root.spec.source)
    }

    fn desired(root: &IotHubCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
        Self::check(root)?;
        let certificate = material::lasting_certificate(&root.spec.source, found, now)?;
        let verification = verification(root, &certificate, found, now)?;
        let beside = overlaps(root).then(|| names::beside(name(root), &certificate));
        Ok(Desired { certificate, verification, beside, grace: grace(root)? })
    }

    fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
        next::next(goal, observed)
    }

    fn facts(desired: &Desired, observed: &Observed) -> Option<Facts> {
        let Standing { certificate, origin, retiring } = next::standing(desired, observed)?;
        let is_offline = matches!(&desired.verification, Verification::Proof(it) if matches!(**it, Possession::Offline(_)));
        let code = certificate.code.as_ref().filter(|_| is_offline && !certificate.verified);
        Some(Facts {
            remote: Remote {
                id: certificate.id.clone(),
                version: None,
                etag: Some(certificate.etag.clone()),
                origin,
            },
            certificate: Some(material::summary(&desired.certificate)),
            verified: match desired.verification {
                Verification::None => None,
                Verification::Proof(_) | Verification::Attested => Some(certificate.verified),
            },
            verification_code: code
                .map(|it| IssuedCode { code: it.as_str().to_owned(), etag: certificate.etag.clone() }),
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

    async fn connect(
        azure: &Azure,
        account: &Account,
        root: &IotHubCertificate,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        allows_beside(account, root).map_err(Unusable::Invalid)?;
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
        goal: &Goal<Desired>,
        freshness: Freshness<'_, Self::Listing>,
    ) -> Result<Observed, CloudError> {
        let held = records::held(root, &self.collection, &self.name);
        let names: Vec<_> =
            [held.name.clone()].into_iter().chain(held.retiring.iter().map(|it| it.name.clone())).collect();
        let mut observed = Observed { there: Vec::new(), held, now: self.clock.now() };
        for name in names {
            self.look(&name, freshness, &mut observed).await?;
        }
        if let Goal::Present(want) = goal
            && let Some(name) = next::beside(want, &observed).map(str::to_owned)
        {
            self.look(&name, freshness, &mut observed).await?;
            self.look(&self.name, freshness, &mut observed).await?; // an adopted one stays there
        }
        if let Some(thumbprint) = observed.unseen() {
            for name in self.of_thumbprint(thumbprint).await? {
                self.look(&name, freshness, &mut observed).await?;
            }
        }
        observed.recall_code();
        Ok(observed)
    }

    fn listing(&self) -> Option<(String, impl Future<Output = Result<Self::Listing, CloudError>> + Send)> {
        // Each api-version shows other members.
        Some((format!("{}?{}", self.collection.join("/"), self.api_version()), self.list()))
    }

    async fn apply(&self, step: Step) -> Result<Option<Observed>, CloudError> {
        match step {
            Step::Create { name, upload, .. } => self.put(&name, upload, None).await,
            Step::Replace { name, upload, etag } => self.put(&name, upload, Some(&etag)).await,
            Step::RequestCode { name, etag, observed, .. } => {
                let answered = self.code(&name, &etag).await?;
                Ok(Some(observed.with(answered)))
            }
            Step::Verify { name, etag, proof, .. } => self.verify(&name, &etag, proof).await,
            Step::Delete { name, etag, .. } => self.delete(&name, &etag).await,
        }
    }
}

/// The certificate's name in the hub.
fn name(root: &IotHubCertificate) -> &str {
    root.spec.certificate_name.as_deref().or(root.metadata.name.as_deref()).unwrap_or_default()
}

/// That name in the hub.
fn target(root: &IotHubCertificate, name: &str) -> Target {
    let hub = &root.spec.iot_hub;
    Target::new(["iothub", &hub.subscription_id, &hub.resource_group, &hub.name, name])
}

/// Whether a changed certificate stands beside the old one first.
fn overlaps(root: &IotHubCertificate) -> bool {
    root.spec.rotation.as_ref().is_some_and(|it| it.strategy == RotationStrategy::Overlap)
}

/// How long a predecessor stays.
fn grace(root: &IotHubCertificate) -> Result<Duration, Invalid> {
    let asked = root.spec.rotation.as_ref().and_then(|it| it.grace_period.as_deref());
    parse_duration("spec.rotation.gracePeriod", asked.unwrap_or("24h"))
}

/// Who may write the name that the spec gives may not write those beside it for that.
fn allows_beside(account: &Account, root: &IotHubCertificate) -> Result<(), Invalid> {
    let beside = target(root, &names::any_beside(name(root)));
    if !overlaps(root) || account.allows(&beside) {
        return Ok(());
    }
    let message = format!(
        "`spec.allowedTargets` of {} must cover the names beside the certificate too, for `spec.rotation.strategy` \
         'Overlap': add `{}-*` there",
        account.id.display,
        target(root, name(root))
    );
    Err(Invalid::new(Reason::AccountNotAllowed, message))
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
            let possession = Possession::of(proof, &root.spec.source, certificate, found, now)?;
            Ok(Verification::Proof(Box::new(possession)))
        }
    }
}

impl IotHub {
    /// Adds what stands under that name, if something does.
    async fn look(
        &self,
        name: &str,
        freshness: Freshness<'_, Listing<HubCertificate>>,
        observed: &mut Observed,
    ) -> Result<(), CloudError> {
        if observed.under(name).is_none() {
            observed.there.extend(match freshness {
                Freshness::Live => self.read(name).await?,
                // Every item is as a read of it alone would show it, with its tag.
                Freshness::Listed(listing) => listing.under(name)?.map(|it| HubCertificate {
                    name: name.to_owned(),
                    id: records::id(&self.collection, name),
                    ..it.clone()
                }),
            });
        }
        Ok(())
    }

    /// The certificate, or that there is none: a 404 counts only if it says so, or if the hub lists its certificates and
    /// this is not among them.
    async fn read(&self, name: &str) -> Result<Option<HubCertificate>, CloudError> {
        let path = self.path(name, &[]);
        let call = self.call(Method::Get, &path, READ);
        match self.session.arm().read::<wire::Description>(&call).await {
            Ok(description) => self.readable(name, &call, &description).map(Some),
            Err(failure) if failure.is_absence() => Ok(None),
            Err(failure) if failure.status() == Some(404) && !failure.is_of_a_parent() => {
                if self.list().await?.has(name) {
                    let message =
                        "The hub lists the certificate and does not find it by its name; it is read again.";
                    return Err(CloudError::new(Reason::CloudUnavailable, message));
                }
                Ok(None)
            }
            Err(failure) => Err(failure.into()),
        }
    }

    /// Those of our names under which the hub lists a certificate of that thumbprint.
    async fn of_thumbprint(&self, thumbprint: Thumbprint) -> Result<Vec<String>, CloudError> {
        let listed = self.list().await?;
        Ok(listed
            .names_of(|it| it.thumbprint == thumbprint)
            .filter_map(|it| names::of_ours(&self.name, it))
            .collect())
    }

    async fn list(&self) -> Result<Listing<HubCertificate>, CloudError> {
        let collection: Vec<_> = self.collection.iter().map(String::as_str).collect();
        let mut call = self.call(Method::Get, &collection, READ);
        call.limit = Limit::Page;
        let listing: wire::Listing = self.session.arm().read(&call).await?;
        let named = listing.value.into_iter().filter_map(|it| Some((it.name.clone()?, it)));
        Ok(Listing::of(named.map(|(name, it)| (name.clone(), self.parse(&name, &it)))))
    }

    async fn put(
        &self,
        name: &str,
        upload: Upload,
        etag: Option<&str>,
    ) -> Result<Option<Observed>, CloudError> {
        let path = self.path(name, &[]);
        let mut call = self.call(Method::Put, &path, WRITE);
        call.if_match = etag;
        call.body = Body::json(&wire::Upload::new(self.version, &upload.certificate, upload.attested));
        self.send(&call, Operation::Upload).await
    }

    /// The certificate with the code that the hub gives for it.
    async fn code(&self, name: &str, etag: &str) -> Result<HubCertificate, CloudError> {
        let path = self.path(name, &["generateVerificationCode"]);
        let mut call = self.call(Method::Post, &path, CODE);
        call.if_match = Some(etag);
        let answer = self.session.arm().read::<wire::Description>(&call).await;
        let description = answer.map_err(|failure| classify(Operation::RequestCode, &failure))?;
        self.readable(name, &call, &description)
    }

    async fn verify(&self, name: &str, etag: &str, proof: Proof) -> Result<Option<Observed>, CloudError> {
        let proof = proof.certificate(self.clock.now()).await?;
        let path = self.path(name, &["verify"]);
        let mut call = self.call(Method::Post, &path, VERIFY);
        call.if_match = Some(etag);
        call.body = Body::json(&wire::Proof::new(&proof));
        self.send(&call, Operation::Verify).await
    }

    async fn delete(&self, name: &str, etag: &str) -> Result<Option<Observed>, CloudError> {
        let path = self.path(name, &[]);
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
        RestCall::new(method, segments, self.api_version(), action)
    }

    fn api_version(&self) -> &'static str {
        match self.version {
            IotHubApiVersion::V20180401 => "2018-04-01",
            IotHubApiVersion::V20230630 => "2023-06-30",
        }
    }

    fn path<'a>(&'a self, name: &'a str, more: &[&'a str]) -> Vec<&'a str> {
        let collection = self.collection.iter().map(String::as_str);
        collection.chain([name]).chain(more.iter().copied()).collect()
    }

    fn readable(
        &self,
        name: &str,
        call: &RestCall<'_>,
        description: &wire::Description,
    ) -> Result<HubCertificate, CloudError> {
        self.parse(name, description).ok_or_else(|| call.failed(Fault::Unreadable).into())
    }

    fn parse(&self, name: &str, description: &wire::Description) -> Option<HubCertificate> {
        let properties = &description.properties;
        Some(HubCertificate {
            name: name.to_owned(),
            // The operator's own path, not the answer's: samples of the service name other resource types in `id`.
            id: records::id(&self.collection, name),
            etag: description.etag.clone().filter(|it| it.len() <= LONGEST_ETAG)?,
            thumbprint: properties.thumbprint()?,
            fingerprint: properties.certificate().map(|it| it.sha256_fingerprint()),
            verified: properties.is_verified.unwrap_or(false),
            code: match &properties.verification_code {
                Some(code) => Some(code.parse().ok()?),
                None => None,
            },
        })
    }
}
