//! Managed identity tokens from the instance metadata service.

use serde_json::{Value, json};

use crate::client::{Emulator, Reply, TENANT, claims};
use crate::iot_hub::Hub;

const IDENTITY: &str = "22222222-2222-4222-8222-000000000003";
const OBJECT: &str = "33333333-3333-4333-8333-000000000003";
const ARM: &str = "resource=https%3A%2F%2Fmanagement.azure.com";

fn get(emulator: &Emulator, query: &str) -> Reply {
    let target = format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{query}");
    emulator.call("GET", "imds.localhost", &target, &[("Metadata", "true")], None).expect("an answer")
}

fn refused(reply: &Reply) -> (u16, Value, Value) {
    let body = reply.json();
    (reply.status, body["error"].clone(), body["error_description"].clone())
}

fn invalid(description: &str) -> (u16, Value, Value) {
    (400, json!("invalid_request"), json!(description))
}

/// The name of the client, as the token says it.
fn whose(reply: &Reply) -> Value {
    assert_eq!(reply.status, 200, "{}", reply.text());
    claims(reply.json()["access_token"].as_str().unwrap())["appid"].clone()
}

fn user_assigned(emulator: &Emulator, client: &str) {
    let identity = json!({
        "tenantId": TENANT,
        "objectId": format!("object-of-{client}"),
        "kind": "managedIdentity",
        "resourceId": format!("/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{client}"),
    });
    emulator.control("PUT", &format!("/clients/{client}"), &identity);
}

#[test]
fn the_machines_own_identity_gets_a_token_that_works_on_arm() {
    let emulator = Emulator::start();
    let reply = get(&emulator, ARM);
    let body = reply.json();
    assert!(body.as_object().unwrap().values().all(Value::is_string), "{body}");
    let number = |name: &str| body[name].as_str().unwrap().parse::<i64>().unwrap();
    let token = body["access_token"].as_str().unwrap();
    let claims = claims(token);
    assert_eq!((&body["client_id"], &body["token_type"]), (&json!(IDENTITY), &json!("Bearer")));
    assert_eq!(body["resource"], "https://management.azure.com");
    assert_eq!((number("expires_in"), number("ext_expires_in")), (3_599, 3_599));
    assert_eq!(
        (json!(number("expires_on")), json!(number("not_before"))),
        (claims["exp"].clone(), claims["nbf"].clone())
    );
    assert_eq!((&claims["appid"], &claims["oid"]), (&json!(IDENTITY), &json!(OBJECT)));
    assert_eq!((&claims["tid"], &claims["appidacr"]), (&json!(TENANT), &json!("2")));
    assert_eq!(Hub::with_token(&emulator, "2018-04-01", token).list().status, 200);
    emulator.control("PUT", &format!("/clients/{IDENTITY}/roles"), &json!([]));
    assert_eq!(Hub::with_token(&emulator, "2018-04-01", token).list().status, 403, "roles count");
}

#[test]
fn it_answers_at_its_address_too_and_takes_any_encoding() {
    let emulator = Emulator::start();
    let target =
        "/metadata/identity/oauth2/token?resource=https://management.azure.com/&api-version=2021-02-01";
    let reply = emulator.call("GET", "169.254.169.254", target, &[("metadata", "true")], None).unwrap();
    assert_eq!(reply.json()["resource"], "https://management.azure.com/");
    assert_eq!(whose(&get(&emulator, "resource=https://vault.azure.net")), IDENTITY);
}

#[test]
fn without_its_header_and_through_a_proxy_nothing_is_told() {
    let emulator = Emulator::start();
    let token = format!("/metadata/identity/oauth2/token?api-version=2018-02-01&{ARM}");
    let call = |target: &str, headers: &[(&str, &str)]| {
        refused(&emulator.call("GET", "imds.localhost", target, headers, None).expect("an answer"))
    };
    let missing = invalid("Required metadata header not specified");
    // Clients probe this way.
    assert_eq!(call("/metadata/identity/oauth2/token", &[]), missing);
    assert_eq!(call(&token, &[]), missing);
    assert_eq!(call(&token, &[("Metadata", "false")]), missing);
    assert_eq!(call(&token, &[("Metadata", "True")]), missing, "lower case alone");
    let proxied = call(&token, &[("Metadata", "true"), ("X-Forwarded-For", "10.0.0.1")]);
    assert_eq!((proxied.0, proxied.1), (400, json!("invalid_request")));
    let there = [("Metadata", "true")];
    assert_eq!(call("/metadata/none", &there), (404, json!("not_found"), json!("Not found")));
    let post = emulator.call("POST", "imds.localhost", &token, &there, None).expect("an answer");
    assert_eq!(refused(&post), (405, json!("method_not_allowed"), json!("Not allowed")));
    assert_eq!(post.header("allow"), Some("GET"));
}

#[test]
fn version_and_resource_have_to_be_there() {
    let emulator = Emulator::start();
    let call = |query: &str| {
        let target = format!("/metadata/identity/oauth2/token{query}");
        refused(
            &emulator
                .call("GET", "imds.localhost", &target, &[("Metadata", "true")], None)
                .expect("an answer"),
        )
    };
    let no_version = invalid("Required query variable 'api-version' is missing");
    assert_eq!(call(&format!("?{ARM}")), no_version);
    assert_eq!(call(""), no_version);
    assert_eq!(call(&format!("?api-version=2017-01-01&{ARM}")).0, 400);
    let no_resource = invalid("Required query variable 'resource' is missing");
    assert_eq!(call("?api-version=2018-02-01"), no_resource);
    assert_eq!(call("?api-version=2018-02-01&resource="), no_resource);
    assert_eq!(call(&format!("?api-version=2018-02-01&{ARM}&{ARM}")).0, 400);
    assert_eq!(call("?api-version=2018-02-01&resource=%zz").0, 400);
}

#[test]
fn an_unknown_resource_is_refused_as_entra_refuses_it() {
    let emulator = Emulator::start();
    let reply = get(&emulator, "resource=https://other.example");
    let body = reply.json();
    assert_eq!((reply.status, &body["error"]), (400, &json!("invalid_resource")));
    assert_eq!(body["error_codes"], json!([500_011]));
    assert!(body["error_description"].as_str().unwrap().starts_with("AADSTS500011: "));
}

#[test]
fn an_identity_is_named_in_any_of_its_ways() {
    let emulator = Emulator::start();
    user_assigned(&emulator, "mine");
    let id = "%2Fsubscriptions%2FS%2FresourceGroups%2Fg%2Fproviders%2FMicrosoft.ManagedIdentity%2FuserAssignedIdentities%2Fmine";
    for name in [
        "client_id=mine".to_owned(),
        "object_id=object-of-mine".to_owned(),
        "principal_id=object-of-mine".to_owned(),
        format!("msi_res_id={id}"),
        format!("mi_res_id={id}"),
    ] {
        assert_eq!(whose(&get(&emulator, &format!("{ARM}&{name}"))), "mine", "{name}");
    }
    assert_eq!(whose(&get(&emulator, &format!("{ARM}&client_id={IDENTITY}"))), IDENTITY);
    let not_found = invalid("Identity not found");
    // Among them a client that is no managed identity.
    for name in [
        "client_id=nobody",
        "object_id=mine",
        "msi_res_id=mine",
        "client_id=22222222-2222-4222-8222-000000000001",
    ] {
        assert_eq!(refused(&get(&emulator, &format!("{ARM}&{name}"))), not_found, "{name}");
    }
    let both = refused(&get(&emulator, &format!("{ARM}&client_id=mine&object_id=object-of-mine")));
    assert_eq!((both.0, both.1), (400, json!("invalid_request")));
}

#[test]
fn without_a_name_the_machines_own_is_meant_or_the_only_one() {
    let emulator = Emulator::start();
    user_assigned(&emulator, "first");
    assert_eq!(whose(&get(&emulator, ARM)), IDENTITY);
    emulator.control("DELETE", &format!("/clients/{IDENTITY}"), &Value::Null);
    assert_eq!(whose(&get(&emulator, ARM)), "first");
    user_assigned(&emulator, "second");
    let several = "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the token request";
    assert_eq!(refused(&get(&emulator, ARM)), invalid(several));
    assert_eq!(whose(&get(&emulator, &format!("{ARM}&client_id=second"))), "second");
    for client in ["first", "second"] {
        emulator.control("DELETE", &format!("/clients/{client}"), &Value::Null);
    }
    assert_eq!(refused(&get(&emulator, ARM)), invalid("Identity not found"));
}

#[test]
fn requests_are_journaled_and_faults_strike() {
    let emulator = Emulator::start();
    get(&emulator, ARM);
    let answer =
        json!({"status": 429, "headers": {"retry-after": "1"}, "json": {"error": "too_many_requests"}});
    emulator.fault(json!({"operation": "managedIdentityToken", "action": {"answer": answer}}));
    let reply = get(&emulator, ARM);
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("1")));
    emulator.control("PUT", "/clock", &json!({"offsetSeconds": 7_200}));
    assert_eq!(whose(&get(&emulator, ARM)), IDENTITY, "time is the emulator's");
    assert_eq!(emulator.seen("/requests/counts")["counts"], json!({"managedIdentityToken": 3}));
    let entry = emulator.seen("/requests")["requests"][0].clone();
    assert_eq!(
        (&entry["service"], &entry["query"]),
        (&json!("imds"), &json!(format!("api-version=2018-02-01&{ARM}")))
    );
}

#[test]
fn a_managed_identity_has_no_secret() {
    let emulator = Emulator::start();
    emulator.control("POST", &format!("/clients/{IDENTITY}/secret"), &json!({"secret": "s"}));
    let reply = emulator.ask_token(
        TENANT,
        &[
            ("grant_type", "client_credentials"),
            ("client_id", IDENTITY),
            ("client_secret", "s"),
            ("scope", "https://management.azure.com/.default"),
        ],
    );
    assert_eq!(reply.json()["error_codes"][0], 7_000_215);
}
