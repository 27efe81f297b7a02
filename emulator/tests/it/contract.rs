//! The command line: the line on standard output, TLS, the end, what a restart keeps.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{ARM_SCOPE, CLIENT, Emulator, Folder, SECRET, TENANT};
use crate::iot_hub::Hub;

#[test]
fn the_ready_line_has_every_key_of_the_contract() {
    let emulator = Emulator::start();
    let port = emulator.port;
    let url = |host: &str| Value::from(format!("https://{host}.localhost:{port}"));
    for service in ["login", "arm", "imds", "iam", "sts"] {
        assert_eq!(emulator.ready[service], url(service));
    }
    assert_eq!(emulator.ready["vault"], url("{vault}.vault"));
    assert_eq!(emulator.ready["iotda"], url("{instance}.iotda"));
    assert_eq!(emulator.ready["iotdaBasic"], url("iotda"));
    assert_eq!(
        emulator.ready["podIdentity"],
        format!("https://pod-identity.localhost:{port}/v1/credentials")
    );
    assert_eq!(emulator.ready["control"], format!("https://control.localhost:{port}/_emulator"));
    assert!(std::fs::exists(emulator.ready["ca"].as_str().unwrap()).unwrap());
}

#[test]
fn the_certificate_covers_own_and_real_names() {
    let emulator = Emulator::start_with(&["--domain", "cloud.test"]);
    for host in [
        "arm.cloud.test",
        "v1.vault.cloud.test",
        "control.cloud.test",
        "management.azure.com",
        "login.microsoftonline.com",
        "login.microsoftonline.us",
        "some.vault.azure.net",
        "iam.myhuaweicloud.com",
        "iotda.cn-north-4.myhuaweicloud.com",
        "iotda-1.st1.iotda-app.cn-north-4.myhuaweicloud.com",
        "iotda-1.iotda.cloud.test",
        "sts.cloud.test",
    ] {
        assert_eq!(emulator.call("GET", host, "/_emulator/clock", &[], None).expect("answers").status, 200);
    }
    let open = "/metadata/endpoints?api-version=2022-09-01";
    for host in ["arm.cloud.test", "management.azure.com", "management.chinacloudapi.cn"] {
        assert_eq!(emulator.call("GET", host, open, &[], None).expect("answers").status, 200, "{host}");
    }
    let lost = emulator.call("GET", "cloud.test", "/", &[], None).expect("answers");
    assert_eq!(lost.arm_error(), (421, "MisdirectedRequest".to_owned()));
}

#[test]
fn sigterm_ends_it_within_a_second_also_while_a_call_hangs() {
    let emulator = Emulator::start();
    emulator.fault(json!({"operation": "token", "action": {"delay": {"ms": 60_000}}}));
    let port = emulator.port;
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let target = format!("/{TENANT}/oauth2/v2.0/token");
            assert!(emulator.call("POST", "login.localhost", &target, &[], None).is_none());
        });
        while emulator.seen("/requests/counts")["counts"]["token"] != 1 {
            std::thread::yield_now();
        }
        let pid = emulator.pid().to_string();
        let start = Instant::now();
        std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(start.elapsed() < Duration::from_secs(1));
    });
}

#[test]
fn a_restart_on_the_same_folder_keeps_ca_state_and_tokens() {
    let folder = Folder::new();
    let ca = Ca::new("Kept");
    let emulator = Emulator::in_folder(&folder.0, &[]);
    let pem = std::fs::read(emulator.ready["ca"].as_str().unwrap()).unwrap();
    let (port, token) = (emulator.port, emulator.token());
    let etag = Hub::new(&emulator, "2018-04-01").holds("ca-1", &ca.pem());
    emulator.control("POST", &format!("/clients/{CLIENT}/secret"), &json!({"secret": "new"}));
    let start = Instant::now();
    assert!(emulator.terminate().success());
    assert!(start.elapsed() < Duration::from_secs(1));

    let emulator = Emulator::in_folder(&folder.0, &["--listen", &format!("127.0.0.1:{port}")]);
    assert_eq!(emulator.port, port);
    assert_eq!(std::fs::read(emulator.ready["ca"].as_str().unwrap()).unwrap(), pem);
    let held = emulator.seen("/hubs/hub-1/certificates/ca-1");
    assert_eq!((&held["etag"], &held["thumbprint"]), (&json!(etag), &json!(ca.thumbprint())));
    let bearer = format!("Bearer {token}");
    let target = "/subscriptions?api-version=2022-12-01";
    let reply = emulator.call("GET", "arm.localhost", target, &[("Authorization", &bearer)], None);
    assert_eq!(reply.expect("answers").status, 200, "a token outlives a restart");
    emulator.token_of(CLIENT, "new", ARM_SCOPE);
    // No ETag is given twice, over restarts too.
    let other = Hub::with_token(&emulator, "2018-04-01", &token);
    assert_ne!(other.holds("ca-2", &ca.pem()), etag);
}

#[test]
fn state_survives_a_kill_soon_after_the_write() {
    let folder = Folder::new();
    let emulator = Emulator::in_folder(&folder.0, &[]);
    Hub::new(&emulator, "2018-04-01").holds("ca-1", &Ca::new("Kept").pem());
    let file = folder.0.join("state.json");
    let start = Instant::now();
    while !std::fs::read_to_string(&file).is_ok_and(|text| text.contains("ca-1")) {
        assert!(start.elapsed() < Duration::from_secs(5), "it is written down without being asked");
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(emulator); // SIGKILL
    let emulator = Emulator::in_folder(&folder.0, &[]);
    assert_eq!(Hub::new(&emulator, "2018-04-01").get("ca-1").status, 200);
}

#[test]
fn a_world_file_replaces_the_seed() {
    let folder = Folder::new();
    let subscription = "99999999-9999-4999-8999-999999999999";
    let world = json!({
        "tenants": [{"id": TENANT}],
        "clients": [{"clientId": "c", "tenantId": TENANT, "objectId": "o", "secrets": [{"value": SECRET}],
                     "roles": [{"scope": "/", "actions": ["*"]}]}],
        "subscriptions": [{"id": subscription, "tenantId": TENANT,
                           "resourceGroups": [{"name": "g", "location": "westeurope"}]}],
        "hubs": [{"name": "h", "subscriptionId": subscription, "resourceGroup": "g", "location": "westeurope",
                  "certificates": [{"name": "old", "certificate": Ca::new("Old").pem(), "isVerified": true}]}],
        "throttle": {"reads": {"size": 7, "refillPerSecond": 1}},
        "switches": {"iotHub": {"createStatus": "ok"}},
    });
    let file = folder.0.join("world.json");
    std::fs::write(&file, world.to_string()).unwrap();
    let emulator = Emulator::start_with(&["--world", file.to_str().unwrap()]);
    let seen = emulator.seen("/state");
    assert_eq!(seen["clients"].as_array().unwrap().len(), 1);
    let old = &seen["hubs"][0]["certificates"][0];
    assert_eq!((&old["isVerified"], old["etag"].as_str().unwrap().len()), (&json!(true), 12));
    assert!(old["created"].as_i64().unwrap() > 0);
    assert_eq!(seen["throttle"]["reads"]["size"], 7.0);
    assert_eq!(seen["throttle"]["writes"]["size"], 200.0);
    emulator.token_of("c", SECRET, ARM_SCOPE);
}

#[test]
fn a_world_with_an_unknown_member_is_refused() {
    let folder = Folder::new();
    let file = folder.0.join("world.json");
    std::fs::write(&file, r#"{"hubz": []}"#).unwrap();
    let run = std::process::Command::new(env!("CARGO_BIN_EXE_emulator"))
        .arg("--world")
        .arg(&file)
        .output()
        .unwrap();
    assert!(!run.status.success());
    assert!(run.stdout.is_empty(), "nothing but the ready line goes to standard output");
    assert!(String::from_utf8_lossy(&run.stderr).contains("hubz"));
}
