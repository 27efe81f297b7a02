//! Distinguished names as users and services write them, for comparing: services echo a subject, turn its order around,
//! or write `S` for `ST`.

use std::iter::Peekable;
use std::str::Chars;

use super::name;

/// A distinguished name whose parts compare by type and value, in either order.
#[derive(Clone, Debug)]
pub struct DistinguishedName(Vec<(String, String)>);

impl DistinguishedName {
    /// Reads text such as `CN=web,O=Example\, Inc` (RFC 4514, with blanks around the parts); `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let mut rest = text.chars().peekable();
        let mut parts = Vec::new();
        while rest.peek().is_some() {
            let kind: String = std::iter::from_fn(|| rest.next_if(|it| *it != '=')).collect();
            rest.next()?; // the equals sign
            parts.push((canonical(kind.trim())?, value(&mut rest)?));
        }
        Some(Self(parts))
    }

    /// The name of a certificate or a request, a DER Name.
    pub fn of_der(name: &[u8]) -> Option<Self> {
        let attributes = name::attributes(name)?;
        Some(Self(
            attributes.into_iter().map(|(kind, value)| (canonical(&kind).unwrap_or(kind), value)).collect(),
        ))
    }
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.iter().eq(other.0.iter().rev())
    }
}

impl Eq for DistinguishedName {}

/// The types under one name each.
fn canonical(kind: &str) -> Option<String> {
    let upper = kind.to_ascii_uppercase();
    let upper = upper.strip_prefix("OID.").unwrap_or(&upper);
    let same = match upper {
        "" => return None,
        "S" => "ST",
        "E" | "EMAIL" => "EMAILADDRESS",
        "SERIALNUMBER" => "SERIALNUMBER",
        other => other,
    };
    Some(same.to_owned())
}

/// Up to the next separator that is not escaped or quoted.
fn value(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let (mut value, mut quoted, mut kept) = (String::new(), false, 0);
    while rest.next_if(|it| *it == ' ').is_some() {}
    while let Some(character) = rest.next() {
        match character {
            '"' => quoted = !quoted,
            '\\' => {
                value.push_str(&escaped(rest)?);
                kept = value.len();
            }
            ',' | ';' | '+' if !quoted => break,
            other => {
                value.push(other);
                if quoted || other != ' ' {
                    kept = value.len();
                }
            }
        }
    }
    value.truncate(kept);
    (!quoted).then_some(value)
}

/// What a backslash stands before: a character, or bytes of UTF-8 in hexadecimal.
fn escaped(rest: &mut Peekable<Chars<'_>>) -> Option<String> {
    let first = rest.next()?;
    if !first.is_ascii_hexdigit() {
        return Some(first.into());
    }
    let mut bytes = vec![byte(first, rest.next()?)?];
    while rest.clone().next() == Some('\\') && rest.clone().nth(1).is_some_and(|it| it.is_ascii_hexdigit()) {
        rest.next();
        bytes.push(byte(rest.next()?, rest.next()?)?);
    }
    String::from_utf8(bytes).ok()
}

fn byte(high: char, low: char) -> Option<u8> {
    u8::try_from(high.to_digit(16)? * 16 + low.to_digit(16)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pki::testing::{ODD_SUBJECTS, certificate};

    fn name(text: &str) -> DistinguishedName {
        DistinguishedName::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn names_compare_by_type_and_value_in_either_order() {
        for (one, other, equal) in [
            ("CN=web", "cn=web", true),
            ("CN=web", "CN=Web", false),
            ("CN=web, O=Example, ST=Bavaria, C=DE", "C=DE,S=Bavaria,O=Example,CN=web", true),
            ("CN=web,O=Example", "O=Example,CN=web", true),
            ("CN=web,O=Example,C=DE", "O=Example,CN=web,C=DE", false),
            ("CN=a\\, b", "CN=\"a, b\"", true),
            ("CN=  web  ", "CN=web", true),
            ("CN=web\\ ", "CN=web", false),
            ("CN=M\\C3\\BCnchen", "CN=München", true),
            ("E=a@b.c", "emailAddress=a@b.c", true),
            ("OU=a,OU=b", "OU=b,OU=a", true),
            ("CN=web", "CN=web,O=Example", false),
            ("OID.2.5.4.65=x", "2.5.4.65=x", true),
        ] {
            assert_eq!(name(one) == name(other), equal, "{one} | {other}");
        }
    }

    #[test]
    fn what_is_no_name_is_none() {
        for text in ["web", "=web", "CN=\"web", "CN=web\\", "CN=\\C3", "CN=web,O"] {
            assert!(DistinguishedName::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_certificates_name_is_the_text_that_it_shows() {
        for file in ODD_SUBJECTS {
            let certificate = certificate(file);
            if certificate.subject().contains('#') || certificate.subject().ends_with('…') {
                continue; // shown, but not as text
            }
            let shown = name(certificate.subject());
            assert_eq!(DistinguishedName::of_der(certificate.subject_der()), Some(shown), "{file}");
        }
    }
}
