//! From what a source names to the certificate that is wanted. Pure.

use jiff::Timestamp;

use super::{Fetched, Reference};
use crate::api::certificate::CertificateSummary;
use crate::api::reason::{Invalid, Reason};
use crate::api::source::{KeyRef, Pkcs12SecretRef, Source};
use crate::pki::pkcs12::{self, Pkcs12Fault};
use crate::pki::{self, Certificate, Identity, PrivateKey};

/// What a source refers to.
pub fn references(source: &Source) -> Vec<Reference> {
    let Source { secret_ref, config_map_ref, inline: _, pkcs12_secret_ref } = source;
    let secret = secret_ref.iter().map(|it| Reference::secret(&it.name));
    let pkcs12 = pkcs12_secret_ref.iter().map(|it| Reference::secret(&it.name));
    let config_map = config_map_ref.iter().map(|it| Reference::config_map(&it.name));
    secret.chain(pkcs12).chain(config_map).collect()
}

/// The certificates of a source: the wanted one first, its issuers behind it if they are there.
pub fn certificates(source: &Source, found: &Fetched) -> Result<Vec<Certificate>, Invalid> {
    if let Some(secret) = &source.secret_ref {
        let place = format!("Secret `{}`, key `{}`", secret.name, secret.certificate_key());
        let bytes = value(found, &Reference::secret(&secret.name), secret.certificate_key(), &place)?;
        parse(bytes, &place)
    } else if let Some(KeyRef { name, key }) = &source.config_map_ref {
        let place = format!("ConfigMap `{name}`, key `{key}`");
        parse(value(found, &Reference::config_map(name), key, &place)?, &place)
    } else if let Some(text) = &source.inline {
        parse(text.as_bytes(), "`spec.source.inline`")
    } else if let Some(pkcs12) = &source.pkcs12_secret_ref {
        Ok(open(pkcs12, found)?.certificates().to_vec())
    } else {
        let message =
            "`spec.source` must name one of `secretRef`, `configMapRef`, `inline` and `pkcs12SecretRef`";
        Err(Invalid::new(Reason::SpecInvalid, message))
    }
}

/// Whether what stands in the spec itself can be read.
pub fn check(source: &Source) -> Result<(), Invalid> {
    let Some(text) = &source.inline else { return Ok(()) };
    parse(text.as_bytes(), "`spec.source.inline`").map(drop)
}

/// The wanted certificate of a source, which has to be valid for some time yet.
pub fn lasting_certificate(source: &Source, found: &Fetched, now: Timestamp) -> Result<Certificate, Invalid> {
    let certificate = certificates(source, found)?.into_iter().next().ok_or_else(|| {
        Invalid::new(Reason::CertificateMalformed, "`spec.source` holds no certificate: store one in PEM")
    })?;
    lasts(&certificate, now)?;
    Ok(certificate)
}

/// A certificate of a source has to be valid for some time yet.
pub fn lasts(certificate: &Certificate, now: Timestamp) -> Result<(), Invalid> {
    let expiry = certificate.not_after();
    if now < expiry {
        return Ok(());
    }
    let message = format!("the certificate of `spec.source` expired at {expiry}: put a newer one there");
    Err(Invalid::new(Reason::CertificateExpired, message))
}

/// The private key of `certificate`: from the Secret that `elsewhere` names, else from the source's own.
pub fn private_key(
    source: &Source,
    elsewhere: Option<&KeyRef>,
    certificate: &Certificate,
    found: &Fetched,
) -> Result<PrivateKey, Invalid> {
    if let (None, Some(pkcs12)) = (elsewhere, &source.pkcs12_secret_ref) {
        return Ok(open(pkcs12, found)?.key().clone());
    }
    let (name, key) = match (elsewhere, &source.secret_ref) {
        (Some(KeyRef { name, key }), _) => (name.as_str(), key.as_str()),
        (None, Some(secret)) => (secret.name.as_str(), secret.private_key_key()),
        (None, None) => {
            let message = "`spec.source` holds no private key: set \
                           `spec.verification.proofOfPossession.privateKeySecretRef`";
            return Err(Invalid::new(Reason::SpecInvalid, message));
        }
    };
    let place = format!("Secret `{name}`, key `{key}`");
    let parsed = PrivateKey::parse(value(found, &Reference::secret(name), key, &place)?)
        .map_err(|error| Invalid::new(Reason::PrivateKeyUnusable, format!("{place}: {error}")))?;
    if parsed.matches(certificate) {
        Ok(parsed)
    } else {
        let message =
            format!("{place}: the private key does not belong to the certificate: store the pair together");
        Err(Invalid::new(Reason::KeyMismatch, message))
    }
}

/// The certificate under a key of a Secret that may come later.
pub fn signed_certificate(reference: &KeyRef, found: &Fetched) -> Result<Certificate, Invalid> {
    let KeyRef { name, key } = reference;
    let secret = Reference::secret(name);
    if found.data(&secret).is_none() {
        return Err(Invalid::new(Reason::SecretNotFound, format!("Secret `{name}` does not exist")));
    }
    let place = format!("Secret `{name}`, key `{key}`");
    let certificates = parse(value(found, &secret, key, &place)?, &place)?;
    let none = || Invalid::new(Reason::CertificateMalformed, format!("{place}: there is no certificate"));
    certificates.into_iter().next().ok_or_else(none)
}

/// The pair of a source that holds both, its issuers behind it in their order.
pub fn identity(source: &Source, found: &Fetched) -> Result<Identity, Invalid> {
    if let Some(pkcs12) = &source.pkcs12_secret_ref {
        return open(pkcs12, found);
    }
    let certificates = certificates(source, found)?;
    let secret = source.secret_ref.as_ref().ok_or_else(|| {
        Invalid::new(Reason::SpecInvalid, "the source must name a Secret that holds certificate and key")
    })?;
    let place = format!("Secret `{}`, key `{}`", secret.name, secret.private_key_key());
    let key =
        PrivateKey::parse(value(found, &Reference::secret(&secret.name), secret.private_key_key(), &place)?)
            .map_err(|error| Invalid::new(Reason::PrivateKeyUnusable, format!("{place}: {error}")))?;
    Identity::assemble(key, certificates).ok_or_else(|| {
        let message =
            format!("{place}: the private key belongs to none of the certificates: store the pair together");
        Invalid::new(Reason::KeyMismatch, message)
    })
}

fn open(reference: &Pkcs12SecretRef, found: &Fetched) -> Result<Identity, Invalid> {
    let Pkcs12SecretRef { name, key, password_key } = reference;
    let secret = Reference::secret(name);
    let place = format!("Secret `{name}`, key `{key}`");
    let file = value(found, &secret, key, &place)?;
    let password = found.data(&secret).and_then(|it| it.value(password_key)).ok_or_else(|| {
        let message = format!("Secret `{name}`, key `{password_key}`: the key is missing");
        Invalid::new(Reason::SecretKeyMissing, message)
    })?;
    let password = std::str::from_utf8(password).map(|it| it.trim_end_matches(['\r', '\n']));
    let opened = pkcs12::open(file, password.unwrap_or_default());
    opened.map_err(|fault| {
        let reason = match fault {
            Pkcs12Fault::WrongPassword | Pkcs12Fault::NoKey | Pkcs12Fault::SeveralKeys | Pkcs12Fault::Key => {
                Reason::PrivateKeyUnusable
            }
            Pkcs12Fault::KeyMismatch => Reason::KeyMismatch,
            _ => Reason::CertificateMalformed,
        };
        Invalid::new(reason, format!("{place}: {fault}"))
    })
}

/// The public facts of a certificate, as a status shows them.
pub fn summary(certificate: &Certificate) -> CertificateSummary {
    CertificateSummary {
        subject: certificate.subject().to_owned(),
        serial_number: Some(certificate.serial_number().to_owned()),
        sha1_thumbprint: certificate.sha1_thumbprint().to_string(),
        sha256_fingerprint: Some(certificate.sha256_fingerprint().to_string()),
        not_before: Some(certificate.not_before()),
        not_after: certificate.not_after(),
    }
}

fn value<'a>(found: &'a Fetched, reference: &Reference, key: &str, place: &str) -> Result<&'a [u8], Invalid> {
    match found.data(reference).and_then(|data| data.value(key)) {
        Some(bytes) if !bytes.is_empty() => Ok(bytes),
        _ => Err(Invalid::new(Reason::SecretKeyMissing, format!("{place}: the key is missing or empty"))),
    }
}

fn parse(bytes: &[u8], place: &str) -> Result<Vec<Certificate>, Invalid> {
    pki::certificates(bytes)
        .map_err(|error| Invalid::new(Reason::CertificateMalformed, format!("{place}: {error}")))
}
