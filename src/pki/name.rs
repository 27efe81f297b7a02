//! Distinguished names for people: RFC 4514 text of any name, however odd, that is safe to show.
//!
//! Names are compared and copied as bytes, elsewhere; the text is never read back.

use der::asn1::ObjectIdentifier;
use der::{Decode, Tag, asn1::AnyRef};

use super::asn1::{self, Values};
use super::fingerprint::hex;

/// The longest text, in characters. A longer one is cut off and ends in an ellipsis.
const MAX_CHARS: usize = 256;

pub(super) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");

/// The short names of RFC 4514 §3, and two that are common in certificates.
const SHORT_NAMES: [(ObjectIdentifier, &str); 11] = [
    (COMMON_NAME, "CN"),
    (ObjectIdentifier::new_unwrap("2.5.4.5"), "serialNumber"),
    (ObjectIdentifier::new_unwrap("2.5.4.6"), "C"),
    (ObjectIdentifier::new_unwrap("2.5.4.7"), "L"),
    (ObjectIdentifier::new_unwrap("2.5.4.8"), "ST"),
    (ObjectIdentifier::new_unwrap("2.5.4.9"), "STREET"),
    (ObjectIdentifier::new_unwrap("2.5.4.10"), "O"),
    (ObjectIdentifier::new_unwrap("2.5.4.11"), "OU"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.1"), "UID"),
    (ObjectIdentifier::new_unwrap("0.9.2342.19200300.100.1.25"), "DC"),
    (ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1"), "emailAddress"),
];

/// The name as RFC 4514 text: the last part first, at most 256 characters, all of them printable.
pub(super) fn text(name: &[u8]) -> String {
    let text = relative_names(name).map_or_else(
        || format!("#{}", hex(name)),
        |parts| {
            let parts: Vec<_> = parts.iter().rev().map(|set| relative_text(set)).collect();
            parts.join(",")
        },
    );
    bounded(text)
}

/// The values of all common names in it, in their order; `None` for one whose value is no text.
pub(super) fn common_names(name: &[u8]) -> Vec<Option<String>> {
    let attributes = relative_names(name).into_iter().flatten().flatten();
    attributes.filter(|attribute| attribute.is(COMMON_NAME)).map(|attribute| attribute.string()).collect()
}

/// All attributes in their order, as the type's short name (or its number) and its value in text.
pub(super) fn attributes(name: &[u8]) -> Option<Vec<(String, String)>> {
    let attributes = relative_names(name)?.into_iter().flatten();
    let pair = |it: Attribute<'_>| {
        let kind = it.short_name().map_or_else(|| dotted(it.kind), str::to_owned);
        (kind, it.string().unwrap_or_else(|| format!("#{}", hex(it.value))))
    };
    Some(attributes.map(pair).collect())
}

struct Attribute<'a> {
    /// The contents of its type, an object identifier.
    kind: &'a [u8],
    /// Its value, header and all.
    value: &'a [u8],
}

impl Attribute<'_> {
    fn is(&self, kind: ObjectIdentifier) -> bool {
        self.kind == kind.as_bytes()
    }

    fn short_name(&self) -> Option<&'static str> {
        SHORT_NAMES.iter().find(|(kind, _)| self.is(*kind)).map(|(_, name)| *name)
    }

    fn text(&self) -> String {
        match (self.short_name(), self.string()) {
            (Some(name), Some(string)) => format!("{name}={}", escaped(&string)),
            (Some(name), None) => format!("{name}=#{}", hex(self.value)),
            (None, _) => format!("{}=#{}", dotted(self.kind), hex(self.value)),
        }
    }

    /// The value if it is of a string type. What the type does not allow becomes a replacement character: old and
    /// careless software puts Latin-1 where ASCII belongs.
    fn string(&self) -> Option<String> {
        let any = AnyRef::from_der(self.value).ok()?;
        let bytes = any.value();
        match any.header().tag() {
            Tag::Utf8String
            | Tag::PrintableString
            | Tag::Ia5String
            | Tag::VisibleString
            | Tag::NumericString => Some(String::from_utf8_lossy(bytes).into_owned()),
            // T.61 in name only: everyone writes Latin-1 into it.
            Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
            Tag::BmpString if bytes.len() % 2 == 0 => {
                let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
                Some(
                    char::decode_utf16(units)
                        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
                        .collect(),
                )
            }
            _ => None,
        }
    }
}

/// The relative distinguished names, each a set of attributes.
fn relative_names(name: &[u8]) -> Option<Vec<Vec<Attribute<'_>>>> {
    let mut names = Values::of(Tag::Sequence, name)?;
    let mut sets = Vec::new();
    while !names.is_finished() {
        let mut set = Values::within(names.take(Tag::Set)?)?;
        let mut attributes = Vec::new();
        while !set.is_finished() {
            let mut attribute = Values::within(set.take(Tag::Sequence)?)?;
            let kind = attribute.take(Tag::ObjectIdentifier)?;
            attributes.push(Attribute { kind, value: attribute.rest()? });
        }
        sets.push(attributes);
    }
    Some(sets)
}

fn relative_text(attributes: &[Attribute<'_>]) -> String {
    let texts: Vec<_> = attributes.iter().map(Attribute::text).collect();
    texts.join("+")
}

fn dotted(kind: &[u8]) -> String {
    asn1::value(Tag::ObjectIdentifier, kind)
        .and_then(|der| ObjectIdentifier::from_der(&der))
        .map_or_else(|_| format!("#{}", hex(kind)), |kind: ObjectIdentifier| kind.to_string())
}

/// RFC 4514 §2.4. What does not print, or turns the direction of writing, is escaped as well.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut text = String::with_capacity(value.len());
    for (position, character) in value.chars().enumerate() {
        match character {
            '"' | '+' | ',' | ';' | '<' | '>' | '\\' => text.extend(['\\', character]),
            '#' if position == 0 => text.push_str("\\#"),
            ' ' if position == 0 || position == last => text.push_str("\\ "),
            _ if prints(character) => text.push(character),
            _ => {
                let mut utf8 = [0; 4];
                text.extend(character.encode_utf8(&mut utf8).bytes().map(|byte| format!("\\{byte:02X}")));
            }
        }
    }
    text
}

fn prints(character: char) -> bool {
    !character.is_control()
        && !matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
            | '\u{200b}'..='\u{200f}'   // zero width, direction marks
            | '\u{2028}'..='\u{202e}'   // line ends, direction overrides
            | '\u{2060}'..='\u{206f}'   // invisible operators, isolates
            | '\u{fff0}'..='\u{fffb}'   // annotations
            | '\u{e0000}'..='\u{e0fff}' // tags
        )
}

fn bounded(text: String) -> String {
    if text.chars().count() <= MAX_CHARS {
        return text;
    }
    text.chars().take(MAX_CHARS - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name of one relative name per list.
    fn name(parts: &[&[(&str, Tag, &[u8])]]) -> Vec<u8> {
        let sets = parts.iter().map(|attributes| {
            let attributes = attributes.iter().map(|(kind, tag, value)| {
                let kind = ObjectIdentifier::new_unwrap(kind);
                let kind = asn1::value(Tag::ObjectIdentifier, kind.as_bytes()).unwrap();
                asn1::values(Tag::Sequence, &[&kind, &asn1::value(*tag, value).unwrap()]).unwrap()
            });
            asn1::value(Tag::Set, &attributes.collect::<Vec<_>>().concat()).unwrap()
        });
        asn1::value(Tag::Sequence, &sets.collect::<Vec<_>>().concat()).unwrap()
    }

    fn common(tag: Tag, value: &[u8]) -> Vec<u8> {
        name(&[&[("2.5.4.3", tag, value)]])
    }

    #[test]
    fn names_read_as_rfc_4514_says() {
        const CN: &str = "2.5.4.3";
        let utf8 = |value: &'static str| common(Tag::Utf8String, value.as_bytes());
        let cases = [
            (name(&[]), ""),
            (utf8("factory ca"), "CN=factory ca"),
            (utf8(""), "CN="),
            (utf8(" a "), "CN=\\ a\\ "),
            (utf8(" "), "CN=\\ "),
            (utf8("#a#"), "CN=\\#a#"),
            (utf8("a,b+c;d<e>f\"g\\h=i"), "CN=a\\,b\\+c\\;d\\<e\\>f\\\"g\\\\h=i"),
            (utf8("a\0b\nc"), "CN=a\\00b\\0Ac"),
            (utf8("a\u{202e}b"), "CN=a\\E2\\80\\AEb"),
            (utf8("Fabrik Süd 工厂"), "CN=Fabrik Süd 工厂"),
            (common(Tag::Utf8String, b"a\xffb"), "CN=a\u{fffd}b"),
            (common(Tag::PrintableString, b"a@b_c*"), "CN=a@b_c*"),
            (common(Tag::TeletexString, b"S\xfcd"), "CN=Süd"),
            (common(Tag::BmpString, b"\x5d\xe5\x53\x82"), "CN=工厂"),
            (common(Tag::BmpString, b"\xd8\x00"), "CN=\u{fffd}"),
            (common(Tag::BmpString, b"abc"), "CN=#1E03616263"),
            (common(Tag::Null, b""), "CN=#0500"),
            (name(&[&[("2.5.4.65", Tag::Utf8String, b"x")]]), "2.5.4.65=#0C0178"),
            (
                name(&[
                    &[("2.5.4.6", Tag::PrintableString, b"DE")],
                    &[("2.5.4.10", Tag::Utf8String, b"O1"), (CN, Tag::Utf8String, b"x")],
                ]),
                "O=O1+CN=x,C=DE",
            ),
            (vec![0x30, 0x02, 0x31, 0x05], "#30023105"),
        ];
        for (name, wanted) in cases {
            assert_eq!(text(&name), wanted);
        }
    }

    #[test]
    fn a_string_type_without_a_reader_is_shown_in_hexadecimal() {
        // UniversalString, [UNIVERSAL 28].
        let universal =
            [&[0x30, 0x0d, 0x31, 0x0b, 0x30, 0x09, 0x06, 0x03, 0x55, 0x04, 0x03][..], b"\x1c\x02ab"].concat();
        assert_eq!(text(&universal), "CN=#1C026162");
        assert_eq!(common_names(&universal), [None]);
    }

    #[test]
    fn a_long_name_is_cut_off() {
        for (length, wanted) in [(253, 256), (254, 256), (2_530, 256)] {
            let text = text(&common(Tag::Utf8String, "ü".repeat(length).as_bytes()));
            assert_eq!(text.chars().count(), wanted);
            assert_eq!(text.ends_with('…'), length > 253);
        }
    }

    #[test]
    fn common_names_come_out_whatever_their_type() {
        let names = name(&[
            &[("2.5.4.3", Tag::BmpString, b"\0A"), ("2.5.4.10", Tag::Utf8String, b"O")],
            &[("2.5.4.3", Tag::PrintableString, b"B")],
        ]);
        assert_eq!(common_names(&names), [Some("A".to_owned()), Some("B".to_owned())]);
        assert_eq!(common_names(&name(&[])), []);
        assert_eq!(common_names(b"no name"), []);
    }

    proptest::proptest! {
        #[test]
        fn any_name_gives_a_short_printable_text(value: Vec<u8>, tag in 0_usize..6) {
            let tags = [Tag::Utf8String, Tag::TeletexString, Tag::BmpString, Tag::Ia5String, Tag::Integer, Tag::Set];
            for name in [&common(tags[tag], &value), &value] {
                let text = text(name);
                proptest::prop_assert!(text.chars().count() <= MAX_CHARS);
                proptest::prop_assert!(text.chars().all(prints));
            }
        }
    }
}
