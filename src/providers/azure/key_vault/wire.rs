//! What goes over the wire. Every member of an answer may be missing or odd; what cannot be read is unknown.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use url::Url;
use zeroize::Zeroizing;

use super::policy::Policy;
use crate::pki::{Certificate, SigningRequest};

pub(super) type Tags = BTreeMap<String, String>;

/// The body of a create.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Create<'a> {
    pub(super) policy: &'a Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Attributes>,
    pub(super) tags: &'a Tags,
}

/// The body of an import: a PKCS#12 file in base64, or PEM.
#[derive(Serialize)]
pub(super) struct Import<'a> {
    pub(super) value: Zeroizing<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pwd: Option<Zeroizing<String>>,
    pub(super) policy: &'a Policy,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Attributes>,
    pub(super) tags: &'a Tags,
}

/// The body of a merge.
#[derive(Serialize)]
pub(super) struct Merge<'a> {
    /// Base64 of DER, the certificate first.
    pub(super) x5c: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Attributes>,
    pub(super) tags: &'a Tags,
}

impl<'a> Merge<'a> {
    pub(super) fn new(chain: &[Certificate], attributes: Option<Attributes>, tags: &'a Tags) -> Self {
        Self { x5c: chain.iter().map(|it| STANDARD.encode(it.der())).collect(), attributes, tags }
    }
}

/// The body of a change of one version.
#[derive(Serialize)]
pub(super) struct Update<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attributes: Option<Attributes>,
    /// The whole map: whether the service merges it with what it has is not documented.
    pub(super) tags: &'a Tags,
}

/// Attributes of a version.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Attributes {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) enabled: Option<bool>,
}

/// A certificate, or one that was deleted.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Bundle {
    id: Option<String>,
    pub(super) sid: Option<String>,
    cer: Option<String>,
    pub(super) attributes: Option<Attributes>,
    pub(super) policy: Option<Policy>,
    pub(super) tags: Option<Tags>,
}

impl Bundle {
    /// The version: the last part of the id.
    pub(super) fn version(&self) -> Option<&str> {
        let version = self.id.as_deref()?.rsplit('/').next()?;
        let plain = |text: &str| text.bytes().all(|it| it.is_ascii_alphanumeric());
        ((1..=64).contains(&version.len()) && plain(version)).then_some(version)
    }

    /// The certificate, once there is one.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        Certificate::from_der(&STANDARD.decode(self.cer.as_deref()?).ok()?).ok()
    }
}

/// What the vault is at work on, or was last.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Operation {
    csr: Option<String>,
    pub(super) status: Option<String>,
    pub(super) request_id: Option<String>,
    pub(super) error: Option<OperationError>,
}

/// Why issuing failed.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OperationError {
    code: Option<String>,
}

impl OperationError {
    /// The code, if it is a word that may be shown.
    pub(super) fn code(&self) -> Option<&str> {
        let fine = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
        self.code.as_deref().filter(|it| (1..=64).contains(&it.len()) && it.bytes().all(fine))
    }
}

impl Operation {
    pub(super) fn request(&self) -> Option<SigningRequest> {
        SigningRequest::from_der(&STANDARD.decode(self.csr.as_deref()?).ok()?).ok()
    }
}

/// A certificate with its key, as the vault gives it to its users.
#[derive(Deserialize)]
pub(super) struct Secret {
    pub(super) value: Zeroizing<String>,
    #[serde(rename = "contentType")]
    pub(super) content_type: Option<String>,
}

/// A page of certificates.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    value: Vec<Listed>,
    #[serde(rename = "nextLink")]
    next_link: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    #[serde(default)]
    id: Option<String>,
}

impl Listing {
    /// Whether the certificate is known not to be there: the listing has no further page, and not this name.
    pub(super) fn lacks(&self, name: &str) -> bool {
        !self.has_more() && !self.names().any(|it| it.eq_ignore_ascii_case(name))
    }

    /// Whether there is a further page.
    pub(super) fn has_more(&self) -> bool {
        self.next_link.as_deref().is_some_and(|it| !it.is_empty())
    }

    /// The names on the page.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        let ids = self.value.iter().filter_map(|it| it.id.as_deref());
        let paths = ids.filter_map(|it| it.trim_end_matches('/').split("/certificates/").nth(1));
        paths.filter_map(|it| it.split('/').next())
    }

    /// Where the listing goes on. Of the link only that is taken, so that the next page is asked of the same vault.
    pub(super) fn next(&self) -> Option<String> {
        let link = Url::parse(self.next_link.as_deref()?).ok()?;
        link.query_pairs()
            .find(|(key, _)| key.eq_ignore_ascii_case("$skiptoken"))
            .map(|(_, it)| it.into_owned())
    }
}
