//! What is put into a vault, made at the last moment: a signed certificate, a file with a key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::step::ToIssue;
use crate::api::key_vault_policy::ContentType;
use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::pki::{self, Certificate, Identity, pkcs12};

/// The certificate of the operator's own signing, and its issuers.
pub fn issued(
    ToIssue { request, ca, life }: &ToIssue,
    now: Timestamp,
) -> Result<Vec<Certificate>, CloudError> {
    let leaf = pki::issue(request, ca.leaf(), ca.key(), *life, now).map_err(|why| {
        CloudError::new(Reason::IssuanceFailed, format!("the Secret of `spec.signedBy.caSecretRef`: {why}"))
    })?;
    Ok([leaf].into_iter().chain(ca.certificates().iter().cloned()).collect())
}

/// What is imported, and its password: made anew for each import, and kept nowhere.
pub async fn file(
    identity: Identity,
    content_type: ContentType,
) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>), CloudError> {
    let unmade = || CloudError::new(Reason::UploadRefused, "the file to be imported could not be made");
    if content_type == ContentType::Pem {
        let key = identity.key().to_pem().ok_or_else(unmade)?;
        return Ok((Zeroizing::new(format!("{}{}", *key, identity.to_pem())), None));
    }
    let password = crate::providers::random::password().ok_or_else(unmade)?;
    let secret = password.clone();
    let made =
        tokio::task::spawn_blocking(move || pkcs12::build(&identity, &secret, pkcs12::Encryption::TripleDes));
    let file = made.await.ok().and_then(Result::ok).ok_or_else(unmade)?;
    Ok((Zeroizing::new(STANDARD.encode(&*file)), Some(password)))
}
