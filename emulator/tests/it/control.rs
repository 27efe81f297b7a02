//! Changing the world behind everybody's back.

use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{CLIENT, Emulator, SUBSCRIPTION};
use crate::iot_hub::{Hub, is_verified};

#[test]
fn certificates_are_put_changed_and_removed() {
    let emulator = Emulator::start();
    let (ours, foreign) = (Ca::new("Ours"), Ca::new("Foreign"));
    let hub = Hub::new(&emulator, "2018-04-01");
    let at = "/hubs/hub-1/certificates/ca";
    let etag = hub.holds("ca", &ours.pem());
    let seen = emulator.seen(at);
    assert_eq!((&seen["etag"], &seen["thumbprint"]), (&json!(etag), &json!(ours.thumbprint())));
    assert_eq!((&seen["pem"], &seen["writes"]), (&json!(ours.pem()), &json!(1)));

    emulator.control("PATCH", at, &json!({"isVerified": true}));
    assert!(is_verified(&hub.get("ca")));
    assert_ne!(hub.etag_of("ca"), etag, "drift has its own ETag");
    emulator.control("PATCH", at, &json!({"etag": "mine"}));
    assert_eq!(hub.etag_of("ca"), "mine");
    emulator.control("PATCH", at, &json!({"certificate": foreign.pem()}));
    assert_eq!(hub.get("ca").json()["properties"]["thumbprint"], foreign.thumbprint());
    emulator.control("PUT", at, &json!({"certificate": ours.pem(), "verificationCode": "C0DE"}));
    assert_eq!(emulator.seen(at)["verificationCode"], "C0DE");
    let verified = hub.verify("ca", &ours.proof("C0DE").pem(), Some(&hub.etag_of("ca")));
    assert!(is_verified(&verified));
    emulator.control("DELETE", at, &Value::Null);
    assert_eq!(hub.get("ca").status, 404);
    for (method, body) in
        [("PUT", json!({})), ("PUT", json!({"certificate": "x"})), ("PUT", json!({"odd": 1}))]
    {
        assert_eq!(emulator.control_call(method, at, Some(&body)).status, 400, "{body}");
    }
    assert_eq!(emulator.control_call("GET", at, None).status, 404);
}

#[test]
fn hubs_subscriptions_and_clients_come_and_go() {
    let emulator = Emulator::start();
    let hub = Hub { hub: "new-hub", ..Hub::new(&emulator, "2018-04-01") };
    assert_eq!(hub.list().status, 404);
    let body =
        json!({"subscriptionId": SUBSCRIPTION, "resourceGroup": "rg-devices", "location": "westeurope"});
    emulator.control("PUT", "/hubs/new-hub", &body);
    assert_eq!(hub.list().status, 200);
    hub.holds("ca", &Ca::new("A").pem());
    emulator.control("PUT", "/hubs/new-hub", &json!({"tags": {"a": "b"}}));
    assert_eq!(hub.get("ca").status, 200, "what is not named stays");
    emulator.control("DELETE", "/hubs/new-hub", &Value::Null);
    assert_eq!(hub.list().arm_error().1, "ParentResourceNotFound");
    let bad = json!({"subscriptionId": SUBSCRIPTION, "resourceGroup": "none", "location": "x"});
    assert_eq!(emulator.control_call("PUT", "/hubs/new-hub", Some(&bad)).status, 404);

    emulator.control("DELETE", &format!("/subscriptions/{SUBSCRIPTION}"), &Value::Null);
    assert_eq!(hub.list().arm_error().1, "SubscriptionNotFound");
    emulator.control("DELETE", &format!("/clients/{CLIENT}"), &Value::Null);
    assert_eq!(emulator.seen("/state")["clients"].as_array().unwrap().len(), 2);
}

#[test]
fn reset_goes_back_to_the_start() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let etag = hub.holds("ca", &Ca::new("A").pem());
    emulator.set_switch("createStatus", json!("ok"));
    emulator.fault(json!({"action": {"cut": {}}}));
    emulator.control("PUT", "/clock", &json!({"offsetSeconds": 99}));
    emulator.control("POST", "/reset", &Value::Null);
    assert_eq!(emulator.seen("/hubs/hub-1")["certificates"], json!([]));
    assert_eq!(
        (&emulator.seen("/faults"), &emulator.seen("/clock")["offsetSeconds"]),
        (&json!([]), &json!(0))
    );
    assert_eq!(hub.send("GET", "", None, None).unwrap().status, 401, "old tokens are void");
    let hub = Hub::new(&emulator, "2018-04-01");
    let again = hub.put("ca", &Ca::new("A").pem(), None);
    assert_eq!(again.status, 201);
    assert_ne!(crate::iot_hub::etag(&again), etag);
}

#[test]
fn the_state_can_be_replaced_as_a_whole() {
    let emulator = Emulator::start();
    let mut world: Value = serde_json::from_str(include_str!("../../src/seed.json")).unwrap();
    world["hubs"][0]["certificates"] = json!([{"name": "seeded", "certificate": Ca::new("A").pem()}]);
    emulator.control("PUT", "/state", &world);
    assert_eq!(Hub::new(&emulator, "2018-04-01").get("seeded").status, 200);
}

#[test]
fn it_answers_on_any_host_and_lists_itself() {
    let emulator = Emulator::start();
    let rows = emulator.seen("");
    assert!(rows.as_array().unwrap().len() > 30);
    let readme = include_str!("../../README.md");
    for row in rows.as_array().unwrap() {
        let call = format!("{} {}", row["method"].as_str().unwrap(), row["path"].as_str().unwrap());
        assert!(readme.contains(&call), "README.md does not name {call}");
    }
    for host in ["arm.localhost", "login.localhost", "localhost"] {
        let reply = emulator.call("GET", host, "/_emulator/clock", &[], None).expect("an answer");
        assert_eq!(reply.status, 200, "{host}");
    }
    assert_eq!(emulator.control_call("GET", "/none", None).status, 404);
    assert_eq!(emulator.control_call("DELETE", "/clock", None).status, 405);
    assert_eq!(
        emulator.control_call("PATCH", "/switches", Some(&json!({"iotHub": {"subject": "x"}}))).status,
        400
    );
    assert_eq!(emulator.control_call("PATCH", "/switches", Some(&json!({"odd": 1}))).status, 400);
    assert_eq!(emulator.control_call("PUT", "/clock", Some(&json!({"time": "soon"}))).status, 400);
}

#[test]
fn every_switch_is_in_the_readme_with_its_values() {
    let emulator = Emulator::start();
    let readme = include_str!("../../README.md");
    let switches = emulator.seen("/switches");
    let groups = switches.as_object().unwrap().values().filter_map(|it| it.as_object());
    for name in switches.as_object().unwrap().keys().chain(groups.flat_map(|it| it.keys())) {
        assert!(readme.contains(&format!("`{name}`")), "README.md does not name {name}");
    }
}
