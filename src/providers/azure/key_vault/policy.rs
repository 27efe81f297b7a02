//! A certificate policy as the vault speaks it: made from what the user wrote, and compared with what the vault shows.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::api::key_vault::{KeyVaultCertificateSpec, RenewedBy};
use crate::api::key_vault_policy::{
    self as api, ContentType, Curve, KeyType, LifetimeAction, LifetimeActionType, SubjectAlternativeNames,
};
use crate::pki::{DistinguishedName, KeyShape};

/// When the vault acts, in percent of the validity, unless the user says otherwise: the vault's own default.
const LIFETIME_PERCENTAGE: i32 = 80;

/// A policy. What is not written is left to the vault.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_props: Option<KeyProps>,
    /// The secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret_props: Option<SecretProps>,
    /// The certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x509_props: Option<X509Props>,
    /// What the vault does before expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_actions: Option<Vec<Action>>,
    /// Who issues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<Issuer>,
}

/// The key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KeyProps {
    /// Whether the vault gives it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exportable: Option<bool>,
    /// Its kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kty: Option<String>,
    /// Its size in bits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_size: Option<i32>,
    /// Whether a new version keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reuse_key: Option<bool>,
    /// Its curve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
}

/// The secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretProps {
    /// Its form.
    #[serde(rename = "contentType", skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
}

/// The certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct X509Props {
    /// The subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// Further names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sans: Option<Sans>,
    /// Extended key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ekus: Option<Vec<String>>,
    /// Key usages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_usage: Option<Vec<String>>,
    /// For how long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity_months: Option<i32>,
}

/// Further names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sans {
    /// Domain names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns_names: Vec<String>,
    /// Mail addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<String>,
    /// User principal names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub upns: Vec<String>,
    /// URIs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uris: Vec<String>,
    /// Addresses.
    #[serde(rename = "ipAddresses", skip_serializing_if = "Vec::is_empty")]
    pub ip_addresses: Vec<String>,
}

/// What the vault does, and when.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Action {
    /// When.
    pub trigger: Trigger,
    /// What.
    pub action: ActionType,
}

/// When the vault acts.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(default)]
pub struct Trigger {
    /// In percent of the validity.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lifetime_percentage: Option<i32>,
    /// In days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_before_expiry: Option<i32>,
}

/// What the vault does.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ActionType {
    /// The word for it.
    pub action_type: String,
}

/// Who issues.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Issuer {
    /// The name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The kind of certificate.
    #[serde(rename = "cty", skip_serializing_if = "Option::is_none")]
    pub certificate_type: Option<String>,
    /// Whether it is published.
    #[serde(rename = "cert_transparency", skip_serializing_if = "Option::is_none")]
    pub certificate_transparency: Option<bool>,
}

impl Policy {
    /// The policy that the user wrote.
    pub fn wanted(spec: &KeyVaultCertificateSpec, policy: &api::Policy) -> Self {
        let by = spec.renewal.as_ref().map(|it| it.by).unwrap_or_default();
        let actions = policy.lifetime_actions.as_deref().filter(|it| !it.is_empty());
        Self {
            key_props: policy.key_properties.as_ref().map(key_props),
            secret_props: policy.secret_properties.as_ref().map(|it| secret_props(it.content_type)),
            x509_props: Some(x509_props(&policy.x509_properties)),
            lifetime_actions: Some(
                actions.map_or_else(|| vec![usual_action(by)], |it| it.iter().map(action).collect()),
            ),
            issuer: Some(Issuer {
                name: Some(policy.issuer.name.clone()),
                certificate_type: policy.issuer.certificate_type.clone(),
                certificate_transparency: policy.issuer.certificate_transparency,
            }),
        }
    }

    /// The policy of an imported certificate: the vault is kept from renewing it. Leaving the action out would not.
    pub fn imported(content_type: ContentType, exportable: bool, key: Option<KeyShape>) -> Self {
        let (kty, key_size, crv) = match key {
            Some(KeyShape::Rsa { bits }) => (Some("RSA"), i32::try_from(bits).ok(), None),
            Some(KeyShape::Elliptic { curve }) => (Some("EC"), None, Some(curve)),
            None => (None, None, None),
        };
        Self {
            key_props: Some(KeyProps {
                exportable: Some(exportable),
                kty: kty.map(str::to_owned),
                key_size,
                reuse_key: Some(false),
                crv: crv.map(str::to_owned),
            }),
            secret_props: Some(secret_props(content_type)),
            x509_props: None,
            lifetime_actions: Some(vec![usual_action(RenewedBy::Operator)]),
            issuer: Some(Issuer { name: Some("Unknown".to_owned()), ..Issuer::default() }),
        }
    }

    /// The issuer's name.
    pub fn issuer_name(&self) -> Option<&str> {
        self.issuer.as_ref()?.name.as_deref()
    }

    /// The first member in which `held` is not as this one wants, of those that only a new version brings and no
    /// certificate shows.
    pub fn differs_for_new_versions(&self, held: &Self) -> Option<&'static str> {
        let (key, held_key) = (self.key_props.as_ref(), held.key_props.as_ref());
        let exportable = |it: Option<&KeyProps>| it.and_then(|it| it.exportable);
        let content = |it: &Self| it.secret_props.as_ref().and_then(|it| it.content_type.clone());
        let kind = |it: Option<&KeyProps>| it.and_then(|it| it.kty.clone());
        let issuer = self.issuer_name().zip(held.issuer_name());
        let differs = [
            ("keyProperties.keyType", unlike(&kind(key), &kind(held_key))),
            ("keyProperties.exportable", unlike(&exportable(key), &exportable(held_key))),
            ("secretProperties.contentType", unlike(&content(self), &content(held))),
            ("issuer.name", issuer.is_some_and(|(want, has)| !want.eq_ignore_ascii_case(has))),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
    }

    /// The first member in which `held` is not as this one wants, of those that concern what the vault does next.
    pub fn differs_for_later(&self, held: &Self) -> Option<&'static str> {
        let empty = KeyProps::default();
        let (key, held_key) =
            (self.key_props.as_ref().unwrap_or(&empty), held.key_props.as_ref().unwrap_or(&empty));
        let none = X509Props::default();
        let (x509, held_x509) =
            (self.x509_props.as_ref().unwrap_or(&none), held.x509_props.as_ref().unwrap_or(&none));
        let issuer = |it: &Self| it.issuer.clone().unwrap_or_default();
        let (by, held_by) = (issuer(self), issuer(held));
        let actions = self.lifetime_actions.as_ref().map(|it| timed(it));
        let differs = [
            ("keyProperties.keySize", unlike(&key.key_size, &held_key.key_size)),
            ("keyProperties.curve", unlike(&key.crv, &held_key.crv)),
            ("keyProperties.reuseKey", unlike(&key.reuse_key, &held_key.reuse_key)),
            (
                "x509Properties.subject",
                x509.subject.is_some() && !same_name(&x509.subject, &held_x509.subject),
            ),
            (
                "x509Properties.ekus",
                unlike(&set(&x509.ekus), &Some(set(&held_x509.ekus).unwrap_or_default())),
            ),
            (
                "x509Properties.keyUsage",
                unlike(&set(&x509.key_usage), &Some(set(&held_x509.key_usage).unwrap_or_default())),
            ),
            ("x509Properties.validityMonths", unlike(&x509.validity_months, &held_x509.validity_months)),
            ("issuer.certificateType", unlike(&by.certificate_type, &held_by.certificate_type)),
            (
                "issuer.certificateTransparency",
                unlike(&by.certificate_transparency, &held_by.certificate_transparency),
            ),
            (
                "lifetimeActions",
                unlike(&actions, &Some(timed(held.lifetime_actions.as_deref().unwrap_or_default()))),
            ),
        ];
        differs.into_iter().find(|(_, differs)| *differs).map(|(name, _)| name)
    }

    /// Whether the vault would renew.
    pub fn renews(&self) -> bool {
        let actions = self.lifetime_actions.as_deref().unwrap_or_default();
        actions.iter().any(|it| it.action.action_type.eq_ignore_ascii_case("AutoRenew"))
    }
}

/// Whether something is wanted, and something else is there.
fn unlike<T: PartialEq>(wanted: &Option<T>, held: &Option<T>) -> bool {
    wanted.is_some() && wanted != held
}

fn set(list: &Option<Vec<String>>) -> Option<BTreeSet<String>> {
    list.as_ref().map(|it| it.iter().cloned().collect())
}

/// By action, each with its time.
fn timed(actions: &[Action]) -> BTreeSet<(String, Trigger)> {
    actions.iter().map(|it| (it.action.action_type.to_ascii_lowercase(), it.trigger.clone())).collect()
}

/// Names that cannot be read compare letter for letter.
fn same_name(one: &Option<String>, other: &Option<String>) -> bool {
    let read = |it: &Option<String>| it.as_deref().and_then(DistinguishedName::parse);
    one == other || read(one).is_some_and(|it| Some(it) == read(other))
}

fn key_props(key: &api::KeyProperties) -> KeyProps {
    let kind = |it| match it {
        KeyType::RSA => "RSA",
        KeyType::RsaHsm => "RSA-HSM",
        KeyType::EC => "EC",
        KeyType::EcHsm => "EC-HSM",
    };
    let curve = |it| match it {
        Curve::P256 => "P-256",
        Curve::P256K => "P-256K",
        Curve::P384 => "P-384",
        Curve::P521 => "P-521",
    };
    KeyProps {
        exportable: key.exportable,
        kty: key.key_type.map(kind).map(str::to_owned),
        key_size: key.key_size,
        reuse_key: key.reuse_key,
        crv: key.curve.map(curve).map(str::to_owned),
    }
}

fn secret_props(content_type: ContentType) -> SecretProps {
    let content_type = match content_type {
        ContentType::Pkcs12 => "application/x-pkcs12",
        ContentType::Pem => "application/x-pem-file",
    };
    SecretProps { content_type: Some(content_type.to_owned()) }
}

/// A subject is always sent: the service asks for the member even where it is empty.
fn x509_props(x509: &api::X509Properties) -> X509Props {
    let usage = |it: &api::KeyUsage| serde_json::to_value(it).ok()?.as_str().map(str::to_owned);
    X509Props {
        subject: Some(x509.subject.clone().unwrap_or_default()),
        sans: x509.subject_alternative_names.as_ref().map(sans),
        ekus: x509.ekus.clone(),
        key_usage: x509.key_usage.as_ref().map(|it| it.iter().filter_map(usage).collect()),
        validity_months: x509.validity_months,
    }
}

fn sans(names: &SubjectAlternativeNames) -> Sans {
    let SubjectAlternativeNames { dns_names, emails, upns, uris, ip_addresses } = names;
    let list = |it: &Option<Vec<String>>| it.clone().unwrap_or_default();
    Sans {
        dns_names: list(dns_names),
        emails: list(emails),
        upns: list(upns),
        uris: list(uris),
        ip_addresses: list(ip_addresses),
    }
}

fn action(action: &LifetimeAction) -> Action {
    let word = match action.action {
        LifetimeActionType::AutoRenew => "AutoRenew",
        LifetimeActionType::EmailContacts => "EmailContacts",
    };
    let trigger = Trigger {
        lifetime_percentage: action.lifetime_percentage,
        days_before_expiry: action.days_before_expiry,
    };
    Action { trigger, action: ActionType { action_type: word.to_owned() } }
}

/// What the vault does where the user says nothing: renew, or no more than tell.
fn usual_action(by: RenewedBy) -> Action {
    let word = match by {
        RenewedBy::Operator => "EmailContacts",
        RenewedBy::Vault => "AutoRenew",
    };
    let trigger = Trigger { lifetime_percentage: Some(LIFETIME_PERCENTAGE), days_before_expiry: None };
    Action { trigger, action: ActionType { action_type: word.to_owned() } }
}
