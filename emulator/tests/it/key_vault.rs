//! Key Vault as the sheet and the recordings have it: the challenge, the life of a certificate, every refusal.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use openssl::hash::MessageDigest;
use openssl::pkcs12::Pkcs12;
use openssl::x509::{X509, X509Req};
use serde_json::{Value, json};

use crate::certs::{Ca, pem, signed_for};
use crate::client::{CLIENT, Emulator, Reply, SECRET};

mod operations;

const SCOPE: &str = "https://vault.azure.net/.default";
const HOST: &str = "vault-1.vault.localhost";

/// A vault as one client sees it.
struct Vault<'a> {
    emulator: &'a Emulator,
    host: &'a str,
    version: &'a str,
    bearer: String,
}

impl<'a> Vault<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        let bearer = format!("Bearer {}", emulator.token_of(CLIENT, SECRET, SCOPE));
        Self { emulator, host: HOST, version: "7.0", bearer }
    }

    fn call(&self, method: &str, path: &str, body: Value) -> Reply {
        let separator = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{separator}api-version={}", self.version);
        let headers = [("Authorization", self.bearer.as_str()), ("Content-Type", "application/json")];
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        self.emulator.call(method, self.host, &target, &headers, body).expect("an answer")
    }

    fn get(&self, path: &str) -> Reply {
        self.call("GET", path, Value::Null)
    }

    /// A certificate that the vault signs itself; the answer to its read.
    fn made(&self, name: &str, policy: Value) -> Value {
        let created = self.call("POST", &format!("/certificates/{name}/create"), json!({ "policy": policy }));
        assert_eq!(created.status, 202, "{}", created.text());
        let bundle = self.get(&format!("/certificates/{name}")).json();
        assert!(bundle["cer"].is_string(), "{bundle}");
        bundle
    }

    fn set(&self, vault: Value) {
        self.emulator.control("PUT", "/vaults/vault-1", &vault);
    }
}

/// The status, the code, the inner code.
fn refusal(reply: &Reply) -> (u16, String, String) {
    let text = |it: &Value| it.as_str().unwrap_or("none").to_owned();
    let error = &reply.json()["error"];
    (reply.status, text(&error["code"]), text(&error["innererror"]["code"]))
}

fn refused(reply: &Reply, status: u16, code: &str, inner: &str) {
    assert_eq!(refusal(reply), (status, code.to_owned(), inner.to_owned()), "{}", reply.text());
}

fn policy(issuer: &str) -> Value {
    json!({ "issuer": { "name": issuer }, "x509_props": { "subject": "CN=MyCert" } })
}

fn certificate(bundle: &Value) -> X509 {
    X509::from_der(&BASE64.decode(bundle["cer"].as_str().expect("a certificate")).unwrap()).unwrap()
}

#[test]
fn the_challenge_comes_before_anything_else() {
    let emulator = Emulator::start();
    for target in ["/certificates/a/create?api-version=7.0", "/certificates/a/create", "/nowhere"] {
        let reply = emulator.call("POST", HOST, target, &[("Content-Type", "application/json")], None);
        let reply = reply.expect("an answer");
        refused(&reply, 401, "Unauthorized", "none");
        let challenge = reply.header("www-authenticate").expect("a challenge");
        assert!(challenge.starts_with("Bearer authorization=\"https://login.localhost:"), "{challenge}");
        assert!(challenge.contains("resource=\"https://vault.localhost:"), "{challenge}");
        let real = emulator.call("GET", "vault-1.vault.azure.net", target, &[], None).expect("an answer");
        let challenge = real.header("www-authenticate").expect("a challenge");
        assert!(challenge.ends_with("resource=\"https://vault.azure.net\""), "{challenge}");
    }
    let wrong = Vault { bearer: format!("Bearer {}", emulator.token()), ..Vault::new(&emulator) };
    refused(&wrong.get("/certificates"), 401, "Unauthorized", "none");
}

#[test]
fn versions_of_the_api_are_known_or_refused_and_gate_fields() {
    let emulator = Emulator::start();
    let addresses = json!({ "issuer": { "name": "Self" }, "x509_props": {
        "subject": "", "sans": { "ipAddresses": ["10.0.0.1"], "uris": ["https://a.example"] } } });
    for version in ["7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"] {
        let vault = Vault { version, ..Vault::new(&emulator) };
        assert_eq!(vault.get("/certificates").status, 200, "{version}");
        let name = version.replace('.', "-");
        let path = format!("/certificates/v{name}/create");
        let reply = vault.call("POST", &path, json!({ "policy": addresses }));
        assert_eq!(reply.status, if version.starts_with("20") { 202 } else { 400 }, "{version}");
    }
    for version in ["7.7", "2016-10-01", ""] {
        let vault = Vault { version, ..Vault::new(&emulator) };
        refused(&vault.get("/certificates"), 400, "BadParameter", "none");
    }
}

#[test]
fn a_self_signed_certificate_goes_its_recorded_way() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    vault.set(json!({ "delays": { "issue": 5, "deletedVisible": 10 } }));
    let created = vault.call(
        "POST",
        "/certificates/MyCert/create",
        json!({ "policy": policy("Self"), "tags": { "a": "b" } }),
    );
    assert_eq!((created.status, created.header("retry-after")), (202, Some("10")));
    let operation = created.json();
    let id = operation["request_id"].as_str().expect("an id");
    assert!(created.header("location").is_some_and(|it| it.contains(id)));
    assert_eq!(
        (operation["status"].clone(), operation["cancellation_requested"].clone()),
        (json!("inProgress"), json!(false))
    );
    let csr = X509Req::from_der(&BASE64.decode(operation["csr"].as_str().unwrap()).unwrap()).unwrap();
    assert!(csr.verify(&csr.public_key().unwrap()).unwrap());

    let ghost = vault.get("/certificates/MyCert/").json();
    assert_eq!(ghost["attributes"]["enabled"], false);
    for member in ["cer", "kid", "sid", "x5t"] {
        assert!(ghost.get(member).is_none(), "{member}");
    }
    assert_eq!(
        ghost["policy"]["key_props"],
        json!({ "exportable": true, "kty": "RSA", "key_size": 2048, "reuse_key": false })
    );
    assert_eq!(ghost["policy"]["lifetime_actions"][0]["action"]["action_type"], "AutoRenew");
    refused(&vault.call("POST", "/certificates/MyCert/create", json!({})), 409, "Forbidden", "none");
    refused(
        &vault.get("/certificates/MyCert/pending?request_id=other"),
        404,
        "PendingCertificateNotFound",
        "none",
    );

    let asked =
        vault.call("PATCH", "/certificates/MyCert/pending", json!({ "cancellation_requested": true })).json();
    assert_eq!(
        (asked["status"].clone(), asked["cancellation_requested"].clone()),
        (json!("inProgress"), json!(true))
    );
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 6 }));
    let done = vault.get("/certificates/MyCert/pending");
    assert_eq!((done.json()["status"].clone(), done.header("retry-after")), (json!("completed"), None));
    refused(
        &vault.call("PATCH", "/certificates/MyCert/pending", json!({ "cancellation_requested": true })),
        403,
        "Forbidden",
        "none",
    );

    let bundle = vault.get("/certificates/MyCert").json();
    assert_eq!(bundle["id"], ghost["id"], "the first version is the one that was announced");
    assert!(bundle["pending"]["id"].is_string(), "the member stays");
    assert_eq!(bundle["tags"], json!({ "a": "b" }));
    let sha1 = certificate(&bundle).digest(MessageDigest::sha1()).unwrap();
    assert_eq!(bundle["x5t"], BASE64URL.encode(sha1));
    let created_at = bundle["attributes"]["created"].as_i64().unwrap();
    assert_eq!(bundle["attributes"]["nbf"], created_at - 600);

    let deleted = vault.call("DELETE", "/certificates/MyCert", Value::Null).json();
    assert!(deleted["recoveryId"].is_string() && deleted["scheduledPurgeDate"].is_number());
    refused(&vault.get("/deletedcertificates/MyCert"), 404, "CertificateNotFound", "none");
    refused(&vault.get("/certificates/MyCert"), 404, "CertificateNotFound", "none");
    refused(
        &vault.call("POST", "/certificates/MyCert/create", json!({ "policy": policy("Self") })),
        409,
        "Conflict",
        "ObjectIsDeletedButRecoverable",
    );
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 11 }));
    assert_eq!(vault.get("/deletedcertificates/MyCert").status, 200);
}

#[test]
fn a_dropped_first_operation_leaves_a_certificate_without_content() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    assert_eq!(
        vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Unknown") })).status,
        202
    );
    assert_eq!(vault.call("DELETE", "/certificates/a/pending", Value::Null).status, 200);
    refused(&vault.get("/certificates/a/pending"), 404, "PendingCertificateNotFound", "none");
    let ghost = vault.get("/certificates/a").json();
    assert!(ghost["id"].is_string() && ghost.get("cer").is_none());
    assert_eq!(vault.call("DELETE", "/certificates/a", Value::Null).status, 200);
}

#[test]
fn a_merge_takes_the_requests_key_and_makes_another_version() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let created = vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Unknown") })).json();
    let announced = vault.get("/certificates/a").json()["id"].clone();
    let ca = Ca::new("Signer");
    let der = |it: &X509| json!(BASE64.encode(it.to_der().unwrap()));
    let stranger = json!({ "x5c": [der(&ca.certificate)] });
    refused(&vault.call("POST", "/certificates/a/pending/merge", stranger), 400, "BadParameter", "none");
    let csr = X509Req::from_der(&BASE64.decode(created["csr"].as_str().unwrap()).unwrap()).unwrap();
    let leaf = signed_for(&csr, &ca);
    let merged = vault.call(
        "POST",
        "/certificates/a/pending/merge",
        json!({ "x5c": [der(&leaf), der(&ca.certificate)] }),
    );
    assert_eq!(merged.status, 201, "{}", merged.text());
    assert!(merged.header("location").is_some());
    let bundle = merged.json();
    assert_ne!(bundle["id"], announced);
    assert_eq!(certificate(&bundle).to_der().unwrap(), leaf.to_der().unwrap());
    assert_eq!(vault.get("/certificates/a/pending").json()["status"], "completed");

    assert_eq!(
        vault.call("POST", "/certificates/b/create", json!({ "policy": policy("SilentCA") })).status,
        202
    );
    refused(
        &vault.call("POST", "/certificates/b/pending/merge", json!({ "x5c": [der(&leaf)] })),
        403,
        "Forbidden",
        "none",
    );
}

#[test]
fn an_import_is_told_by_its_content_and_derives_its_policy() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let pair = Ca::new("Imported");
    let pkcs8 = String::from_utf8(pair.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let text = format!("{pkcs8}{}", pem(&pair.certificate));
    let file = |password: &str| {
        let built = Pkcs12::builder().pkey(&pair.key).cert(&pair.certificate).build2(password).unwrap();
        BASE64.encode(built.to_der().unwrap())
    };
    let sec1 = String::from_utf8(pair.key.ec_key().unwrap().private_key_to_pem().unwrap()).unwrap();
    for (name, body, status) in [
        ("pfx", json!({ "value": file("secret"), "pwd": "secret" }), 200),
        ("bare", json!({ "value": file("") }), 200),
        ("wrong", json!({ "value": file("secret"), "pwd": "other" }), 400),
        ("pem", json!({ "value": text }), 200),
        ("packed", json!({ "value": BASE64.encode(&text) }), 200),
        ("sec1", json!({ "value": format!("{sec1}{}", pem(&pair.certificate)) }), 400),
        ("keyless", json!({ "value": pem(&pair.certificate) }), 400),
        (
            "other-form",
            json!({ "value": text, "policy": { "secret_props": { "contentType": "application/x-pkcs12" } } }),
            400,
        ),
        (
            "renewed",
            json!({ "value": text, "policy": { "lifetime_actions": [
            { "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "AutoRenew" } },
        ] } }),
            400,
        ),
    ] {
        let reply = vault.call("POST", &format!("/certificates/{name}/import"), body);
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        if status == 200 {
            let bundle = reply.json();
            assert!(bundle.get("pending").is_none(), "{name}");
            assert_eq!(bundle["policy"]["issuer"]["name"], "Unknown", "{name}");
            assert_eq!(
                bundle["policy"]["lifetime_actions"][0]["action"]["action_type"], "EmailContacts",
                "{name}"
            );
            assert_eq!(bundle["policy"]["key_props"]["crv"], "P-256", "{name}");
        }
    }
}

#[test]
fn the_secret_gives_a_file_that_opens_and_a_key_that_fits() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let bundle = vault.made("a", policy("Self"));
    let secret = vault.get("/secrets/a/").json();
    assert_eq!(
        (secret["contentType"].clone(), secret["managed"].clone()),
        (json!("application/x-pkcs12"), json!(true))
    );
    let file = Pkcs12::from_der(&BASE64.decode(secret["value"].as_str().unwrap()).unwrap()).unwrap();
    let opened = file.parse2("").unwrap();
    let key = opened.pkey.unwrap();
    assert!(certificate(&bundle).public_key().unwrap().public_eq(&key));

    let mut closed = policy("Self");
    closed["key_props"] = json!({ "exportable": false });
    closed["secret_props"] = json!({ "contentType": "application/x-pem-file" });
    vault.made("closed", closed);
    let value = vault.get("/secrets/closed").json()["value"].clone();
    let text = value.as_str().unwrap();
    assert!(text.starts_with("-----BEGIN CERTIFICATE-----") && !text.contains("PRIVATE KEY"), "{text}");
    let journal = emulator.seen("/requests").to_string();
    assert!(!journal.contains(secret["value"].as_str().unwrap()), "the file stands in the journal");

    vault.call("PATCH", "/certificates/a/", json!({ "attributes": { "enabled": false } }));
    assert_eq!(vault.get("/secrets/a").status, 403);
}

#[test]
fn recover_purge_and_their_delays() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    vault.made("a", policy("Self"));
    vault.set(json!({ "delays": { "recover": 8, "purgeBlocks": 5 } }));
    vault.call("DELETE", "/certificates/a", Value::Null);
    assert_eq!(vault.call("POST", "/deletedcertificates/a/recover", Value::Null).status, 200);
    refused(&vault.get("/certificates/a"), 404, "CertificateNotFound", "none");
    refused(
        &vault.call("POST", "/certificates/a/create", json!({})),
        409,
        "Conflict",
        "ObjectIsBeingRecovered",
    );
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 9 }));
    assert_eq!(vault.get("/certificates/a").status, 200);
    vault.call("DELETE", "/certificates/a", Value::Null);
    vault.set(json!({ "purgeProtection": true }));
    refused(&vault.call("DELETE", "/deletedcertificates/a", Value::Null), 403, "Forbidden", "none");
    vault.set(json!({ "purgeProtection": false }));
    assert_eq!(vault.call("DELETE", "/deletedcertificates/a", Value::Null).status, 204);
    let again = || vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Self") }));
    refused(&again(), 409, "Conflict", "none");
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 6 }));
    assert_eq!(again().status, 202);
}

#[test]
fn the_clock_renews_and_purges() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let first = vault.made("a", policy("Self"));
    vault.made(
        "b",
        json!({ "issuer": { "name": "Self" }, "x509_props": { "subject": "CN=b" }, "lifetime_actions": [
        { "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "EmailContacts" } },
    ] }),
    );
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 300 * 86_400 }));
    let vault = Vault::new(&emulator); // the token is too old by now
    assert_ne!(vault.get("/certificates/a").json()["id"], first["id"]);
    assert_eq!(vault.get("/certificates/a/versions").json()["value"].as_array().map(Vec::len), Some(2));
    assert_eq!(vault.get("/certificates/b/versions").json()["value"].as_array().map(Vec::len), Some(1));
    vault.call("DELETE", "/certificates/b", Value::Null);
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 91 * 86_400 }));
    let vault = Vault::new(&emulator);
    refused(&vault.get("/deletedcertificates/b"), 404, "CertificateNotFound", "none");
}

#[test]
fn vaults_are_apart_and_ask_for_their_permissions() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    vault.made("a", policy("Self"));
    let other = Vault { host: "vault-2.vault.localhost", ..Vault::new(&emulator) };
    refused(&other.get("/certificates/a"), 404, "CertificateNotFound", "none");
    let stranger = Vault { host: "nobody.vault.localhost", ..Vault::new(&emulator) };
    assert_eq!(stranger.get("/certificates").status, 421);
    let real = Vault { host: "vault-1.vault.azure.net", ..Vault::new(&emulator) };
    assert_eq!(real.get("/certificates/a").status, 200, "by its real name");
    vault.set(json!({ "access": [{ "clientId": CLIENT, "certificates": ["get", "list"] }] }));
    assert_eq!(vault.get("/certificates/a").status, 200);
    refused(&vault.call("DELETE", "/certificates/a", Value::Null), 403, "Forbidden", "ForbiddenByPolicy");
    refused(&vault.get("/secrets/a"), 403, "Forbidden", "ForbiddenByPolicy");
    vault.set(json!({ "rbac": true }));
    refused(&vault.get("/secrets/a"), 403, "Forbidden", "ForbiddenByRbac");
}

#[test]
fn lists_have_pages_and_hide_what_is_pending() {
    let emulator = Emulator::start();
    emulator.control("PATCH", "/throttle", &json!({ "enabled": false }));
    let vault = Vault::new(&emulator);
    for number in 0..27 {
        emulator.control(
            "PUT",
            &format!("/vaults/vault-1/certificates/c{number}"),
            &json!({ "policy": {
            "issuer": { "name": "Self" }, "x509_props": { "subject": "CN=x" }, "key_props": { "kty": "EC" },
        } }),
        );
    }
    vault.call("POST", "/certificates/pending/create", json!({ "policy": policy("Unknown") }));
    let page = vault.get("/certificates").json();
    assert_eq!(page["value"].as_array().map(Vec::len), Some(25));
    let next = page["nextLink"].as_str().expect("a further page");
    let path = &next[next.find("/certificates").unwrap()..];
    let path = path.replace("api-version=7.0&", "");
    assert_eq!(vault.get(&path).json()["value"].as_array().map(Vec::len), Some(2));
    let all = vault.get("/certificates?includePending=true&maxresults=25").json();
    assert!(all["nextLink"].is_string());
    for size in ["0", "26", "x"] {
        refused(&vault.get(&format!("/certificates?maxresults={size}")), 400, "BadParameter", "none");
    }
}

#[test]
fn policies_that_no_vault_takes_are_refused() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let x509 = json!({ "subject": "CN=a" });
    for bad in [
        json!({ "issuer": { "name": "Nobody" }, "x509_props": x509 }),
        json!({ "issuer": { "name": "Self" } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": { "subject": "no name" } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": { "subject": "CN=a", "validity_months": 0 } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": { "subject": "CN=a", "key_usage": ["crlSign"] } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "key_props": { "kty": "oct" } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "key_props": { "kty": "RSA-HSM", "exportable": false } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "key_props": { "key_size": 1024 } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "key_props": { "kty": "EC", "crv": "P-224" } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "secret_props": { "contentType": "text/plain" } }),
        json!({ "issuer": { "name": "Self" }, "x509_props": x509, "lifetime_actions": [
            { "trigger": { "days_before_expiry": 325 }, "action": { "action_type": "EmailContacts" } },
        ] }),
        json!({ "issuer": { "name": "Unknown" }, "x509_props": x509, "lifetime_actions": [
            { "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "AutoRenew" } },
        ] }),
    ] {
        refused(
            &vault.call("POST", "/certificates/a/create", json!({ "policy": bad })),
            400,
            "BadParameter",
            "none",
        );
    }
    refused(
        &vault.call("POST", "/certificates/a_b/create", json!({ "policy": policy("Self") })),
        400,
        "BadParameter",
        "none",
    );
    refused(&vault.call("POST", "/certificates/a/create", json!({})), 400, "BadParameter", "none");
    let tags: Value =
        (0..16).map(|it| (format!("t{it}"), json!(""))).collect::<serde_json::Map<_, _>>().into();
    refused(
        &vault.call("POST", "/certificates/a/create", json!({ "policy": policy("Self"), "tags": tags })),
        400,
        "BadParameter",
        "none",
    );
}

#[test]
fn keys_are_made_at_the_published_rate() {
    let emulator = Emulator::start();
    let vault = Vault::new(&emulator);
    let elliptic = json!({ "issuer": { "name": "Unknown" }, "key_props": { "kty": "EC" }, "x509_props": { "subject": "CN=a" } });
    let create = |number: usize| {
        vault.call("POST", &format!("/certificates/k{number}/create"), json!({ "policy": elliptic }))
    };
    let refused = (0..60).map(create).find(|it| it.status == 429).expect("the bucket is empty at last");
    assert!(refused.header("retry-after").is_some());
}
