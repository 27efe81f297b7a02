//! What the resource wants in the vault: parsed, and made the shape that is sent. Pure.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};

use super::policy::Policy;
use super::question::{self, Question};
use super::wire::Tags;
use crate::api::certificate::RenewBefore;
use crate::api::key_vault::{Import, KeyVaultCertificate, RenewedBy, SignedBy};
use crate::api::key_vault_policy::{ContentType, Policy as Written};
use crate::api::reason::{Invalid, Reason};
use crate::api::source::Source;
use crate::pki::{self, Identity, PrivateKey};
use crate::source::{Fetched, Reference, exported, material};

/// What the resource wants.
pub struct Desired {
    /// The certificate.
    pub wish: Wish,
    /// Over all of the wish that a version is made for.
    pub hash: String,
    /// Whether it is to be enabled; left alone unless written.
    pub enabled: Option<bool>,
    /// The user's tags.
    pub tags: Tags,
    /// Where it is exported to.
    pub export: Option<Export>,
    /// The time when this was read.
    pub now: Timestamp,
}

/// The certificate that is wanted.
pub enum Wish {
    /// One that the vault makes.
    Policy(Box<Issuance>),
    /// One that is imported.
    Import(Box<Imported>),
}

/// A certificate that the vault makes.
pub struct Issuance {
    /// How.
    pub policy: Policy,
    /// What the user wrote, for the comparison with what was issued.
    pub written: Written,
    /// Who signs the vault's request, where the vault does not.
    pub signer: Option<Signer>,
    /// When the operator renews; `None` where the vault does.
    pub renew_before: Option<RenewBefore>,
}

/// A certificate that is imported.
pub struct Imported {
    /// The pair and its issuers.
    pub identity: Identity,
    /// The form in which it is handed out.
    pub content_type: ContentType,
    /// How the vault is to hold it.
    pub policy: Policy,
    /// Over the issuers: no read shows them.
    pub chain_hash: String,
}

/// Who signs the vault's request.
pub enum Signer {
    /// The operator, with this CA and its issuers.
    Ca(Identity),
    /// cert-manager.
    CertManager(Box<Question>),
    /// Somebody else, in the vault.
    External,
}

/// Where a certificate is exported to.
pub struct Export {
    /// The Secret.
    pub secret_name: String,
    /// What it holds now.
    pub held: Option<Identity>,
}

/// What the resource refers to.
pub fn references(root: &KeyVaultCertificate) -> Vec<Reference> {
    let spec = &root.spec;
    let source = spec.import.as_ref().map(source).unwrap_or_default();
    let mut references = material::references(&source);
    if let Some(SignedBy { ca_secret_ref, cert_manager_issuer_ref, external: _ }) = &spec.signed_by {
        references.extend(ca_secret_ref.as_ref().map(|it| Reference::secret(&it.name)));
        let question = cert_manager_issuer_ref.as_ref().map(|_| question::name(root));
        references.extend(question.map(Reference::certificate_request));
    }
    references.extend(spec.export_to.as_ref().map(|it| Reference::optional_secret(&it.secret_name)));
    references
}

/// What is wrong with the spec, as far as it tells by itself.
pub fn check(root: &KeyVaultCertificate) -> Result<(), Invalid> {
    let spec = &root.spec;
    let invalid = |message: &str| Err(Invalid::new(Reason::SpecInvalid, message));
    match (&spec.policy, &spec.import) {
        (Some(policy), None) => {
            let subject = policy.x509_properties.subject.as_deref();
            if subject.is_some_and(|it| pki::DistinguishedName::parse(it).is_none()) {
                return invalid(
                    "`spec.policy.x509Properties.subject` must be a distinguished name, for example \
                     'CN=www.example.com,O=Example'",
                );
            }
            let named = spec.signed_by.as_ref().is_none_or(|it| it.ca_secret_ref.is_none());
            let exported = spec.export_to.as_ref().map(|it| it.secret_name.as_str());
            let ca =
                spec.signed_by.as_ref().and_then(|it| it.ca_secret_ref.as_ref()).map(|it| it.name.as_str());
            if !named && exported == ca {
                return invalid(
                    "`spec.exportTo.secretName` must not be the Secret of `spec.signedBy.caSecretRef`",
                );
            }
            Ok(())
        }
        (None, Some(import)) => {
            let from = [
                import.secret_ref.as_ref().map(|it| it.name.as_str()),
                import.pkcs12_secret_ref.as_ref().map(|it| it.name.as_str()),
            ];
            let to = spec.export_to.as_ref().map(|it| it.secret_name.as_str());
            if to.is_some() && from.contains(&to) {
                return invalid("`spec.exportTo.secretName` must not be the Secret that `spec.import` reads");
            }
            Ok(())
        }
        (Some(_), Some(_)) | (None, None) => {
            invalid("exactly one of `spec.policy` and `spec.import` must be set")
        }
    }
}

/// The wish, or what is wrong with it.
pub fn desired(root: &KeyVaultCertificate, found: &Fetched, now: Timestamp) -> Result<Desired, Invalid> {
    check(root)?;
    let spec = &root.spec;
    let (wish, hash) = match (&spec.policy, &spec.import) {
        (Some(policy), _) => issuance(root, policy, found, now)?,
        (None, Some(import)) => imported(import, found, now)?,
        (None, None) => {
            return Err(Invalid::new(
                Reason::SpecInvalid,
                "one of `spec.policy` and `spec.import` must be set",
            ));
        }
    };
    let export = spec
        .export_to
        .as_ref()
        .map(|it| Export { secret_name: it.secret_name.clone(), held: held_by(&it.secret_name, found) });
    Ok(Desired {
        wish,
        hash,
        enabled: spec.attributes.as_ref().and_then(|it| it.enabled),
        tags: spec.tags.clone().unwrap_or_default(),
        export,
        now,
    })
}

fn issuance(
    root: &KeyVaultCertificate,
    written: &Written,
    found: &Fetched,
    now: Timestamp,
) -> Result<(Wish, String), Invalid> {
    let spec = &root.spec;
    let policy = Policy::wanted(spec, written);
    let by = spec.renewal.as_ref().map(|it| it.by).unwrap_or_default();
    // Lifetime actions make no version.
    let made_for = Policy { lifetime_actions: None, ..policy.clone() };
    let hash = hash(&[&serde_json::to_vec(&made_for).unwrap_or_default()]); // plain values: it cannot fail
    let signer = spec.signed_by.as_ref().map(|it| signer(root, written, it, found, now)).transpose()?;
    let renew_before = match by {
        RenewedBy::Operator => Some(spec.common.renew_before()?),
        RenewedBy::Vault => None,
    };
    Ok((Wish::Policy(Box::new(Issuance { policy, written: written.clone(), signer, renew_before })), hash))
}

fn signer(
    root: &KeyVaultCertificate,
    written: &Written,
    signed_by: &SignedBy,
    found: &Fetched,
    now: Timestamp,
) -> Result<Signer, Invalid> {
    let SignedBy { ca_secret_ref, cert_manager_issuer_ref, external: _ } = signed_by;
    if let Some(ca) = ca_secret_ref {
        let source = Source { secret_ref: Some(ca.clone()), ..Source::default() };
        let identity = material::identity(&source, found)?;
        let fit = pki::can_issue(identity.leaf(), identity.key(), now);
        fit.map_err(|why| Invalid::new(Reason::SpecInvalid, format!("Secret `{}`: {why}", ca.name)))?;
        return Ok(Signer::Ca(identity));
    }
    Ok(match cert_manager_issuer_ref {
        Some(issuer) => Signer::CertManager(Box::new(Question::new(root, written, issuer, found))),
        None => Signer::External,
    })
}

/// How long a certificate is to be valid.
pub fn life(policy: &Written) -> SignedDuration {
    let months = policy.x509_properties.validity_months.unwrap_or(12);
    SignedDuration::from_hours(i64::from(months) * 730) // a twelfth of a year
}

fn imported(import: &Import, found: &Fetched, now: Timestamp) -> Result<(Wish, String), Invalid> {
    let identity = material::identity(&source(import), found)?;
    if now >= identity.leaf().not_after() {
        let message = format!(
            "the certificate of `spec.import` expired at {}: put a newer one there",
            identity.leaf().not_after()
        );
        return Err(Invalid::new(Reason::CertificateExpired, message));
    }
    let content_type = import.content_type.unwrap_or_default();
    let policy =
        Policy::imported(content_type, import.exportable.unwrap_or(true), identity.leaf().key_shape());
    let issuers: Vec<_> = identity.issuers().iter().map(pki::Certificate::der).collect();
    let chain_hash = hash(&issuers);
    let made_for = serde_json::to_vec(&policy).unwrap_or_default(); // plain values: it cannot fail
    let all: Vec<_> =
        [identity.leaf().der()].into_iter().chain(issuers).chain([made_for.as_slice()]).collect();
    let hash = hash(&all);
    Ok((Wish::Import(Box::new(Imported { identity, content_type, policy, chain_hash })), hash))
}

fn source(import: &Import) -> Source {
    Source {
        secret_ref: import.secret_ref.clone(),
        pkcs12_secret_ref: import.pkcs12_secret_ref.clone(),
        ..Source::default()
    }
}

/// What an exported Secret holds; nothing if it is no pair, or not as the operator wrote it.
fn held_by(name: &str, found: &Fetched) -> Option<Identity> {
    let data = found.data(&Reference::secret(name))?;
    let written = data.value("tls.crt")?;
    if data.value(exported::CONTENT)? != exported::content(written).as_bytes() {
        return None;
    }
    let key = PrivateKey::parse(data.value("tls.key")?).ok()?;
    let certificates = pki::certificates(written).ok()?;
    let first = certificates.first()?.clone();
    Identity::assemble(key, certificates).filter(|it| *it.leaf() == first)
}

/// SHA-256 over all parts, in half its digits: it tells wishes apart, and guards nothing.
pub fn hash(parts: &[&[u8]]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    parts.iter().for_each(|part| context.update(part));
    context.finish().as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// A certificate with its key as the vault hands it out.
pub fn secret_value(value: &str, content_type: Option<&str>) -> Option<Identity> {
    if content_type.is_some_and(|it| it.eq_ignore_ascii_case("application/x-pem-file")) {
        let key = PrivateKey::parse(value.as_bytes()).ok()?;
        return Identity::assemble(key, pki::certificates(value.as_bytes()).ok()?);
    }
    let file = zeroize::Zeroizing::new(STANDARD.decode(value.trim()).ok()?);
    pki::pkcs12::open(&file, "").ok()
}
