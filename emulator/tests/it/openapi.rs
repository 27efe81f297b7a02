//! Holds answers against the vendor's OpenAPI files: status, types, required members, patterns, date form.

use serde_json::{Map, Value};

pub(crate) struct Spec(Value);

fn parsed(text: &str) -> Spec {
    Spec(serde_json::from_str(text).expect("the vendor's file parses"))
}

/// The file of an api-version; versions without one of their own are held against the last before them.
pub(crate) fn of_version(version: &str) -> Spec {
    if version < "2021-07-01" {
        parsed(include_str!("../data/azure-iothub/2018-04-01/iothub.json"))
    } else {
        parsed(include_str!("../data/azure-iothub/2023-06-30/iothub-certificates-extract.json"))
    }
}

/// Our own description of IoTDA's six calls.
pub(crate) fn iotda() -> Spec {
    parsed(include_str!("../data/huawei-iotda/openapi.json"))
}

pub(crate) fn common_types() -> Spec {
    parsed(include_str!("../data/azure-common-types/types-errors-extract.json"))
}

impl Spec {
    /// Panics with the place if the body is not what `operation` may answer with this status.
    pub(crate) fn check(&self, operation: &str, status: u16, body: &[u8]) {
        let responses = &self.operation(operation)["responses"];
        let declared = responses.get(status.to_string());
        assert!(declared.is_some() || status >= 400, "{operation} does not declare {status}");
        match declared.map(|response| response.get("schema")) {
            Some(None) => assert!(body.is_empty(), "{operation} {status} has no body"),
            Some(Some(schema)) => self.holds(schema, &read(body), operation),
            None => self.check_error(&responses["default"]["schema"], body),
        }
    }

    fn check_error(&self, flat: &Value, body: &[u8]) {
        let mut body = read(body);
        if body.get("error").is_some() {
            let common = common_types();
            return common.holds(&common.0["definitions"]["ErrorResponse"], &body, "ARM error");
        }
        // Specified as text, a number in everything that was observed.
        if let Some(number) = body["code"].as_u64() {
            body["code"] = number.to_string().into();
        }
        self.holds(flat, &body, "flat error");
    }

    fn operation(&self, id: &str) -> &Value {
        let paths = self.0["paths"].as_object().expect("paths");
        let operations = paths.values().flat_map(|path| path.as_object().expect("methods").values());
        // Beside the methods stand a path's parameters, which have no id.
        operations
            .into_iter()
            .find(|it| it["operationId"] == id)
            .unwrap_or_else(|| panic!("no operation {id}"))
    }

    pub(crate) fn definition(&self, name: &str) -> &Value {
        self.0.get("definitions").map_or(&self.0["components"]["schemas"][name], |all| &all[name])
    }

    /// Whether `operation` documents this error code for this status.
    pub(crate) fn documents(&self, operation: &str, status: u16, code: &str) -> bool {
        let response = &self.operation(operation)["responses"][status.to_string()];
        let named = response.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
        let response = named.map_or(response, |name| &self.0["components"]["responses"][name]);
        response["x-error-codes"].as_array().is_some_and(|codes| codes.iter().any(|known| known == code))
    }

    pub(crate) fn holds(&self, schema: &Value, value: &Value, at: &str) {
        if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
            let name = reference.rsplit('/').next().expect("a name");
            return self.holds(self.definition(name), value, at);
        }
        if value.is_null() && schema["nullable"] == true {
            return;
        }
        for part in schema["allOf"].as_array().into_iter().flatten() {
            self.holds(part, value, at);
        }
        let none = Map::new();
        let properties = schema["properties"].as_object().unwrap_or(&none);
        let fits = match schema["type"].as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("boolean") => value.is_boolean(),
            Some("integer") => value.is_i64() || value.is_u64(),
            Some("number") => value.is_number(),
            Some(other) => panic!("{at}: the validator does not know {other}"),
            None => properties.is_empty() || value.is_object(),
        };
        assert!(fits, "{at} is no {}: {value}", schema["type"]);
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(value.get(required.as_str().unwrap()).is_some(), "{at} lacks {required}");
        }
        for (name, inner) in properties {
            if let Some(member) = value.get(name) {
                self.holds(inner, member, &format!("{at}.{name}"));
            }
        }
        for item in value.as_array().into_iter().flatten() {
            self.holds(&schema["items"], item, &format!("{at}[]"));
        }
        if let (Some(choices), Some(text)) = (schema["enum"].as_array(), value.as_str()) {
            assert!(choices.iter().any(|choice| choice == text), "{at} is none of {choices:?}: {text}");
        }
        if schema["format"] == "date-time-rfc1123" {
            assert!(is_rfc1123(value.as_str().unwrap()), "{at} is no date: {value}");
        }
    }
}

fn read(body: &[u8]) -> Value {
    serde_json::from_slice(body).expect("a body of JSON")
}

/// `Thu, 20 May 2021 06:38:19 GMT`
fn is_rfc1123(text: &str) -> bool {
    let shape: String = text
        .chars()
        .map(|letter| match letter {
            '0'..='9' => '0',
            'a'..='z' => 'a',
            'A'..='Z' => 'A',
            other => other,
        })
        .collect();
    shape == "Aaa, 00 Aaa 0000 00:00:00 AAA" && text.ends_with(" GMT")
}

#[test]
fn the_validator_refuses_what_is_wrong() {
    let spec = of_version("2018-04-01");
    let refuses = |body: &str| {
        let body = body.to_owned();
        let spec = of_version("2018-04-01");
        std::panic::catch_unwind(move || spec.check("Certificates_Get", 200, body.as_bytes())).is_err()
    };
    spec.check("Certificates_Get", 200, br#"{"name":"x","properties":{"isVerified":false}}"#);
    assert!(refuses(r#"{"name":1}"#));
    assert!(refuses(r#"{"properties":{"isVerified":"false"}}"#));
    assert!(refuses(r#"{"properties":{"expiry":"2021-05-20T06:38:19Z"}}"#));
    assert!(refuses("[]"));
}
