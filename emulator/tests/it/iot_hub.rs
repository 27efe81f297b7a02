//! The certificate calls as a client makes them. Every answer is held against the vendor's file on the way.

use serde_json::{Value, json};

use crate::client::{Emulator, Reply, SUBSCRIPTION};
use crate::openapi;

pub(crate) struct Hub<'a> {
    pub(crate) emulator: &'a Emulator,
    pub(crate) version: &'a str,
    pub(crate) hub: &'a str,
    pub(crate) bearer: String,
}

impl<'a> Hub<'a> {
    /// The seeded hub-1.
    pub(crate) fn new(emulator: &'a Emulator, version: &'a str) -> Self {
        Self::with_token(emulator, version, &emulator.token())
    }

    pub(crate) fn with_token(emulator: &'a Emulator, version: &'a str, token: &str) -> Self {
        Self { emulator, version, hub: "hub-1", bearer: format!("Bearer {token}") }
    }

    pub(crate) fn path(&self, rest: &str) -> String {
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-devices/providers/Microsoft.Devices/IotHubs/{}/certificates{rest}",
            self.hub
        )
    }

    /// The body of PUT that the version wants.
    pub(crate) fn body(&self, certificate: &str) -> Value {
        let inner = json!({ "certificate": certificate });
        if self.version < "2021" { inner } else { json!({ "properties": inner }) }
    }

    /// One call as it is; `None` if no answer came.
    pub(crate) fn send(
        &self,
        method: &str,
        rest: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Option<Reply> {
        let target = format!("{}?api-version={}", self.path(rest), self.version);
        let mut headers = vec![("Authorization", self.bearer.as_str())];
        headers.extend(if_match.map(|etag| ("If-Match", etag)));
        if body.is_some() {
            headers.push(("Content-Type", "application/json; charset=utf-8"));
        }
        let text = body.map(Value::to_string);
        self.emulator.call(method, "arm.localhost", &target, &headers, text.as_deref().map(str::as_bytes))
    }

    fn checked(
        &self,
        operation: &str,
        method: &str,
        rest: &str,
        if_match: Option<&str>,
        body: Option<&Value>,
    ) -> Reply {
        let reply = self.send(method, rest, if_match, body).expect("an answer");
        openapi::of_version(self.version).check(operation, reply.status, &reply.body);
        assert!(reply.header("etag").is_none(), "the ETag stands in the body only");
        reply
    }

    pub(crate) fn list(&self) -> Reply {
        self.checked("Certificates_ListByIotHub", "GET", "", None, None)
    }

    pub(crate) fn get(&self, name: &str) -> Reply {
        self.checked("Certificates_Get", "GET", &format!("/{name}"), None, None)
    }

    pub(crate) fn put(&self, name: &str, certificate: &str, if_match: Option<&str>) -> Reply {
        self.put_body(name, &self.body(certificate), if_match)
    }

    pub(crate) fn put_body(&self, name: &str, body: &Value, if_match: Option<&str>) -> Reply {
        self.checked("Certificates_CreateOrUpdate", "PUT", &format!("/{name}"), if_match, Some(body))
    }

    pub(crate) fn code(&self, name: &str, if_match: Option<&str>) -> Reply {
        let rest = format!("/{name}/generateVerificationCode");
        self.checked("Certificates_GenerateVerificationCode", "POST", &rest, if_match, None)
    }

    pub(crate) fn verify(&self, name: &str, proof: &str, if_match: Option<&str>) -> Reply {
        let body = json!({ "certificate": proof });
        self.checked("Certificates_Verify", "POST", &format!("/{name}/verify"), if_match, Some(&body))
    }

    pub(crate) fn delete(&self, name: &str, if_match: Option<&str>) -> Reply {
        self.checked("Certificates_Delete", "DELETE", &format!("/{name}"), if_match, None)
    }

    /// Creates, and gives the ETag.
    pub(crate) fn holds(&self, name: &str, certificate: &str) -> String {
        let reply = self.put(name, certificate, None);
        assert!(reply.status < 300, "{}", reply.text());
        etag(&reply)
    }

    pub(crate) fn etag_of(&self, name: &str) -> String {
        etag(&self.get(name))
    }
}

pub(crate) fn etag(reply: &Reply) -> String {
    reply.json()["etag"].as_str().unwrap_or_else(|| panic!("no etag: {}", reply.text())).to_owned()
}

pub(crate) fn code_of(reply: &Reply) -> String {
    let code = &reply.json()["properties"]["verificationCode"];
    code.as_str().unwrap_or_else(|| panic!("no code: {}", reply.text())).to_owned()
}

pub(crate) fn is_verified(reply: &Reply) -> bool {
    reply.json()["properties"]["isVerified"].as_bool().expect("isVerified")
}
