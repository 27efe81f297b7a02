//! Each fault: what the client sees, and whether the effect is there.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{ARM_SCOPE, CLIENT, Emulator, Reply, SECRET, TENANT};
use crate::iot_hub::{Hub, etag, is_verified};

const PUT: &str = "iotHubCertificates.createOrUpdate";

fn strike(emulator: &Emulator, operation: &str, action: Value) {
    emulator.fault(json!({"operation": operation, "action": action}));
}

fn put(hub: &Hub, name: &str) -> Option<Reply> {
    hub.send("PUT", &format!("/{name}"), None, Some(&hub.body(&Ca::new("A").pem())))
}

#[test]
fn an_answer_of_any_kind_in_place_of_the_call() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let answers = [
        json!({"status": 503}),
        json!({"status": 503, "headers": {"Retry-After": "7", "retry-after-ms": "10"}}),
        json!({"status": 429, "headers": {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"}, "json": {"error": {"code": "X"}}}),
        json!({"status": 200, "text": "{\"cut"}),
        json!({"status": 204}),
    ];
    for answer in &answers {
        strike(&emulator, PUT, json!({"answer": answer}));
        let reply = put(&hub, "ca").expect("an answer");
        assert_eq!(json!(reply.status), answer["status"]);
        for (name, value) in answer["headers"].as_object().into_iter().flatten() {
            assert_eq!(reply.header(name), value.as_str());
        }
        if let Some(text) = answer["text"].as_str() {
            assert_eq!(reply.text(), text);
        }
    }
    assert_eq!(hub.get("ca").status, 404, "nothing was done");
    assert_eq!(put(&hub, "ca").expect("an answer").status, 201, "each struck once");
}

#[test]
fn matching_skipping_and_counting() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let busy = json!({"answer": {"status": 503}});
    emulator
        .fault(json!({"method": "get", "path": "CERTIFICATES/ca-1", "skip": 1, "times": 2, "action": busy}));
    let statuses: Vec<u16> = (0..4).map(|_| hub.send("GET", "/ca-1", None, None).unwrap().status).collect();
    assert_eq!(statuses, [404, 503, 503, 404]);
    emulator.fault(json!({"path": "*/certificates", "times": null, "action": busy}));
    assert_eq!(hub.send("GET", "", None, None).unwrap().status, 503);
    assert_eq!(
        hub.send("GET", "/ca-1", None, None).unwrap().status,
        404,
        "the pattern is for all of the path"
    );
    let listed = emulator.seen("/faults");
    assert_eq!(
        (&listed[0]["fired"], &listed[1]["fired"], &listed[0]["times"]),
        (&json!(2), &json!(1), &json!(0))
    );
    let id = listed[1]["id"].as_u64().unwrap();
    emulator.control("DELETE", &format!("/faults/{id}"), &Value::Null);
    assert_eq!(hub.send("GET", "", None, None).unwrap().status, 200);
    emulator.fault(
        json!([{"operation": "iotHubCertificates.*", "action": busy}, {"host": "login.*", "action": busy}]),
    );
    emulator.control("DELETE", "/faults", &Value::Null);
    assert_eq!(hub.list().status, 200);
}

#[test]
fn faults_strike_the_token_endpoint_too() {
    let emulator = Emulator::start();
    strike(&emulator, "token", json!({"answer": {"status": 500}}));
    assert_eq!(emulator.ask_token(TENANT, &[]).status, 500);
    emulator.token_of(CLIENT, SECRET, ARM_SCOPE);
}

#[test]
fn delays_before_and_after() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    for when in ["before", "after"] {
        strike(&emulator, PUT, json!({"delay": {"ms": 300, "when": when}}));
        let start = Instant::now();
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| put(&hub, when).expect("an answer").status);
            while emulator.seen("/requests/counts")["counts"].get(PUT).is_none() {
                std::thread::yield_now();
            }
            let early =
                emulator.control_call("GET", &format!("/hubs/hub-1/certificates/{when}"), None).status;
            if start.elapsed() < Duration::from_millis(250) {
                assert_eq!(early, if when == "before" { 404 } else { 200 }, "{when}");
            }
            assert_eq!(slow.join().unwrap(), 201);
        });
        assert!(start.elapsed() >= Duration::from_millis(300));
        emulator.control("DELETE", "/requests", &Value::Null);
    }
}

#[test]
fn a_cut_before_does_nothing_and_a_cut_after_does_all() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    for (when, status) in [("before", 404), ("after", 200)] {
        strike(&emulator, PUT, json!({"cut": {"when": when}}));
        assert!(put(&hub, when).is_none());
        assert_eq!(hub.get(when).status, status, "{when}");
    }
}

#[test]
fn cut_short_garbled_and_dripping_bodies() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    strike(&emulator, PUT, json!({"truncate": {}}));
    let short = put(&hub, "a").expect("headers");
    assert!(!short.whole && !short.body.is_empty());
    strike(&emulator, "iotHubCertificates.get", json!({"truncate": {"bytes": 0}}));
    let none = hub.send("GET", "/a", None, None).expect("headers");
    assert!(!none.whole && none.body.is_empty());
    strike(&emulator, "iotHubCertificates.get", json!({"garble": {}}));
    let garbled = hub.send("GET", "/a", None, None).expect("an answer");
    assert_eq!((garbled.status, garbled.header("content-type")), (200, Some("text/html")));
    assert!(serde_json::from_slice::<Value>(&garbled.body).is_err());
    strike(&emulator, "iotHubCertificates.get", json!({"drip": {"bytes": 100, "everyMs": 30}}));
    let start = Instant::now();
    let dripped = hub.get("a");
    assert!(dripped.whole && start.elapsed() >= Duration::from_millis(90), "{:?}", start.elapsed());
}

#[test]
fn redirects_and_rewritten_answers() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    strike(&emulator, PUT, json!({"redirect": {"location": "https://elsewhere.example/", "status": 308}}));
    let moved = put(&hub, "ca").expect("an answer");
    assert_eq!((moved.status, moved.header("location")), (308, Some("https://elsewhere.example/")));
    assert_eq!(hub.get("ca").status, 404);
    let patch = json!({"name": "other", "etag": null, "properties": {"thumbprint": "00"}});
    strike(&emulator, PUT, json!({"rewrite": {"status": 202, "headers": {"x-odd": "1"}, "merge": patch}}));
    let odd = put(&hub, "ca").expect("an answer");
    let body = odd.json();
    assert_eq!((odd.status, odd.header("x-odd"), &body["name"]), (202, Some("1"), &json!("other")));
    assert!(body.get("etag").is_none() && body["properties"]["isVerified"] == false);
    let list = json!({"rewrite": {"merge": {"nextLink": "https://elsewhere.example/next"}}});
    strike(&emulator, "iotHubCertificates.list", list);
    assert_eq!(hub.list().json()["nextLink"], "https://elsewhere.example/next");
}

#[test]
fn accepted_with_a_poll_url_that_answers() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    for failure in [Value::Null, json!({"code": "ResourceOperationFailure", "details": [{"code": "412001"}]})]
    {
        strike(&emulator, PUT, json!({"accepted": {"polls": 1, "retryAfter": "1", "failure": failure}}));
        let name = if failure.is_null() { "a" } else { "b" };
        let accepted = put(&hub, name).expect("an answer");
        assert_eq!(
            (accepted.status, accepted.body.len(), accepted.header("retry-after")),
            (202, 0, Some("1"))
        );
        let url = accepted.header("azure-asyncoperation").unwrap();
        let (base, path) = url.split_at(format!("https://arm.localhost:{}", emulator.port).len());
        assert_eq!(json!(base), emulator.ready["arm"]);
        assert_eq!(emulator.arm_get(path).json()["status"], "Running");
        let done = emulator.arm_get(path).json();
        if failure.is_null() {
            assert_eq!(done["status"], "Succeeded");
        } else {
            assert_eq!((&done["status"], &done["error"]), (&json!("Failed"), &failure));
        }
    }
    strike(&emulator, PUT, json!({"accepted": {"location": "https://elsewhere.example/poll"}}));
    let foreign = put(&hub, "c").expect("an answer");
    assert_eq!(foreign.header("location"), Some("https://elsewhere.example/poll"));
    assert_eq!(foreign.header("azure-asyncoperation"), None);
}

#[test]
fn a_late_effect_lands_by_time_or_when_released() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    strike(&emulator, PUT, json!({"late": {"ms": 100}}));
    assert!(put(&hub, "timed").is_none());
    strike(&emulator, PUT, json!({"late": {"answer": {"status": 504}}}));
    assert_eq!(put(&hub, "held").expect("an answer").status, 504);
    let start = Instant::now();
    while hub.get("timed").status == 404 {
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(hub.get("held").status, 404);
    emulator.control("POST", "/release", &Value::Null);
    let start = Instant::now();
    while hub.get("held").status == 404 {
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
    let journal = emulator.seen(&format!("/requests?operation={PUT}"));
    let answers: Vec<&Value> =
        journal["requests"].as_array().unwrap().iter().map(|it| &it["answer"]).collect();
    assert_eq!(answers, [&json!({"applied": 201}), &json!({"applied": 201, "sent": 504})]);
}

#[test]
fn reads_after_a_write_may_see_the_old_state() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    hub.holds("before", &Ca::new("A").pem());
    strike(&emulator, PUT, json!({"stale": {"reads": 2}}));
    let created = put(&hub, "ca").expect("an answer");
    assert_eq!(hub.get("before").status, 200, "another object's reads are not counted");
    assert_eq!(hub.get("ca").status, 404);
    assert_eq!(hub.list().json()["value"].as_array().unwrap().len(), 1);
    assert_eq!(hub.get("ca").status, 200);

    strike(&emulator, "iotHubCertificates.delete", json!({"stale": {"reads": 1, "which": "list"}}));
    assert_eq!(hub.delete("ca", Some(&etag(&created))).status, 200);
    assert_eq!(hub.get("ca").status, 404, "only lists are stale");
    assert_eq!(hub.list().json()["value"].as_array().unwrap().len(), 2, "the deleted name lingers");
    assert_eq!(hub.list().json()["value"].as_array().unwrap().len(), 1);

    strike(&emulator, "*generateVerificationCode", json!({"stale": {"reads": 1, "which": "get"}}));
    let old = hub.etag_of("before");
    let coded = hub.code("before", Some(&old));
    assert_eq!(hub.etag_of("before"), old);
    assert_eq!(hub.etag_of("before"), etag(&coded));
}

#[test]
fn a_write_is_applied_although_the_client_went_away() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    strike(&emulator, PUT, json!({"delay": {"ms": 200}}));
    let body = hub.body(&Ca::new("A").pem()).to_string();
    let head = format!(
        "PUT {}?api-version=2018-04-01 HTTP/1.1\r\nHost: arm.localhost\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n",
        hub.path("/ca"),
        emulator.token(),
        body.len()
    );
    emulator.abandon("arm.localhost", &head, body.as_bytes());
    let start = Instant::now();
    while hub.get("ca").status == 404 {
        assert!(start.elapsed() < Duration::from_secs(5));
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(!is_verified(&hub.get("ca")));
}

#[test]
fn what_cannot_be_a_fault_is_refused() {
    let emulator = Emulator::start();
    for bad in [
        json!({}),
        json!({"action": {"explode": {}}}),
        json!({"action": {"cut": {"wen": "after"}}}),
        json!({"operations": "token", "action": {"cut": {}}}),
        json!({"action": {"answer": {"status": 99}}}),
        json!({"action": {"answer": {"status": 200, "json": 1, "text": "1"}}}),
        json!([{"action": {"cut": {}}}, {"action": {"redirect": {"location": "x", "status": 1}}}]),
    ] {
        assert_eq!(emulator.control_call("POST", "/faults", Some(&bad)).status, 400, "{bad}");
    }
    assert_eq!(emulator.seen("/faults"), json!([]));
}
