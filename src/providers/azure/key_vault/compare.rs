//! In what a certificate in the vault is not as it is wanted. Pure.
//!
//! A policy describes the next version; what was issued is compared with the wish by itself.

use std::collections::BTreeSet;

use super::observed::Bundle;
use super::policy::Policy;
use super::tags::{self, CHAIN, OWNER, WISH};
use super::wish::{Desired, Issuance, Wish};
use crate::api::key_vault_policy::{Curve, KeyProperties, KeyType, SubjectAlternativeNames, X509Properties};
use crate::pki::{AlternativeName, Certificate, DistinguishedName, KeyShape, Profile, SigningRequest};

/// What a difference takes to be repaired.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repair {
    /// A new version; the field that asks for it.
    NewVersion(&'static str),
    /// A change of the policy.
    Policy(&'static str),
    /// A change of the version's tags or attributes.
    Version,
}

/// The first repair that an issued certificate needs.
pub fn repair(want: &Desired, it: &Bundle, certificate: &Certificate) -> Option<Repair> {
    let policy = match &want.wish {
        Wish::Policy(issuance) => {
            if let Some(field) = issued_otherwise(issuance, certificate) {
                return Some(Repair::NewVersion(field));
            }
            &issuance.policy
        }
        Wish::Import(imported) => {
            if imported.identity.leaf() != certificate {
                return Some(Repair::NewVersion("import"));
            }
            if it.tags.get(CHAIN).is_some_and(|held| *held != imported.chain_hash) {
                return Some(Repair::NewVersion("import"));
            }
            &imported.policy
        }
    };
    if let Some(field) = policy.differs_for_new_versions(&it.policy) {
        match &want.wish {
            _ if it.tags.get(WISH) != Some(&want.hash) => return Some(Repair::NewVersion(field)),
            // The version was made as it is wanted; it is the next that would not be.
            Wish::Policy(_) => return Some(Repair::Policy(field)),
            Wish::Import(_) => {} // its policy makes no next one
        }
    }
    if let Some(field) = differs_for_later(want, policy, it, certificate) {
        return Some(Repair::Policy(field));
    }
    let enabled = want.enabled.is_some_and(|wanted| it.enabled != Some(wanted));
    let tags = tags::differ(want, &it.tags);
    let unmarked = !it.tags.contains_key(OWNER);
    (enabled || tags || unmarked).then_some(Repair::Version)
}

/// What the vault derives from an import is not compared, but that it would renew.
fn differs_for_later(
    want: &Desired,
    policy: &Policy,
    it: &Bundle,
    certificate: &Certificate,
) -> Option<&'static str> {
    match &want.wish {
        Wish::Import(_) => it.policy.renews().then_some("lifetimeActions"),
        Wish::Policy(issuance) => policy.differs_for_later(&it.policy).or_else(|| {
            let names = issuance.written.x509_properties.subject_alternative_names.as_ref();
            let wanted = names.map(alternative_names)?;
            let held = policy_names(&it.policy);
            // Issuers are known to drop names from the policy that they put into the certificate.
            let issued = certificate.profile().map(|it| it.names).unwrap_or_default();
            let missing = wanted.iter().any(|name| !held.contains(name) && !issued.contains(name));
            (missing || !held.is_subset(&wanted)).then_some("x509Properties.subjectAlternativeNames")
        }),
    }
}

/// The first field in which what was issued is not as wanted.
fn issued_otherwise(issuance: &Issuance, certificate: &Certificate) -> Option<&'static str> {
    let x509 = &issuance.written.x509_properties;
    let profile = certificate.profile().unwrap_or_default();
    let differs = [
        ("x509Properties.subject", !has_subject(x509, certificate.subject_der())),
        ("x509Properties.subjectAlternativeNames", !has_names(x509, &profile)),
        ("x509Properties.ekus", !has_purposes(x509, &profile)),
        ("x509Properties.keyUsage", !has_usages(x509, &profile)),
        ("x509Properties.validityMonths", !has_validity(issuance, x509, certificate)),
        ("keyProperties", !has_key(issuance.written.key_properties.as_ref(), certificate)),
    ];
    differs.into_iter().find(|(_, differs)| *differs).map(|(field, _)| field)
}

/// Whether a request asks for the wanted names, and no others.
pub fn asks_as_wanted(issuance: &Issuance, request: &SigningRequest) -> bool {
    let x509 = &issuance.written.x509_properties;
    let wanted = x509.subject_alternative_names.as_ref().map(alternative_names).unwrap_or_default();
    has_subject(x509, request.subject_der()) && request.profile().names.is_subset(&wanted)
}

fn has_subject(x509: &X509Properties, subject: &[u8]) -> bool {
    let Some(wanted) = x509.subject.as_deref().filter(|it| !it.is_empty()) else { return true };
    DistinguishedName::parse(wanted) == DistinguishedName::of_der(subject)
}

/// All that is wanted; an issuer may add the common name and the like.
fn has_names(x509: &X509Properties, profile: &Profile) -> bool {
    let wanted = x509.subject_alternative_names.as_ref().map(alternative_names).unwrap_or_default();
    wanted.is_subset(&profile.names)
}

fn has_purposes(x509: &X509Properties, profile: &Profile) -> bool {
    let Some(wanted) = &x509.ekus else { return true };
    let wanted: BTreeSet<_> = wanted.iter().cloned().collect();
    wanted == profile.extended_key_usages.clone().unwrap_or_default()
}

fn has_usages(x509: &X509Properties, profile: &Profile) -> bool {
    let Some(wanted) = &x509.key_usage else { return true };
    let name = |it| serde_json::to_value(it).ok().and_then(|it| it.as_str().map(str::to_owned));
    let wanted: BTreeSet<_> = wanted.iter().filter_map(name).collect();
    let held = profile.key_usages.iter().flatten().map(|it| (*it).to_owned()).collect();
    wanted == held
}

/// Only of those that the vault signs itself: other issuers have their own idea of it.
fn has_validity(issuance: &Issuance, x509: &X509Properties, certificate: &Certificate) -> bool {
    let by_itself = issuance.policy.issuer_name().is_some_and(|it| it.eq_ignore_ascii_case("Self"));
    let Some(months) = x509.validity_months.filter(|_| by_itself) else { return true };
    let days = certificate.not_after().duration_since(certificate.not_before()).as_hours() / 24;
    // Months of 28 to 31 days; a day for what the vault adds in front.
    let months = i64::from(months);
    (months * 28 - 1..=months * 31 + 1).contains(&days)
}

/// A key whose kind is not read here is taken as it is: the policy is compared.
fn has_key(wanted: Option<&KeyProperties>, certificate: &Certificate) -> bool {
    let (Some(wanted), Some(shape)) = (wanted, certificate.key_shape()) else { return true };
    match shape {
        KeyShape::Rsa { bits } => {
            let kind = !wanted.key_type.is_some_and(KeyType::is_elliptic);
            kind && wanted.key_size.is_none_or(|it| usize::try_from(it) == Ok(bits))
        }
        KeyShape::Elliptic { curve } => {
            let kind = wanted.key_type.is_none_or(KeyType::is_elliptic);
            let name = |it| match it {
                Curve::P256 => "P-256",
                Curve::P256K => "P-256K",
                Curve::P384 => "P-384",
                Curve::P521 => "P-521",
            };
            kind && wanted.curve.is_none_or(|it| name(it) == curve)
        }
    }
}

fn alternative_names(names: &SubjectAlternativeNames) -> BTreeSet<AlternativeName> {
    let SubjectAlternativeNames { dns_names, emails, upns, uris, ip_addresses } = names;
    let all = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    set(&all(dns_names), &all(emails), &all(upns), &all(uris), &all(ip_addresses))
}

fn policy_names(policy: &Policy) -> BTreeSet<AlternativeName> {
    let names = policy.x509_props.as_ref().and_then(|it| it.sans.clone()).unwrap_or_default();
    set(&names.dns_names, &names.emails, &names.upns, &names.uris, &names.ip_addresses)
}

fn set(
    dns: &[String],
    emails: &[String],
    upns: &[String],
    uris: &[String],
    ips: &[String],
) -> BTreeSet<AlternativeName> {
    let dns = dns.iter().map(|it| AlternativeName::dns(it));
    let emails = emails.iter().cloned().map(AlternativeName::Email);
    let upns = upns.iter().cloned().map(AlternativeName::Upn);
    let uris = uris.iter().cloned().map(AlternativeName::Uri);
    let ips = ips.iter().map(|it| AlternativeName::ip(it));
    dns.chain(emails).chain(upns).chain(uris).chain(ips).collect()
}
