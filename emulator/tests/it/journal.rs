//! The journal: what was received, as it was received, without secrets.

use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{CLIENT, Emulator, Folder, SECRET};
use crate::iot_hub::Hub;
use crate::issuer::Issuer;

#[test]
fn a_request_is_kept_as_it_came_and_its_answer_beside_it() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let ca = Ca::new("A");
    hub.put("%63a", &ca.pem(), None);
    let entry = emulator.seen("/requests?operation=iotHubCertificates.*")["requests"][0].clone();
    assert_eq!((&entry["method"], &entry["service"]), (&json!("PUT"), &json!("arm")));
    assert_eq!(entry["operation"], "iotHubCertificates.createOrUpdate");
    assert_eq!(entry["host"], format!("arm.localhost:{}", emulator.port));
    assert_eq!(entry["path"], hub.path("/%63a"));
    assert_eq!(entry["query"], "api-version=2018-04-01");
    assert_eq!(entry["body"], json!({"certificate": ca.pem()}).to_string());
    assert_eq!(entry["answer"], json!({"applied": 201, "sent": 201}));
    let header = |name: &str| {
        let headers = entry["headers"].as_array().unwrap();
        headers.iter().find(|pair| pair[0] == name).map(|pair| pair[1].clone())
    };
    assert_eq!(header("content-type"), Some(json!("application/json; charset=utf-8")));
    assert_eq!(header("authorization"), Some(json!("(cut out)")));
}

#[test]
fn no_secret_is_in_it_or_in_the_log() {
    let folder = Folder::new();
    let log = folder.0.join("log");
    let emulator = Emulator::talkative(&log);
    let hub = Hub::new(&emulator, "2018-04-01");
    let ca = Ca::new("A");
    let key = String::from_utf8(ca.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    hub.put("ca", &(ca.pem() + &key), None);
    let token = emulator.token();
    let genuine = Issuer::es256("k").assertion(&Issuer::claims(0));
    for assertion in ["head.canary.tail", &genuine] {
        let fields =
            [("client_assertion", assertion), ("client_id", CLIENT), ("grant_type", "client_credentials")];
        emulator.ask_token("contoso.example", &fields);
    }
    // In a query, a header and a body that know nothing of assertions.
    let target = format!("/contoso.example/oauth2/v2.0/token?hint={genuine}");
    emulator.call("POST", "login.localhost", &target, &[("X-Hint", &genuine)], Some(genuine.as_bytes()));
    let target = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://vault.azure.net";
    let reply = emulator.call("GET", "imds.localhost", target, &[("Metadata", "true")], None);
    let managed = reply.expect("an answer").json()["access_token"].as_str().unwrap().to_owned();
    let journal = emulator.seen("/requests").to_string();
    let log = std::fs::read_to_string(log).unwrap();
    let key_line = key.lines().nth(1).unwrap();
    for secret in [SECRET, &token, &managed, &genuine, "canary", key_line] {
        assert!(!journal.contains(secret), "journal: {secret}");
        assert!(!log.contains(secret), "log: {secret}");
    }
    assert!(journal.contains("client_id=") && journal.contains("(cut out)"));
    assert!(log.contains("managedIdentityToken"));
}

#[test]
fn it_is_filtered_counted_and_cleared() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    hub.list();
    hub.get("one");
    hub.get("two");
    let count = |query: &str| {
        let found = emulator.seen(&format!("/requests{query}"));
        found["requests"].as_array().unwrap().len()
    };
    assert_eq!(count(""), 4);
    assert_eq!(count("?operation=token"), 1);
    assert_eq!(count("?path=CERTIFICATES/T"), 1);
    assert_eq!(count("?method=post"), 1);
    assert_eq!(count("?since=2"), 2);
    assert_eq!(emulator.control_call("GET", "/requests?oepration=x", None).status, 400);
    let counts = emulator.seen("/requests/counts");
    assert_eq!(
        counts["counts"],
        json!({"iotHubCertificates.get": 2, "iotHubCertificates.list": 1, "token": 1})
    );
    emulator.control("DELETE", "/requests", &Value::Null);
    assert_eq!((count(""), &emulator.seen("/requests/counts")["counts"]), (0, &json!({})));
    hub.list();
    assert_eq!(emulator.seen("/requests")["requests"][0]["sequence"], 5, "sequence numbers go on");
}

#[test]
fn faults_are_noted_and_control_calls_are_not_journaled() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    emulator.fault(json!({"operation": "iotHubCertificates.list", "action": {"cut": {"when": "after"}}}));
    assert!(hub.send("GET", "", None, None).is_none());
    let entry = emulator.seen("/requests?since=1")["requests"][0].clone();
    assert_eq!(entry["fault"], json!({"id": 1, "action": "cut"}));
    assert_eq!(entry["answer"], json!({"applied": 200}), "done, and no answer sent");
    assert_eq!(emulator.seen("/requests")["last"], 2);
}
