//! The certificate calls: shapes, encodings, ETags, proof of possession.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::certs::{Ca, days_from_now, ec_key, encodings, name, rsa_key};
use crate::client::Emulator;
use crate::iot_hub::{Hub, code_of, etag, is_verified};

const ALL: [&str; 11] = [
    "2017-07-01",
    "2018-04-01",
    "2019-03-22",
    "2019-11-04",
    "2020-03-01",
    "2021-03-31",
    "2021-07-01",
    "2021-07-02",
    "2022-04-30-preview",
    "2023-06-30",
    "2023-06-30-preview",
];

#[test]
fn every_version_has_the_whole_life_cycle() {
    let emulator = Emulator::start();
    for version in ALL {
        let hub = Hub::new(&emulator, version);
        let ca = Ca::new(version);
        let mut etags = HashSet::new();
        let created = hub.put(version, &ca.pem(), None);
        assert_eq!((created.status, is_verified(&created)), (201, false), "{version}");
        assert!(etags.insert(etag(&created)));
        let code = hub.code(version, Some(&etag(&created)));
        assert!(etags.insert(etag(&code)), "the code call changes the ETag");
        let proof = ca.proof(&code_of(&code)).pem();
        let verified = hub.verify(version, &proof, Some(&etag(&code)));
        assert_eq!((verified.status, is_verified(&verified)), (200, true));
        assert!(etags.insert(etag(&verified)));
        assert_eq!(etag(&hub.get(version)), etag(&verified));
        let replaced = hub.put(version, &Ca::new("Next").pem(), Some(&etag(&verified)));
        assert_eq!((replaced.status, is_verified(&replaced)), (200, false), "a replacing PUT resets it");
        assert!(etags.insert(etag(&replaced)));
        let deleted = hub.delete(version, Some(&etag(&replaced)));
        assert_eq!((deleted.status, deleted.header("content-length")), (200, Some("0")));
        assert_eq!(hub.delete(version, Some(&etag(&replaced))).status, 204);
        assert_eq!(hub.get(version).status, 404);
    }
}

#[test]
fn the_answer_is_computed_from_the_certificate() {
    let emulator = Emulator::start();
    let ca = Ca::new("Factory Root");
    let body = Hub::new(&emulator, "2023-06-30").put("Root.A", &ca.pem(), None).json();
    assert_eq!(body["name"], "Root.A");
    assert_eq!(body["type"], "Microsoft.Devices/IotHubs/Certificates");
    let id = body["id"].as_str().unwrap();
    assert!(id.ends_with(
        "/resourceGroups/rg-devices/providers/Microsoft.Devices/IotHubs/hub-1/certificates/Root.A"
    ));
    let properties = &body["properties"];
    assert_eq!(properties["subject"], "Factory Root");
    assert_eq!(properties["thumbprint"], ca.thumbprint());
    assert_eq!(properties["certificate"], ca.pem());
    // OpenSSL prints `Dec 25 05:33:53 2026 GMT`.
    let expected = ca.certificate.not_after().to_string();
    let expected: Vec<&str> = expected.split_whitespace().collect();
    let [month, day, time, year, _] = expected[..] else { panic!("{expected:?}") };
    let expiry = properties["expiry"].as_str().unwrap();
    assert!(expiry.ends_with(&format!(", {day:0>2} {month} {year} {time} GMT")), "{expiry}");
}

#[test]
fn all_encodings_give_the_same_certificate_and_are_echoed_as_sent() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2023-06-30");
    for key in [ec_key(), rsa_key()] {
        let ca = Ca::with_key("Encoded", key);
        for (n, text) in encodings(&ca.certificate).into_iter().enumerate() {
            let name = format!("ca-{}-{n}", ca.key.bits());
            let properties = hub.put(&name, &text, None).json()["properties"].clone();
            assert_eq!(
                (&properties["thumbprint"], &properties["certificate"]),
                (&json!(ca.thumbprint()), &json!(text))
            );
        }
    }
    assert_eq!(hub.list().json()["value"].as_array().unwrap().len(), 10, "one certificate under many names");
}

#[test]
fn the_flat_versions_leave_the_certificate_out() {
    let emulator = Emulator::start();
    let body = Hub::new(&emulator, "2018-04-01").put("ca", &Ca::new("A").pem(), None).json();
    assert!(body["properties"].get("certificate").is_none());
}

#[test]
fn the_body_of_another_version_is_refused() {
    let emulator = Emulator::start();
    let pem = Ca::new("A").pem();
    let (flat, nested) = (json!({"certificate": pem}), json!({"properties": {"certificate": pem}}));
    for version in ALL {
        let (good, bad) = if version < "2021" { (&flat, &nested) } else { (&nested, &flat) };
        let hub = Hub::new(&emulator, version);
        let refused = hub.put_body(version, bad, None);
        assert_eq!(
            (refused.status, &refused.json()["httpStatusCode"]),
            (400, &json!("BadRequest")),
            "{version}"
        );
        assert_eq!(hub.put_body(version, good, None).status, 201, "{version}");
    }
}

#[test]
fn is_verified_is_obeyed_from_2021_07_01_on() {
    let emulator = Emulator::start();
    let pem = Ca::new("A").pem();
    for version in ALL {
        let mut body = json!({"certificate": pem, "isVerified": true});
        if version > "2021" {
            body = json!({ "properties": body });
        }
        let reply = Hub::new(&emulator, version).put_body(version, &body, None);
        assert_eq!(is_verified(&reply), version >= "2021-07-01", "{version}");
    }
    let hub = Hub::new(&emulator, "2023-06-30");
    let bad = json!({"properties": {"certificate": pem, "isVerified": "true"}});
    assert_eq!(hub.put_body("x", &bad, None).status, 400);
    let etag = hub.etag_of("2023-06-30");
    let wish = json!({"properties": {"certificate": pem, "isVerified": false}});
    assert!(!is_verified(&hub.put_body("2023-06-30", &wish, Some(&etag))));
}

#[test]
fn unreadable_uploads_are_refused() {
    let emulator = Emulator::start();
    let (a, b) = (Ca::new("A"), Ca::new("B"));
    let der = a.certificate.to_der().unwrap();
    let key = String::from_utf8(a.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let hub = Hub::new(&emulator, "2018-04-01");
    for (what, text) in [
        ("empty", String::new()),
        ("text", "no certificate".to_owned()),
        ("base64 of text", BASE64.encode("no certificate")),
        ("armour around nothing", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----".to_owned()),
        ("cut short", BASE64.encode(&der[..der.len() - 1])),
        ("something behind it", BASE64.encode([der.as_slice(), b"x"].concat())),
        ("two", a.pem() + &b.pem()),
        ("key beside it", a.pem() + &key),
        ("key alone", key),
    ] {
        let reply = hub.put("ca", &text, None);
        assert_eq!(reply.flat_error(), (400, 400_050), "{what}: {}", reply.text());
    }
    for body in [json!({}), json!([]), json!({"certificate": 1}), json!({"Certificate": a.pem()})] {
        assert_eq!(hub.put_body("ca", &body, None).flat_error(), (400, 400_001), "{body}");
    }
    assert_eq!(hub.list().json(), json!({"value": []}));
}

#[test]
fn names_follow_the_pattern() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let pem = Ca::new("A").pem();
    let (longest, longer) = ("x".repeat(64), "x".repeat(65));
    for name in ["a", "A.b-c_9", longest.as_str()] {
        assert_eq!(hub.put(name, &pem, None).status, 201, "{name}");
    }
    for name in [longer.as_str(), "a%20b", "%C3%A4", "a~b", "a+b", "a:b"] {
        assert_eq!(hub.put(name, &pem, None).flat_error(), (400, 400_002), "{name}");
    }
    // Letter case does not make another name; the first one stays.
    let again = hub.put("A.B-C_9", &pem, None);
    assert_eq!(again.flat_error(), (412, 412_001));
    assert_eq!(hub.get("a.B-c_9").json()["name"], "A.b-c_9");
}

#[test]
fn stale_missing_quoted_and_starred_etags_are_refused() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let ca = Ca::new("A");
    let old = hub.holds("ca", &ca.pem());
    let coded = hub.code("ca", Some(&old));
    let (now, proof) = (etag(&coded), ca.proof(&code_of(&coded)).pem());
    let quoted = format!("\"{now}\"");
    let cut = &now[..now.len() - 1];
    for bad in [None, Some(old.as_str()), Some(quoted.as_str()), Some("*"), Some(cut), Some("")] {
        for reply in [
            hub.put("ca", &ca.pem(), bad),
            hub.code("ca", bad),
            hub.verify("ca", &proof, bad),
            hub.delete("ca", bad),
        ] {
            assert_eq!(reply.flat_error(), (412, 412_001), "{bad:?}");
            assert_eq!(reply.json()["httpStatusCode"], "PreconditionFailed");
            assert!(reply.json()["message"].as_str().unwrap().ends_with("errorcode: IH412001."));
        }
    }
    assert_eq!(hub.put("absent", &ca.pem(), Some(&now)).flat_error(), (412, 412_001));
    assert_eq!(hub.etag_of("ca"), now, "a refused call changes nothing");
    assert_eq!(hub.verify("ca", &proof, Some(&now)).status, 200, "not the code either");
}

#[test]
fn a_code_is_48_hex_digits_used_once_and_voided_by_the_next() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2023-06-30");
    let ca = Ca::new("A");
    let first = hub.code("ca", Some(&hub.holds("ca", &ca.pem())));
    let code = code_of(&first);
    assert_eq!(code.len(), 48);
    assert!(code.bytes().all(|byte| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)));
    assert!(hub.get("ca").json()["properties"].get("verificationCode").is_none());
    let second = hub.code("ca", Some(&etag(&first)));
    assert_ne!(code_of(&second), code);
    let old = hub.verify("ca", &ca.proof(&code).pem(), Some(&etag(&second)));
    assert_eq!(old.flat_error(), (400, 400_052));
    let proof = ca.proof(&code_of(&second)).pem();
    let verified = hub.verify("ca", &proof, Some(&etag(&second)));
    assert_eq!(verified.status, 200);
    assert_eq!(hub.verify("ca", &proof, Some(&etag(&verified))).flat_error(), (400, 400_052));
}

#[test]
fn a_proof_is_taken_in_every_encoding_from_every_key() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2023-06-30");
    for ca in [Ca::new("A"), Ca::with_key("A", rsa_key())] {
        for n in 0..5 {
            let name = format!("ca-{}-{n}", ca.key.bits());
            let coded = hub.code(&name, Some(&hub.holds(&name, &ca.pem())));
            let proof = encodings(&ca.proof(&code_of(&coded)).certificate()).swap_remove(n);
            assert!(is_verified(&hub.verify(&name, &proof, Some(&etag(&coded)))));
        }
    }
}

#[test]
fn a_wrong_proof_is_refused_with_its_number() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let (ca, twin) = (Ca::new("A"), Ca::new("A"));
    let coded = hub.code("ca", Some(&hub.holds("ca", &ca.pem())));
    let (code, now) = (code_of(&coded), etag(&coded));
    let good = || ca.proof(&code);
    let lower = code.to_ascii_lowercase();
    let spaced = format!("{code} ");

    let mut others = [good(), good(), good(), good(), good()];
    others[0].subject = name(&[&lower]);
    others[1].subject = name(&[&spaced]);
    others[2].subject = name(&[&code, "second"]);
    others[3].until = days_from_now(0) - 60;
    others[4].from = days_from_now(1);
    for proof in others {
        let reply = hub.verify("ca", &proof.pem(), Some(&now));
        assert_eq!(reply.flat_error(), (400, 400_052));
    }
    let mut foreign = [good(), good(), good()];
    foreign[0].issuer = name(&["B"]);
    foreign[1].signer = &twin.key; // the right name, another key
    foreign[2].issuer = name(&["a"]); // equal by RFC 5280's rules, not by its bytes
    for proof in foreign {
        assert_eq!(hub.verify("ca", &proof.pem(), Some(&now)).flat_error(), (400, 400_053));
    }
    for text in ["", "nonsense"] {
        assert_eq!(hub.verify("ca", text, Some(&now)).flat_error(), (400, 400_052));
    }
    assert!(is_verified(&hub.verify("ca", &good().pem(), Some(&now))), "failures cost nothing");
}

#[test]
fn verify_is_flat_in_every_version_and_needs_a_code() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2023-06-30");
    let ca = Ca::new("A");
    let now = hub.holds("ca", &ca.pem());
    let proof = ca.proof("x").pem();
    let nested = json!({"properties": {"certificate": proof}});
    let reply = hub.send("POST", "/ca/verify", Some(&now), Some(&nested)).expect("an answer");
    assert_eq!(reply.flat_error(), (400, 400_001));
    assert_eq!(hub.verify("ca", &proof, Some(&now)).flat_error(), (400, 400_052));
    for missing in [hub.code("none", Some("x")), hub.verify("none", &proof, Some("x"))] {
        assert_eq!(missing.arm_error(), (404, "ResourceNotFound".to_owned()));
    }
}

#[test]
fn the_code_call_needs_neither_body_nor_content_type() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let now = hub.holds("ca", &Ca::new("A").pem());
    let head = format!(
        "POST {}?api-version=2018-04-01 HTTP/1.1\r\nHost: arm.localhost\r\nConnection: close\r\nAuthorization: Bearer {}\r\nIf-Match: {now}\r\n",
        hub.path("/ca/generateVerificationCode"),
        emulator.token()
    );
    let bare = emulator.raw("arm.localhost", &head, b"").expect("an answer"); // not even a length
    assert_eq!(bare.status, 200);
}

#[test]
fn dates_follow_the_clock() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    emulator.control("PUT", "/clock", &json!({"time": "2024-02-29T12:00:00Z"}));
    let hub = Hub::with_token(&emulator, hub.version, &emulator.token());
    let created = hub.put("ca", &Ca::new("A").pem(), None);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 60}));
    let coded = hub.code("ca", Some(&etag(&created)));
    let properties = &coded.json()["properties"];
    assert!(properties["created"].as_str().unwrap().starts_with("Thu, 29 Feb 2024 12:00:0"));
    assert!(properties["updated"].as_str().unwrap().starts_with("Thu, 29 Feb 2024 12:01:0"));
    assert!(coded.header("date").unwrap().starts_with("Thu, 29 Feb 2024 12:01:0"));
}
