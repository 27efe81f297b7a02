//! IotHubCertificate: a CA certificate in an Azure IoT hub, verified if asked.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::{CertificateResource, CertificateStatus, CommonSpec};
use super::source::{KeyRef, Source};

/// A CA certificate in an IoT hub.
///
/// The documented call is PUT `Microsoft.Devices/IotHubs/{hub}/certificates/{name}`, api-version 2018-04-01
/// (Azure REST reference, IoT Hub, Certificates – Create Or Update).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev", version = "v1alpha1", kind = "IotHubCertificate", plural = "iothubcertificates", namespaced,
    status = "CertificateStatus", derive = "PartialEq",
    shortname = "iothubcert", category = "certferry",
    doc = "A CA certificate in an Azure IoT hub, verified by proof of possession if asked.",
    selectable = ".spec.iotHub.name",
    printcolumn(name = "Ready", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].status"),
    printcolumn(name = "Reason", type_ = "string", json_path = ".status.conditions[?(@.type=='Ready')].reason"),
    printcolumn(name = "Verified", type_ = "string", json_path = ".status.conditions[?(@.type=='Verified')].status"),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.certificate.notAfter"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Hub", type_ = "string", json_path = ".spec.iotHub.name", priority = 1),
    printcolumn(name = "Thumbprint", type_ = "string", json_path = ".status.certificate.sha1Thumbprint", priority = 1),
    validation = Rule::new("has(self.spec.certificateName) || self.metadata.name.size() <= 64")
        .message("`spec.certificateName` must be set when the object's name is longer than 64 characters"),
    validation = Rule::new("has(self.spec.certificateName) || !has(self.spec.rotation) || self.spec.rotation.strategy != 'Overlap' || self.metadata.name.size() <= 55")
        .message("`spec.certificateName` must be set when the object's name is longer than 55 characters and `spec.rotation.strategy` is 'Overlap'"),
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.certificateName) == has(oldSelf.certificateName) && (!has(self.certificateName) || self.certificateName == oldSelf.certificateName)")
        .message("`certificateName` must not change: create a new object and delete this one").field_path(".certificateName").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.certificateName) || !has(self.rotation) || self.rotation.strategy != 'Overlap' || self.certificateName.size() <= 55")
        .message("`certificateName` must be at most 55 characters long when `rotation.strategy` is 'Overlap': the certificate's fingerprint is added to it").field_path(".certificateName").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.deletionPolicy) || self.deletionPolicy != 'Purge'")
        .message("`deletionPolicy` 'Purge' is for key vaults: a hub keeps nothing of what is deleted").field_path(".deletionPolicy").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.verification) || !has(self.verification.attested) || (has(self.apiVersion) && self.apiVersion == '2023-06-30')")
        .message("`verification.attested` needs `apiVersion` '2023-06-30'").field_path(".verification").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.verification) || !has(self.verification.proofOfPossession) || has(self.source.secretRef) || has(self.source.pkcs12SecretRef) || has(self.verification.proofOfPossession.privateKeySecretRef) || has(self.verification.proofOfPossession.signedCertificateSecretRef)")
        .message("`verification.proofOfPossession` must name a `privateKeySecretRef` or a `signedCertificateSecretRef` when `source` holds no private key").field_path(".verification").reason(Reason::FieldValueRequired),
)]
pub struct IotHubCertificateSpec {
    /// What every certificate kind's spec holds.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The CA certificate.
    pub source: Source,
    /// The hub; it cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("`iotHub` must not change: create a new object and delete this one").reason(Reason::FieldValueForbidden))]
    pub iot_hub: IotHub,
    /// The certificate's name in the hub, which compares names without regard to case; the object's name unless set.
    /// It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"))]
    #[x_kube(validation = Rule::new("!self.contains('..')").message("`certificateName` must not contain '..'"))]
    pub certificate_name: Option<String>,
    /// The version of the service's API to speak; `2018-04-01` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_version: Option<IotHubApiVersion>,
    /// How the hub is shown that the CA's key is ours; unless set the certificate stays unverified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<Verification>,
    /// How a changed certificate takes the place of the old one; `InPlace` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// An IoT hub.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IotHub {
    /// The subscription.
    #[schemars(schema_with = "super::account::uuid_schema")]
    pub subscription_id: String,
    /// The resource group. Names with parentheses, legal in Azure, are not taken.
    #[schemars(length(min = 1, max = 90), regex(pattern = "^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_-])?$"))]
    #[x_kube(validation = Rule::new("!self.contains('..')").message("`resourceGroup` must not contain '..'"))]
    pub resource_group: String,
    /// The hub's name.
    #[schemars(length(min = 3, max = 50), regex(pattern = "^[A-Za-z0-9][A-Za-z0-9-]*[A-Za-z0-9]$"))]
    pub name: String,
}

/// The versions of the IoT Hub resource API that are spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IotHubApiVersion {
    /// The documented version.
    #[default]
    #[serde(rename = "2018-04-01")]
    V20180401,
    /// The newest stable version.
    #[serde(rename = "2023-06-30")]
    V20230630,
}

/// How the hub is shown that the CA's key is ours; exactly one member is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.proofOfPossession) != has(self.attested)")
    .message("exactly one of `proofOfPossession` and `attested` must be set").reason(Reason::FieldValueInvalid))]
pub struct Verification {
    /// A certificate for a code of the hub's, signed with the CA's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof_of_possession: Option<ProofOfPossession>,
    /// The upload itself says that the certificate is verified (`apiVersion` 2023-06-30).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attested: Option<Attested>,
}

/// Where the CA's key is; with no member it is in the source Secret.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("!(has(self.privateKeySecretRef) && has(self.signedCertificateSecretRef))")
    .message("at most one of `privateKeySecretRef` and `signedCertificateSecretRef` may be set").reason(Reason::FieldValueInvalid))]
pub struct ProofOfPossession {
    /// The CA's key in a Secret of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub private_key_secret_ref: Option<KeyRef>,
    /// A certificate for the code in `status`, signed where the key is kept offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_certificate_secret_ref: Option<KeyRef>,
}

/// Verified by the uploader's word. It has no settings.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Attested {}

/// How a changed certificate takes the place of the old one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.gracePeriod) || self.strategy == 'Overlap'")
    .message("`gracePeriod` may only be set when `strategy` is 'Overlap'").reason(Reason::FieldValueForbidden))]
pub struct Rotation {
    /// The strategy.
    pub strategy: RotationStrategy,
    /// How long the old certificate stays beside its successor once that serves; `24h` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::certificate::duration_schema")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('8760h')").message("`gracePeriod` must be at most '8760h'"))]
    pub grace_period: Option<String>,
}

/// The strategies of rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RotationStrategy {
    /// The new certificate replaces the old one under the same name, at once.
    InPlace,
    /// The new certificate stands beside the old one, under a name with its fingerprint; the old one goes when the new
    /// one has been verified, if that is asked, and the grace period is over.
    Overlap,
}

impl CertificateResource for IotHubCertificate {
    fn common(&self) -> &CommonSpec {
        &self.spec.common
    }

    fn status(&self) -> Option<&CertificateStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<CertificateStatus> {
        &mut self.status
    }
}
