//! What the resource wants in the vault: parsed, and made the shape that is sent. Pure.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt;

use super::policy::Policy;
use super::wire::Tags;
use crate::api::certificate::RenewBefore;
use crate::api::key_vault::{CertManagerIssuerRef, Import, KeyVaultCertificate, RenewedBy, SignedBy};
use crate::api::key_vault_policy::{ContentType, KeyUsage, Policy as Written};
use crate::api::reason::{Invalid, Reason};
use crate::api::source::Source;
use crate::pki::{self, Identity, PrivateKey, SigningRequest};
use crate::source::cert_manager::{CertificateRequestSpec, IssuerRef};
use crate::source::{Fetched, Reference, material};

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
    CertManager(Box<CertManager>),
    /// Somebody else, in the vault.
    External,
}

/// The question to cert-manager, and what came of it.
pub struct CertManager {
    /// The question's name.
    pub name: String,
    /// Whom it is put to.
    pub issuer: CertManagerIssuerRef,
    /// For how long, as Go writes it.
    pub duration: String,
    /// What the key may be used for, in cert-manager's words.
    pub usages: Vec<String>,
    /// What was asked before.
    pub asked: Option<SigningRequest>,
    /// Whom it was put to.
    pub asked_of: Option<IssuerRef>,
    /// The answer to that.
    pub signed: Option<Result<Vec<pki::Certificate>, Invalid>>,
}

impl CertManager {
    /// Whether just this was asked of the issuer, and is not to be asked again after a refusal.
    pub fn stands(&self, request: &SigningRequest, asks_anew: bool) -> bool {
        let refused = matches!(self.signed, Some(Err(_)));
        self.asked.as_ref() == Some(request)
            && self.asked_of.as_ref() == Some(&self.issuer_ref())
            && !(refused && asks_anew)
    }

    fn issuer_ref(&self) -> IssuerRef {
        let CertManagerIssuerRef { name, kind, group } = &self.issuer;
        IssuerRef {
            name: name.clone(),
            kind: kind.clone().unwrap_or_else(|| "Issuer".to_owned()),
            group: group.clone().unwrap_or_else(|| "cert-manager.io".to_owned()),
        }
    }

    /// The question.
    pub fn question(&self, request: &SigningRequest) -> CertificateRequestSpec {
        CertificateRequestSpec {
            request: k8s_openapi::ByteString(request.to_pem().into_bytes()),
            issuer_ref: self.issuer_ref(),
            duration: self.duration.clone(),
            usages: self.usages.clone(),
        }
    }
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
        let question = cert_manager_issuer_ref.as_ref().map(|_| question_name(root));
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
        .map(|it| Export { secret_name: it.secret_name.clone(), held: exported(&it.secret_name, found) });
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
    let hash = hash(&serde_json::to_vec(&made_for).unwrap_or_default()); // plain values: it cannot fail
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
    let Some(issuer) = cert_manager_issuer_ref else { return Ok(Signer::External) };
    let name = question_name(root);
    let data = found.data(&Reference::certificate_request(&name));
    let value = |key| data.and_then(|it| it.value(key));
    let refused = value("refused").is_some().then(|| {
        let message = format!("cert-manager refused CertificateRequest `{name}`: see its conditions");
        Err(Invalid::new(Reason::IssuanceFailed, message))
    });
    let signed = value("certificate").map(|it| {
        pki::certificates(it).map_err(|why| {
            Invalid::new(
                Reason::IssuanceFailed,
                format!("CertificateRequest `{name}`, its certificate: {why}"),
            )
        })
    });
    Ok(Signer::CertManager(Box::new(CertManager {
        issuer: issuer.clone(),
        duration: format!("{}h", life(written).as_hours()),
        usages: usages(written),
        asked_of: value("issuer").and_then(|it| serde_json::from_slice(it).ok()),
        asked: value("request").and_then(|it| SigningRequest::from_pem(it).ok()),
        signed: signed.or(refused),
        name,
    })))
}

/// How long a certificate is to be valid.
pub fn life(policy: &Written) -> SignedDuration {
    let months = policy.x509_properties.validity_months.unwrap_or(12);
    SignedDuration::from_hours(i64::from(months) * 730) // a twelfth of a year
}

/// The usages in cert-manager's words: those of the policy, or the vault's defaults.
fn usages(policy: &Written) -> Vec<String> {
    let x509 = &policy.x509_properties;
    let usage = |it: &KeyUsage| match it {
        KeyUsage::DigitalSignature => "digital signature",
        KeyUsage::NonRepudiation => "content commitment",
        KeyUsage::KeyEncipherment => "key encipherment",
        KeyUsage::DataEncipherment => "data encipherment",
        KeyUsage::KeyAgreement => "key agreement",
        KeyUsage::KeyCertSign => "cert sign",
        KeyUsage::CrlSign => "crl sign",
        KeyUsage::EncipherOnly => "encipher only",
        KeyUsage::DecipherOnly => "decipher only",
    };
    let purpose = |it: &String| match it.as_str() {
        "1.3.6.1.5.5.7.3.1" => Some("server auth"),
        "1.3.6.1.5.5.7.3.2" => Some("client auth"),
        "1.3.6.1.5.5.7.3.3" => Some("code signing"),
        "1.3.6.1.5.5.7.3.4" => Some("email protection"),
        "1.3.6.1.5.5.7.3.8" => Some("timestamping"),
        "1.3.6.1.5.5.7.3.9" => Some("ocsp signing"),
        _ => None,
    };
    let keys = x509
        .key_usage
        .as_ref()
        .map_or_else(|| vec!["digital signature", "key encipherment"], |it| it.iter().map(usage).collect());
    let purposes = x509
        .ekus
        .as_ref()
        .map_or_else(|| vec!["server auth", "client auth"], |it| it.iter().filter_map(purpose).collect());
    keys.into_iter().chain(purposes).map(str::to_owned).collect()
}

/// The name of the question to cert-manager.
pub fn question_name(root: &KeyVaultCertificate) -> String {
    format!("{}-key-vault", root.name_any())
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
    let issuers: Vec<u8> = identity.issuers().iter().flat_map(|it| it.der().to_vec()).collect();
    let chain_hash = hash(&issuers);
    let made_for = serde_json::to_vec(&policy).unwrap_or_default(); // plain values: it cannot fail
    let all = [identity.leaf().der(), &issuers, &made_for].concat();
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

/// What an exported Secret holds; nothing if it is no pair.
fn exported(name: &str, found: &Fetched) -> Option<Identity> {
    let data = found.data(&Reference::secret(name))?;
    let key = PrivateKey::parse(data.value("tls.key")?).ok()?;
    let certificates = pki::certificates(data.value("tls.crt")?).ok()?;
    let first = certificates.first()?.clone();
    Identity::assemble(key, certificates).filter(|it| *it.leaf() == first)
}

/// SHA-256, in half its digits: it tells wishes apart, and guards nothing.
fn hash(bytes: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, bytes);
    digest.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
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
