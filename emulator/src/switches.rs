//! What is unknown about the real services, or was seen to differ: one switch each. The first value of every enum
//! is the default. Sources: the sheets' tables "Odd answers" and every "(unconfirmed)".

use serde::{Deserialize, Serialize};

use crate::huawei::iotda::switches::IotdaSwitches;

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Switches {
    /// Whether ARM and the vaults check audience, expiry and signature, or take any bearer that is not empty.
    pub(crate) tokens: Tokens,
    /// Seconds until a role that is assigned through the control endpoint takes effect.
    pub(crate) role_delay_seconds: i64,
    /// Life of an access token in seconds.
    pub(crate) token_life_seconds: TokenLife,
    /// What the client assertions of other issuers may be signed with.
    pub(crate) assertion_algorithms: AssertionAlgorithms,
    pub(crate) iot_hub: IotHubSwitches,
    pub(crate) key_vault: KeyVaultSwitches,
    pub(crate) api_management: ApiManagementSwitches,
    pub(crate) iotda: IotdaSwitches,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct ApiManagementSwitches {
    pub(crate) put_without_if_match: PutWithoutIfMatch,
    pub(crate) delete_without_if_match: DeleteWithoutIfMatch,
    pub(crate) pbes2: Pbes2,
    pub(crate) largest_page: LargestPage,
}

/// Most certificates that a page shows, however many are asked for: nothing is documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct LargestPage(pub(crate) usize);

impl Default for LargestPage {
    fn default() -> Self {
        Self(100)
    }
}

/// PUT of an existing certificate without If-Match: the document demands the header, vendor tools do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum PutWithoutIfMatch {
    #[default]
    Refused,
    Overwrites,
}

/// The same of DELETE.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum DeleteWithoutIfMatch {
    #[default]
    Deletes,
    Refused,
}

/// Files with the newer encryption: one user was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Pbes2 {
    #[default]
    Accepted,
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct KeyVaultSwitches {
    pub(crate) tags_patch: TagsPatch,
    pub(crate) latest_while_renewing: LatestWhileRenewing,
    pub(crate) status_words: StatusWords,
}

/// What is read under the name alone while a newer version is being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum LatestWhileRenewing {
    #[default]
    Old,
    /// The one that is being made: disabled, and without a certificate.
    EmptyNew,
}

/// How the states of an operation are spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum StatusWords {
    #[default]
    Camel,
    Capital,
    Old,
}

/// What a change of tags does to those that are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum TagsPatch {
    #[default]
    Replace,
    Merge,
}

/// 3599 seconds unless set, as Entra issues them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct TokenLife(pub(crate) i64);

impl Default for TokenLife {
    fn default() -> Self {
        Self(3599)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Tokens {
    #[default]
    Checked,
    AnyBearer,
}

/// Entra documents RS256 alone as tested; others "may work".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum AssertionAlgorithms {
    #[default]
    Rs256AndEs256,
    Rs256,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct IotHubSwitches {
    pub(crate) create_status: CreateStatus,
    pub(crate) certificate_echo: CertificateEcho,
    pub(crate) created: Created,
    pub(crate) subject: Subject,
    pub(crate) etag_form: EtagForm,
    pub(crate) error_form: ErrorForm,
    pub(crate) bad_upload: BadUpload,
    /// Most certificates that a hub takes; absent: no limit.
    pub(crate) certificate_quota: Option<usize>,
    pub(crate) missing_certificate: MissingCertificate,
    pub(crate) code_on_verified: CodeOnVerified,
    pub(crate) name_comparison: NameComparison,
    pub(crate) if_match: IfMatch,
    pub(crate) if_match_on_absent: IfMatchOnAbsent,
    /// Status of code, verify and delete without If-Match on an existing certificate.
    pub(crate) missing_if_match_status: MissingIfMatchStatus,
    pub(crate) new_code: NewCode,
    /// Seconds that a code is good for; absent: no end.
    pub(crate) code_life_seconds: Option<i64>,
    pub(crate) replacing: Replacing,
    pub(crate) proof_validity: ProofValidity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CreateStatus {
    /// 201, as documented.
    #[default]
    Created,
    /// 200, as observed.
    Ok,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CertificateEcho {
    /// Left out by the versions with the flat body, as sent from 2021 on.
    #[default]
    ByVersion,
    /// As sent in the PUT answer, base64 of the DER in all others (seen in 2021).
    AsSentThenDer,
    /// As sent, in all versions.
    Always,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Created {
    #[default]
    Real,
    /// `Mon, 01 Jan 0001 00:00:00 GMT`, seen throughout 2022.
    YearOne,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    /// `x`, as observed.
    #[default]
    BareCommonName,
    /// `CN=x`, as in the documents.
    WithCn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum EtagForm {
    /// Base64 of eight bytes (seen in 2021).
    #[default]
    EightBytes,
    /// Base64 of a GUID-like text with its quotes (seen in 2022).
    QuotedGuid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ErrorForm {
    /// Flat, `code` a JSON number, as observed.
    #[default]
    Number,
    /// Flat, `code` a text, as specified.
    Text,
    /// Inside the ARM envelope, as seen through poll URLs.
    Wrapped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum BadUpload {
    #[default]
    BadRequest,
    /// 500 IH500019, as reported.
    ServerError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum MissingCertificate {
    /// The ARM envelope with `ResourceNotFound`.
    #[default]
    Arm,
    /// Flat, with an `IH404…` token.
    Flat,
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum CodeOnVerified {
    #[default]
    StaysVerified,
    FallsBack,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NameComparison {
    #[default]
    CaseInsensitive,
    Exact,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum IfMatch {
    /// Exact text: quotes around it and `*` do not match.
    #[default]
    Exact,
    /// Quotes are taken off and `*` matches what exists.
    Lenient,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum IfMatchOnAbsent {
    /// PUT with If-Match on an absent name: 412.
    #[default]
    Refused,
    Creates,
}

/// 412 unless set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct MissingIfMatchStatus(pub(crate) u16);

impl Default for MissingIfMatchStatus {
    fn default() -> Self {
        Self(412)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum NewCode {
    /// The code before it is void.
    #[default]
    Replaces,
    BothValid,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Replacing {
    /// A PUT over a verified certificate leaves it unverified unless its body says otherwise.
    #[default]
    ResetsVerified,
    KeepsVerified,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum ProofValidity {
    /// The proof certificate must be inside its validity now.
    #[default]
    Checked,
    Ignored,
}
