//! Operations that meet something: another policy, a test that ends them, a read from the past.

use openssl::pkey::Id;
use serde_json::{Value, json};

use super::{Emulator, Vault, certificate, policy};

#[test]
fn a_policy_that_is_changed_meanwhile_is_for_the_next_version() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    vault.set(json!({ "delays": { "issue": 5 } }));
    vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Self") }));
    let elliptic = json!({ "key_props": { "kty": "EC", "crv": "P-256", "key_size": 256 },
        "secret_props": { "contentType": "application/x-pem-file" }, "x509_props": { "subject": "CN=Later" } });
    assert_eq!(vault.call("PATCH", "/certificates/a/policy", elliptic).status, 200);
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 6 }));
    let bundle = vault.get("/certificates/a").json();
    let issued = certificate(&bundle);
    assert_eq!(issued.public_key().unwrap().id(), Id::RSA);
    let subject = issued.subject_name().entries().next().unwrap().data().to_string().unwrap();
    assert_eq!((subject.as_str(), &bundle["policy"]["key_props"]["kty"]), ("MyCert", &json!("EC")));
    assert_eq!(vault.get("/secrets/a").json()["contentType"], "application/x-pkcs12");
}

#[test]
fn a_test_ends_an_operation_as_it_likes() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    for (name, issuer, outcome) in
        [("a", "SilentCA", "completed"), ("b", "Unknown", "failed"), ("c", "SilentCA", "cancelled")]
    {
        vault.call("POST", &format!("/certificates/{name}/create"), json!({ "policy": policy(issuer) }));
        let at = format!("/vaults/vault-1/certificates/{name}");
        emulator.control("PATCH", &at, &json!({ "pending": outcome }));
        let operation = vault.get(&format!("/certificates/{name}/pending")).json();
        assert_eq!(operation["status"], outcome);
        assert_eq!(operation["error"].is_object(), outcome == "failed", "{operation}");
        let bundle = vault.get(&format!("/certificates/{name}")).json();
        assert_eq!(bundle["cer"].is_string(), outcome == "completed", "{bundle}");
        let again = emulator.control_call("PATCH", &at, Some(&json!({ "pending": "failed" })));
        assert_eq!(again.status, 400, "nothing is in progress any more");
    }
}

#[test]
fn a_new_create_takes_the_place_of_what_was_given_up() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let create = |tag: &str| {
        let body = json!({ "policy": policy("Unknown"), "tags": { "round": tag } });
        assert_eq!(vault.call("POST", "/certificates/a/create", body).status, 202);
        vault.get("/certificates/a").json()
    };
    let first = create("1");
    assert_eq!(vault.call("DELETE", "/certificates/a/pending", Value::Null).status, 200);
    let second = create("2");
    assert_eq!(second["tags"], json!({ "round": "2" }));
    assert_ne!(first["id"], second["id"]);
}

#[test]
fn a_stale_read_brings_nothing_about() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    vault.set(json!({ "delays": { "issue": 5 } }));
    vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Self") }));
    emulator.fault(
        json!({ "operation": "keyVaultCertificates.patchPending", "action": { "stale": { "reads": 1 } } }),
    );
    let asked = vault.call("PATCH", "/certificates/a/pending", json!({ "cancellation_requested": true }));
    assert_eq!(asked.status, 200);
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 6 }));
    let stale = vault.get("/certificates/a/pending").json();
    assert_eq!((&stale["status"], &stale["cancellation_requested"]), (&json!("inProgress"), &json!(false)));
    assert_eq!(vault.get("/certificates/a/pending").json()["status"], "completed");
}
