//! API Management's client certificates as the sheet and the recording have them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::nid::Nid;
use openssl::pkcs12::Pkcs12;
use openssl::stack::Stack;
use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{Emulator, Reply, SUBSCRIPTION};

const SYSTEM: &str = "22222222-2222-4222-8222-000000000011";
const USER: &str = "22222222-2222-4222-8222-000000000012";

struct Service<'a> {
    emulator: &'a Emulator,
    version: &'a str,
    bearer: String,
}

impl<'a> Service<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        Self { emulator, version: "2024-05-01", bearer: format!("Bearer {}", emulator.token()) }
    }

    fn call(&self, method: &str, certificate: &str, if_match: Option<&str>, body: Value) -> Reply {
        let target = format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-devices/providers/Microsoft.ApiManagement/service/apim-1\
             /certificates{certificate}?api-version={}",
            self.version
        );
        let mut headers = vec![("Authorization", self.bearer.as_str()), ("Content-Type", "application/json")];
        headers.extend(if_match.map(|it| ("If-Match", it)));
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_bytes());
        self.emulator.call(method, "arm.localhost", &target, &headers, body).expect("an answer")
    }

    fn put(&self, name: &str, if_match: Option<&str>, properties: Value) -> Reply {
        self.call("PUT", &format!("/{name}"), if_match, json!({ "properties": properties }))
    }

    fn get(&self, name: &str) -> Reply {
        self.call("GET", &format!("/{name}"), None, Value::Null)
    }

    fn switch(&self, name: &str, value: &str) {
        self.emulator.control("PATCH", "/switches", &json!({ "apiManagement": { name: value } }));
    }
}

fn file(pair: &Ca, password: &str) -> Value {
    let built = Pkcs12::builder().pkey(&pair.key).cert(&pair.certificate).build2(password).unwrap();
    json!({ "data": BASE64.encode(built.to_der().unwrap()), "password": password })
}

fn etag(reply: &Reply) -> String {
    reply.header("etag").expect("an ETag").to_owned()
}

#[test]
fn a_certificate_goes_its_recorded_way() {
    let emulator = Emulator::start();
    let service = Service { version: "2019-01-01", ..Service::new(&emulator) };
    let empty = service.call("GET", "", None, Value::Null);
    assert_eq!((empty.json()["value"].clone(), empty.header("etag")), (json!([]), None));
    let pair = Ca::new("backend");
    let created = service.put("backend", None, file(&pair, "Password"));
    assert_eq!(created.status, 201, "{}", created.text());
    let tag = etag(&created);
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let contract = created.json();
    assert_eq!(contract["type"], "Microsoft.ApiManagement/service/certificates");
    assert_eq!(contract["properties"]["thumbprint"], pair.thumbprint());
    assert_eq!(contract["properties"]["subject"], "CN=backend");
    assert!(!created.text().contains("Password") && contract["properties"].get("data").is_none());
    let read = service.get("backend");
    assert_eq!((read.json(), etag(&read)), (contract, tag.clone()));
    let head = service.call("HEAD", "/backend", None, Value::Null);
    assert_eq!((head.status, head.body.len(), etag(&head)), (200, 0, tag.clone()));
    let updated = service.put("backend", Some(&tag), file(&Ca::new("next"), "x"));
    assert_eq!(updated.status, 200);
    assert_ne!(etag(&updated), tag);
    assert_eq!(service.call("DELETE", "/backend", Some(&tag), Value::Null).status, 412);
    assert_eq!(service.call("DELETE", "/backend", Some(&etag(&updated)), Value::Null).status, 200);
    assert_eq!(service.call("DELETE", "/backend", Some("*"), Value::Null).status, 204);
    assert_eq!(service.get("backend").arm_error(), (404, "ResourceNotFound".to_owned()));
    let journal = emulator.seen("/requests").to_string();
    assert!(!journal.contains("Password"), "the password stands in the journal");
}

#[test]
fn an_etag_decides_every_write() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    let pair = Ca::new("a");
    for (if_match, status) in [(Some("\"other\""), 412), (Some("*"), 201)] {
        assert_eq!(service.put("a", if_match, file(&pair, "x")).status, status, "absent, {if_match:?}");
    }
    let tag = etag(&service.get("a"));
    let bare = tag.trim_matches('"').to_owned();
    for (if_match, status) in
        [(None, 412), (Some("\"old\""), 412), (Some(bare.as_str()), 412), (Some("*"), 200)]
    {
        assert_eq!(service.put("a", if_match, file(&pair, "x")).status, status, "there, {if_match:?}");
    }
    service.switch("putWithoutIfMatch", "overwrites");
    assert_eq!(service.put("a", None, file(&pair, "x")).status, 200);
    service.switch("deleteWithoutIfMatch", "refused");
    assert_eq!(service.call("DELETE", "/a", None, Value::Null).status, 400);
    service.switch("deleteWithoutIfMatch", "deletes");
    assert_eq!(service.call("DELETE", "/a", None, Value::Null).status, 200);
}

#[test]
fn the_file_is_really_opened() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    let (pair, other) = (Ca::new("a"), Ca::new("b"));
    let mut wrong = file(&pair, "right");
    wrong["password"] = json!("wrong");
    let keyless = Pkcs12::builder().cert(&pair.certificate).build2("x").unwrap().to_der().unwrap();
    // The leaf is the one that the key fits, wherever it stands.
    let mut behind = Stack::new().unwrap();
    behind.push(pair.certificate.clone()).unwrap();
    let mut built = Pkcs12::builder();
    let mixed = built.cert(&other.certificate).ca(behind).build2("x").unwrap().to_der().unwrap();
    let without_password = file(&pair, "");
    for (name, properties, status) in [
        ("wrong", wrong, 400),
        ("keyless", json!({ "data": BASE64.encode(keyless), "password": "x" }), 400),
        ("unfit", json!({ "data": BASE64.encode(mixed), "password": "x" }), 400),
        ("pem", json!({ "data": BASE64.encode(pair.pem()), "password": "x" }), 400),
        ("der", json!({ "data": BASE64.encode(pair.certificate.to_der().unwrap()) }), 400),
        ("broken", json!({ "data": "%%%" }), 400),
        ("neither", json!({}), 400),
        ("both", json!({ "data": "AA==", "keyVault": { "secretIdentifier": "x" } }), 400),
        ("bare", json!({ "data": without_password["data"] }), 201),
    ] {
        let reply = service.put(name, None, properties);
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
        if status == 400 {
            assert_eq!(reply.json()["error"]["code"], "ValidationError", "{name}");
        }
    }
    service.switch("pbes2", "refused");
    assert_eq!(service.put("new", None, file(&pair, "x")).status, 400, "OpenSSL 3 writes PBES2");
    let mut old = Pkcs12::builder();
    old.key_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC)
        .cert_algorithm(Nid::PBE_WITHSHA1AND3_KEY_TRIPLEDES_CBC);
    let old = old.pkey(&pair.key).cert(&pair.certificate).build2("x").unwrap().to_der().unwrap();
    assert_eq!(service.put("old", None, json!({ "data": BASE64.encode(old), "password": "x" })).status, 201);
}

#[test]
fn ids_that_are_none_are_refused() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    let pair = Ca::new("a");
    for id in ["a%2Ab", "a%23b", "a%26b", "a%2Bb", "a%3Ab", "a%3Cb", "a%3Fb", &"a".repeat(81)] {
        assert_eq!(service.put(id, None, file(&pair, "x")).status, 400, "{id}");
    }
    assert_eq!(service.put(&"a".repeat(80), None, file(&pair, "x")).status, 201);
    for id in ["..", "%2e%2e"] {
        assert_ne!(service.put(id, None, file(&pair, "x")).status, 201, "{id}");
    }
}

#[test]
fn a_reference_follows_its_vault() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    let plant = || {
        let path = "/vaults/vault-1/certificates/web";
        emulator.control("PUT", path, &json!({}))["versions"][0]["thumbprint"].clone()
    };
    let first = plant();
    let secret = "https://vault-1.vault.azure.net/secrets/web";
    let reference =
        |identity: Value| json!({ "keyVault": { "secretIdentifier": secret, "identityClientId": identity } });
    for identity in [Value::Null, json!(USER)] {
        let name = if identity.is_null() { "system" } else { "user" };
        let created = service.put(name, None, reference(identity));
        assert_eq!(created.status, 201, "{}", created.text());
        let properties = created.json()["properties"].clone();
        assert_eq!(
            (properties["thumbprint"].clone(), properties["keyVault"]["lastStatus"]["code"].clone()),
            (first.clone(), json!("Success"))
        );
    }
    for (name, properties, code, target) in [
        ("self", reference(json!(SYSTEM)), "ValidationError", "identityClientId"),
        (
            "form",
            json!({ "keyVault": { "secretIdentifier": "https://vault-1.vault.azure.net/certificates/web" } }),
            "ValidationError",
            "secretIdentifier",
        ),
        (
            "missing",
            json!({ "keyVault": { "secretIdentifier": "https://vault-1.vault.azure.net/secrets/nothing" } }),
            "ValidationError",
            "secretIdentifier",
        ),
    ] {
        let error = service.put(name, None, properties).json()["error"].clone();
        assert_eq!(
            (error["code"].clone(), error["details"][0]["target"].clone()),
            (json!(code), json!(target)),
            "{name}"
        );
    }
    let before = etag(&service.get("system"));
    let second = plant();
    assert_eq!(service.get("system").json()["properties"]["thumbprint"], first, "not before it looks again");
    let refreshed = service.call("POST", "/system/refreshSecret", None, Value::Null);
    assert_eq!(
        (refreshed.status, refreshed.json()["properties"]["thumbprint"].clone()),
        (200, second.clone())
    );
    assert_ne!(etag(&refreshed), before);
    emulator.control("POST", "/clock/advance", &json!({ "seconds": 4 * 3600 }));
    let service = Service::new(&emulator);
    assert_eq!(service.get("user").json()["properties"]["thumbprint"], second, "after four hours");
    emulator.control("DELETE", "/vaults/vault-1/certificates/web", &Value::Null);
    let failed = service.call("POST", "/system/refreshSecret", None, Value::Null).json();
    assert_eq!(failed["properties"]["keyVault"]["lastStatus"]["code"], "SecretNotFound");
    assert_eq!(failed["properties"]["thumbprint"], second, "the last good one stays");
    service.put("file", None, file(&Ca::new("a"), "x"));
    assert_eq!(service.call("POST", "/file/refreshSecret", None, Value::Null).status, 400);
}

#[test]
fn without_an_identity_no_vault_is_read() {
    let emulator = Emulator::start();
    emulator.control("PUT", "/services/apim-1", &json!({ "systemIdentity": null }));
    let service = Service::new(&emulator);
    let secret = json!({ "keyVault": { "secretIdentifier": "https://vault-1.vault.azure.net/secrets/web" } });
    assert_eq!(service.put("a", None, secret).arm_error(), (400, "InvalidOperation".to_owned()));
}

#[test]
fn what_is_in_use_stays_and_a_busy_service_says_so() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    emulator.control("PUT", "/services/apim-1", &json!({ "busyWrites": 1 }));
    let pair = Ca::new("a");
    assert_eq!(
        service.put("a", None, file(&pair, "x")).arm_error(),
        (409, "PessimisticConcurrencyConflict".to_owned())
    );
    assert_eq!(service.put("a", None, file(&pair, "x")).status, 201);
    emulator.control("PATCH", "/services/apim-1/certificates/a", &json!({ "inUse": true }));
    assert_eq!(service.call("DELETE", "/a", Some("*"), Value::Null).status, 400);
    emulator.control("PATCH", "/services/apim-1/certificates/a", &json!({ "inUse": false }));
    assert_eq!(service.call("DELETE", "/a", Some("*"), Value::Null).status, 200);
}

#[test]
fn lists_have_pages() {
    let emulator = Emulator::start();
    let service = Service::new(&emulator);
    for name in ["a", "b", "c"] {
        emulator.control(
            "PUT",
            &format!("/services/apim-1/certificates/{name}"),
            &json!({ "certificate": Ca::new(name).pem() }),
        );
    }
    let page = service.call("GET", "", None, Value::Null).json();
    assert_eq!((page["count"].clone(), page.get("nextLink")), (json!(3), None));
    let bearer = ("Authorization", service.bearer.as_str());
    let path = format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-devices/providers/Microsoft.ApiManagement/service/apim-1/certificates?api-version=2024-05-01&$top=2"
    );
    let first = emulator.call("GET", "arm.localhost", &path, &[bearer], None).expect("an answer").json();
    let next = first["nextLink"].as_str().expect("a further page");
    let rest = &next[next.find("/subscriptions").unwrap()..];
    let second = emulator.call("GET", "arm.localhost", rest, &[bearer], None).expect("an answer").json();
    assert_eq!((second["value"][0]["name"].clone(), second.get("nextLink")), (json!("c"), None));

    let list = |query: &str| {
        let path = path.split('?').next().unwrap();
        let path = format!("{path}?api-version=2024-05-01&{query}");
        emulator.call("GET", "arm.localhost", &path, &[bearer], None).expect("an answer")
    };
    let names = |query: &str| {
        let items = list(query).json()["value"].as_array().cloned().unwrap_or_default();
        items.iter().map(|it| it["name"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("$filter=name%20ge%20%27b%27"), ["b", "c"]);
    assert_eq!(names("$filter=substringof(%27CN%3Da%27,%20subject)"), ["a"]);
    assert_eq!(names("isKeyVaultRefreshFailed=true"), [""; 0]);
    assert_eq!(list("$filter=owner%20eq%20%27x%27").status, 400);
    let next = list("$filter=name%20ge%20%27a%27&$top=1").json()["nextLink"].to_string();
    assert!(next.contains("$filter=name%20ge%20%27a%27"), "{next}");

    emulator.control("PATCH", "/switches", &json!({ "apiManagement": { "largestPage": 2 } }));
    assert_eq!(names("$top=100"), ["a", "b"], "no more than a page holds");
}
