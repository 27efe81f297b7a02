//! Instances changed behind everybody's back, faults, and old state.

use serde_json::{Value, json};

use super::{Client, STANDARD, TEMPLATE, refused};
use crate::certs::Ca;
use crate::client::{Emulator, Folder};

#[test]
fn certificates_are_planted_changed_and_removed() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("Foreign");
    let at = "/instances/iotda-1/certificates";
    let planted = emulator.control(
        "POST",
        at,
        &json!({"content": ca.pem(), "appId": "app-2", "name": "n", "verifyCode": "C0DE", "status": true,
            "settings": {"templateId": TEMPLATE}}),
    );
    let id = planted["id"].as_str().unwrap();
    let seen = client.get(id).json();
    assert_eq!((&seen["name"], &seen["status"]), (&json!("n"), &json!(true)));
    assert_eq!((&seen["verify_code"], &seen["template_id"]), (&json!("C0DE"), &json!(TEMPLATE)));
    assert_eq!(client.list("?app_id=app-2").json()["page"]["count"], 1);
    let one = format!("{at}/{id}");
    emulator.control(
        "PATCH",
        &one,
        &json!({"status": false, "settings": {"templateId": null, "ocspEnable": true}}),
    );
    let seen = client.get(id).json();
    assert_eq!((&seen["status"], &seen["template_id"]), (&json!(false), &Value::Null));
    assert_eq!((&seen["ocsp_enable"], &emulator.seen(&one)["writes"]), (&json!(true), &json!(0)));
    assert_eq!(emulator.seen(at).as_array().unwrap().len(), 1);
    assert_eq!(client.verify(id, &ca.proof("C0DE").pem()).status, 200);
    assert_eq!(emulator.seen(&one)["writes"], 1);
    emulator.control("DELETE", &one, &Value::Null);
    refused(&client.get(id), 404, "IOTDA.014306");
    for body in [json!({}), json!({"content": "x"}), json!({"content": ca.pem(), "odd": 1})] {
        assert_eq!(emulator.control_call("POST", at, Some(&body)).status, 400, "{body}");
    }
    assert_eq!(emulator.control_call("GET", &one, None).status, 404);
    assert_eq!(emulator.control_call("GET", "/instances/none", None).status, 404);
}

#[test]
fn a_change_must_fit() {
    let emulator = Emulator::start();
    let at = "/instances/iotda-1/certificates";
    let planted = emulator.control("POST", at, &json!({"content": Ca::new("A").pem()}));
    let one = format!("{at}/{}", planted["id"].as_str().unwrap());
    for body in
        [json!({"odd": 1}), json!({"settings": {"odd": 1}}), json!({"id": "x"}), json!({"content": "x"})]
    {
        assert_eq!(emulator.control_call("PATCH", &one, Some(&body)).status, 400, "{body}");
    }
}

#[test]
fn instances_come_and_go_by_name_and_id() {
    let emulator = Emulator::start();
    let client = Client { host: "iotda-9.iotda.localhost", ..Client::new(&emulator) };
    refused(&client.list(""), 404, "APIGW.0101");
    let body =
        json!({"id": "9", "edition": "enterprise", "region": "cn-north-4", "projectId": super::PROJECT});
    emulator.control("PUT", "/instances/iotda-9", &body);
    assert_eq!(client.list("").status, 200);
    emulator.control("PUT", "/instances/9", &json!({"quota": 0}));
    refused(&client.upload(&Ca::new("A").pem()), 400, "IOTDA.014300");
    emulator.control("DELETE", "/instances/iotda-9", &Value::Null);
    refused(&client.list(""), 404, "APIGW.0101");
    assert_eq!(emulator.seen(&format!("/instances/{STANDARD}"))["name"], "iotda-1");
}

#[test]
fn the_whole_world_shows_the_account_and_its_instances() {
    let emulator = Emulator::start();
    let world = emulator.seen("/state");
    let names: Vec<_> = world["instances"].as_array().unwrap().iter().map(|it| it["name"].clone()).collect();
    assert_eq!(names, ["iotda-1", "iotda-2", "iotda-basic"]);
    assert_eq!(world["huawei"]["users"][0]["accessKeys"][0]["access"], super::ACCESS);
    let ours = json!({"huawei": world["huawei"], "instances": world["instances"]});
    emulator.control("PUT", "/state", &ours);
    assert_eq!(Client::new(&emulator).list("").status, 200);
}

#[test]
fn a_restart_on_the_same_folder_keeps_all_of_it() {
    let folder = Folder::new();
    let emulator = Emulator::in_folder(&folder.0, &[]);
    let client = Client::new(&emulator);
    let id = client.holds_verified(&Ca::new("A"));
    client.update(&id, &json!({"template_id": TEMPLATE, "provision_enable": true}));
    let before = client.get(&id).json();
    emulator.terminate();
    let emulator = Emulator::in_folder(&folder.0, &[]);
    assert_eq!(Client::new(&emulator).get(&id).json(), before);
}

#[test]
fn reset_forgets_certificates_and_tokens() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let (id, _) = client.holds(&Ca::new("A").pem());
    client.switch("duplicate", json!("secondObject"));
    emulator.control("POST", "/reset", &Value::Null);
    refused(&client.get(&id), 404, "IOTDA.014306");
    assert_eq!(emulator.seen("/switches")["iotda"]["duplicate"], "refused014303");
}

#[test]
fn operations_are_journaled_by_name() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let id = client.holds_verified(&ca);
    client.list("");
    client.get(&id);
    client.update(&id, &json!({}));
    client.delete(&id);
    let counts = emulator.seen("/requests/counts")["counts"].clone();
    let expected = ["upload", "list", "get", "verify", "update", "delete"];
    for name in expected {
        assert_eq!(counts[format!("iotdaCertificates.{name}")], 1, "{counts}");
    }
    let entry = emulator.seen("/requests?operation=iotdaCertificates.upload")["requests"][0].clone();
    assert_eq!(
        (&entry["service"], &entry["answer"]),
        (&json!("iotda"), &json!({"applied": 201, "sent": 201}))
    );
    assert_eq!(entry["body"], json!({"content": ca.pem()}).to_string());
}

#[test]
fn faults_strike_by_operation() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let strike = |operation: &str, action: Value| {
        let fault = json!({"operation": format!("iotdaCertificates.{operation}"), "action": action});
        emulator.control("DELETE", "/faults", &Value::Null);
        emulator.fault(fault);
    };
    let body = json!({"error_code": "APIGW.0308", "error_msg": "x", "request_id": "1"});
    strike("list", json!({"answer": {"status": 429, "json": body}}));
    assert_eq!(client.list("").status, 429);
    assert_eq!(client.list("").status, 200, "once");
    strike("upload", json!({"answer": {"status": 502, "text": "<html>bad gateway</html>"}}));
    assert_eq!(client.upload(&Ca::new("A").pem()).text(), "<html>bad gateway</html>");
    assert_eq!(client.list("").json()["page"]["count"], 0);
    let (id, _) = client.holds(&Ca::new("B").pem());
    strike("get", json!({"garble": {}}));
    assert!(client.get(&id).text().starts_with("<html>"));
    strike("get", json!({"truncate": {"bytes": 3}}));
    assert!(!client.get(&id).whole);
}

#[test]
fn a_lost_answer_has_its_effect_all_the_same() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let fault = json!({"operation": "iotdaCertificates.upload", "action": {"cut": {"when": "after"}}});
    emulator.fault(fault);
    let cut = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| client.upload(&ca.pem())));
    assert!(cut.is_err(), "no answer came");
    assert_eq!(client.list("").json()["page"]["count"], 1);
    refused(&client.upload(&ca.pem()), 400, "IOTDA.014303");
}

#[test]
fn a_late_upload_lands_when_it_is_released() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let gone = json!({"status": 504, "text": "timeout"});
    let action = json!({"late": {"answer": gone}});
    emulator.fault(json!({"operation": "iotdaCertificates.upload", "action": action}));
    assert_eq!(client.upload(&Ca::new("A").pem()).status, 504);
    assert_eq!(client.list("").json()["page"]["count"], 0);
    emulator.control("POST", "/release", &Value::Null);
    while client.list("").json()["page"]["count"] == 0 {
        std::thread::yield_now();
    }
}

#[test]
fn old_state_is_seen_where_it_was_written() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let other = Client { host: "iotda-2.iotda.localhost", ..client.clone() };
    let stale = |operation: &str, which: &str| {
        let action = json!({"stale": {"reads": 1, "which": which}});
        emulator.fault(json!({"operation": format!("iotdaCertificates.{operation}"), "action": action}));
    };
    stale("upload", "list");
    let ca = Ca::new("A");
    let (id, code) = client.holds(&ca.pem());
    assert_eq!(other.list("").status, 200, "another instance takes nothing of it");
    assert_eq!(client.list("").json()["page"]["count"], 0);
    assert_eq!(client.list("").json()["page"]["count"], 1);
    stale("verify", "get");
    assert_eq!(client.verify(&id, &ca.proof(&code).pem()).status, 200);
    assert_eq!(client.list("").json()["certificates"][0]["status"], true);
    let seen = [client.get(&id), client.get(&id)].map(|reply| reply.json()["status"].clone());
    assert_eq!(seen, [json!(false), json!(true)]);
    stale("upload", "get");
    let (new, _) = client.holds(&Ca::new("B").pem());
    refused(&client.get(&new), 404, "IOTDA.014306");
    assert_eq!(client.get(&new).status, 200);
    stale("delete", "both");
    client.delete(&id);
    assert_eq!([client.get(&id), client.get(&id)].map(|reply| reply.status), [200, 404]);
}
