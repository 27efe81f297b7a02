//! What the official signer made of fixed requests, held against what is verified here.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hyper::header::{HeaderName, HeaderValue};
use openssl::sha::sha256;
use serde_json::Value;

use super::canonical::canonical_request;
use super::signature::{Claimed, derived_key};
use crate::encoding::hex_lower;
use crate::request::Request;

fn text<'a>(vector: &'a Value, member: &str) -> &'a str {
    vector[member].as_str().unwrap_or_else(|| panic!("{member} of {}", vector["name"]))
}

/// The request as it is when it was sent.
fn sent(vector: &Value) -> Request {
    let url: String = text(vector, "url")
        .chars()
        // HTTP has no other letters; clients escape them.
        .map(|letter| match letter {
            ' ' | '\u{80}'.. => letter.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
            other => other.to_string(),
        })
        .collect();
    let mut request = hyper::Request::builder().method(text(vector, "method")).uri(url);
    for (name, value) in vector["sentHeaders"].as_object().expect("headers") {
        let value = value.as_str().expect("a text").trim();
        let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
        request = request.header(name, HeaderValue::from_str(value).expect("a value"));
    }
    let (parts, ()) = request.body(()).expect("a request").into_parts();
    Request::new(&parts, BASE64.decode(text(vector, "bodyBase64")).expect("base64"))
}

#[test]
fn every_vector_verifies() {
    let file = include_str!("../../tests/data/huawei-iotda/signing-vectors.json");
    let file: Value = serde_json::from_str(file).expect("the vectors parse");
    let lists = ["sdkHmacSha256", "v11HmacSha256"].map(|name| file[name].as_array().expect("a list"));
    let all: Vec<_> = lists.into_iter().flatten().collect();
    assert_eq!(all.len(), 29);
    for vector in all {
        let (name, expected) = (text(vector, "name"), &vector["expected"]);
        let request = sent(vector);
        let authorization = request.header("authorization").expect("it is signed").to_owned();
        let claimed = Claimed::read(&authorization).expect("it reads");
        let canonical = canonical_request(&request, &claimed.signed_headers).expect("it is canonical");
        assert_eq!(canonical, text(expected, "canonicalRequest"), "{name}");
        assert_eq!(hex_lower(&sha256(canonical.as_bytes())), text(expected, "canonicalRequestSha256"));
        let (secret, date) = (text(vector, "sk"), text(vector, "date"));
        if let Some(key) = expected["derivedKeyHexString"].as_str() {
            let derived = derived_key(claimed.access, secret, text(expected, "credentialScope"));
            assert_eq!(derived.expect("OpenSSL has HMAC"), key, "{name}");
        }
        let verifies = |secret: &str, date: &str, canonical: &str| {
            claimed.is_by(secret, date, canonical).expect("OpenSSL has HMAC")
        };
        assert!(verifies(secret, date, &canonical), "{name}");
        assert!(!verifies("another", date, &canonical), "{name}");
        assert!(!verifies(secret, "20260115T080911Z", &canonical), "{name}");
        assert!(!verifies(secret, date, &canonical.replacen('/', "//", 1)), "{name}");
    }
}
