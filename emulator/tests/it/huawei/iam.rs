//! IAM: tokens, projects, and the ways of a workload to temporary keys.

use serde_json::{Value, json};

use super::{Client, OWN_HOST, PROJECT, refused};
use crate::client::{Emulator, Reply};
use crate::issuer::{Issuer, now};

const PASSWORD: &str = "example-password-of-the-emulator";
const JSON: (&str, &str) = ("Content-Type", "application/json;charset=utf8");
const URN: &str = "iam::77777777777747778777000000000001:agency:certferry";
const PROVIDER: &str = "iam::77777777777747778777000000000001:oidc-provider:cluster";

fn post(emulator: &Emulator, host: &str, path: &str, more: &[(&str, &str)], body: &Value) -> Reply {
    let headers: Vec<_> = [JSON].iter().chain(more).copied().collect();
    emulator.call("POST", host, path, &headers, Some(body.to_string().as_bytes())).expect("an answer")
}

fn by_password(password: &str, domain: &str, scope: Value) -> Value {
    let user = json!({"name": "certferry", "password": password, "domain": {"name": domain}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    let mut auth = json!({ "identity": identity });
    if !scope.is_null() {
        auth["scope"] = json!({ "project": scope });
    }
    json!({ "auth": auth })
}

fn token(emulator: &Emulator, scope: Value) -> String {
    let reply =
        post(emulator, "iam.localhost", "/v3/auth/tokens", &[], &by_password(PASSWORD, "certferry", scope));
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.header("x-subject-token").expect("a token").to_owned()
}

fn list_by(emulator: &Emulator, token: &str) -> Reply {
    let target = format!("/v5/iot/{PROJECT}/certificates");
    emulator.call("GET", OWN_HOST, &target, &[("X-Auth-Token", token)], None).expect("an answer")
}

#[track_caller]
fn iam_refused(reply: &Reply, status: u16) {
    let error = &reply.json()["error"];
    assert_eq!((reply.status, &error["code"]), (status, &json!(status)), "{}", reply.text());
    assert!(error["message"].is_string());
}

#[test]
fn a_token_stands_for_a_signature() {
    let emulator = Emulator::start();
    for scope in [json!({"name": "cn-north-4"}), json!({ "id": PROJECT })] {
        assert_eq!(list_by(&emulator, &token(&emulator, scope)).status, 200);
    }
    refused(&list_by(&emulator, "x"), 401, "APIGW.0301");
    refused(&list_by(&emulator, &token(&emulator, json!({"name": "cn-south-1"}))), 403, "IOTDA.000022");
    refused(&list_by(&emulator, &token(&emulator, Value::Null)), 403, "IOTDA.000022");
}

#[test]
fn a_token_lives_a_day_and_ends_with_its_users_keys() {
    let emulator = Emulator::start();
    let scope = json!({"name": "cn-north-4"});
    let first = token(&emulator, scope.clone());
    emulator.control("POST", "/clock/advance", &json!({"seconds": 24 * 3600 - 5}));
    assert_eq!(list_by(&emulator, &first).status, 200);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 5}));
    refused(&list_by(&emulator, &first), 401, "APIGW.0301");
    let second = token(&emulator, scope.clone());
    emulator.control("PUT", "/users/certferry", &json!({"accessKeys": []}));
    refused(&list_by(&emulator, &second), 401, "APIGW.0301");
    let third = token(&emulator, scope);
    emulator.control("POST", "/tokens/invalidate", &Value::Null);
    refused(&list_by(&emulator, &third), 401, "APIGW.0301");
}

#[test]
fn a_tokens_answer_says_when_it_ends() {
    let emulator = Emulator::start();
    emulator.control("PUT", "/clock", &json!({"time": "2026-01-15T08:09:10Z"}));
    let body = by_password(PASSWORD, "certferry", json!({"name": "cn-north-4"}));
    let full = post(&emulator, "iam.localhost", "/v3/auth/tokens", &[], &body).json();
    let bare = post(&emulator, "iam.localhost", "/v3/auth/tokens?nocatalog=true", &[], &body).json();
    assert!(full["token"]["expires_at"].as_str().unwrap().starts_with("2026-01-16T08:09:1"));
    assert!(full["token"]["expires_at"].as_str().unwrap().ends_with(".123000Z"));
    assert_eq!(full["token"]["project"]["id"], PROJECT);
    assert!(full["token"].get("catalog").is_some() && bare["token"].get("catalog").is_none());
}

#[test]
fn a_wrong_password_is_refused_in_iams_words() {
    let emulator = Emulator::start();
    let scope = json!({"name": "cn-north-4"});
    let ask = |body: &Value| post(&emulator, "iam.localhost", "/v3/auth/tokens", &[], body);
    iam_refused(&ask(&by_password("wrong", "certferry", scope.clone())), 401);
    iam_refused(&ask(&by_password(PASSWORD, "elsewhere", scope)), 401);
    iam_refused(&ask(&by_password(PASSWORD, "certferry", json!({"name": "none"}))), 401);
    let mut other = by_password(PASSWORD, "certferry", Value::Null);
    other["auth"]["identity"]["methods"] = json!(["token"]);
    iam_refused(&ask(&other), 400);
    iam_refused(&ask(&json!({})), 400);
    // Somebody without a password cannot sign in with none.
    let nobody = json!({"name": "nobody", "password": "", "domain": {"name": "certferry"}});
    let mut empty = by_password("", "certferry", Value::Null);
    empty["auth"]["identity"]["password"]["user"] = nobody;
    iam_refused(&ask(&empty), 401);
}

#[test]
fn projects_are_found_by_name() {
    let emulator = Emulator::start();
    let client = Client { host: "iam.localhost", derived: false, ..Client::new(&emulator) };
    let count = |query: &str| {
        let reply = client.call("GET", &format!("/v3/projects{query}"), None);
        reply.json()["projects"].as_array().expect("projects").len()
    };
    assert_eq!((count(""), count("?name=cn-north-4"), count("?name=none")), (2, 1, 0));
    let found = client.call("GET", "/v3/projects?name=cn-north-4", None).json();
    assert_eq!(found["projects"][0]["id"], PROJECT);
    let derived = Client { derived: true, ..client.clone() };
    refused(&derived.call("GET", "/v3/projects", None), 401, "APIGW.0301");
    let token = token(&emulator, Value::Null);
    let by_token = emulator.call("GET", "iam.localhost", "/v3/projects", &[("X-Auth-Token", &token)], None);
    assert_eq!(by_token.unwrap().status, 200);
    emulator.control("PUT", "/users/certferry", &json!({"actions": ["iotda:*"]}));
    iam_refused(&client.call("GET", "/v3/projects", None), 403);
}

/// An issuer that the seeded agency trusts from now on, and an id token of it.
fn trusted(emulator: &Emulator) -> (Issuer, Value) {
    let issuer = Issuer::es256("k");
    let agency = emulator.control("PUT", "/agencies/certferry", &json!({"keys": {"keys": [issuer.jwk()]}}));
    let claims = json!({
        "iss": agency["issuer"], "sub": agency["subject"], "aud": [agency["audience"]], "exp": now(emulator) + 600,
    });
    (issuer, claims)
}

fn assume(emulator: &Emulator, id_token: &str, duration: i64) -> Reply {
    let body = json!({
        "provider_urn": PROVIDER, "agency_urn": URN, "agency_session_name": "session", "id_token": id_token,
        "duration_seconds": duration,
    });
    post(emulator, "sts.localhost", "/v5/agencies/assume-with-oidc", &[], &body)
}

/// A client with what was handed out, whatever its members are called.
fn with_key<'a>(emulator: &'a Emulator, credential: &Value) -> Client<'a> {
    let text = |names: [&str; 2]| {
        let found = names.iter().find_map(|name| credential[*name].as_str());
        found.unwrap_or_else(|| panic!("no {names:?} in {credential}")).to_owned()
    };
    Client {
        access: text(["access", "access_key_id"]),
        secret: text(["secret", "secret_access_key"]),
        security_token: Some(text(["securitytoken", "security_token"])),
        ..Client::new(emulator)
    }
}

#[test]
fn a_temporary_key_is_nothing_without_its_token() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let reply = assume(&emulator, &issuer.assertion(&claims), 3600);
    let client = with_key(&emulator, &reply.json()["credentials"]);
    for derived in [true, false] {
        let client = Client { derived, ..client.clone() };
        assert_eq!(client.list("").status, 200);
        for (token, why) in [(None, "missing"), (Some("x".to_owned()), "decrypt")] {
            let reply = Client { security_token: token, ..client.clone() }.list("");
            refused(&reply, 401, "APIGW.0301");
            assert!(reply.text().contains(why), "{}", reply.text());
        }
    }
    emulator.control("POST", "/clock/advance", &json!({"seconds": 3600}));
    let late = client.list("");
    refused(&late, 401, "APIGW.0301");
    assert!(late.text().contains("security token expired"), "{}", late.text());
}

#[test]
fn a_security_token_must_not_be_left_out_of_the_signature() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let reply = assume(&emulator, &issuer.assertion(&claims), 3600);
    let client = with_key(&emulator, &reply.json()["credentials"]);
    let target = format!("/v5/iot/{PROJECT}/certificates");
    let date = client.now();
    let signed = [("host", format!("{OWN_HOST}:{}", emulator.port)), ("x-sdk-date", date.clone())];
    let authorization = client.authorization("GET", &target, &signed, "");
    let token = client.security_token.clone().unwrap();
    let headers =
        [("authorization", authorization.as_str()), ("x-sdk-date", &date), ("x-security-token", &token)];
    let reply = emulator.call("GET", OWN_HOST, &target, &headers, None).unwrap();
    refused(&reply, 401, "APIGW.0301");
}

#[test]
fn the_older_way_goes_by_an_unscoped_token() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let ask = |idp: &str, id_token: &str| {
        let body = json!({"auth": {"id_token": {"id": id_token}}});
        post(&emulator, "iam.localhost", "/v3.0/OS-AUTH/id-token/tokens", &[("X-Idp-Id", idp)], &body)
    };
    let good = ask("cluster", &issuer.assertion(&claims));
    assert_eq!(good.status, 201);
    let token = good.header("x-subject-token").unwrap();
    refused(&list_by(&emulator, token), 403, "IOTDA.000022");
    iam_refused(&ask("other", &issuer.assertion(&claims)), 401);
    let exchange = |identity: Value, more: &[(&str, &str)]| {
        let body = json!({"auth": {"identity": identity}});
        post(&emulator, "iam.localhost", "/v3.0/OS-CREDENTIAL/securitytokens", more, &body)
    };
    let key = exchange(json!({"methods": ["token"], "token": {"id": token, "duration_seconds": 900}}), &[]);
    assert_eq!(key.status, 201);
    assert!(key.json()["credential"]["expires_at"].as_str().unwrap().ends_with(".123000Z"));
    assert_eq!(with_key(&emulator, &key.json()["credential"]).list("").status, 200);
    let by_header = exchange(json!({"methods": ["token"]}), &[("X-Auth-Token", token)]);
    assert_eq!(by_header.status, 201);
    for seconds in [899, 86_401] {
        let identity = json!({"methods": ["token"], "token": {"id": token, "duration_seconds": seconds}});
        iam_refused(&exchange(identity, &[]), 400);
    }
    iam_refused(&exchange(json!({"methods": ["token"], "token": {"id": "x"}}), &[]), 401);
    iam_refused(&exchange(json!({"methods": ["assume_role"]}), &[]), 400);
}

#[test]
fn pods_get_theirs_from_the_agent() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let (host, path) = ("pod-identity.localhost", "/v1/credentials");
    let id_token = issuer.assertion(&claims);
    let reply = post(&emulator, host, path, &[("Authorization", &id_token)], &json!({}));
    assert_eq!(reply.status, 200, "{}", reply.text());
    assert_eq!(with_key(&emulator, &reply.json()["credential"]).list("").status, 200);
    iam_refused(&post(&emulator, host, path, &[], &json!({})), 401);
    iam_refused(&post(&emulator, host, path, &[("Authorization", "x")], &json!({})), 401);
}

#[test]
fn an_id_token_is_really_judged() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let with = |member: &str, value: Value| {
        let mut spoilt = claims.clone();
        spoilt[member] = value;
        issuer.assertion(&spoilt)
    };
    let stranger = Issuer::es256("k");
    let unknown = Issuer { kid: "other", ..Issuer { key: issuer.key.clone(), kid: "k", alg: "ES256" } };
    for (what, id_token) in [
        ("issuer", with("iss", json!("https://elsewhere.example/"))),
        ("subject", with("sub", json!("system:serviceaccount:other:other"))),
        ("audience", with("aud", json!("other"))),
        ("expired", with("exp", json!(now(&emulator) - 1))),
        ("endless", with("exp", Value::Null)),
        ("stranger", stranger.assertion(&claims)),
        ("key id", unknown.assertion(&claims)),
        ("algorithm", issuer.signed(&json!({"alg": "none", "kid": "k"}), &claims)),
        ("junk", "a.b.c".to_owned()),
        ("empty", String::new()),
    ] {
        let reply = assume(&emulator, &id_token, 3600);
        assert_eq!(reply.status, 401, "{what}: {}", reply.text());
        iam_refused(&reply, 401);
    }
    assert_eq!(assume(&emulator, &with("aud", json!("certferry")), 3600).status, 200);
    iam_refused(&assume(&emulator, &issuer.assertion(&claims), 60), 400);
}

#[test]
fn the_agencys_rights_are_its_own_and_end_at_once() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let key = |reply: Reply| with_key(&emulator, &reply.json()["credentials"]);
    let client = key(assume(&emulator, &issuer.assertion(&claims), 3600));
    assert_eq!(client.list("").status, 200);
    emulator.control("PUT", "/agencies/certferry", &json!({"actions": []}));
    refused(&client.list(""), 401, "APIGW.0301");
    let client = key(assume(&emulator, &issuer.assertion(&claims), 3600));
    refused(&client.list(""), 403, "IOTDA.000022");
}

#[test]
fn each_call_has_its_own_host() {
    let emulator = Emulator::start();
    for (host, path) in [
        ("sts.localhost", "/v3/auth/tokens"),
        ("iam.localhost", "/v5/agencies/assume-with-oidc"),
        ("iam.localhost", "/v1/credentials"),
        ("iam.localhost", "/v3/Auth/tokens"),
        ("iam.localhost", "/"),
    ] {
        refused(&post(&emulator, host, path, &[], &json!({})), 404, "APIGW.0101");
    }
}

#[test]
fn real_names_are_served_too() {
    let emulator = Emulator::start();
    let body = by_password(PASSWORD, "certferry", Value::Null);
    for host in ["iam.myhuaweicloud.com", "iam.cn-north-4.myhuaweicloud.com"] {
        assert_eq!(post(&emulator, host, "/v3/auth/tokens", &[], &body).status, 201, "{host}");
    }
}

#[test]
fn no_secret_is_in_the_journal() {
    let emulator = Emulator::start();
    let (issuer, claims) = trusted(&emulator);
    let id_token = issuer.assertion(&claims);
    let reply = assume(&emulator, &id_token, 3600).json();
    let client = with_key(&emulator, &reply["credentials"]);
    client.list("");
    let token = token(&emulator, json!({"name": "cn-north-4"}));
    list_by(&emulator, &token);
    let identity = json!({"methods": ["token"], "token": {"id": token}});
    let body = json!({"auth": {"identity": identity}});
    post(&emulator, "iam.localhost", "/v3.0/OS-CREDENTIAL/securitytokens", &[], &body);
    let journal = emulator.seen("/requests").to_string();
    for secret in
        [PASSWORD, super::SECRET, &token, &id_token, &client.secret, &client.security_token.unwrap()]
    {
        assert!(!journal.contains(secret), "{secret}");
    }
    for operation in ["iam.token", "iam.assumeWithOidc", "iam.securityToken", "iotdaCertificates.list"] {
        assert!(journal.contains(operation), "{operation}");
    }
}
