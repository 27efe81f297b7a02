//! Who is let in where: hosts, paths, projects, rights.

use serde_json::{Value, json};

use super::{Client, OWN_HOST, PROJECT, error, refused};
use crate::certs::Ca;
use crate::client::Emulator;

#[test]
fn what_the_gateway_does_not_know_is_404_of_its_own() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let list = format!("/v5/iot/{PROJECT}/certificates");
    for (method, target) in [
        ("GET", "/".to_owned()),
        ("GET", "/v5/iot".to_owned()),
        ("GET", list.replace("v5", "v6")),
        ("GET", list.replace("certificates", "Certificates")),
        ("GET", format!("{list}/61c970ce2d63eb6ee655dbf0/action")),
        ("GET", format!("{list}/a/b/c")),
        ("DELETE", list.clone()),
        ("PUT", list.clone()),
        ("PATCH", list.clone()),
        ("POST", format!("{list}/61c970ce2d63eb6ee655dbf0")),
        ("GET", format!("{list}/../x")),
        ("GET", format!("{list}/%zz")),
        ("POST", "/v3/auth/tokens".to_owned()),
    ] {
        let reply = client.call(method, &target, None);
        assert_eq!(error(&reply), (404, "APIGW.0101".to_owned()), "{method} {target}");
        assert!(reply.header("allow").is_none());
    }
    for host in [
        "nobody.iotda.localhost",
        "x.st1.iotda-app.cn-north-4.myhuaweicloud.com",
        "iotda-1.st1.iotda-app.cn-south-1.myhuaweicloud.com",
    ] {
        refused(&Client { host, ..client.clone() }.list(""), 404, "APIGW.0101");
    }
    let unsigned = emulator.call("GET", OWN_HOST, "/nothing", &[], None).unwrap();
    refused(&unsigned, 404, "APIGW.0101");
}

#[test]
fn another_project_is_refused() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    for project in ["0123456789abcdef0123456789abcd02", "0123456789abcdef0123456789abcdee"] {
        let reply = client.call("GET", &format!("/v5/iot/{project}/certificates"), None);
        refused(&reply, 403, "IOTDA.000021");
    }
}

#[test]
fn each_call_takes_its_own_right() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ca = Ca::new("A");
    let (id, code) = client.holds(&ca.pem());
    let grant = |actions: &[&str]| {
        emulator.control("PUT", "/users/certferry", &json!({ "actions": actions }));
    };
    let calls: [(&str, &dyn Fn() -> crate::client::Reply); 6] = [
        ("iotda:certificates:queryList", &|| client.list("")),
        ("iotda:certificate:query", &|| client.get(&id)),
        ("iotda:certificates:upload", &|| client.upload(&Ca::new("B").pem())),
        ("iotda:certificates:check", &|| client.verify(&id, &ca.proof(&code).pem())),
        ("iotda:certificates:update", &|| client.update(&id, &json!({"ocsp_enable": true}))),
        ("iotda:certificates:delete", &|| client.delete(&id)),
    ];
    for (action, call) in calls {
        let others: Vec<_> = calls.iter().map(|(other, _)| *other).filter(|other| *other != action).collect();
        grant(&others);
        let reply = call();
        refused(&reply, 403, "IOTDA.000022");
        assert!(reply.json()["encoded_authorization_message"].is_string());
        grant(&[action]);
        let reply = call();
        assert!(reply.status < 300, "{action}: {}", reply.text());
    }
}

#[test]
fn a_user_has_no_rights_by_default() {
    let emulator = Emulator::start();
    let client = Client {
        access: "HPUAEXAMPLEOFNORIGHTS".into(),
        secret: "example-secret-key-without-rights".into(),
        ..Client::new(&emulator)
    };
    refused(&client.list(""), 403, "IOTDA.000022");
    emulator.control("PUT", "/users/nobody", &json!({"actions": ["iotda:*:queryList"]}));
    assert_eq!(client.list("").status, 200);
}

#[test]
fn keys_come_and_go() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let new = json!({"access": "NEW", "secret": "new-secret"});
    emulator.control("PUT", "/users/certferry", &json!({"accessKeys": [new]}));
    refused(&client.list(""), 401, "APIGW.0301");
    let client = Client { access: "NEW".into(), secret: "new-secret".into(), ..client };
    assert_eq!(client.list("").status, 200);
    emulator.control("DELETE", "/users/certferry", &Value::Null);
    refused(&client.list(""), 401, "APIGW.0301");
}

#[test]
fn every_answer_has_a_request_id() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let ids = [client.list(""), client.get("a"), client.get("X")]
        .map(|reply| reply.header("x-request-id").expect("an id").to_owned());
    assert!(ids.iter().all(|id| id.len() == 32) && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn a_body_beyond_the_limit_is_the_gateways_affair() {
    let emulator = Emulator::start();
    let client = Client::new(&emulator);
    let long = format!("{{\"content\": \"{}\"}}", "x".repeat(1024 * 1024));
    let reply = client.call("POST", &format!("/v5/iot/{PROJECT}/certificates"), Some(&long));
    refused(&reply, 413, "APIGW.0201");
}
