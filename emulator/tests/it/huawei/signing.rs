//! Signatures over the wire: what is let in, and how each fault is named.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::{Value, json};

use super::{ACCESS, Client, OWN_HOST, PROJECT, SECRET, SHARED_HOST, error, refused};
use crate::client::{Emulator, Reply};

fn list_of(host: &str) -> (String, String) {
    (host.to_owned(), format!("/v5/iot/{PROJECT}/certificates"))
}

#[track_caller]
fn unauthorized(reply: &Reply, why: &str) {
    refused(reply, 401, "APIGW.0301");
    let message = reply.json()["error_msg"].as_str().unwrap().to_owned();
    assert!(message.contains(why), "{message:?} says nothing of {why:?}");
    assert!(!message.contains(SECRET), "{message}");
}

#[test]
fn both_schemes_are_taken_on_own_hosts() {
    let emulator = Emulator::start();
    for host in [OWN_HOST, SHARED_HOST] {
        for derived in [true, false] {
            let client = Client { host, derived, ..Client::new(&emulator) };
            assert_eq!(client.list("").status, 200, "{host} {derived}");
        }
    }
}

#[test]
fn the_setting_fixes_the_scheme_of_own_hosts() {
    let emulator = Emulator::start();
    let (derived, basic) = (Client::new(&emulator), Client { derived: false, ..Client::new(&emulator) });
    derived.switch("localSigning", json!("derived"));
    assert_eq!(derived.list("").status, 200);
    unauthorized(&basic.list(""), "SDK-HMAC-SHA256 is not supported");
    derived.switch("localSigning", json!("basic"));
    assert_eq!(basic.list("").status, 200);
    unauthorized(&derived.list(""), "V11-HMAC-SHA256 is not supported");
}

#[test]
fn real_hosts_take_their_own_scheme_alone() {
    let emulator = Emulator::start();
    for (host, wanted) in [
        ("iotda.cn-north-4.myhuaweicloud.com", false),
        ("iotda-1.st1.iotda-app.cn-north-4.myhuaweicloud.com", true),
        ("iotda-1.iotda-app.cn-north-4.myhuaweicloud.com", true),
    ] {
        let client = Client { host, derived: wanted, ..Client::new(&emulator) };
        assert_eq!(client.list("").status, 200, "{host}");
        let other = Client { derived: !wanted, ..client };
        unauthorized(&other.list(""), "is not supported");
    }
}

#[test]
fn each_fault_of_a_signature_is_named() {
    let emulator = Emulator::start();
    for derived in [true, false] {
        let good = Client { derived, ..Client::new(&emulator) };
        let wrong = Client { secret: "wrong".into(), ..good.clone() };
        unauthorized(&wrong.list(""), "verify aksk signature fail");
        let unknown = Client { access: "UNKNOWN".into(), ..good.clone() };
        unauthorized(&unknown.list(""), "ak not exist");
        let stranger = Client { security_token: Some("x".into()), ..good.clone() };
        unauthorized(&stranger.list(""), "security token");
        for date in ["", "2026-01-15T08:09:10Z", "20260115", "20269915T080910Z"] {
            let undated = Client { date: Some(date.into()), ..good.clone() };
            unauthorized(&undated.list(""), "X-Sdk-Date");
        }
    }
}

#[test]
fn a_wrong_signature_is_answered_with_the_gateways_canonical_request() {
    let emulator = Emulator::start();
    let client = Client { secret: "wrong".into(), date: None, ..Client::new(&emulator) };
    let message = client.list("?limit=5").json()["error_msg"].as_str().unwrap().to_owned();
    let (_, canonical) = message.split_once("canonicalRequest:").expect("it is there");
    let expected = format!(
        "GET|/v5/iot/{PROJECT}/certificates/|limit=5|host:{OWN_HOST}:{}|x-project-id:{PROJECT}|x-sdk-date:",
        emulator.port
    );
    assert!(canonical.starts_with(&expected), "{canonical}");
    assert!(
        canonical.ends_with(
            "||host;x-project-id;x-sdk-date|e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        ),
        "{canonical}"
    );
}

#[test]
fn the_window_is_fifteen_minutes_of_the_emulators_clock() {
    let emulator = Emulator::start();
    emulator.control("PUT", "/clock", &json!({"time": "2028-02-29T23:59:00Z"}));
    for (date, good) in [
        ("20280229T234500Z", true),
        ("20280229T234300Z", false),
        ("20280301T001300Z", true),
        ("20280301T001500Z", false),
        ("20270301T000000Z", false),
    ] {
        for derived in [true, false] {
            let client = Client { date: Some(date.into()), derived, ..Client::new(&emulator) };
            match good {
                true => assert_eq!(client.list("").status, 200, "{date}"),
                false => unauthorized(&client.list(""), "signature expired"),
            }
        }
    }
}

#[test]
fn a_scope_is_of_the_day_the_region_and_the_service() {
    let emulator = Emulator::start();
    for (scope, good) in [
        ("cn-north-4/iotdm", true),
        ("cn-south-1/iotdm", false),
        ("cn-north-4/iotda", false),
        ("cn-north-4/", false),
    ] {
        let client = Client { scope, ..Client::new(&emulator) };
        match good {
            true => assert_eq!(client.list("").status, 200, "{scope}"),
            false => unauthorized(&client.list(""), "credential scope"),
        }
    }
    // Signed right, for another day than the date says.
    let (host, target) = list_of(OWN_HOST);
    let client = Client::new(&emulator);
    let headers = [("host", format!("{host}:{}", emulator.port)), ("x-sdk-date", client.now())];
    let signed = client.authorization("GET", &target, &headers, "");
    let today = &client.now()[..8];
    let moved = signed.replacen(&format!("/{today}/"), "/20200101/", 1);
    let headers = [("x-sdk-date", headers[1].1.as_str()), ("authorization", &moved)];
    unauthorized(&emulator.call("GET", &host, &target, &headers, None).unwrap(), "credential scope");
}

#[test]
fn host_and_date_must_be_signed() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (host, target) = list_of(OWN_HOST);
    let (at, now) = (format!("{host}:{}", emulator.port), client.now());
    for (signed, missing) in [
        (vec![("x-sdk-date", now.clone())], "host"),
        (vec![("host", at.clone())], "x-sdk-date"),
        (vec![("host", at.clone()), ("x-absent", "x".into()), ("x-sdk-date", now.clone())], "signed header"),
    ] {
        let authorization = client.authorization("GET", &target, &signed, "");
        let headers = [("x-sdk-date", now.as_str()), ("authorization", &authorization)];
        unauthorized(&emulator.call("GET", &host, &target, &headers, None).unwrap(), missing);
    }
}

#[test]
fn what_is_no_signature_is_not_read() {
    let emulator = Emulator::start();
    let (host, target) = list_of(OWN_HOST);
    unauthorized(&emulator.call("GET", &host, &target, &[], None).unwrap(), "both missing");
    for header in ["Bearer x", "SDK-HMAC-SHA256", "SDK-HMAC-SHA256 Access=a", "Basic YTpi", ""] {
        let reply = emulator.call("GET", &host, &target, &[("authorization", header)], None).unwrap();
        unauthorized(&reply, "format");
    }
}

#[test]
fn a_request_that_was_changed_on_its_way_is_refused() {
    let emulator = Emulator::start();
    let client = Client::shared(&emulator);
    let (host, target) = list_of(SHARED_HOST);
    let (at, now) = (format!("{host}:{}", emulator.port), client.now());
    let json = "application/json".to_owned();
    let signed = [("content-type", json), ("host", at), ("x-sdk-date", now.clone())];
    let authorization = client.authorization("POST", &target, &signed, "{}");
    let mut good = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
        ("x-sdk-date", &now),
    ];
    let sent = |method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]| {
        emulator.call(method, &host, target, headers, Some(body)).expect("an answer")
    };
    refused(&sent("POST", &target, &good, b"{}"), 400, "IOTDA.000006");
    unauthorized(&sent("POST", &target, &good, b"{ }"), "verify aksk signature fail");
    unauthorized(&sent("POST", &format!("{target}?x=1"), &good, b"{}"), "verify aksk signature fail");
    // A body that is signed and not sent, as one client did with DELETE.
    let one = format!("{target}/61c970ce2d63eb6ee655dbf0");
    let authorization = client.authorization("DELETE", &one, &signed, "{}");
    let delete = [("authorization", authorization.as_str()), good[1], good[2]];
    unauthorized(&emulator.call("DELETE", &host, &one, &delete, None).unwrap(), "verify aksk signature fail");
    good[1].1 = "text/plain";
    unauthorized(&sent("POST", &target, &good, b"{}"), "verify aksk signature fail");
}

#[test]
fn further_headers_and_a_hash_that_the_client_names_are_signed_too() {
    let emulator = Emulator::start();
    let client = Client::shared(&emulator);
    let (host, target) = list_of(SHARED_HOST);
    let (at, now) = (format!("{host}:{}", emulator.port), client.now());
    let signed = [
        ("content-type", "text/plain".to_owned()),
        ("host", at),
        ("user-agent", "two  spaces".to_owned()),
        ("x-sdk-content-sha256", "UNSIGNED-PAYLOAD".to_owned()),
        ("x-sdk-date", now.clone()),
    ];
    let authorization = client.authorization("POST", &target, &signed, "");
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let headers = |said: &'static str| {
        vec![
            ("Authorization", authorization.clone()),
            ("Content-Type", "text/plain".to_owned()),
            ("User-Agent", "  two  spaces  ".to_owned()),
            ("X-Sdk-Content-Sha256", said.to_owned()),
            ("X-Sdk-Date", now.clone()),
        ]
    };
    // The literal stands for the hash, so this signature over the empty body's hash does not fit.
    let call = |headers: Vec<(&str, String)>| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        emulator.call("POST", &host, &target, &headers, Some(b"hello")).expect("an answer")
    };
    let message = call(headers("UNSIGNED-PAYLOAD")).json()["error_msg"].as_str().unwrap().to_owned();
    assert!(
        message.contains("|user-agent:two  spaces|") && message.ends_with("|UNSIGNED-PAYLOAD"),
        "{message}"
    );
    assert!(!message.contains(empty));
}

#[test]
fn path_and_query_are_read_as_they_mean() {
    let emulator = Emulator::start();
    let client = Client::shared(&emulator);
    let (host, now) = (SHARED_HOST, client.now());
    let at = format!("{host}:{}", emulator.port);
    let headers = [("host", at), ("x-sdk-date", now.clone())];
    let list = format!("/v5/iot/{PROJECT}/certificates");
    for (sent, canonical) in [
        (format!("{list}?limit=5&app_id=app-4"), format!("{list}?app_id=app-4&limit=5")),
        (format!("{list}?app%5Fid=app%2D4"), format!("{list}?app_id=app-4")),
        (format!("{list}/?limit=5"), format!("{list}?limit=5")),
        (format!("{}?limit=5", list.replace("iot/", "%69ot/")), format!("{list}?limit=5")),
        (format!("{list}?limit=5&x"), format!("{list}?limit=5&x=")),
        (format!("{list}?x=%e8%af%81%20"), format!("{list}?x=%E8%AF%81%20")),
    ] {
        let authorization = client.authorization("GET", &canonical, &headers, "");
        let sent_headers = [("x-sdk-date", now.as_str()), ("authorization", authorization.as_str())];
        let reply = emulator.call("GET", host, &sent, &sent_headers, None).expect("an answer");
        assert_eq!(reply.status, 200, "{sent}: {}", reply.text());
    }
}

/// The vectors that a host of ours serves, with their keys and at their time.
#[test]
fn the_official_signers_requests_are_let_in() {
    let emulator = Emulator::start();
    let file: Value =
        serde_json::from_str(include_str!("../../data/huawei-iotda/signing-vectors.json")).unwrap();
    for (name, region) in [("9bc34fake0", "ap-southeast-1"), ("0123456789", "cn-north-4")] {
        let body = json!({"id": name, "edition": "standard", "region": region, "projectId": PROJECT});
        emulator.control("PUT", &format!("/instances/{name}"), &body);
    }
    let mut ran = 0;
    for vector in ["sdkHmacSha256", "v11HmacSha256"].iter().flat_map(|name| file[name].as_array().unwrap()) {
        let text = |member: &str| vector[member].as_str().unwrap_or_default();
        let (name, host) = (text("name"), text("host"));
        if !host.contains("iotda") || text("url").contains(['ä', ' ']) {
            continue; // no host of ours, or no request that HTTP has
        }
        let key = json!({"access": text("ak"), "secret": text("sk")});
        emulator.control("PUT", "/users/vectors", &json!({"id": "1", "accessKeys": [key]}));
        let iso = text("date");
        let time = format!(
            "{}-{}-{}T{}:{}:{}Z",
            &iso[..4],
            &iso[4..6],
            &iso[6..8],
            &iso[9..11],
            &iso[11..13],
            &iso[13..15]
        );
        emulator.control("PUT", "/clock", &json!({ "time": time }));
        let headers = vector["sentHeaders"].as_object().unwrap();
        let mut head = format!("{} {} HTTP/1.1\r\n", text("method"), &text("url")[8 + host.len()..]);
        for (name, value) in headers {
            head.push_str(&format!("{name}: {}\r\n", value.as_str().unwrap()));
        }
        let body = BASE64.decode(text("bodyBase64")).unwrap();
        head.push_str(&format!("Content-Length: {}\r\nConnection: close\r\n", body.len()));
        let reply = emulator.raw(host, &head, &body).expect("an answer");
        let found = if reply.status == 200 { (200, String::new()) } else { error(&reply) };
        match name {
            "path-root" | "path-encoded-slash-quirk" => assert_ne!(found.0, 401, "{name}"),
            _ if name.starts_with("security-token") || name == "v11-security-token" => {
                assert!(reply.text().contains("security token"), "{name}: {}", reply.text());
            }
            // Signed right; the user has no rights, the project is another's, or the body is found wanting.
            _ => assert!([400, 403, 404].contains(&found.0), "{name}: {}", reply.text()),
        }
        ran += 1;
    }
    assert!(ran >= 22, "only {ran} vectors were sent");
}

#[test]
fn the_key_is_in_no_journal() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    client.list("");
    let entry = emulator.seen("/requests?operation=iotdaCertificates.list")["requests"][0].clone();
    let headers = entry["headers"].as_array().unwrap();
    let authorization = headers.iter().find(|pair| pair[0] == "authorization").unwrap()[1].as_str().unwrap();
    assert!(authorization.starts_with(&format!("V11-HMAC-SHA256 Credential={ACCESS}/")), "{authorization}");
    let (_, signature) = authorization.rsplit_once(", Signature=").unwrap();
    assert!(signature.len() == 64, "a test computes it anew: {authorization}");
    assert!(!entry.to_string().contains(SECRET), "{entry}");
}
