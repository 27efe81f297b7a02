//! The token endpoint, and what ARM makes of tokens.

use serde_json::{Value, json};

use crate::client::{ARM_SCOPE, CLIENT, Emulator, Reply, SECRET, TENANT, claims};

const GOOD: [(&str, &str); 4] = [
    ("grant_type", "client_credentials"),
    ("client_id", CLIENT),
    ("client_secret", SECRET),
    ("scope", ARM_SCOPE),
];

fn with<'a>(name: &'a str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<_> = GOOD.into_iter().filter(|(other, _)| *other != name).collect();
    if !value.is_empty() {
        fields.push((name, value));
    }
    fields
}

fn on_arm(emulator: &Emulator, authorization: &str) -> Reply {
    let target = "/subscriptions?api-version=2022-12-01";
    emulator
        .call("GET", "arm.localhost", target, &[("Authorization", authorization)], None)
        .expect("an answer")
}

#[test]
fn a_good_secret_gives_a_token_with_the_claims() {
    let emulator = Emulator::start();
    let mut fields = GOOD.to_vec();
    fields.push(("claims", "{}"));
    let reply = emulator.ask_token(TENANT, &fields);
    assert_eq!(reply.header("cache-control"), Some("no-store, no-cache"));
    let body = reply.json();
    assert_eq!((&body["token_type"], &body["expires_in"]), (&json!("Bearer"), &json!(3599)));
    let claims = claims(body["access_token"].as_str().unwrap());
    assert_eq!(claims["appidacr"], "1");
    assert_eq!(claims["aud"], "https://management.azure.com");
    assert_eq!((&claims["tid"], &claims["appid"]), (&json!(TENANT), &json!(CLIENT)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3599);
    // By domain too, and in any letter case.
    assert_eq!(emulator.ask_token("Contoso.Example", &GOOD).status, 200);
}

#[test]
fn a_query_on_the_token_url_is_no_matter() {
    let emulator = Emulator::start();
    let target = format!("/{TENANT}/oauth2/v2.0/token?client-request-id=x");
    let body = format!(
        "grant_type=client_credentials&client_id={CLIENT}&client_secret={SECRET}&scope=https%3A%2F%2Fmanagement.core.windows.net%2F%2F.default"
    );
    let headers = [("Content-Type", "application/x-www-form-urlencoded")];
    let reply =
        emulator.call("POST", "login.localhost", &target, &headers, Some(body.as_bytes())).expect("answers");
    // The older audience keeps its slash, and ARM takes it.
    let token = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(claims(&token)["aud"], "https://management.core.windows.net/");
    assert_eq!(on_arm(&emulator, &format!("Bearer {token}")).status, 200);
}

#[test]
fn refusals_have_entras_shape_and_numbers() {
    let emulator = Emulator::start();
    let two_scopes = format!("{ARM_SCOPE} https://vault.azure.net/.default");
    let rows = [
        ("unknown", GOOD.to_vec(), 400, "invalid_request", 90_002),
        ("common", GOOD.to_vec(), 400, "invalid_request", 90_002),
        (TENANT, with("grant_type", ""), 400, "invalid_request", 900_144),
        (TENANT, with("grant_type", "password"), 400, "unsupported_grant_type", 70_003),
        (TENANT, with("client_id", ""), 400, "invalid_request", 900_144),
        (TENANT, with("client_id", "nobody"), 400, "unauthorized_client", 700_016),
        ("fabrikam.example", GOOD.to_vec(), 400, "unauthorized_client", 700_016),
        (TENANT, with("client_secret", ""), 401, "invalid_client", 7_000_216),
        (TENANT, with("client_secret", "wrong"), 401, "invalid_client", 7_000_215),
        (TENANT, with("scope", ""), 400, "invalid_request", 900_144),
        (TENANT, with("scope", "https://management.azure.com"), 400, "invalid_scope", 1_002_012),
        (TENANT, with("scope", &two_scopes), 400, "invalid_scope", 1_002_012),
        (TENANT, with("scope", "https://other.example/.default"), 400, "invalid_resource", 500_011),
    ];
    for (tenant, fields, status, error, number) in rows {
        let reply = emulator.ask_token(tenant, &fields);
        let body = reply.json();
        let found = (reply.status, body["error"].as_str(), body["error_codes"][0].as_u64());
        assert_eq!(found, (status, Some(error), Some(number)), "{fields:?}");
        assert!(body["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{number}: ")));
        assert!(!reply.text().contains(SECRET));
    }
}

#[test]
fn only_posts_of_forms_are_read() {
    let emulator = Emulator::start();
    let target = format!("/{TENANT}/oauth2/v2.0/token");
    let get = emulator.call("GET", "login.localhost", &target, &[], None).expect("an answer");
    assert_eq!((get.status, &get.json()["error_codes"][0]), (405, &json!(900_561)));
    let typed = [("Content-Type", "application/json")];
    let json = emulator.call("POST", "login.localhost", &target, &typed, Some(b"{}")).expect("an answer");
    assert_eq!((json.status, &json.json()["error_codes"][0]), (400, &json!(900_144)));
}

#[test]
fn a_rotated_secret_and_an_expired_one() {
    let emulator = Emulator::start();
    let path = format!("/clients/{CLIENT}/secret");
    emulator.control("POST", &path, &json!({"secret": "second", "keepOld": true}));
    assert_eq!(emulator.ask_token(TENANT, &GOOD).status, 200);
    emulator.control("POST", &path, &json!({"secret": "third", "expires": 4_000_000_000_i64}));
    assert_eq!(emulator.ask_token(TENANT, &GOOD).json()["error_codes"][0], 7_000_215);
    assert_eq!(emulator.ask_token(TENANT, &with("client_secret", "third")).status, 200);
    emulator.control("PUT", "/clock", &json!({"unix": 4_000_000_000_i64}));
    assert_eq!(
        emulator.ask_token(TENANT, &with("client_secret", "third")).json()["error_codes"][0],
        7_000_222
    );
}

#[test]
fn discovery_names_the_host_that_was_asked() {
    let emulator = Emulator::start();
    let port = emulator.port;
    let get = |target: &str| emulator.call("GET", "login.localhost", target, &[], None).expect("an answer");
    for (tenant, issuer) in [(TENANT, TENANT), ("organizations", "{tenantid}"), ("common", "{tenantid}")] {
        let body = get(&format!("/{tenant}/v2.0/.well-known/openid-configuration")).json();
        let base = format!("https://login.localhost:{port}");
        assert_eq!(body["issuer"], format!("{base}/{issuer}/v2.0"));
        assert_eq!(body["token_endpoint"], format!("{base}/{tenant}/oauth2/v2.0/token"));
    }
    assert_eq!(get("/unknown/v2.0/.well-known/openid-configuration").status, 400);
    let instance = get(&format!(
        "/common/discovery/instance?api-version=1.1&authorization_endpoint=https://login.localhost:{port}/{TENANT}/oauth2/v2.0/authorize"
    ));
    let discovery = instance.json()["tenant_discovery_endpoint"].as_str().unwrap().to_owned();
    assert!(discovery.ends_with(&format!("/{TENANT}/v2.0/.well-known/openid-configuration")), "{discovery}");
    let keys = get(&format!("/{TENANT}/discovery/v2.0/keys")).json();
    assert_eq!(keys["keys"][0]["kty"], "RSA");
}

#[test]
fn arm_checks_presence_form_signature_audience_expiry_and_generation() {
    let emulator = Emulator::start();
    let token = emulator.token();
    let vault = emulator.token_of(CLIENT, SECRET, "https://vault.azure.net/.default");
    let mut forged = token.clone().into_bytes();
    let middle = forged.len() / 2;
    forged[middle] = if forged[middle] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).unwrap();

    let none = emulator.call("GET", "arm.localhost", "/subscriptions?api-version=2022-12-01", &[], None);
    let none = none.expect("an answer");
    assert_eq!(none.arm_error(), (401, "AuthenticationFailed".to_owned()));
    assert!(none.header("www-authenticate").unwrap().starts_with("Bearer authorization_uri="));
    for (authorization, code) in [
        ("Basic eDp5".to_owned(), "AuthenticationFailedInvalidHeader"),
        ("Bearer ".to_owned(), "AuthenticationFailedInvalidHeader"),
        ("Bearer nonsense".to_owned(), "InvalidAuthenticationToken"),
        (format!("Bearer {forged}"), "InvalidAuthenticationToken"),
        (format!("Bearer {vault}"), "InvalidAuthenticationTokenAudience"),
    ] {
        assert_eq!(on_arm(&emulator, &authorization).arm_error(), (401, code.to_owned()), "{authorization}");
    }
    let bearer = format!("bearer {token}");
    assert_eq!(on_arm(&emulator, &bearer).status, 200);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 3_600}));
    assert_eq!(on_arm(&emulator, &bearer).arm_error(), (401, "ExpiredAuthenticationToken".to_owned()));
    emulator.control("PUT", "/clock", &json!({"offsetSeconds": 0}));
    emulator.control("POST", "/tokens/invalidate", &Value::Null);
    assert_eq!(on_arm(&emulator, &bearer).arm_error(), (401, "InvalidAuthenticationToken".to_owned()));
    assert_eq!(on_arm(&emulator, &format!("Bearer {}", emulator.token())).status, 200);
}

#[test]
fn a_real_host_takes_its_own_clouds_audience_only() {
    let emulator = Emulator::start();
    let government = emulator.token_of(CLIENT, SECRET, "https://management.usgovcloudapi.net/.default");
    let bearer = format!("Bearer {government}");
    let on = |host: &str| {
        let target = "/subscriptions?api-version=2022-12-01";
        emulator.call("GET", host, target, &[("Authorization", &bearer)], None).expect("an answer").status
    };
    assert_eq!((on("management.usgovcloudapi.net"), on("management.azure.com")), (200, 401));
}

#[test]
fn a_token_of_another_tenant_does_not_open_the_subscription() {
    let emulator = Emulator::start();
    let other = "11111111-1111-4111-8111-222222222222";
    let client = json!({"tenantId": other, "objectId": "o", "secrets": [{"value": "s"}],
                        "roles": [{"scope": "/", "actions": ["*"]}]});
    emulator.control("PUT", "/clients/guest", &client);
    let mut fields = with("client_id", "guest");
    fields.retain(|(name, _)| *name != "client_secret");
    fields.push(("client_secret", "s"));
    let token = emulator.ask_token(other, &fields).json()["access_token"].as_str().unwrap().to_owned();
    let target = format!("/subscriptions/{}?api-version=2022-12-01", crate::client::SUBSCRIPTION);
    let bearer = format!("Bearer {token}");
    let reply =
        emulator.call("GET", "arm.localhost", &target, &[("Authorization", &bearer)], None).expect("answers");
    assert_eq!(reply.arm_error(), (401, "InvalidAuthenticationTokenTenant".to_owned()));
}

#[test]
fn any_bearer_is_taken_when_tokens_are_not_checked() {
    let emulator = Emulator::start();
    emulator.control("PATCH", "/switches", &json!({"tokens": "anyBearer"}));
    assert_eq!(on_arm(&emulator, "Bearer whatever").status, 200);
    assert_eq!(on_arm(&emulator, "Bearer ").status, 401);
}
