//! Text encodings: hex, percent-encoding, query strings.

pub(crate) fn hex_lower(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn hex_upper(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Decodes `%XX` once. `None` for a broken escape or what is no UTF-8, so that nothing is guessed.
pub(crate) fn percent_decoded(text: &str, plus_is_space: bool) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let high = char::from(bytes.next()?).to_digit(16)?;
                let low = char::from(bytes.next()?).to_digit(16)?;
                decoded.push(u8::try_from(high * 16 + low).ok()?);
            }
            b'+' if plus_is_space => decoded.push(b' '),
            other => decoded.push(other),
        }
    }
    String::from_utf8(decoded).ok()
}

/// Encodes all bytes but letters, digits and `-_.~` (RFC 3986 §2.3).
pub(crate) fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

/// The pairs of a query string or form body; `None` if one cannot be decoded.
pub(crate) fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((percent_decoded(name, true)?, percent_decoded(value, true)?))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percent_escapes_are_decoded_once() {
        assert_eq!(percent_decoded("a%2Db", false).as_deref(), Some("a-b"));
        assert_eq!(percent_decoded("a%252Db", false).as_deref(), Some("a%2Db"));
        assert_eq!(percent_decoded("a+b", false).as_deref(), Some("a+b"));
        assert_eq!(percent_decoded("a+b", true).as_deref(), Some("a b"));
        for broken in ["%", "%2", "%zz", "%+1", "%ff"] {
            assert_eq!(percent_decoded(broken, false), None, "{broken}");
        }
    }

    #[test]
    fn query_names_are_decoded_too() {
        let found = pairs("api%2Dversion=2018-04-01&&x").expect("decodes");
        assert_eq!(found, [("api-version".into(), "2018-04-01".into()), ("x".into(), String::new())]);
    }
}
