//! What goes over the wire. Every member of an answer may be missing or odd; what cannot be read is unknown.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::api::iot_hub::IotHubApiVersion;
use crate::pki::{self, Certificate, Thumbprint};

/// The body of an upload; its shape depends on the api-version (specification 2018-04-01: flat; 2023-06-30: wrapped).
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Upload {
    Flat { certificate: String },
    Wrapped { properties: UploadProperties },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadProperties {
    certificate: String,
    is_verified: bool,
}

impl Upload {
    /// Base64 of the DER form: one of the three forms that the service takes, and the shortest.
    pub(super) fn new(version: IotHubApiVersion, certificate: &Certificate, attested: bool) -> Self {
        let certificate = STANDARD.encode(certificate.der());
        match version {
            IotHubApiVersion::V20180401 => Self::Flat { certificate },
            IotHubApiVersion::V20230630 => {
                Self::Wrapped { properties: UploadProperties { certificate, is_verified: attested } }
            }
        }
    }
}

/// The body of a verification: flat in every api-version.
#[derive(Serialize)]
pub(super) struct Proof {
    certificate: String,
}

impl Proof {
    pub(super) fn new(certificate: &Certificate) -> Self {
        Self { certificate: certificate.to_pem() }
    }
}

/// All certificates of a hub, by name.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    value: Vec<Named>,
}

#[derive(Debug, Deserialize)]
struct Named {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    properties: NamedProperties,
}

#[derive(Debug, Default, Deserialize)]
struct NamedProperties {
    #[serde(default)]
    thumbprint: Option<String>,
}

impl Listing {
    /// The names of those with that thumbprint.
    pub(super) fn names_of(&self, thumbprint: Thumbprint) -> impl Iterator<Item = &str> {
        let holds = move |it: &&Named| {
            it.properties.thumbprint.as_ref().is_some_and(|shown| shown.parse() == Ok(thumbprint))
        };
        self.value.iter().filter(holds).filter_map(|it| it.name.as_deref())
    }

    /// Whether there is one of that name; the hub does not regard letter case.
    pub(super) fn has(&self, name: &str) -> bool {
        self.value.iter().any(|it| it.name.as_ref().is_some_and(|it| it.eq_ignore_ascii_case(name)))
    }
}

/// A certificate as the hub describes it.
#[derive(Debug, Deserialize)]
pub(super) struct Description {
    #[serde(default)]
    pub(super) etag: Option<String>,
    pub(super) properties: Properties,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Properties {
    pub(super) thumbprint: String,
    #[serde(default)]
    pub(super) is_verified: Option<bool>,
    #[serde(default)]
    certificate: Option<String>,
    #[serde(default)]
    pub(super) verification_code: Option<String>,
}

impl Properties {
    /// The certificate, where the answer carries it in a form that can be read.
    pub(super) fn certificate(&self) -> Option<Certificate> {
        let text = self.certificate.as_deref()?;
        pki::certificates(text.as_bytes()).ok()?.into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the vendor's specification.
    #[test]
    fn the_vendors_examples_are_read() {
        for text in [
            include_str!("../../../../tests/data/iot_hub/iothub_getcertificate.2018-04-01.json"),
            include_str!("../../../../tests/data/iot_hub/iothub_getcertificate.2023-06-30.json"),
        ] {
            let example: serde_json::Value = serde_json::from_str(text).unwrap();
            let body = example["responses"]["200"]["body"].clone();
            let description: Description = serde_json::from_value(body).unwrap();
            assert_eq!(description.properties.thumbprint, "97388663832D0393C9246CAB4FBA2C8677185A25");
            assert_eq!(description.properties.is_verified, Some(false));
            assert_eq!(description.etag.as_deref(), Some("AAAAAAExpNs="));
        }
    }

    #[test]
    fn a_listing_with_odd_members_is_searched_all_the_same() {
        let shown = "97388663832d0393c9246cab4fba2c8677185a25";
        let listing: Listing = serde_json::from_value(serde_json::json!({ "value": [
            { "name": "one", "properties": { "thumbprint": shown } },
            { "properties": { "thumbprint": shown } },
            { "name": "two", "properties": { "thumbprint": "odd" } },
            { "name": "three" },
        ] }))
        .unwrap();
        let names: Vec<_> = listing.names_of(shown.parse().unwrap()).collect();
        assert_eq!(names, ["one"]);
        assert!(listing.has("THREE") && !listing.has("four"));
    }
}
