//! What the certificate kinds share: the common part of their spec, and their status.

use std::fmt::Debug;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::NamespaceResourceScope;
use kube::{KubeSchema, Resource};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::condition::Condition;
use super::reason::{Invalid, Reason};

/// A kind that declares one certificate in one service.
pub trait CertificateResource:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + kube::CustomResourceExt
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// What every certificate kind's spec holds.
    fn common(&self) -> &CommonSpec;
    /// The status as it was last written.
    fn status(&self) -> Option<&CertificateStatus>;
    /// The status to be filled in memory after a write of it.
    fn status_mut(&mut self) -> &mut Option<CertificateStatus>;
}

/// The part of the spec that all certificate kinds share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CommonSpec {
    /// The account to sign in with.
    pub account_ref: AccountRef,
    /// What the operator may do; `Enforce` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub management_policy: Option<ManagementPolicy>,
    /// What to do with a certificate that already stands under the wanted name; `IfIdentical` unless set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adoption_policy: Option<AdoptionPolicy>,
    /// What happens to the remote certificate when this object is deleted. Unless set, one that the operator created
    /// is deleted and one that it adopted is retained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion_policy: Option<DeletionPolicy>,
    /// How often the service is read when nothing changes; `1h` unless set, from 1m to 24h.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration_schema")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('24h')")
        .message("`resyncInterval` must be at least '1m' and at most '24h'"))]
    pub resync_interval: Option<String>,
    /// How long before its expiry a certificate is renewed, where the operator renews it, or reported as `Expiring`; from
    /// 1m to 87600h. Unless set it is `720h`, or the last third of the validity where that is shorter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "duration_schema")]
    #[x_kube(validation = Rule::new("duration(self) >= duration('1m') && duration(self) <= duration('87600h')")
        .message("`renewBefore` must be at least '1m' and at most '87600h'"))]
    pub renew_before: Option<String>,
}

impl CommonSpec {
    /// Whether the operator may write the service.
    pub fn may_write(&self) -> bool {
        !matches!(self.management_policy, Some(ManagementPolicy::Observe | ManagementPolicy::Suspend))
    }

    /// How often the service is read at rest.
    pub fn resync_interval(&self) -> Result<Duration, Invalid> {
        parse_duration("spec.resyncInterval", self.resync_interval.as_deref().unwrap_or("1h"))
    }

    /// How long before expiry the certificate is to be renewed.
    pub fn renew_before(&self) -> Result<RenewBefore, Invalid> {
        let text = self.renew_before.as_deref();
        Ok(RenewBefore(text.map(|it| parse_duration("spec.renewBefore", it)).transpose()?))
    }
}

/// How long before expiry a certificate is to be renewed; what is usual unless set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RenewBefore(Option<Duration>);

impl RenewBefore {
    /// When a certificate of this validity is to be renewed; never before it is valid.
    pub fn of(self, not_before: Timestamp, not_after: Timestamp) -> Timestamp {
        let before = self.0.map(|it| SignedDuration::try_from(it).unwrap_or(SignedDuration::MAX));
        let usual = || (not_after.duration_since(not_before) / 3).min(SignedDuration::from_hours(720));
        not_after.checked_sub(before.unwrap_or_else(usual)).unwrap_or(Timestamp::MIN).max(not_before)
    }
}

/// A duration as Go writes it, `1h30m`.
pub fn parse_duration(field: &str, text: &str) -> Result<Duration, Invalid> {
    let bad =
        || Invalid::new(Reason::SpecInvalid, format!("`{field}` must be a duration such as '90m' or '24h'"));
    let parsed = text.parse::<kube::core::Duration>().map_err(|_| bad())?;
    if parsed.is_negative() { Err(bad()) } else { Ok(parsed.into()) }
}

/// The account to use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// Kind of the account.
    pub kind: AccountKind,
    /// Name of the account; a CloudAccount is one of this object's own namespace.
    #[schemars(schema_with = "super::source::object_name")]
    pub name: String,
}

/// The kinds of accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum AccountKind {
    /// An account of this namespace.
    CloudAccount,
    /// An account of the cluster, for the namespaces that it allows.
    ClusterCloudAccount,
}

/// What the operator may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ManagementPolicy {
    /// Keep the service equal to the spec.
    Enforce,
    /// Read and report differences; never write.
    Observe,
    /// Do nothing.
    Suspend,
}

/// What to do with a certificate that stands under the wanted name and is not ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// Leave it alone.
    Never,
    /// Take it over if it is the wanted certificate.
    #[default]
    IfIdentical,
    /// Take it over and replace it if it differs.
    Always,
}

/// What happens to the remote certificate on deletion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeletionPolicy {
    /// It stays.
    Retain,
    /// It is deleted.
    Delete,
    /// It is deleted for good where the service would keep it recoverable: key vaults alone.
    Purge,
}

/// What was found, what was done, and what is recorded for the next pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub observed_generation: Option<i64>,
    /// The conditions, by type.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
    /// The certificate that the service was last seen to hold for this object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<CertificateSummary>,
    /// The remote object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<Remote>,
    /// When the certificate begins to count as expiring.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub renewal_time: Option<Timestamp>,
    /// A write that was about to be made when this was recorded; it tells a later pass that the result is ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub intent: Option<Intent>,
    /// Until then a write that got no answer and was repeated may still take effect.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub late_writes_until: Option<Timestamp>,
    /// What stands in the service beside the present certificate until its time is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub retiring: Vec<Retiring>,
    /// The code that waits for a certificate signed with a key that is kept offline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_code: Option<IssuedCode>,
    /// What the service is at work on, where that takes longer than a call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
    /// The request (PKCS#10, PEM) that waits for somebody's signature.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16384))]
    pub signing_request: Option<String>,
    /// The write that would be made if `managementPolicy` were `Enforce`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub planned_write: Option<String>,
    /// The value of the annotation `certferry.dev/sync-requested` that was last acted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_sync_request: Option<String>,
    /// A step that the service refused for the present content; it is not repeated until that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refusal>,
}

/// The public facts of a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSummary {
    /// The subject's distinguished name (RFC 4514).
    #[schemars(length(max = 256))]
    pub subject: String,
    /// The serial number, in hexadecimal, where the certificate itself is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub serial_number: Option<String>,
    /// SHA-1 of the DER form, in hexadecimal: what Azure calls the thumbprint.
    #[schemars(length(max = 40))]
    pub sha1_thumbprint: String,
    /// SHA-256 of the DER form, in hexadecimal, where the certificate itself is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub sha256_fingerprint: Option<String>,
    /// Begin of validity, where the certificate itself is seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub not_before: Option<Timestamp>,
    /// End of validity.
    #[schemars(schema_with = "time_schema")]
    pub not_after: Timestamp,
}

impl CertificateSummary {
    /// When it is to be renewed.
    pub fn renewal_time(&self, before: RenewBefore) -> Timestamp {
        match self.not_before {
            Some(not_before) => before.of(not_before, self.not_after),
            // Long enough ago that no third of the validity is shorter than what is usual.
            None => before.of(Timestamp::UNIX_EPOCH, self.not_after),
        }
    }
}

/// The remote object as last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Remote {
    /// The service's id of it.
    #[schemars(length(max = 1024))]
    pub id: String,
    /// The version of it that is ours, where the service keeps several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// The entity tag of its last known state, where the service has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub etag: Option<String>,
    /// Whether the operator created it or took it over.
    pub origin: Origin,
}

/// How the operator came to own the remote object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Origin {
    /// The operator created it.
    Created,
    /// It was there, and was taken over by the adoption policy.
    Adopted,
}

/// A remote object whose place another has taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retiring {
    /// The service's id of it.
    #[schemars(length(max = 1024))]
    pub id: String,
    /// What it holds: only that is removed.
    #[schemars(length(max = 128))]
    pub content_hash: String,
    /// When it is removed. Absent while its successor does not serve yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "time_schema")]
    pub until: Option<Timestamp>,
}

/// A remote write, recorded before it is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Intent {
    /// The kind of write.
    #[schemars(length(max = 64))]
    pub step: String,
    /// What the service will show of the content once the write took effect.
    #[schemars(length(max = 128))]
    pub content_hash: String,
    /// The leader's term in which it was recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub term: Option<String>,
    /// Whether it is part of this object's removal.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub removal: bool,
    /// The ids of what was there before, where the service gives ids: what this write makes has another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1000), inner(length(max = 64)), extend("x-kubernetes-list-type" = "atomic"))]
    pub known_ids: Option<Vec<String>>,
    /// The id that the service gave to what this write made; of a write that takes it back, the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub made: Option<String>,
    /// When it was recorded.
    #[schemars(schema_with = "time_schema")]
    pub start_time: Timestamp,
}

/// Work of the service that goes on by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Operation {
    /// The service's id of it.
    #[schemars(length(max = 128))]
    pub id: String,
    /// What it is to make, as in the intent.
    #[schemars(length(max = 128))]
    pub content_hash: String,
    /// When it was first seen.
    #[schemars(schema_with = "time_schema")]
    pub start_time: Timestamp,
}

/// A verification code of the service, valid while the remote object is as it was when the code was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCode {
    /// The code: the common name of the certificate to be signed.
    #[schemars(length(max = 128))]
    pub code: String,
    /// The entity tag that came with it.
    #[schemars(length(max = 256))]
    pub etag: String,
}

/// A refused step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// What it was part of: `Creating`, `Updating` or `Verifying`.
    #[schemars(length(max = 64))]
    pub step: String,
    /// The content for which it was refused.
    #[schemars(length(max = 128))]
    pub content_hash: String,
    /// The reason that the condition gives.
    pub reason: Reason,
    /// The message that the condition gives.
    #[schemars(length(max = 256))]
    pub message: String,
}

/// A point in time (RFC 3339, UTC).
pub(super) fn time_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "format": "date-time", "maxLength": 32 })
}

/// A duration in hours, minutes and seconds, `1h30m`.
pub(super) fn duration_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "string", "maxLength": 16, "pattern": "^([0-9]+(h|m|s))+$" })
}
