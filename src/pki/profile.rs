//! What a certificate, or a request for one, says of its names and uses (RFC 5280 §4.2.1), as sets: their order says
//! nothing.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, Ipv6Addr};

use der::{Decode, Tag, asn1::ObjectIdentifier};

use super::asn1::{self, Values, constructed, primitive};

const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const ALTERNATIVE_NAMES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// Microsoft's user principal name.
const UPN: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.20.2.3");

/// The bits of a key usage, first bit first (RFC 5280 §4.2.1.3).
const USAGES: [&str; 9] = [
    "digitalSignature",
    "nonRepudiation",
    "keyEncipherment",
    "dataEncipherment",
    "keyAgreement",
    "keyCertSign",
    "cRLSign",
    "encipherOnly",
    "decipherOnly",
];

/// Names and uses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The alternative names.
    pub names: BTreeSet<AlternativeName>,
    /// The key usages, by the names of RFC 5280; `None` where it says nothing.
    pub key_usages: Option<BTreeSet<&'static str>>,
    /// The extended key usages, as dotted object identifiers; `None` where it says nothing.
    pub extended_key_usages: Option<BTreeSet<String>>,
}

/// An alternative name of a kind that is worked with.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlternativeName {
    /// A domain name, in lower case.
    Dns(String),
    /// A mail address.
    Email(String),
    /// A user principal name.
    Upn(String),
    /// A URI.
    Uri(String),
    /// An address, in its usual notation.
    Ip(String),
}

impl AlternativeName {
    /// A domain name; these compare without letter case.
    pub fn dns(name: &str) -> Self {
        Self::Dns(name.to_ascii_lowercase())
    }

    /// An IP address; one that cannot be read stands as it is.
    pub fn ip(text: &str) -> Self {
        let read = text.parse::<std::net::IpAddr>();
        Self::Ip(read.map_or_else(|_| text.to_owned(), |it| it.to_string()))
    }
}

/// An extension as it stands: its type, and all of it.
pub(super) struct Extension<'a> {
    kind: &'a [u8],
    value: &'a [u8],
    /// Header and all.
    pub(super) whole: &'a [u8],
}

impl Extension<'_> {
    /// Whether it is one of those that a request for a certificate decides.
    pub(super) fn is_asked_for(&self) -> bool {
        [KEY_USAGE, ALTERNATIVE_NAMES, EXTENDED_KEY_USAGE].iter().any(|it| it.as_bytes() == self.kind)
    }
}

/// The extensions of a list (SEQUENCE OF Extension).
pub(super) fn extensions(list: &[u8]) -> Option<Vec<Extension<'_>>> {
    let mut list = Values::of(Tag::Sequence, list)?;
    let mut found = Vec::new();
    while !list.is_finished() {
        let whole = list.next()?;
        let mut parts = Values::of(Tag::Sequence, whole)?;
        let kind = parts.take(Tag::ObjectIdentifier)?;
        parts.take_if(Tag::Boolean); // whether it is critical
        found.push(Extension { kind, value: parts.take(Tag::OctetString)?, whole });
    }
    Some(found)
}

impl Profile {
    /// What these extensions say.
    pub(super) fn of(extensions: &[Extension<'_>]) -> Option<Self> {
        let mut profile = Self::default();
        for Extension { kind, value, .. } in extensions {
            if *kind == ALTERNATIVE_NAMES.as_bytes() {
                profile.names = names(value)?;
            } else if *kind == KEY_USAGE.as_bytes() {
                profile.key_usages = Some(usages(asn1::contents(Tag::BitString, value)?));
            } else if *kind == EXTENDED_KEY_USAGE.as_bytes() {
                profile.extended_key_usages = Some(purposes(value)?);
            }
        }
        Some(profile)
    }
}

/// Names of other kinds (directory names, registered ids) are left out.
fn names(general_names: &[u8]) -> Option<BTreeSet<AlternativeName>> {
    let mut values = Values::of(Tag::Sequence, general_names)?;
    let mut found = BTreeSet::new();
    while !values.is_finished() {
        let tag = values.tag()?;
        let contents = values.take(tag)?;
        let text = || String::from_utf8_lossy(contents).into_owned();
        found.extend(match tag {
            it if it == constructed(0) => upn(contents),
            it if it == primitive(1) => Some(AlternativeName::Email(text())),
            it if it == primitive(2) => Some(AlternativeName::dns(&text())),
            it if it == primitive(6) => Some(AlternativeName::Uri(text())),
            it if it == primitive(7) => address(contents).map(AlternativeName::Ip),
            _ => None,
        });
    }
    Some(found)
}

fn upn(other_name: &[u8]) -> Option<AlternativeName> {
    let mut parts = Values::within(other_name)?;
    (parts.take(Tag::ObjectIdentifier)? == UPN.as_bytes()).then_some(())?;
    let text = Values::within(parts.take(constructed(0))?)?.take(Tag::Utf8String)?;
    Some(AlternativeName::Upn(String::from_utf8_lossy(text).into_owned()))
}

fn address(octets: &[u8]) -> Option<String> {
    if let Ok(four) = <[u8; 4]>::try_from(octets) {
        return Some(Ipv4Addr::from(four).to_string());
    }
    <[u8; 16]>::try_from(octets).ok().map(|it| Ipv6Addr::from(it).to_string())
}

fn usages(bit_string: &[u8]) -> BTreeSet<&'static str> {
    let bits = bit_string.get(1..).unwrap_or_default();
    let is_set = |at: usize| bits.get(at / 8).is_some_and(|byte| byte & (0x80 >> (at % 8)) != 0);
    USAGES.into_iter().enumerate().filter(|(at, _)| is_set(*at)).map(|(_, name)| name).collect()
}

fn purposes(value: &[u8]) -> Option<BTreeSet<String>> {
    let mut values = Values::of(Tag::Sequence, value)?;
    let mut found = BTreeSet::new();
    while !values.is_finished() {
        let purpose: ObjectIdentifier = ObjectIdentifier::from_der(values.next()?).ok()?;
        found.insert(purpose.to_string());
    }
    Some(found)
}
