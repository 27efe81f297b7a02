//! Huawei Cloud as a client sees it that signs by its own means.

mod access;
mod iam;
mod iotda;
mod lists;
mod signing;
mod switches;
mod world;

use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::client::{Emulator, Reply};
use crate::openapi;

pub(crate) const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const ACCESS: &str = "HPUAEXAMPLEACCESSKEY";
pub(crate) const SECRET: &str = "example-secret-key-of-the-emulator";
const TEMPLATE: &str = "61c970ce2d63eb6ee655dbf0";
const OTHER_TEMPLATE: &str = "61c970ce2d63eb6ee655dbf1";
const STANDARD: &str = "55555555-5555-4555-8555-000000000001";
const BASIC: &str = "55555555-5555-4555-8555-000000000003";
const OWN_HOST: &str = "iotda-1.iotda.localhost";
const SHARED_HOST: &str = "iotda.localhost";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    let key = PKey::hmac(key).unwrap();
    Signer::new(MessageDigest::sha256(), &key).unwrap().sign_oneshot_to_vec(message.as_bytes()).unwrap()
}

/// A client; every part of what it signs with can be made wrong.
#[derive(Clone)]
struct Client<'a> {
    emulator: &'a Emulator,
    host: &'a str,
    derived: bool,
    access: String,
    secret: String,
    security_token: Option<String>,
    /// `None`: the emulator's time.
    date: Option<String>,
    /// Without the day, which goes before it.
    scope: &'a str,
    instance_id: Option<&'a str>,
}

impl<'a> Client<'a> {
    fn new(emulator: &'a Emulator) -> Self {
        Self {
            emulator,
            host: OWN_HOST,
            derived: true,
            access: ACCESS.to_owned(),
            secret: SECRET.to_owned(),
            security_token: None,
            date: None,
            scope: "cn-north-4/iotdm",
            instance_id: None,
        }
    }

    /// On the host of the basic edition, with its scheme.
    fn shared(emulator: &'a Emulator) -> Self {
        Self { host: SHARED_HOST, derived: false, ..Self::new(emulator) }
    }

    fn now(&self) -> String {
        self.emulator.seen("/clock")["time"].as_str().unwrap().replace(['-', ':'], "")
    }

    /// Path and query are to be canonical already.
    fn call(&self, method: &str, target: &str, body: Option<&str>) -> Reply {
        let date = self.date.clone().unwrap_or_else(|| self.now());
        let mut headers = vec![
            ("host", format!("{}:{}", self.host, self.emulator.port)),
            ("x-sdk-date", date),
            ("x-project-id", PROJECT.to_owned()),
        ];
        headers.extend(self.instance_id.map(|id| ("instance-id", id.to_owned())));
        headers.extend(self.security_token.clone().map(|token| ("x-security-token", token)));
        headers.extend(body.map(|_| ("content-type", "application/json".to_owned())));
        headers.sort();
        let authorization = self.authorization(method, target, &headers, body.unwrap_or_default());
        headers.retain(|(name, _)| *name != "host");
        headers.push(("authorization", authorization));
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.emulator.call(method, self.host, target, &headers, body.map(str::as_bytes)).expect("an answer")
    }

    fn authorization(&self, method: &str, target: &str, headers: &[(&str, String)], body: &str) -> String {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        let slash = if path.ends_with('/') { "" } else { "/" };
        let payload = hex(&sha256(body.as_bytes()));
        let canonical = format!("{method}\n{path}{slash}\n{query}\n{lines}\n{names}\n{payload}");
        let hash = hex(&sha256(canonical.as_bytes()));
        let date = &headers.iter().find(|(name, _)| *name == "x-sdk-date").map_or("", |(_, value)| value);
        if !self.derived {
            let signature = hmac(self.secret.as_bytes(), &format!("SDK-HMAC-SHA256\n{date}\n{hash}"));
            let (access, signature) = (&self.access, hex(&signature));
            return format!("SDK-HMAC-SHA256 Access={access}, SignedHeaders={names}, Signature={signature}");
        }
        let scope = format!("{}/{}", date.get(..8).unwrap_or_default(), self.scope);
        let extracted = hmac(self.access.as_bytes(), &self.secret);
        let key = hex(&hmac(&extracted, &format!("{scope}\u{1}")));
        let signature = hmac(key.as_bytes(), &format!("V11-HMAC-SHA256\n{date}\n{scope}\n{hash}"));
        let (access, signature) = (&self.access, hex(&signature));
        format!("V11-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}")
    }

    fn certificates(&self, method: &str, rest: &str, body: &Value) -> Reply {
        let text = body.to_string();
        let body = (!body.is_null()).then_some(text.as_str());
        self.call(method, &format!("/v5/iot/{PROJECT}/certificates{rest}"), body)
    }

    fn upload(&self, pem: &str) -> Reply {
        self.certificates("POST", "", &json!({ "content": pem }))
    }

    fn list(&self, query: &str) -> Reply {
        self.certificates("GET", query, &Value::Null)
    }

    fn get(&self, id: &str) -> Reply {
        self.certificates("GET", &format!("/{id}"), &Value::Null)
    }

    fn verify(&self, id: &str, pem: &str) -> Reply {
        let body = json!({ "verify_content": pem });
        self.certificates("POST", &format!("/{id}/action?action_id=verify"), &body)
    }

    fn update(&self, id: &str, body: &Value) -> Reply {
        self.certificates("PUT", &format!("/{id}"), body)
    }

    fn delete(&self, id: &str) -> Reply {
        self.certificates("DELETE", &format!("/{id}"), &Value::Null)
    }

    /// The id of an uploaded certificate, and its code.
    fn holds(&self, pem: &str) -> (String, String) {
        let made = self.upload(pem);
        assert_eq!(made.status, 201, "{}", made.text());
        let text = |member: &str| made.json()[member].as_str().unwrap().to_owned();
        (text("certificate_id"), text("verify_code"))
    }

    /// The id of a verified one.
    fn holds_verified(&self, ca: &crate::certs::Ca) -> String {
        let (id, code) = self.holds(&ca.pem());
        let verified = self.verify(&id, &ca.proof(&code).pem());
        assert_eq!((verified.status, verified.text().as_str()), (200, ""));
        id
    }

    fn switch(&self, name: &str, value: Value) {
        self.emulator.control("PATCH", "/switches", &json!({ "iotda": { name: value } }));
    }
}

/// Status and code of IoTDA or the gateway, in the envelope of whichever it is.
#[track_caller]
fn error(reply: &Reply) -> (u16, String) {
    let body = reply.json();
    let spec = openapi::iotda();
    spec.holds(spec.definition("ErrorBody"), &body, "error");
    let code = body["error_code"].as_str().unwrap_or_else(|| panic!("no code: {body}")).to_owned();
    let of_gateway = code.starts_with("APIGW.");
    assert_eq!(body.get("request_id").is_some(), of_gateway, "the gateway alone adds request_id: {body}");
    if of_gateway {
        assert_eq!(body["request_id"].as_str(), reply.header("x-request-id"));
    }
    (reply.status, code)
}

#[track_caller]
fn refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!(error(reply), (status, code.to_owned()), "{}", reply.text());
}

/// An answer that our description of the API allows.
#[track_caller]
fn documented(schema: &str, reply: &Reply) -> Value {
    let spec = openapi::iotda();
    spec.holds(spec.definition(schema), &reply.json(), schema);
    reply.json()
}

#[track_caller]
fn refused_as_documented(reply: &Reply, operation: &str, status: u16, code: &str) {
    refused(reply, status, code);
    assert!(openapi::iotda().documents(operation, status, code), "{operation} has no {status} {code}");
}
