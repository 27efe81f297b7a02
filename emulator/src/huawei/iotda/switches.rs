//! What is unknown of IoTDA: one switch each, from the sheet's table. The first value of every enum is the default.

use serde::{Deserialize, Serialize};

use crate::switches::ProofValidity;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct IotdaSwitches {
    pub(crate) duplicate: Duplicate,
    pub(crate) read_one: ReadOne,
    pub(crate) unverified_update: UnverifiedUpdate,
    pub(crate) update: Update,
    pub(crate) unknown_template: UnknownTemplate,
    pub(crate) unbind_while_provisioning: UnbindWhileProvisioning,
    pub(crate) delete_while_bound: DeleteWhileBound,
    pub(crate) verify_again: VerifyAgain,
    /// Seconds after which a new code takes the place of an old one; absent: never.
    pub(crate) code_life_seconds: Option<i64>,
    pub(crate) code_after_failure: CodeAfterFailure,
    pub(crate) proof_validity: ProofValidity,
    pub(crate) ocsp_enable_echo: OcspEnableEcho,
    pub(crate) last_marker: LastMarker,
    pub(crate) content_echo: ContentEcho,
    pub(crate) null_ocsp_server_ca: NullOcspServerCa,
    pub(crate) instance_id: InstanceId,
    pub(crate) local_signing: LocalSigning,
    /// Calls to one host in one period; absent: no limit.
    pub(crate) throttle: Option<Throttle>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Throttle {
    pub(crate) calls: u32,
    pub(crate) period_seconds: u32,
}

/// The same certificate uploaded a second time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Duplicate {
    #[default]
    Refused014303,
    Refused014302,
    Refused014309,
    SecondObject,
}

/// The reading of a single certificate is younger than the rest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ReadOne {
    #[default]
    Present,
    /// 404 of the gateway.
    NotPublished,
    /// 403 of the service.
    Forbidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum UnverifiedUpdate {
    #[default]
    Refused,
    Accepted,
}

/// What a PUT does to members that it leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Update {
    #[default]
    Partial,
    FullReplace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum UnknownTemplate {
    #[default]
    Refused,
    Accepted,
}

/// `template_id: null` alone, while self-registration is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum UnbindWhileProvisioning {
    #[default]
    TurnsOff,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeleteWhileBound {
    #[default]
    Deletes,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum VerifyAgain {
    #[default]
    Accepted,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CodeAfterFailure {
    #[default]
    Same,
    New,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum OcspEnableEcho {
    #[default]
    Boolean,
    /// The text `false,`, as the document's sample has it.
    Text,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LastMarker {
    #[default]
    LastId,
    Empty,
    Absent,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ContentEcho {
    #[default]
    AsSent,
    Normalised,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NullOcspServerCa {
    #[default]
    TakenAway,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum InstanceId {
    #[default]
    Optional,
    Required,
}

/// What the emulator's own hosts take; the real names fix it themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LocalSigning {
    #[default]
    Either,
    Basic,
    Derived,
}
