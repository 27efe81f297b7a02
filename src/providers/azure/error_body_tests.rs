use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Codes, IoT Hub's number, Entra's number.
fn seen(body: &Value) -> (Vec<String>, Option<u32>, Option<u32>) {
    let ErrorBody { codes, targets: _, iot_hub, aadsts } = of(body);
    (codes.into_iter().map(|code| code.as_str().to_owned()).collect(), iot_hub, aadsts)
}

const LONGEST: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[test]
fn each_shape_gives_its_codes() {
    let table = [
        (
            json!({"error": {"code": "AuthorizationFailed", "message": "m", "details": [{"code": "Inner"}]}}),
            (vec!["AuthorizationFailed", "Inner"], None, None),
        ),
        (
            json!({"error": {"code": "ValidationError", "message": null, "details": null, "innerError": null}}),
            (vec!["ValidationError"], None, None),
        ),
        (
            json!({"code": 412001, "httpStatusCode": "PreconditionFailed", "message": "…, errorcode: IH412001."}),
            (vec!["412001", "PreconditionFailed"], Some(412001), None),
        ),
        (json!({"code": 400053, "message": "cut", "details": "text"}), (vec!["400053"], Some(400053), None)),
        (json!({"Message": "ErrorCode:IH400027"}), (vec![], Some(400027), None)),
        (
            json!({"status": "Failed", "error": {"code": "ResourceOperationFailure",
                "details": [{"code": "412001", "message": "errorcode: IH412001."}]}}),
            (vec!["ResourceOperationFailure", "412001"], Some(412001), None),
        ),
        (
            json!({"error": {"code": "Forbidden", "innererror": {"code": "A", "innererror": {"code": "Deepest"}}}}),
            (vec!["Deepest", "Forbidden"], None, None),
        ),
        (
            json!({"error": "invalid_client", "error_description": "AADSTS7000215: x", "error_codes": [7000215]}),
            (vec!["invalid_client"], None, Some(7000215)),
        ),
        (
            json!({"error": "invalid_client", "error_codes": ["7000215"]}),
            (vec!["invalid_client"], None, None),
        ),
        (json!({"error": "x", "error_codes": [-1]}), (vec!["x"], None, None)),
        (json!({"error": "x", "error_codes": [99999999999u64]}), (vec!["x"], None, None)),
        (json!({"error": {"code": 403}}), (vec!["403"], None, None)),
        (json!({"error": {"code": ""}}), (vec![], None, None)),
        (json!({"error": {"code": "two words"}}), (vec![], None, None)),
        (json!({"error": {"code": "a".repeat(64)}}), (vec![LONGEST], None, None)),
        (json!({"error": {"code": "a".repeat(65)}}), (vec![], None, None)),
        (json!({"error": {"code": "Bad\nCode"}}), (vec![], None, None)),
        (json!({"error": null}), (vec![], None, None)),
        (json!([1, 2]), (vec![], None, None)),
        (json!("text"), (vec![], None, None)),
        (json!({"code": 1, "message": "IH12345 IH1234567 IHabcdef IH999999"}), (vec!["1"], None, None)),
    ];
    for (body, (codes, iot_hub, aadsts)) in table {
        let codes: Vec<String> = codes.into_iter().map(str::to_owned).collect();
        assert_eq!(seen(&body), (codes, iot_hub, aadsts), "{body}");
    }
}

#[test]
fn what_is_not_json_says_nothing() {
    let large = format!("{{\"code\":\"X\",\"message\":\"{}\"}}", "x".repeat(BYTES));
    for body in
        ["", "<html>502 Bad Gateway</html>", "{\"error\":{\"code\":\"X\"", "\u{0}", &large, &"[".repeat(5000)]
    {
        assert_eq!(parse(&Answer::of(502, body)), ErrorBody::default());
    }
}

#[test]
fn what_an_error_is_about_stands_above_or_in_its_details() {
    for body in [
        json!({"error": {"code": "ValidationError", "target": "identityClientId"}}),
        json!({"error": {"code": "ValidationError", "details": [{"target": "identityClientId"}]}}),
    ] {
        assert!(of(&body).targets[0].is("identityclientid"));
    }
    assert_eq!(of(&json!({"error": {"code": "X", "target": "a b"}})).targets, []);
}

#[test]
fn codes_compare_without_letter_case() {
    assert!(Code::new("ResourceNotFound").unwrap().is("resourcenotfound"));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "IH[0-9]{4,8}".prop_map(Value::from),
        ".{0,80}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        let name = prop_oneof![
            Just("error"),
            Just("code"),
            Just("message"),
            Just("details"),
            Just("innererror"),
            Just("innerError"),
            Just("error_codes"),
            Just("httpStatusCode"),
            Just("Message"),
            Just("target"),
        ]
        .prop_map(str::to_owned);
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(name, inner, 0..6).prop_map(Value::from_iter),
        ]
    })
}

proptest! {
    #[test]
    fn any_body_gives_codes_of_the_allowed_form(body in any_json()) {
        let found = of(&body);
        prop_assert!(found.codes.len() <= 2 + INNER);
        for code in &found.codes {
            prop_assert!(Code::new(code.as_str()).is_some());
        }
        prop_assert!(found.iot_hub.is_none_or(|number| (400_000..600_000).contains(&number)));
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut answer = Answer::of(500, "");
        answer.body = bytes.into();
        parse(&answer);
    }
}
