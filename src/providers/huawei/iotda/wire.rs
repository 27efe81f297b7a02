//! What goes over the wire. Every member of an answer may be missing or odd; what cannot be read is unknown.

use jiff::Timestamp;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};

use super::super::{Flag, date};
use super::content::{Face, Shown};
use super::next::CaCertificate;
use super::settings::ShownSettings;
use crate::pki::{self, Certificate};

/// The body of an upload.
#[derive(Serialize)]
pub(super) struct Upload<'a> {
    pub(super) content: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) app_id: Option<&'a str>,
}

/// The body of a verification.
#[derive(Serialize)]
pub(super) struct Verification {
    pub(super) verify_content: String,
}

/// A page of a listing.
#[derive(Debug, Deserialize)]
pub(super) struct Listing {
    #[serde(default)]
    certificates: Option<Vec<Description>>,
    #[serde(default)]
    page: Option<Paging>,
}

/// What a page shows.
pub(super) struct Page {
    pub(super) certificates: Vec<Description>,
    /// How many there are on all pages together, as far as it says so.
    pub(super) count: Option<u64>,
    /// The marker of the next page.
    pub(super) following: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Paging {
    #[serde(default)]
    count: Option<u64>,
    #[serde(default)]
    marker: Option<String>,
}

impl Listing {
    /// What it shows. An object that lists nothing, and does not say so either, is something else's answer: from "nothing
    /// is there" an upload would follow.
    pub(super) fn parsed(self) -> Option<Page> {
        let Paging { count, marker } = self.page.unwrap_or_default();
        let certificates = self.certificates.or_else(|| (count == Some(0)).then(Vec::new))?;
        Some(Page { certificates, count, following: marker.filter(|it| !it.is_empty()) })
    }
}

/// A certificate; a listing shows it without `content`.
#[derive(Clone, Debug, Deserialize)]
pub struct Description {
    #[serde(deserialize_with = "id")]
    pub(super) certificate_id: String,
    #[serde(default)]
    content: Option<String>,
    #[serde(default)]
    cn_name: Option<String>,
    #[serde(default, deserialize_with = "date")]
    effective_date: Option<Timestamp>,
    #[serde(default, deserialize_with = "date")]
    expiry_date: Option<Timestamp>,
    #[serde(default)]
    status: Flag,
    #[serde(default)]
    verify_code: Option<String>,
    #[serde(default)]
    provision_enable: Flag,
    #[serde(default)]
    template_id: Option<String>,
    #[serde(default)]
    ocsp_enable: Flag,
    #[serde(default)]
    ocsp_ssl_enable: Flag,
    #[serde(default)]
    ocsp_server_ca_id: Option<String>,
}

/// An id goes into paths and into a status: one of another form is not taken. Source: the API reference, pattern of
/// `certificate_id`.
fn id<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    let fits = (1..=36).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    fits.then_some(text).ok_or_else(|| D::Error::custom("no id of a certificate"))
}

impl Description {
    /// The subject's common name.
    pub(super) fn common_name(&self) -> Option<&str> {
        self.cn_name.as_deref().filter(|it| !it.is_empty())
    }

    /// End of validity.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.expiry_date
    }

    /// What a listing's item shows of the certificate, if it can be read.
    pub(super) fn face(&self) -> Option<Face> {
        let name = self.cn_name.as_deref().unwrap_or_default(); // a subject may be without one
        Some(Face::new(name, self.effective_date?, self.expiry_date?))
    }

    /// The same certificate, of which the content is known: an upload's answer does not show it.
    pub(super) fn holding(self, certificate: &Certificate) -> Option<CaCertificate> {
        let content = Some(certificate.to_pem());
        Self { content, ..self }.parsed()
    }

    /// The certificate, if enough of it can be read to tell it from others.
    pub(super) fn parsed(self) -> Option<CaCertificate> {
        if self.status == Flag::Unknown {
            return None; // whether it is verified decides what is written next
        }
        let certificate = self.content.as_ref().and_then(|it| pki::certificates(it.as_bytes()).ok());
        let certificate = certificate.and_then(|it| it.into_iter().next());
        let shown = match &certificate {
            Some(it) => Shown { fingerprint: Some(it.sha256_fingerprint()), face: Face::of(it) },
            None => Shown { fingerprint: None, face: self.face()? },
        };
        Some(CaCertificate {
            id: self.certificate_id,
            shown,
            verified: self.status == Flag::On,
            code: self.verify_code.and_then(|it| it.parse().ok()),
            settings: ShownSettings {
                provision: self.provision_enable,
                template: self.template_id.filter(|it| !it.is_empty()),
                ocsp: self.ocsp_enable,
                ocsp_ssl: self.ocsp_ssl_enable,
                ocsp_server_ca: self.ocsp_server_ca_id.filter(|it| !it.is_empty()),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_vendors_sample_is_read_in_spite_of_its_slip() {
        let sample = json!({
            "certificate_id": "61c970ce2d63eb6ee655dbf0", "cn_name": "Bbq", "owner": "my", "status": true,
            "verify_code": "0b7a3c1e-0000-4000-8000-000000000000", "provision_enable": true,
            "template_id": "61c970ce2d63eb6ee655dbf1", "ocsp_enable": "false,", "ocsp_server_ca_id": null,
            "ocsp_ssl_enable": false, "create_date": "20191212T121212Z", "effective_date": "20191212T121212Z",
            "expiry_date": "20301212T121212Z",
        });
        let description: Description = serde_json::from_value(sample).unwrap();
        let read = description.parsed().unwrap();
        assert!(read.verified && read.code.is_some() && read.shown.fingerprint.is_none());
        assert_eq!((read.settings.ocsp, read.settings.provision), (Flag::Off, Flag::On));
    }

    #[test]
    fn of_what_was_uploaded_the_answer_tells_the_id() {
        let certificate =
            pki::certificates(include_bytes!("../../../../tests/data/pki/p-256.pem")).unwrap().remove(0);
        let answer =
            json!({ "certificate_id": "aa", "cn_name": "odd", "status": false, "verify_code": "c0de" });
        let made = serde_json::from_value::<Description>(answer).unwrap().holding(&certificate).unwrap();
        assert_eq!((made.id.as_str(), made.verified), ("aa", false));
        assert_eq!(made.shown.fingerprint, Some(certificate.sha256_fingerprint()));
    }

    #[test]
    fn a_listing_says_what_it_lists() {
        let one = json!({ "certificate_id": "aa" });
        for (body, read) in [
            (json!({ "certificates": [one], "page": { "count": 1, "marker": "aa" } }), Some((1, Some("aa")))),
            (json!({ "certificates": [one], "page": { "count": 1, "marker": "" } }), Some((1, None))),
            (json!({ "certificates": [], "page": null }), Some((0, None))),
            (json!({ "certificates": null, "page": { "count": 0 } }), Some((0, None))),
            (json!({ "certificates": null, "page": { "count": 1 } }), None),
            (json!({ "error_code": "X.1" }), None),
        ] {
            let listing: Listing = serde_json::from_value(body.clone()).unwrap();
            let parsed = listing.parsed();
            let parsed = parsed.as_ref().map(|it| (it.certificates.len(), it.following.as_deref()));
            assert_eq!(parsed, read, "{body}");
        }
        for bad in ["", "../aa", "a b", "zz", &"a".repeat(37)] {
            let body = json!({ "certificates": [{ "certificate_id": bad }] });
            assert!(serde_json::from_value::<Listing>(body).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_cannot_be_told_from_others_is_not_taken() {
        for odd in [
            json!({ "certificate_id": "aa" }),
            json!({ "certificate_id": "aa", "cn_name": "x", "effective_date": "20191212T121212Z" }),
            json!({ "certificate_id": "aa", "content": "no certificate" }),
        ] {
            let description: Description = serde_json::from_value(odd.clone()).unwrap();
            assert!(description.parsed().is_none(), "{odd}");
        }
    }
}
