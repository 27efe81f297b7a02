//! What instances hold: pages, resource spaces, quotas, and which instance is meant.

use serde_json::{Value, json};

use super::{BASIC, Client, STANDARD, documented, refused, refused_as_documented};
use crate::certs::Ca;
use crate::client::Emulator;

#[test]
fn pages_go_down_by_marker() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let mut ids: Vec<_> = (0..7).map(|n| client.holds(&Ca::new(&n.to_string()).pem()).0).collect();
    assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
    ids.reverse();
    let page = |query: &str| {
        let body = documented("CertificateList", &client.list(query));
        let found: Vec<String> = body["certificates"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["certificate_id"].as_str().unwrap().to_owned())
            .collect();
        assert_eq!(body["page"]["count"], 7, "of all pages");
        assert!(body["certificates"].as_array().unwrap().iter().all(|it| it.get("content").is_none()));
        (found, body["page"]["marker"].clone())
    };
    assert_eq!(page("?limit=3"), (ids[..3].to_vec(), json!(ids[2])));
    assert_eq!(page(&format!("?limit=3&marker={}", ids[2])), (ids[3..6].to_vec(), json!(ids[5])));
    assert_eq!(page(&format!("?limit=3&marker={}", ids[5])), (ids[6..].to_vec(), json!(ids[6])));
    assert_eq!(page(&format!("?limit=3&marker={}", ids[6])), (vec![], Value::Null));
    assert_eq!(page("?limit=2&offset=4").0, ids[4..6]);
    assert_eq!(page(&format!("?limit=2&marker={}&offset=1", ids[0])).0, ids[2..4]);
    assert_eq!(page("?offset=500").0, Vec::<String>::new());
    // Deleted ones leave no hole, and their ids do not come back.
    client.delete(&ids[0]);
    let (new, _) = client.holds(&Ca::new("new").pem());
    assert!(new > ids[0]);
}

#[test]
fn the_default_page_has_ten() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    for n in 0..11 {
        let content = Ca::new(&n.to_string()).pem();
        emulator.control("POST", "/instances/iotda-1/certificates", &json!({ "content": content }));
    }
    let sizes = ["", "?limit=11", "?limit=50"].map(|query| {
        let listed = client.list(query).json();
        listed["certificates"].as_array().unwrap().len()
    });
    assert_eq!(sizes, [10, 11, 11]);
}

#[test]
fn a_resource_space_narrows() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let upload = |name: &str, app: &str| {
        client.certificates("POST", "", &json!({"content": Ca::new(name).pem(), "app_id": app}))
    };
    client.holds(&Ca::new("default").pem());
    assert_eq!(upload("two", "app-2").status, 201);
    refused(&upload("none", "app-3"), 403, "IOTDA.001005");
    for (query, count) in [("", 2), ("?app_id=app-1", 1), ("?app_id=app-2", 1)] {
        assert_eq!(client.list(query).json()["page"]["count"], count, "{query}");
    }
    refused(&client.list("?app_id=app-3"), 403, "IOTDA.001005");
}

#[test]
fn the_hundred_and_first_is_refused() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    assert_eq!(emulator.seen("/instances/iotda-1")["quota"], 100);
    emulator.control("PUT", "/instances/iotda-1", &json!({"quota": 2}));
    let (one, _) = client.holds(&Ca::new("A").pem());
    client.holds(&Ca::new("B").pem());
    let third = Ca::new("C").pem();
    refused_as_documented(&client.upload(&third), "AddCertificate", 400, "IOTDA.014300");
    client.delete(&one);
    assert_eq!(client.upload(&third).status, 201);
}

#[test]
fn instances_are_apart() {
    let emulator = Emulator::start();
    let pem = Ca::new("A").pem();
    let one = Client::new(&emulator);
    let two = Client { host: "iotda-2.iotda.localhost", ..one.clone() };
    let (id, _) = one.holds(&pem);
    refused(&two.get(&id), 404, "IOTDA.014306");
    assert_eq!(two.upload(&pem).status, 201, "no duplicate there");
}

#[test]
fn the_instance_header_chooses_on_the_shared_host_only() {
    let emulator = Emulator::start();
    let one = Client::new(&emulator);
    let (id, _) = one.holds(&Ca::new("A").pem());
    let shared = Client::shared(&emulator);
    let status = |client: Client| client.get(&id).status;
    assert_eq!(status(Client { instance_id: Some(STANDARD), ..one.clone() }), 200);
    assert_eq!(status(Client { instance_id: Some(STANDARD), ..shared.clone() }), 200);
    assert_eq!(status(shared.clone()), 404);
    assert_eq!(status(Client { instance_id: Some(BASIC), ..shared.clone() }), 404);
    let foreign = Client { instance_id: Some(BASIC), ..one.clone() };
    refused(&foreign.get(&id), 403, "IOTDA.000021");
    let odd = Client { instance_id: Some("iotda-1"), ..shared };
    refused(&odd.get(&id), 400, "IOTDA.000006");
}
