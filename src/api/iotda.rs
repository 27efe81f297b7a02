//! IotdaCertificate: a CA certificate in Huawei Cloud IoTDA, with self-registration and OCSP settings.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::certificate::{CertificateResource, CertificateStatus, CommonSpec};
use super::iot_hub::ProofOfPossession;
use super::source::{Source, object_name};

/// A CA certificate in Huawei Cloud IoTDA.
///
/// The documented call is PUT `/v5/iot/{project_id}/certificates/{certificate_id}` (Huawei Cloud IoTDA API reference,
/// "Update a CA Certificate"), of the standard and enterprise editions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, CustomResource, KubeSchema)]
#[kube(
    group = "certferry.dev",
    version = "v1alpha1",
    kind = "IotdaCertificate",
    plural = "iotdacertificates",
    namespaced,
    status = "CertificateStatus",
    derive = "PartialEq",
    shortname = "iotdacert",
    category = "certferry",
    doc = "A CA certificate in Huawei Cloud IoTDA, with self-registration and OCSP settings.",
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(
        name = "Verified",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Verified')].status"
    ),
    printcolumn(name = "Expires", type_ = "string", json_path = ".status.certificate.notAfter"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "Id", type_ = "string", json_path = ".status.remote.id", priority = 1),
    printcolumn(
        name = "Thumbprint",
        type_ = "string",
        json_path = ".status.certificate.sha1Thumbprint",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.appId) == has(oldSelf.appId) && (!has(self.appId) || self.appId == oldSelf.appId)")
        .message("`appId` must not change: create a new object and delete this one").field_path(".appId").reason(Reason::FieldValueForbidden),
    validation = Rule::new("!has(self.deletionPolicy) || self.deletionPolicy != 'Purge'")
        .message("`deletionPolicy` 'Purge' is for key vaults: IoTDA keeps nothing of what is deleted").field_path(".deletionPolicy").reason(Reason::FieldValueInvalid),
    validation = Rule::new("!has(self.verification) || has(self.source.secretRef) || has(self.source.pkcs12SecretRef) || has(self.verification.proofOfPossession.privateKeySecretRef) || has(self.verification.proofOfPossession.signedCertificateSecretRef)")
        .message("`verification.proofOfPossession` must name a `privateKeySecretRef` or a `signedCertificateSecretRef` when `source` holds no private key").field_path(".verification").reason(Reason::FieldValueRequired),
    validation = Rule::new("has(self.verification) || (!has(self.provisioning) && !has(self.ocsp))")
        .message("`provisioning` and `ocsp` need `verification`: IoTDA takes them for verified certificates alone").field_path(".verification").reason(Reason::FieldValueRequired),
)]
pub struct IotdaCertificateSpec {
    /// What every certificate kind's spec holds.
    #[serde(flatten)]
    pub common: CommonSpec,
    /// The CA certificate.
    pub source: Source,
    /// Where IoTDA is reached; it cannot be changed.
    #[x_kube(validation = Rule::new("self == oldSelf")
        .message("`iotda` must not change: create a new object and delete this one").reason(Reason::FieldValueForbidden))]
    pub iotda: Iotda,
    /// The resource space (`app_id`); the default one unless set. It cannot be changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 36), regex(pattern = "^[a-zA-Z0-9_-]+$"))]
    pub app_id: Option<String>,
    /// How IoTDA is shown that the CA's key is ours; unless set the certificate stays unverified, and no device is let in
    /// by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification: Option<IotdaVerification>,
    /// Self-registration of devices; left as it is unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning: Option<Provisioning>,
    /// Checks of device certificates by OCSP; left as they are unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ocsp: Option<Ocsp>,
    /// How a changed certificate takes the place of the old one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<IotdaRotation>,
}

/// An instance of IoTDA, or the shared basic edition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Iotda {
    /// The region, such as `cn-north-4`.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z]([a-z0-9-]*[a-z0-9])?$"))]
    pub region: String,
    /// The project's id. Unless set, IAM is asked for that of the project which has the region's name, as each region's
    /// first project does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-fA-F0-9]+$"))]
    pub project_id: Option<String>,
    /// The instance's id, sent as `Instance-Id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 36), regex(pattern = "^[0-9a-f-]+$"))]
    pub instance_id: Option<String>,
    /// The instance's own host, as its console shows it under "Access Details" (application, HTTPS), such as
    /// `a1b2c3.st1.iotda-app.cn-north-4.myhuaweicloud.com`. Unless set, the region's shared host is called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"))]
    pub host: Option<String>,
}

/// How IoTDA is shown that the CA's key is ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IotdaVerification {
    /// A certificate whose common name is IoTDA's code, signed with the CA's key.
    pub proof_of_possession: ProofOfPossession,
}

/// Self-registration of devices whose certificates this CA signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!self.enabled || has(self.templateId)")
    .message("`enabled` needs a `templateId`: IoTDA registers devices by a template").reason(Reason::FieldValueRequired))]
pub struct Provisioning {
    /// Whether devices register themselves.
    pub enabled: bool,
    /// The template that is bound to the CA; unless set, none is bound, and one that is bound is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 24, max = 24), regex(pattern = "^[a-fA-F0-9]{24}$"))]
    pub template_id: Option<String>,
}

/// Checks of device certificates by OCSP: a revoked device is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ocsp {
    /// Whether they are made.
    pub enabled: bool,
    /// Set where the OCSP server speaks TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl: Option<OcspTls>,
}

/// TLS to the OCSP server: which certificate in IoTDA is that of the CA which signed the server's own. Exactly one member
/// is set.
// Atomic: of a struct whose last member a server-side apply takes away, the server makes `null` otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
#[x_kube(validation = Rule::new("has(self.serverCaId) != has(self.serverCaRef)")
    .message("exactly one of `serverCaId` and `serverCaRef` must be set").reason(Reason::FieldValueInvalid))]
pub struct OcspTls {
    /// IoTDA's id of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 36), regex(pattern = "^[a-fA-F0-9-]+$"))]
    pub server_ca_id: Option<String>,
    /// The IotdaCertificate of this namespace that put it into the same instance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_ca_ref: Option<IotdaCertificateRef>,
}

/// An IotdaCertificate of the same namespace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IotdaCertificateRef {
    /// Its name.
    #[schemars(schema_with = "object_name")]
    pub name: String,
}

/// How a changed certificate takes the place of the old one: always by a new one that stands beside it first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-map-type" = "atomic"))]
pub struct IotdaRotation {
    /// How long the old certificate stays beside its successor once that is verified; `24h` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "super::certificate::duration_schema")]
    #[x_kube(validation = Rule::new("duration(self) <= duration('8760h')").message("`gracePeriod` must be at most '8760h'"))]
    pub grace_period: Option<String>,
}

impl CertificateResource for IotdaCertificate {
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
