use serde_json::Value;

use super::*;

const VECTORS: &str = include_str!("../../../tests/data/huawei/signing-vectors.json");

fn vectors() -> Value {
    serde_json::from_str(VECTORS).unwrap()
}

/// Each value of a vector's query as a text; the SDK writes a list as several pairs, and booleans as words.
fn query(vector: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = vector["query"].as_array().unwrap().iter();
    pairs
        .flat_map(|pair| {
            let values = pair[1].as_array().cloned().unwrap_or_else(|| vec![pair[1].clone()]);
            values.iter().map(|value| (text(&pair[0]), text(value))).collect::<Vec<_>>()
        })
        .collect()
}

/// What the caller sets, and what the SDK adds by itself: not the date, the token, nor what it makes of them.
fn headers(vector: &Value) -> Vec<(String, String)> {
    let sent = vector["sentHeaders"].as_object().unwrap();
    let own = ["host", "authorization", DATE, SECURITY_TOKEN];
    sent.iter()
        .filter(|(name, _)| !own.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
        .collect()
}

fn keys(vector: &Value) -> HuaweiKeys {
    let token = vector["headers"].as_object().unwrap().get("X-Security-Token");
    HuaweiKeys {
        access_key_id: vector["ak"].as_str().unwrap().to_owned(),
        secret: vector["sk"].as_str().unwrap().to_owned().into(),
        security_token: token.map(|it| it.as_str().unwrap().to_owned().into()),
    }
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn time(vector: &Value) -> Timestamp {
    let date = vector["date"].as_str().unwrap();
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", date).unwrap();
    civil.to_zoned(TimeZone::UTC).unwrap().timestamp()
}

#[test]
fn every_vector_of_the_vendors_signer_is_met() {
    let vectors = vectors();
    let mut count = 0;
    for vector in ["sdkHmacSha256", "v11HmacSha256"].iter().flat_map(|it| vectors[it].as_array().unwrap()) {
        let (name, expected) = (&vector["name"], &vector["expected"]);
        let (query, headers, keys) = (query(vector), headers(vector), keys(vector));
        let (query, headers) = (borrowed(&query), borrowed(&headers));
        let request = Request {
            method: vector["method"].as_str().unwrap(),
            host: vector["host"].as_str().unwrap(),
            path: vector["path"].as_str().unwrap(),
            query: &query,
            headers: &headers,
            body: vector["body"].as_str().unwrap_or_default().as_bytes(),
        };
        let (signed_headers, canonical) = request.canonical(&keys, vector["date"].as_str().unwrap());
        assert_eq!(*canonical, expected["canonicalRequest"], "{name}");
        assert_eq!(signed_headers, expected["signedHeaders"], "{name}");
        let scheme = match vector["region"].as_str() {
            Some(region) => Scheme::Derived { region },
            None => Scheme::Basic,
        };
        if let Some(key) = expected["derivedKeyHexString"].as_str() {
            assert_eq!(*derived(&keys, expected["credentialScope"].as_str().unwrap()), key, "{name}");
        }
        let signed = request.sign(scheme, &keys, time(vector));
        assert_eq!(*signed.authorization, expected["authorization"], "{name}");
        assert_eq!(signed.date, vector["date"], "{name}");
        count += 1;
    }
    assert_eq!(count, 29);
}

#[test]
fn each_signing_has_its_own_time() {
    let vectors = vectors();
    let keys = keys(&vectors["v11HmacSha256"][0]);
    let request =
        Request { method: "GET", host: "a.example", path: "/v5", query: &[], headers: &[], body: b"" };
    let sign = |at: &str| {
        let signed = request.sign(Scheme::Derived { region: "cn-north-4" }, &keys, at.parse().unwrap());
        (signed.date, signed.authorization.to_string())
    };
    let (before, after) = (sign("2029-12-31T23:59:59Z"), sign("2030-01-01T00:00:00Z"));
    assert_eq!((before.0.as_str(), after.0.as_str()), ("20291231T235959Z", "20300101T000000Z"));
    assert!(
        before.1.contains("/20291231/cn-north-4/iotdm, ") && after.1.contains("/20300101/cn-north-4/iotdm, ")
    );
    assert_ne!(before.1.rsplit_once('=').unwrap().1, after.1.rsplit_once('=').unwrap().1);
}

proptest::proptest! {
    #[test]
    fn any_path_has_a_canonical_form_that_stays(path in "[/%a-zA-Z0-9 .~ä-]{0,40}") {
        let once = canonical_path(&path);
        proptest::prop_assert!(once.ends_with('/') && once.is_ascii());
        // What is decoded may be an escape itself, so only a path without `%` stays as it is.
        if !decoded(&path).contains(&b'%') {
            proptest::prop_assert_eq!(canonical_path(&once), once);
        }
    }
}
