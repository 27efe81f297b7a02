//! Each switch of IoT Hub: what it changes. The defaults are what all other tests see.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::certs::{Ca, days_from_now};
use crate::client::Emulator;
use crate::iot_hub::{Hub, code_of, etag, is_verified};

/// A hub with certificate `ca`, its CA and its ETag.
fn with_ca<'a>(emulator: &'a Emulator, version: &'a str) -> (Hub<'a>, Ca, String) {
    let (hub, ca) = (Hub::new(emulator, version), Ca::new("Factory"));
    let etag = hub.holds("ca", &ca.pem());
    (hub, ca, etag)
}

#[test]
fn create_status() {
    let emulator = Emulator::start();
    emulator.set_switch("createStatus", json!("ok"));
    let hub = Hub::new(&emulator, "2018-04-01");
    assert_eq!(hub.put("ca", &Ca::new("A").pem(), None).status, 200);
}

#[test]
fn certificate_echo() {
    let emulator = Emulator::start();
    let ca = Ca::new("A");
    let der = json!(BASE64.encode(ca.certificate.to_der().unwrap()));
    emulator.set_switch("certificateEcho", json!("asSentThenDer"));
    let hub = Hub::new(&emulator, "2021-03-31");
    let put = hub.put("ca", &ca.pem(), None);
    let echo = |reply: &crate::client::Reply| reply.json()["properties"]["certificate"].clone();
    assert_eq!(echo(&put), ca.pem());
    assert_eq!(echo(&hub.get("ca")), der);
    assert_eq!(echo(&hub.code("ca", Some(&etag(&put)))), der);
    emulator.set_switch("certificateEcho", json!("always"));
    assert_eq!(echo(&Hub::new(&emulator, "2018-04-01").get("ca")), ca.pem());
}

#[test]
fn created_in_the_year_one_and_subject_with_cn() {
    let emulator = Emulator::start();
    emulator.set_switch("created", json!("yearOne"));
    emulator.set_switch("subject", json!("withCn"));
    let (hub, ..) = with_ca(&emulator, "2018-04-01");
    let properties = hub.get("ca").json()["properties"].clone();
    assert_eq!(properties["created"], "Mon, 01 Jan 0001 00:00:00 GMT");
    assert_eq!(properties["subject"], "CN=Factory");
}

#[test]
fn etag_form() {
    let emulator = Emulator::start();
    let (.., eight) = with_ca(&emulator, "2018-04-01");
    assert_eq!(BASE64.decode(&eight).unwrap().len(), 8);
    emulator.set_switch("etagForm", json!("quotedGuid"));
    let quoted = Hub::new(&emulator, "2018-04-01").holds("b", &Ca::new("A").pem());
    let inner = String::from_utf8(BASE64.decode(&quoted).unwrap()).unwrap();
    assert_eq!((inner.len(), inner.starts_with('"'), inner.ends_with('"')), (38, true, true), "{inner}");
}

#[test]
fn error_form() {
    let emulator = Emulator::start();
    let (hub, ca, _) = with_ca(&emulator, "2018-04-01");
    emulator.set_switch("errorForm", json!("text"));
    assert_eq!(hub.put("ca", &ca.pem(), None).json()["code"], "412001");
    emulator.set_switch("errorForm", json!("wrapped"));
    let wrapped = hub.put("ca", &ca.pem(), None);
    assert_eq!(wrapped.arm_error(), (412, "ResourceOperationFailure".to_owned()));
    assert_eq!(wrapped.json()["error"]["details"][0]["code"], "412001");
}

#[test]
fn bad_upload() {
    let emulator = Emulator::start();
    emulator.set_switch("badUpload", json!("serverError"));
    let reply = Hub::new(&emulator, "2018-04-01").put("ca", "nonsense", None);
    assert_eq!(reply.flat_error(), (500, 500_019));
    assert_eq!(reply.json()["httpStatusCode"], "InternalServerError");
}

#[test]
fn certificate_quota() {
    let emulator = Emulator::start();
    emulator.set_switch("certificateQuota", json!(1));
    let (hub, ca, now) = with_ca(&emulator, "2018-04-01");
    assert_eq!(hub.put("b", &ca.pem(), None).flat_error(), (400, 400_054));
    assert_eq!(hub.put("ca", &ca.pem(), Some(&now)).status, 200, "replacing needs no room");
    emulator.set_switch("certificateQuota", json!(null));
    assert_eq!(hub.put("b", &ca.pem(), None).status, 201);
}

#[test]
fn busy_hub() {
    let emulator = Emulator::start();
    let (hub, ca, now) = with_ca(&emulator, "2018-04-01");
    emulator.control("PUT", "/hubs/hub-1", &json!({"busyWrites": 4}));
    let replies = [
        hub.put("b", &ca.pem(), None),
        hub.code("ca", Some(&now)),
        hub.verify("ca", &ca.pem(), Some(&now)),
        hub.delete("ca", Some(&now)),
    ];
    for reply in replies {
        assert_eq!(reply.flat_error(), (409, 409_002));
        assert_eq!(hub.get("ca").status, 200, "reads go on");
    }
    assert_eq!(hub.code("ca", Some(&now)).status, 200);
}

#[test]
fn missing_certificate() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    emulator.set_switch("missingCertificate", json!("flat"));
    assert_eq!(hub.get("none").flat_error(), (404, 404_001));
    emulator.set_switch("missingCertificate", json!("empty"));
    let reply = hub.send("GET", "/none", None, None).expect("an answer");
    assert_eq!((reply.status, reply.body.len()), (404, 0));
}

#[test]
fn code_on_verified() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2023-06-30");
    let body = json!({"properties": {"certificate": Ca::new("A").pem(), "isVerified": true}});
    let now = etag(&hub.put_body("ca", &body, None));
    let stays = hub.code("ca", Some(&now));
    assert!(is_verified(&stays));
    emulator.set_switch("codeOnVerified", json!("fallsBack"));
    assert!(!is_verified(&hub.code("ca", Some(&etag(&stays)))));
}

#[test]
fn name_comparison() {
    let emulator = Emulator::start();
    emulator.set_switch("nameComparison", json!("exact"));
    let (hub, ca, _) = with_ca(&emulator, "2018-04-01");
    assert_eq!(hub.get("CA").status, 404);
    assert_eq!(hub.put("CA", &ca.pem(), None).status, 201);
    assert_eq!(hub.list().json()["value"].as_array().unwrap().len(), 2);
}

#[test]
fn if_match_lenient_and_on_an_absent_name() {
    let emulator = Emulator::start();
    let (hub, ca, now) = with_ca(&emulator, "2018-04-01");
    emulator.set_switch("ifMatch", json!("lenient"));
    assert_eq!(hub.put("ca", &ca.pem(), Some(&format!("\"{now}\""))).status, 200);
    assert_eq!(hub.put("ca", &ca.pem(), Some("*")).status, 200);
    assert_eq!(hub.put("ca", &ca.pem(), Some(&now)).status, 412);
    assert_eq!(hub.put("absent", &ca.pem(), Some("*")).status, 412);
    emulator.set_switch("ifMatchOnAbsent", json!("creates"));
    assert_eq!(hub.put("absent", &ca.pem(), Some("anything")).status, 201);
}

#[test]
fn missing_if_match_status() {
    let emulator = Emulator::start();
    let (hub, ca, _) = with_ca(&emulator, "2018-04-01");
    emulator.set_switch("missingIfMatchStatus", json!(400));
    assert_eq!(hub.delete("ca", None).flat_error(), (400, 400_001));
    assert_eq!(hub.code("ca", None).status, 400);
    assert_eq!(hub.put("ca", &ca.pem(), None).status, 412, "a PUT without it only creates");
}

#[test]
fn several_codes_and_their_life() {
    let emulator = Emulator::start();
    emulator.set_switch("newCode", json!("bothValid"));
    emulator.set_switch("codeLifeSeconds", json!(600));
    let (hub, ca, now) = with_ca(&emulator, "2018-04-01");
    let first = hub.code("ca", Some(&now));
    let second = hub.code("ca", Some(&etag(&first)));
    emulator.control("POST", "/clock/advance", &json!({"seconds": 601}));
    let late = hub.verify("ca", &ca.proof(&code_of(&second)).pem(), Some(&etag(&second)));
    assert_eq!(late.flat_error(), (400, 400_052));
    emulator.control("PUT", "/clock", &json!({"offsetSeconds": 0}));
    let verified = hub.verify("ca", &ca.proof(&code_of(&first)).pem(), Some(&etag(&second)));
    assert!(is_verified(&verified));
}

#[test]
fn replacing_keeps_verified() {
    let emulator = Emulator::start();
    emulator.set_switch("replacing", json!("keepsVerified"));
    let (hub, ca, _) = with_ca(&emulator, "2023-06-30");
    emulator.control("PATCH", "/hubs/hub-1/certificates/ca", &json!({"isVerified": true}));
    let replaced = hub.put("ca", &ca.pem(), Some(&hub.etag_of("ca")));
    assert!(is_verified(&replaced));
    let wish = json!({"properties": {"certificate": ca.pem(), "isVerified": false}});
    assert!(!is_verified(&hub.put_body("ca", &wish, Some(&etag(&replaced)))));
}

#[test]
fn proof_validity_ignored() {
    let emulator = Emulator::start();
    emulator.set_switch("proofValidity", json!("ignored"));
    let (hub, ca, now) = with_ca(&emulator, "2018-04-01");
    let coded = hub.code("ca", Some(&now));
    let mut proof = ca.proof(&code_of(&coded));
    (proof.from, proof.until) = (days_from_now(-9), days_from_now(-8));
    assert!(is_verified(&hub.verify("ca", &proof.pem(), Some(&etag(&coded)))));
}
