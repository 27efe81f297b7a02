//! What is put: a PKCS#12 file that really is opened, or a reference to a vault.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use openssl::pkcs12::Pkcs12;
use openssl::x509::X509;
use serde_json::Value;

use super::contract::{invalid, refusal};
use crate::certificate;
use crate::request::Answer;
use crate::switches::Pbes2;

pub(super) enum Upload {
    File(Leaf),
    Reference { secret_identifier: String, identity_client_id: Option<String> },
}

/// What the service remembers of a certificate.
#[derive(Clone)]
pub(super) struct Leaf {
    pub(super) thumbprint: String,
    pub(super) subject: String,
    pub(super) expiry: i64,
}

impl Leaf {
    pub(super) fn of(certificate: &X509) -> Self {
        Self {
            thumbprint: certificate::thumbprint(certificate),
            subject: format!("CN={}", certificate::common_name(certificate)),
            expiry: certificate::expiry(certificate),
        }
    }
}

/// The body: exactly one of the two forms.
pub(super) fn read(body: &[u8], with_vaults: bool, pbes2: Pbes2) -> Result<Upload, Answer> {
    let body: Result<Value, _> = serde_json::from_slice(body);
    let body = body.map_err(|_| {
        refusal(StatusCode::BAD_REQUEST, "InvalidRequestContent", "The body is no JSON.", None)
    })?;
    let properties = &body["properties"];
    let text = |name: &str| properties[name].as_str();
    match (text("data"), properties.get("keyVault").filter(|it| it.is_object() && with_vaults)) {
        (Some(data), None) => file(data, text("password").unwrap_or_default(), pbes2).map(Upload::File),
        (None, Some(reference)) => {
            let identifier = reference["secretIdentifier"].as_str().unwrap_or_default();
            let identity = reference["identityClientId"].as_str().filter(|it| !it.is_empty());
            Ok(Upload::Reference {
                secret_identifier: identifier.to_owned(),
                identity_client_id: identity.map(str::to_owned),
            })
        }
        (Some(_), Some(_)) => Err(invalid("data", "Only one of data and keyVault may be specified.")),
        (None, None) => Err(invalid("data", "Either data or keyVault must be specified.")),
    }
}

fn file(data: &str, password: &str, pbes2: Pbes2) -> Result<Leaf, Answer> {
    let refused = |message: &str| invalid("data", message);
    let der = BASE64.decode(data).map_err(|_| refused("The data is not base64."))?;
    let file = Pkcs12::from_der(&der).map_err(|_| refused("The data is not a PKCS#12 file."))?;
    // 1.2.840.113549.1.5.13: the password-based scheme that older Windows does not read.
    let newer = der.windows(11).any(|it| it == b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d");
    if pbes2 == Pbes2::Refused && newer {
        return Err(invalid("password", "The specified network password is not correct."));
    }
    let wrong = |_| invalid("password", "The specified network password is not correct.");
    let parsed = file.parse2(password).map_err(wrong)?;
    let key = parsed.pkey.ok_or_else(|| refused("The file holds no private key."))?;
    let all = parsed.cert.into_iter().chain(parsed.ca.into_iter().flatten());
    let mut leaves = all.filter(|it| it.public_key().is_ok_and(|it| it.public_eq(&key)));
    leaves.next().map(|it| Leaf::of(&it)).ok_or_else(|| refused("The key belongs to no certificate."))
}
