//! Workload identity federation: assertions of another issuer at the token endpoint.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde_json::{Value, json};

use crate::client::{CLIENT, Emulator, SECRET, claims};
use crate::iot_hub::Hub;
use crate::issuer::{
    AUDIENCE, FEDERATED, ISSUER, Issuer, SUBJECT, ask, now, refused, trust, trusting, unsigned,
};

#[test]
fn an_assertion_of_either_algorithm_signs_in_and_the_token_works_on_arm() {
    let emulator = Emulator::start();
    let (rsa, ec) = (Issuer::rs256("rsa-1"), Issuer::es256("ec-1"));
    let mut credential = rsa.credential();
    credential["keys"]["keys"] = json!([{"kty": "OKP", "kid": "skipped"}, rsa.jwk(), ec.jwk()]);
    trust(&emulator, FEDERATED, json!([credential]));
    for issuer in [rsa, ec] {
        let reply = ask(&emulator, FEDERATED, &issuer.assertion(&Issuer::claims(now(&emulator))), &[]);
        assert_eq!(reply.status, 200, "{}: {}", issuer.alg, reply.text());
        let token = reply.json()["access_token"].as_str().unwrap().to_owned();
        let claims = claims(&token);
        assert_eq!((&claims["appid"], &claims["appidacr"]), (&json!(FEDERATED), &json!("2")));
        assert_eq!(Hub::with_token(&emulator, "2018-04-01", &token).list().status, 200);
    }
}

#[test]
fn each_part_of_the_record_is_compared_to_the_letter() {
    let issuer = Issuer::rs256("k");
    let emulator = trusting(&issuer);
    let rows = [
        ("iss", json!("https://oidc.cluster.example"), 700_211),
        ("iss", json!("HTTPS://oidc.cluster.example/"), 700_211),
        ("sub", json!("system:serviceaccount:certferry:other"), 700_213),
        ("sub", json!("system:serviceaccount:certferry:Certferry"), 7_002_138),
        ("aud", json!("api://AzureADTokenExchange/"), 700_212),
        ("aud", json!(["https://kubernetes.default.svc"]), 700_212),
        ("aud", json!([]), 700_212),
    ];
    for (claim, value, number) in rows {
        let mut claims = Issuer::claims(now(&emulator));
        claims[claim] = value;
        let reply = ask(&emulator, FEDERATED, &issuer.assertion(&claims), &[]);
        assert_eq!(refused(&reply), (401, "invalid_client".to_owned(), number), "{claims}");
    }
    for audience in [json!(AUDIENCE), json!(["other", AUDIENCE])] {
        let mut claims = Issuer::claims(now(&emulator));
        claims["aud"] = audience;
        assert_eq!(ask(&emulator, FEDERATED, &issuer.assertion(&claims), &[]).status, 200, "{claims}");
    }
}

#[test]
fn the_record_is_matched_first_then_the_signature_then_the_time() {
    let (issuer, stranger) = (Issuer::rs256("k"), Issuer::rs256("k"));
    let emulator = trusting(&issuer);
    let mut claims = Issuer::claims(now(&emulator));
    claims["exp"] = json!(1);
    let number = |issuer: &Issuer, claims: &Value| {
        refused(&ask(&emulator, FEDERATED, &issuer.assertion(claims), &[])).2
    };
    assert_eq!((number(&stranger, &claims), number(&issuer, &claims)), (700_027, 700_024));
    claims["sub"] = json!("x");
    assert_eq!(number(&stranger, &claims), 700_213);
    claims["iss"] = json!("x");
    assert_eq!(number(&stranger, &claims), 700_211);
}

#[test]
fn what_is_no_assertion_is_refused_by_its_form() {
    let issuer = Issuer::rs256("k");
    let emulator = trusting(&issuer);
    let good = Issuer::claims(now(&emulator));
    let header = json!({"alg": "RS256", "kid": "k"});
    let whole = issuer.assertion(&good);
    let without = |claim: &str| {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(claim);
        issuer.assertion(&claims)
    };
    let signed = |header: Value| issuer.signed(&header, &good);
    let (request, client) = ("invalid_request", "invalid_client");
    let rows = [
        ("nonsense".to_owned(), 400, request, 50_027),
        ("a.b.c".to_owned(), 400, request, 50_027),
        (format!("{whole}.e30"), 400, request, 50_027),
        (format!("{whole}="), 400, request, 50_027),
        (format!("{}.{}.c2ln", BASE64URL.encode("{"), BASE64URL.encode("{}")), 400, request, 50_027),
        (issuer.signed(&header, &json!([])), 400, request, 50_027),
        (issuer.signed(&header, &json!({"iss": ISSUER, "exp": "soon"})), 400, request, 50_027),
        (signed(json!({"kid": "k"})), 400, request, 50_027),
        (signed(json!({"alg": "RS256", "kid": "k", "crit": ["b64"]})), 400, request, 50_027),
        (signed(json!({"alg": "RS256"})), 401, client, 5_002_723),
        (signed(json!({"alg": "RS512", "kid": "k"})), 401, client, 5_002_738),
        (signed(json!({"alg": "rs256", "kid": "k"})), 401, client, 5_002_738),
        (signed(json!({"alg": "none", "kid": "k"})), 401, client, 5_002_738),
        (format!("{}.", unsigned(&json!({"alg": "none"}), &good)), 401, client, 5_002_738),
        (without("iss"), 400, request, 90_014),
        (without("sub"), 400, request, 90_014),
        (without("aud"), 400, request, 90_014),
    ];
    for (assertion, status, error, number) in rows {
        let reply = ask(&emulator, FEDERATED, &assertion, &[]);
        assert_eq!(refused(&reply), (status, error.to_owned(), number), "{assertion}");
    }
}

#[test]
fn time_is_the_emulators_with_five_minutes_for_clocks_that_are_ahead() {
    let issuer = Issuer::rs256("k");
    let emulator = trusting(&issuer);
    let start = now(&emulator);
    let outcome = |changes: Value| {
        let mut claims = Issuer::claims(start);
        for (name, value) in changes.as_object().unwrap() {
            claims[name] = value.clone();
        }
        let reply = ask(&emulator, FEDERATED, &issuer.assertion(&claims), &[]);
        if reply.status == 200 { 200 } else { refused(&reply).2 }
    };
    for (changes, expected) in [
        (json!({"nbf": start + 240, "iat": start + 240}), 200),
        (json!({"nbf": start + 420}), 700_024),
        (json!({"iat": start + 420}), 700_024),
        (json!({"nbf": null, "iat": null, "exp": start as f64 + 99.5}), 200),
        (json!({"exp": start - 1}), 700_024),
        (json!({"exp": null}), 700_024),
        (json!({"exp": 9e99}), 200),
    ] {
        assert_eq!(outcome(changes.clone()), expected, "{changes}");
    }
    emulator.control("POST", "/clock/advance", &json!({"seconds": 3_599 - 60}));
    assert_eq!(outcome(json!({})), 200);
    emulator.control("POST", "/clock/advance", &json!({"seconds": 62}));
    assert_eq!(outcome(json!({})), 700_024);
}

#[test]
fn the_type_has_to_be_named_and_the_client_has_to_trust_somebody() {
    let emulator = Emulator::start();
    let issuer = Issuer::rs256("k");
    let assertion = issuer.assertion(&Issuer::claims(now(&emulator)));
    let request = |number| (400, "invalid_request".to_owned(), number);
    let reply = ask(&emulator, FEDERATED, &assertion, &[("client_assertion_type", "")]);
    assert_eq!(refused(&reply), request(900_144));
    let saml = "urn:ietf:params:oauth:client-assertion-type:saml2-bearer";
    let reply = ask(&emulator, FEDERATED, &assertion, &[("client_assertion_type", saml)]);
    assert_eq!(refused(&reply), request(90_011));
    let reply = ask(&emulator, FEDERATED, &assertion, &[]);
    assert_eq!(refused(&reply), (401, "invalid_client".to_owned(), 70_025));
    trust(&emulator, FEDERATED, json!([issuer.credential()]));
    assert_eq!(ask(&emulator, FEDERATED, &assertion, &[("scope", "x")]).json()["error_codes"][0], 1_002_012);
    trust(&emulator, FEDERATED, json!([]));
    assert_eq!(refused(&ask(&emulator, FEDERATED, &assertion, &[])).2, 70_025);
}

#[test]
fn a_client_may_have_several_ways_and_the_assertion_comes_first() {
    let emulator = Emulator::start();
    let (ours, theirs) = (Issuer::rs256("k"), Issuer::es256("k"));
    let mut second = theirs.credential();
    second["name"] = "second".into();
    second["issuer"] = "https://second.example".into();
    second["audiences"] = json!(["api://other"]);
    trust(&emulator, CLIENT, json!([ours.credential(), second]));
    emulator.token();
    let good = ours.assertion(&Issuer::claims(now(&emulator)));
    let reply = ask(&emulator, CLIENT, &good, &[("client_secret", "wrong")]);
    assert_eq!(claims(reply.json()["access_token"].as_str().unwrap())["appidacr"], "2");
    assert_eq!(refused(&ask(&emulator, CLIENT, "a.b.c", &[("client_secret", SECRET)])).2, 50_027);
    let mut claims = Issuer::claims(now(&emulator));
    claims["iss"] = "https://second.example".into();
    claims["aud"] = "api://other".into();
    assert_eq!(ask(&emulator, CLIENT, &theirs.assertion(&claims), &[]).status, 200);
    claims["aud"] = AUDIENCE.into();
    assert_eq!(refused(&ask(&emulator, CLIENT, &theirs.assertion(&claims), &[])).2, 700_212);
}

#[test]
fn one_algorithm_alone_may_be_taken() {
    let issuer = Issuer::es256("k");
    let emulator = trusting(&issuer);
    emulator.control("PATCH", "/switches", &json!({"assertionAlgorithms": "rs256"}));
    let reply = ask(&emulator, FEDERATED, &issuer.assertion(&Issuer::claims(now(&emulator))), &[]);
    assert_eq!(refused(&reply).2, 5_002_738);
}

#[test]
fn credentials_are_shown_without_private_keys_and_refused_when_they_are_none() {
    let issuer = Issuer::es256("k");
    let emulator = Emulator::start();
    let mut credential = issuer.credential();
    credential["keys"]["keys"][0]["d"] = "canary".into();
    trust(&emulator, FEDERATED, json!([credential]));
    let state = emulator.seen("/state");
    let shown = &state["clients"][1]["federatedCredentials"][0];
    assert_eq!((&shown["subject"], &shown["audiences"]), (&json!(SUBJECT), &json!([AUDIENCE])));
    assert!(!state.to_string().contains("canary"));
    // What is shown can be put back.
    emulator.control("PUT", "/state", &{
        let mut world: Value = serde_json::from_str(include_str!("../../src/seed.json")).unwrap();
        world["clients"] = state["clients"].clone();
        world
    });
    let assertion = issuer.assertion(&Issuer::claims(now(&emulator)));
    assert_eq!(ask(&emulator, FEDERATED, &assertion, &[]).status, 200);
    let path = format!("/clients/{FEDERATED}/federated-credentials");
    for bad in [
        json!({}),
        json!([{"issuer": ISSUER, "subject": SUBJECT}]),
        json!([{"issuer": ISSUER, "subject": SUBJECT, "keys": {"keys": [{"kty": "RSA"}]}}]),
        json!([{"issuer": ISSUER, "subject": SUBJECT, "keys": {"keys": []}, "odd": 1}]),
    ] {
        assert_eq!(emulator.control_call("PUT", &path, Some(&bad)).status, 400, "{bad}");
    }
    let nobody = emulator.control_call("PUT", "/clients/nobody/federated-credentials", Some(&json!([])));
    assert_eq!(nobody.status, 404);
}
