//! The secret behind a certificate: the only place that gives away the private key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::StatusCode;
use openssl::error::ErrorStack;
use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;
use openssl::x509::X509;
use serde_json::json;

use super::vault::Held;
use super::{Call, errors, issue};
use crate::certificate;
use crate::request::Answer;

pub(super) fn get(call: &mut Call) -> Result<Answer, Answer> {
    let (now, name, id) = (call.now(), call.name().to_owned(), call.captures.text("version").to_owned());
    let place = call.place();
    let vault = call.vault();
    let object = vault.live(&name, now).ok_or_else(|| errors::no_secret(&name))?;
    let held = object.version(&id).filter(|it| !it.chain.is_empty()).cloned();
    let held = held.ok_or_else(|| errors::no_secret(&name))?;
    if !held.enabled || held.exp <= now {
        return Err(errors::forbidden(Some("SecretDisabled"), "The secret is disabled or expired."));
    }
    let value = value(&held).map_err(|_| errors::no_secret(&name))?;
    let link = |of: &str| format!("{}/{of}/{}/{}", place.base, object.name, held.id);
    Ok(Answer::json(
        StatusCode::OK,
        &json!({
            "value": value,
            "contentType": held.content_type,
            "id": link("secrets"),
            "managed": true,
            "attributes": place.attributes(&held),
            "kid": link("keys"),
        }),
    ))
}

/// PKCS#12 in base64 without a password, or PEM with the key first; no key if it is not to be exported.
fn value(held: &Held) -> Result<String, ErrorStack> {
    let ders = held.chain.iter().map(|it| BASE64.decode(it).unwrap_or_default());
    let chain: Vec<X509> = ders.filter_map(|it| certificate::from_der(&it).ok()).collect();
    let key = issue::from_pem(&held.key).filter(|_| held.exportable);
    if held.content_type == "application/x-pem-file" {
        let key = key.map(|it| issue::to_pem(&it)).unwrap_or_default();
        return Ok(key + &chain.iter().map(certificate::pem).collect::<String>());
    }
    let mut file = Pkcs12::builder();
    let mut issuers = Stack::new()?;
    for (at, it) in chain.into_iter().enumerate() {
        match at {
            0 => {
                file.cert(&it);
            }
            _ => issuers.push(it)?,
        }
    }
    file.ca(issuers);
    if let Some(key) = &key {
        file.pkey(key);
    }
    Ok(BASE64.encode(file.build2("")?.to_der()?))
}
