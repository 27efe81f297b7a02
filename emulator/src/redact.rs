//! Cutting secrets out of what the journal keeps. Certificates stay; tokens, client secrets, assertions and
//! private keys go: by the name of what holds them, and keys and JSON Web Tokens by their form wherever they stand.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use openssl::pkcs12::Pkcs12;
use openssl::pkey::PKey;
use serde_json::Value;

use crate::encoding;

pub(crate) const CUT: &str = "(cut out)";

const SECRET_HEADERS: [&str; 7] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "x-auth-token",
    "x-subject-token",
    "x-security-token",
    "x-identity-header",
];
const SECRET_FIELDS: [&str; 10] = [
    "pwd",
    "client_secret",
    "client_assertion",
    "assertion",
    "password",
    "refresh_token",
    "access_token",
    "id_token",
    "secret",
    "token",
];

pub(crate) fn header(name: &str, value: &str) -> String {
    if name == "authorization" && is_signature(value) {
        // Good for this one request and a quarter of an hour: no secret, and what a test computes anew.
        return value.to_owned();
    }
    if SECRET_HEADERS.contains(&name) || holds_token(value) { CUT.to_owned() } else { value.to_owned() }
}

/// Scheme, key id, signed headers, and the signature in hexadecimal; nothing else.
fn is_signature(value: &str) -> bool {
    let schemes = ["SDK-HMAC-SHA256 Access=", "V11-HMAC-SHA256 Credential="];
    let hex = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    schemes.iter().any(|scheme| value.starts_with(scheme))
        && value.rsplit_once(", Signature=").is_some_and(|(claimed, signature)| {
            hex(signature) && claimed.matches(", ").count() == 1 && claimed.contains(", SignedHeaders=")
        })
}

/// A query string with the values of secret parameters cut out; everything else stays as it was sent.
pub(crate) fn query(raw: &str) -> String {
    let cut = |pair: &str| match pair.split_once('=') {
        Some((name, value)) if is_secret_field(name) || holds_token(value) => format!("{name}={CUT}"),
        None if holds_token(pair) => CUT.to_owned(),
        Some(_) | None => pair.to_owned(),
    };
    raw.split('&').map(cut).collect::<Vec<_>>().join("&")
}

/// A body as text: JSON and forms keep their shape, anything else that holds a key goes as a whole.
pub(crate) fn body(bytes: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(bytes) else { return format!("({} bytes, no text)", bytes.len()) };
    if let Ok(mut value) = serde_json::from_str::<Value>(text) {
        // A body without secrets is kept to the letter.
        return if json(&mut value) { value.to_string() } else { text.to_owned() };
    }
    if looks_like_key(text) { CUT.to_owned() } else { query(text) }
}

/// Cuts secrets out of a JSON value; whether there were any.
fn json(value: &mut Value) -> bool {
    let mut found = false;
    match value {
        Value::String(text) if looks_like_key(text) || holds_token(text) => {
            *value = CUT.into();
            found = true;
        }
        Value::Array(items) => {
            for item in items {
                found |= json(item);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if is_secret_field(name) && !member.is_null() {
                    *member = CUT.into();
                    found = true;
                } else {
                    found |= json(member);
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    found
}

fn is_secret_field(name: &str) -> bool {
    let name = encoding::percent_decoded(name, true).unwrap_or_default().to_ascii_lowercase();
    SECRET_FIELDS.contains(&name.as_str())
}

/// Whether a JSON Web Token stands in it, whatever surrounds it. None of its letters is ever percent-encoded but by a
/// client that encodes all.
fn holds_token(text: &str) -> bool {
    let text = encoding::percent_decoded(text, true).unwrap_or_else(|| text.to_owned());
    let foreign = |letter: char| !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_' | '.');
    text.split(foreign).any(|word| match word.split('.').collect::<Vec<_>>().as_slice() {
        [header, _, _, ..] => {
            let header = BASE64URL.decode(header).ok();
            let header = header.and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
            header.is_some_and(|header| header.get("alg").is_some())
        }
        _ => false,
    })
}

fn looks_like_key(text: &str) -> bool {
    if text.contains("PRIVATE KEY-----") {
        return true;
    }
    let packed: String = text.split_ascii_whitespace().collect();
    let Ok(bytes) = BASE64.decode(packed) else { return false };
    String::from_utf8_lossy(&bytes).contains("PRIVATE KEY-----")
        || PKey::private_key_from_der(&bytes).is_ok()
        || Pkcs12::from_der(&bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_of_forms_and_queries_go() {
        let form = body(b"grant_type=client_credentials&client%5Fsecret=hunter2&client_id=a");
        assert_eq!(form, "grant_type=client_credentials&client%5Fsecret=(cut out)&client_id=a");
        assert_eq!(query("a=b&password=x&c"), "a=b&password=(cut out)&c");
        assert_eq!(header("authorization", "Bearer x"), CUT);
        assert_eq!(header("if-match", "x"), "x");
        let signed =
            format!("V11-HMAC-SHA256 Credential=a/d/r/s, SignedHeaders=host, Signature={}", "0f".repeat(32));
        assert_eq!(header("authorization", &signed), signed);
        for odd in ["V11-HMAC-SHA256 hunter2, Signature=0f", &signed.replace("host,", "host, hunter2,")] {
            assert_eq!(header("authorization", odd), CUT, "{odd}");
        }
    }

    #[test]
    fn tokens_go_wherever_they_stand() {
        let part = |json: &str| BASE64URL.encode(json);
        let token = format!("{}.{}.c2ln", part(r#"{"alg":"RS256","kid":"k"}"#), part(r#"{"iss":"i"}"#));
        assert_eq!(header("x-anything", &format!("Bearer {token}")), CUT);
        assert_eq!(query(&format!("a=b&hint={token}")), "a=b&hint=(cut out)");
        assert_eq!(query(&format!("hint={}", token.replace('.', "%2E"))), "hint=(cut out)");
        assert_eq!(
            body(format!("client%5Fassertion={token}&x=y").as_bytes()),
            "client%5Fassertion=(cut out)&x=y"
        );
        assert_eq!(body(token.as_bytes()), CUT);
        let sent = serde_json::json!({"note": [token]}).to_string();
        assert_eq!(body(sent.as_bytes()), r#"{"note":["(cut out)"]}"#);
        // An assertion that is no token is known by its name; a host or a version is none.
        assert_eq!(query("client_assertion=nonsense"), "client_assertion=(cut out)");
        for harmless in ["https://login.localhost:1/a.b.c", "1.2.3", "eyJhbGciOiJub25lIn0"] {
            assert_eq!(header("x", harmless), harmless);
        }
    }

    #[test]
    fn private_keys_go_in_every_encoding_and_certificates_stay() {
        let key = PKey::from_ec_key(
            openssl::ec::EcKey::generate(
                &openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1).unwrap(),
            )
            .unwrap(),
        )
        .unwrap();
        let pem = String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let der = BASE64.encode(key.private_key_to_der().unwrap());
        for secret in
            [pem.clone(), BASE64.encode(&pem), der, BASE64.encode(key.private_key_to_pkcs8().unwrap())]
        {
            let sent = serde_json::json!({"certificate": secret, "n": [1]}).to_string();
            assert_eq!(body(sent.as_bytes()), r#"{"certificate":"(cut out)","n":[1]}"#);
        }
        assert_eq!(body(pem.as_bytes()), CUT);
        let harmless = r#"{ "certificate" : "-----BEGIN CERTIFICATE-----" }"#;
        assert_eq!(body(harmless.as_bytes()), harmless);
    }
}
