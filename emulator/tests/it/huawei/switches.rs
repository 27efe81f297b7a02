//! Every switch, in each of its positions.

use serde_json::{Value, json};

use super::{Client, STANDARD, TEMPLATE, error, refused};
use crate::certs::{Ca, days_from_now};
use crate::client::Emulator;

#[test]
fn duplicate() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    client.holds(&ca.pem());
    refused(&client.upload(&ca.pem()), 400, "IOTDA.014303");
    refused(&client.upload(&ca.pem().replace('\n', "\r\n")), 400, "IOTDA.014303");
    for code in ["014302", "014303", "014309"] {
        client.switch("duplicate", json!(format!("refused{code}")));
        refused(&client.upload(&ca.pem()), 400, &format!("IOTDA.{code}"));
    }
    client.switch("duplicate", json!("secondObject"));
    assert_eq!(client.upload(&ca.pem()).status, 201);
    assert_eq!(client.list("").json()["page"]["count"], 2);
}

#[test]
fn read_one() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (id, _) = client.holds(&Ca::new("A").pem());
    client.switch("readOne", json!("notPublished"));
    refused(&client.get(&id), 404, "APIGW.0101");
    client.switch("readOne", json!("forbidden"));
    refused(&client.get(&id), 403, "IOTDA.000022");
    assert_eq!(client.list("").status, 200);
}

#[test]
fn unverified_update() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (id, _) = client.holds(&Ca::new("A").pem());
    client.switch("unverifiedUpdate", json!("accepted"));
    assert_eq!(client.update(&id, &json!({"ocsp_enable": true})).json()["ocsp_enable"], true);
}

#[test]
fn update() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.update(&id, &json!({"template_id": TEMPLATE, "provision_enable": true}));
    client.switch("update", json!("fullReplace"));
    let changed = client.update(&id, &json!({"ocsp_enable": true})).json();
    assert_eq!((&changed["template_id"], &changed["provision_enable"]), (&Value::Null, &Value::Null));
}

#[test]
fn unknown_template() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.switch("unknownTemplate", json!("accepted"));
    assert_eq!(client.update(&id, &json!({"template_id": "61c970ce2d63eb6ee655dbff"})).status, 200);
}

#[test]
fn unbind_while_provisioning() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.update(&id, &json!({"template_id": TEMPLATE, "provision_enable": true}));
    client.switch("unbindWhileProvisioning", json!("refused"));
    refused(&client.update(&id, &json!({"template_id": null})), 400, "IOTDA.000006");
    let both = client.update(&id, &json!({"template_id": null, "provision_enable": false}));
    assert_eq!((both.status, &both.json()["template_id"]), (200, &Value::Null));
}

#[test]
fn delete_while_bound() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.update(&id, &json!({"template_id": TEMPLATE}));
    client.switch("deleteWhileBound", json!("refused"));
    refused(&client.delete(&id), 400, "IOTDA.014304");
    client.update(&id, &json!({"template_id": null}));
    assert_eq!(client.delete(&id).status, 204);
    let other = client.holds_verified(&Ca::new("B"));
    client.update(&other, &json!({"template_id": TEMPLATE}));
    client.switch("deleteWhileBound", json!("deletes"));
    assert_eq!(client.delete(&other).status, 204);
}

#[test]
fn verify_again() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let id = client.holds_verified(&ca);
    let code = client.get(&id).json()["verify_code"].as_str().unwrap().to_owned();
    assert_eq!(client.verify(&id, &ca.proof(&code).pem()).status, 200);
    client.switch("verifyAgain", json!("refused"));
    assert_eq!(error(&client.verify(&id, &ca.proof(&code).pem())).0, 400);
}

#[test]
fn code_life_seconds() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let (id, code) = client.holds(&ca.pem());
    let seen = || client.get(&id).json()["verify_code"].as_str().unwrap().to_owned();
    emulator.control("POST", "/clock/advance", &json!({"seconds": 3600}));
    assert_eq!(seen(), code);
    client.switch("codeLifeSeconds", json!(3600));
    let new = seen();
    assert_ne!(new, code);
    refused(&client.verify(&id, &ca.proof(&code).pem()), 400, "IOTDA.014307");
    assert_eq!(client.list("").json()["certificates"][0]["verify_code"], new);
    assert_eq!(client.verify(&id, &ca.proof(&new).pem()).status, 200);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 7200}));
    assert_eq!(seen(), new, "of a verified one it stays");
}

#[test]
fn code_after_failure() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let (id, code) = client.holds(&ca.pem());
    client.switch("codeAfterFailure", json!("new"));
    refused(&client.verify(&id, &ca.proof("x").pem()), 400, "IOTDA.014307");
    refused(&client.verify(&id, &ca.proof(&code).pem()), 400, "IOTDA.014307");
    let new = client.get(&id).json()["verify_code"].as_str().unwrap().to_owned();
    assert_eq!(client.verify(&id, &ca.proof(&new).pem()).status, 200);
}

#[test]
fn proof_validity() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let (id, code) = client.holds(&ca.pem());
    let mut old = ca.proof(&code);
    (old.from, old.until) = (days_from_now(-3), days_from_now(-2));
    refused(&client.verify(&id, &old.pem()), 400, "IOTDA.014308");
    client.switch("proofValidity", json!("ignored"));
    assert_eq!(client.verify(&id, &old.pem()).status, 200);
}

#[test]
fn ocsp_enable_echo() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.switch("ocspEnableEcho", json!("text"));
    assert_eq!(client.get(&id).json()["ocsp_enable"], Value::Null);
    let changed = client.update(&id, &json!({"ocsp_enable": false}));
    assert_eq!(changed.json()["ocsp_enable"], "false,");
    assert_eq!(client.list("").json()["certificates"][0]["ocsp_enable"], "false,");
}

#[test]
fn last_marker() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ids = ["A", "B"].map(|name| client.holds(&Ca::new(name).pem()).0);
    let marker = |query: &str| client.list(query).json()["page"].get("marker").cloned();
    for (value, last) in [("lastId", Some(json!(ids[0]))), ("empty", Some(json!(""))), ("absent", None)] {
        client.switch("lastMarker", json!(value));
        assert_eq!(marker("?limit=1"), Some(json!(ids[1])), "{value}");
        assert_eq!(marker(""), last, "{value}");
        assert_eq!(marker(&format!("?limit=1&marker={}", ids[1])), last, "{value}");
    }
}

#[test]
fn content_echo() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let sent = format!("a note\n{}", ca.pem().replace('\n', "\r\n"));
    let (id, _) = client.holds(&sent);
    assert_eq!(client.get(&id).json()["content"], sent);
    client.switch("contentEcho", json!("normalised"));
    assert_eq!(client.get(&id).json()["content"], ca.pem());
}

#[test]
fn null_ocsp_server_ca() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.switch("nullOcspServerCa", json!("refused"));
    refused(&client.update(&id, &json!({"ocsp_server_ca_id": null})), 400, "IOTDA.000006");
}

#[test]
fn instance_id() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    client.switch("instanceId", json!("required"));
    refused(&client.list(""), 400, "IOTDA.000006");
    assert_eq!(Client { instance_id: Some(STANDARD), ..client }.list("").status, 200);
}

#[test]
fn throttle() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    client.switch("throttle", json!({"calls": 2, "periodSeconds": 60}));
    let statuses = [client.list(""), client.list(""), client.list("")].map(|reply| reply.status);
    assert_eq!(statuses, [200, 200, 429]);
    let reply = client.list("");
    refused(&reply, 429, "APIGW.0308");
    assert!(reply.json()["error_msg"].as_str().unwrap().contains("limit:2,time:60"), "{}", reply.text());
    assert!(reply.header("retry-after").is_none());
    let wrong = Client { secret: "wrong".into(), ..client.clone() };
    assert_eq!(wrong.list("").status, 401, "who calls comes first");
    emulator.control("POST", "/clock/advance", &json!({"seconds": 61}));
    assert_eq!(client.list("").status, 200);
    client.switch("throttle", Value::Null);
    assert_eq!([0; 5].map(|_| client.list("").status), [200; 5]);
}
