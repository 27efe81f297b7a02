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

/// All certificates of a hub.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    pub(super) value: Vec<Description>,
}

/// A certificate as the hub describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Description {
    pub(super) name: Option<String>,
    pub(super) etag: Option<String>,
    pub(super) properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Properties {
    thumbprint: Option<String>,
    pub(super) is_verified: Option<bool>,
    certificate: Option<String>,
    pub(super) verification_code: Option<String>,
}

impl Properties {
    /// SHA-1 of the certificate, if it can be read.
    pub(super) fn thumbprint(&self) -> Option<Thumbprint> {
        self.thumbprint.as_ref()?.parse().ok()
    }

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
            let thumbprint = "97388663832D0393C9246CAB4FBA2C8677185A25".parse().unwrap();
            assert_eq!(description.properties.thumbprint(), Some(thumbprint));
            assert_eq!(description.properties.is_verified, Some(false));
            assert_eq!(description.etag.as_deref(), Some("AAAAAAExpNs="));
        }
    }
}
