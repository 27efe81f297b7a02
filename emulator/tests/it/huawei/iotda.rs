//! The six calls, and the way of a certificate through them.

use openssl::asn1::Asn1Time;
use openssl::hash::MessageDigest;
use openssl::x509::X509Builder;
use serde_json::{Value, json};

use super::{Client, OTHER_TEMPLATE, PROJECT, TEMPLATE, documented, error, refused, refused_as_documented};
use crate::certs::{Ca, days_from_now, encodings, name, pem, rsa_key};
use crate::client::Emulator;

#[test]
fn a_certificate_goes_its_way() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 7200}));
    let now = || emulator.seen("/clock")["time"].as_str().unwrap().replace(['-', ':'], "");
    let ca = Ca::with_key("Factory CA", rsa_key());
    let before = now();
    let made = client.upload(&ca.pem());
    assert_eq!(made.status, 201);
    let made = documented("Certificate", &made);
    let id = made["certificate_id"].as_str().unwrap();
    assert!(id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!((&made["cn_name"], &made["status"]), (&json!("Factory CA"), &json!(false)));
    let created = made["create_date"].as_str().unwrap().to_owned();
    assert!((before..=now()).contains(&created), "{created}");
    assert_eq!(made["verify_code"].as_str().unwrap().len(), 36);
    for unset in ["provision_enable", "template_id", "ocsp_enable", "ocsp_server_ca_id", "ocsp_ssl_enable"] {
        assert_eq!(made.get(unset), Some(&Value::Null), "{unset}");
    }
    let listed = documented("CertificateList", &client.list(""));
    assert_eq!(listed["certificates"], json!([made]));
    assert_eq!(listed["page"], json!({"count": 1, "marker": id}));

    let verified = client.verify(id, &ca.proof(made["verify_code"].as_str().unwrap()).pem());
    assert_eq!((verified.status, verified.body.len()), (200, 0));
    let changed = client.update(id, &json!({"provision_enable": true, "template_id": TEMPLATE}));
    let changed = documented("Certificate", &changed);
    assert_eq!((&changed["status"], &changed["provision_enable"]), (&json!(true), &json!(true)));
    assert_eq!((&changed["template_id"], &changed["ocsp_enable"]), (&json!(TEMPLATE), &Value::Null));

    let mut expected = changed.clone();
    expected["content"] = ca.pem().into();
    expected["name"] = Value::Null;
    assert_eq!(documented("CertificateDetail", &client.get(id)), expected);
    let deleted = client.delete(id);
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    for gone in
        [client.get(id), client.update(id, &json!({})), client.verify(id, &ca.pem()), client.delete(id)]
    {
        refused(&gone, 404, "IOTDA.014306");
    }
    assert_eq!(client.list("").json()["page"]["count"], 0);
}

#[test]
fn dates_are_the_certificates_own() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let made = client.upload(&ca.pem()).json();
    let read = |member: &str| Asn1Time::from_str(&made[member].as_str().unwrap().replace('T', "")).unwrap();
    assert_eq!(
        read("effective_date").compare(ca.certificate.not_before()).unwrap(),
        std::cmp::Ordering::Equal
    );
    assert_eq!(read("expiry_date").compare(ca.certificate.not_after()).unwrap(), std::cmp::Ordering::Equal);
}

/// The certificate that the document makes with OpenSSL: version 1, no extensions.
fn version_1() -> Ca {
    let (key, own) = (rsa_key(), name(&["Version 1"]));
    let mut builder = X509Builder::new().unwrap();
    builder.set_subject_name(&own).unwrap();
    builder.set_issuer_name(&own).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder.set_not_before(&Asn1Time::from_unix(days_from_now(-1)).unwrap()).unwrap();
    builder.set_not_after(&Asn1Time::from_unix(days_from_now(9)).unwrap()).unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    Ca { certificate: builder.build(), key }
}

#[test]
fn version_1_is_good_enough() {
    let emulator = Emulator::start();
    Client::new(&emulator).holds_verified(&version_1());
}

#[test]
fn only_one_certificate_in_pem_is_taken() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let [crlf, wrapped, der, double, _] = encodings(&ca.certificate).try_into().unwrap();
    let key = String::from_utf8(ca.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    for bad in [
        wrapped,
        der,
        double,
        "x".to_owned(),
        ca.pem() + &Ca::new("B").pem(),
        ca.pem() + &key,
        ca.pem().replace("MII", "MIX"),
    ] {
        refused_as_documented(&client.upload(&bad), "AddCertificate", 400, "IOTDA.014301");
    }
    assert_eq!(client.upload(&crlf).status, 201);
    assert_eq!(emulator.seen("/instances/iotda-1/certificates")[0]["content"], crlf);
    assert!(!emulator.seen("/requests").to_string().contains(key.lines().nth(1).unwrap()));
}

#[test]
fn bodies_are_read_strictly() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let one = client.holds_verified(&ca);
    let target = format!("/v5/iot/{PROJECT}/certificates");
    let (put, post) = (format!("{target}/{one}"), target.clone());
    let verify = format!("{target}/{one}/action?action_id=verify");
    let long = format!("{{\"content\": \"{}\"}}", "x".repeat(65_536));
    for (method, target, body, code) in [
        ("POST", &post, "", "000008"),
        ("POST", &post, "{", "000008"),
        ("POST", &post, "{\"content\": \"x\",}", "000008"),
        ("POST", &post, "[]", "000006"),
        ("POST", &post, "{}", "000006"),
        ("POST", &post, r#"{"content": ""}"#, "000006"),
        ("POST", &post, r#"{"content": null}"#, "000006"),
        ("POST", &post, r#"{"content": 1}"#, "000006"),
        ("POST", &post, r#"{"content": "x", "name": "n"}"#, "000006"),
        ("POST", &post, r#"{"content": "x", "app_id": null}"#, "000006"),
        ("POST", &post, r#"{"content": "x", "app_id": "a b"}"#, "000006"),
        ("POST", &post, &long, "000006"),
        ("POST", &verify, "{}", "000006"),
        ("POST", &verify, r#"{"content": "x"}"#, "000006"),
        ("POST", &verify, r#"{"verify_content": "x"}"#, "014301"),
        ("PUT", &put, "null", "000006"),
        ("PUT", &put, r#"{"provision_enable": "true"}"#, "000006"),
        ("PUT", &put, r#"{"provision_enable": null}"#, "000006"),
        ("PUT", &put, r#"{"ocsp_enable": 1}"#, "000006"),
        ("PUT", &put, r#"{"template_id": ""}"#, "000006"),
        ("PUT", &put, r#"{"template_id": "61c970ce2d63eb6ee655dbf"}"#, "000006"),
        ("PUT", &put, r#"{"ocsp_server_ca_id": "A"}"#, "000006"),
        ("PUT", &put, r#"{"content": "x"}"#, "000006"),
        ("PUT", &put, r#"{"status": true}"#, "000006"),
    ] {
        let reply = client.call(method, target, Some(body));
        assert_eq!(error(&reply), (400, format!("IOTDA.{code}")), "{method} {body:.60}: {}", reply.text());
    }
    assert_eq!(emulator.seen(&format!("/instances/iotda-1/certificates/{one}"))["writes"], 2);
}

#[test]
fn a_body_is_json_by_its_type() {
    let emulator = Emulator::start();
    let client = Client::shared(&emulator);
    let target = format!("/v5/iot/{PROJECT}/certificates");
    for (media_type, code) in [
        (Some("text/plain"), "000008"),
        (Some("application/x-www-form-urlencoded"), "000008"),
        (None, "000008"),
        (Some("application/json;charset=UTF-8"), "000006"),
    ] {
        let mut signed = vec![("host", format!("{}:{}", client.host, emulator.port))];
        signed.push(("x-sdk-date", client.now()));
        let authorization = client.authorization("POST", &target, &signed, "{}");
        let mut headers = vec![("authorization", authorization.as_str()), ("x-sdk-date", &signed[1].1)];
        headers.extend(media_type.map(|it| ("content-type", it)));
        let reply = emulator.call("POST", client.host, &target, &headers, Some(b"{}")).unwrap();
        refused(&reply, 400, &format!("IOTDA.{code}"));
    }
}

#[test]
fn ids_and_parameters_have_their_forms() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    for query in [
        "?limit=0",
        "?limit=51",
        "?limit=x",
        "?limit=",
        "?offset=501",
        "?offset=-1",
        "?marker=",
        "?marker=a%20b",
        "?app_id=",
        "?app_id=a%2Fb",
        "?limit=1&limit=2",
    ] {
        assert_eq!(error(&client.list(query)).1, "IOTDA.000006", "{query}");
    }
    for id in ["UPPER", "g", &"0".repeat(37)] {
        refused(&client.get(id), 400, "IOTDA.000006");
    }
    let action = |query: &str| {
        let body = json!({"verify_content": Ca::new("A").pem()});
        client.certificates("POST", &format!("/61c970ce2d63eb6ee655dbf0/action{query}"), &body)
    };
    for query in ["", "?action_id=", "?action_id=check", "?action=verify"] {
        refused(&action(query), 400, "IOTDA.000006");
    }
    refused_as_documented(&action("?action_id=verify"), "CheckCertificate", 404, "IOTDA.014306");
    let odd = client.call("GET", "/v5/iot/xyz/certificates", None);
    refused(&odd, 400, "IOTDA.000006");
}

#[test]
fn a_proof_is_for_the_code_and_by_the_key() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (ca, other) = (Ca::new("A"), Ca::new("B"));
    let (id, code) = client.holds(&ca.pem());
    let own = |subject: &[&str]| {
        let mut proof = ca.proof(&code);
        proof.subject = name(subject);
        proof.pem()
    };
    let mut by_stranger = ca.proof(&code);
    by_stranger.signer = &other.key;
    let mut old = ca.proof(&code);
    (old.from, old.until) = (days_from_now(-3), days_from_now(-2));
    for (what, proof, expected) in [
        ("other code", own(&["00000000-0000-4000-8000-000000000000"]), "014307"),
        ("upper case", own(&[&code.to_uppercase().replace(&code, "X")]), "014307"),
        ("two names", own(&[&code, &code]), "014307"),
        ("no name", own(&[]), "014307"),
        ("padded", own(&[&format!(" {code}")]), "014307"),
        ("the CA itself", ca.pem(), "014307"),
        ("other signer", by_stranger.pem(), "014308"),
        ("other CA", other.proof(&code).pem(), "014308"),
        ("expired", old.pem(), "014308"),
        ("junk", "junk".to_owned(), "014301"),
    ] {
        let reply = client.verify(&id, &proof);
        assert_eq!(error(&reply), (400, format!("IOTDA.{expected}")), "{what}");
    }
    let seen = client.get(&id).json();
    assert_eq!((&seen["status"], &seen["verify_code"]), (&json!(false), &json!(code)), "the code stays");
    assert_eq!(client.verify(&id, &ca.proof(&code).pem()).status, 200);
    assert_eq!(client.get(&id).json()["status"], true);
}

#[test]
fn a_code_is_of_one_certificate_alone() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (one, other) = (Ca::new("A"), Ca::new("B"));
    let (id, _) = client.holds(&one.pem());
    let (_, code) = client.holds(&other.pem());
    refused(&client.verify(&id, &one.proof(&code).pem()), 400, "IOTDA.014307");
}

#[test]
fn three_states_of_every_member() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    let ocsp_ca = "00000000000000000000abcd";
    for (body, member, expected) in [
        (json!({"ocsp_enable": true}), "ocsp_enable", json!(true)),
        (json!({}), "ocsp_enable", json!(true)),
        (json!({"template_id": TEMPLATE}), "template_id", json!(TEMPLATE)),
        (json!({"provision_enable": true}), "provision_enable", json!(true)),
        (json!({"ocsp_enable": false}), "template_id", json!(TEMPLATE)),
        (json!({"template_id": OTHER_TEMPLATE}), "template_id", json!(OTHER_TEMPLATE)),
        (json!({"template_id": null}), "template_id", Value::Null),
        (json!({}), "provision_enable", json!(false)),
        (json!({"template_id": null}), "template_id", Value::Null),
        (json!({"ocsp_ssl_enable": true, "ocsp_server_ca_id": ocsp_ca}), "ocsp_server_ca_id", json!(ocsp_ca)),
        (json!({"ocsp_ssl_enable": false, "ocsp_server_ca_id": null}), "ocsp_server_ca_id", Value::Null),
        (json!({}), "ocsp_ssl_enable", json!(false)),
    ] {
        let reply = client.update(&id, &body);
        assert_eq!(reply.status, 200, "{body}: {}", reply.text());
        assert_eq!(documented("Certificate", &reply)[member], expected, "{body}");
        assert_eq!(client.get(&id).json()[member], expected, "{body}");
    }
}

#[test]
fn settings_that_do_not_go_together_are_refused_whole() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    let before = client.get(&id).json();
    for (body, code) in [
        (json!({"provision_enable": true}), "000006"),
        (json!({"provision_enable": true, "template_id": null, "ocsp_enable": true}), "000006"),
        (json!({"ocsp_ssl_enable": true, "ocsp_enable": true}), "000006"),
        (json!({"template_id": "61c970ce2d63eb6ee655dbff", "provision_enable": true}), "014320"),
    ] {
        let reply = client.update(&id, &body);
        refused_as_documented(&reply, "UpdateCertificate", 400, &format!("IOTDA.{code}"));
    }
    assert_eq!(client.get(&id).json(), before);
}

#[test]
fn nothing_is_set_before_it_is_verified() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (id, _) = client.holds(&Ca::new("A").pem());
    for body in [json!({}), json!({"ocsp_enable": true}), json!({"template_id": TEMPLATE})] {
        refused_as_documented(&client.update(&id, &body), "UpdateCertificate", 403, "IOTDA.014319");
    }
}

#[test]
fn the_basic_edition_has_no_update() {
    let emulator = Emulator::start();
    let client = Client::shared(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    assert_eq!(error(&client.update(&id, &json!({"ocsp_enable": true}))).0, 403);
    assert_eq!(client.delete(&id).status, 204);
}

#[test]
fn a_certificate_may_be_renewed_beside_the_old_one() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let old = Ca::new("Same name");
    let first = client.holds_verified(&old);
    let new = Ca::with_key("Same name", old.key.clone());
    let second = client.holds_verified(&new);
    for id in [&first, &second] {
        let body = json!({"template_id": TEMPLATE, "provision_enable": true});
        assert_eq!(client.update(id, &body).status, 200, "one template may serve several");
    }
    assert_ne!(pem(&old.certificate), pem(&new.certificate));
    assert_eq!(client.delete(&first).status, 204);
    assert_eq!(client.get(&second).status, 200);
}
