//! What ARM checks before any provider is asked, and what else it answers.

use serde_json::{Value, json};

use crate::certs::Ca;
use crate::client::{ARM_SCOPE, CLIENT, Emulator, Reply, SUBSCRIPTION};
use crate::iot_hub::Hub;
use crate::openapi;

fn code(reply: &Reply) -> (u16, String) {
    let common = openapi::common_types();
    common.holds(common.definition("ErrorResponse"), &reply.json(), "error");
    reply.arm_error()
}

fn hubs(rest: &str) -> String {
    format!(
        "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-devices/providers/Microsoft.Devices/IotHubs{rest}"
    )
}

#[test]
fn exactly_one_known_api_version_is_needed() {
    let emulator = Emulator::start();
    let certificates = hubs("/hub-1/certificates");
    for (query, expected) in [
        ("", "MissingApiVersionParameter"),
        ("?api-version=", "MissingApiVersionParameter"),
        ("?api-version=2018-04-01&api-version=2018-04-01", "InvalidApiVersionParameter"),
        ("?api-version=2018-04-02", "NoRegisteredProviderFound"),
        ("?api-version=latest", "NoRegisteredProviderFound"),
    ] {
        let reply = emulator.arm_get(&format!("{certificates}{query}"));
        assert_eq!(code(&reply), (400, expected.to_owned()), "{query}");
    }
    let unknown = emulator.arm_get("/subscriptions?api-version=2018-04-01");
    assert_eq!(code(&unknown), (400, "InvalidApiVersionParameter".to_owned()));
    for query in ["?api%2Dversion=2018-04-01", "?x=y&API-Version=2018-04-01", "?&api-version=2018%2D04-01&"] {
        assert_eq!(emulator.arm_get(&format!("{certificates}{query}")).status, 200, "{query}");
    }
}

#[test]
fn paths_compare_without_regard_to_case_and_are_decoded_once() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    hub.holds("ca-1", &Ca::new("A").pem());
    let s = SUBSCRIPTION;
    for path in [
        format!(
            "/SUBSCRIPTIONS/{s}/resourcegroups/RG-Devices/Providers/microsoft.devices/iothubs/HUB-1/Certificates/CA-1"
        ),
        format!(
            "/subscriptions/{s}/resourceGroups/rg%2Ddevices/providers/Microsoft.Devices/IotHubs/hub-1/certificates/ca%2d1/"
        ),
    ] {
        let reply = emulator.arm_get(&format!("{path}?api-version=2018-04-01"));
        assert_eq!((reply.status, &reply.json()["name"]), (200, &json!("ca-1")), "{path}");
    }
    for (name, status) in [
        ("ca%252D1", 400),
        ("..", 400),
        ("%2e%2e", 400),
        (".", 400),
        ("a%zz", 400),
        ("a%2Fb", 400),
        ("", 200),
    ] {
        let reply = emulator
            .arm_get(&format!("{}?api-version=2018-04-01", hubs(&format!("/hub-1/certificates/{name}"))));
        assert_eq!(reply.status, status, "{name}: {}", reply.text());
    }
    let beside = emulator
        .arm_get(&format!("{}?api-version=2018-04-01", hubs("/hub-1/certificates/../../hub-2/certificates")));
    assert_eq!(code(&beside), (400, "InvalidRequestUri".to_owned()));
}

#[test]
fn what_does_not_exist_is_told_apart() {
    let emulator = Emulator::start();
    let s = SUBSCRIPTION;
    let other = "55555555-5555-4555-8555-555555555555";
    for (path, status, expected) in [
        ("/subscriptions/x/providers/Microsoft.Devices/IotHubs".to_owned(), 400, "InvalidSubscriptionId"),
        (format!("/subscriptions/{other}/providers/Microsoft.Devices/IotHubs"), 404, "SubscriptionNotFound"),
        (
            format!(
                "/subscriptions/{s}/resourceGroups/none/providers/Microsoft.Devices/IotHubs/hub-1/certificates"
            ),
            404,
            "ResourceGroupNotFound",
        ),
        (hubs("/none/certificates"), 404, "ParentResourceNotFound"),
        (hubs("/hub-3/certificates"), 404, "ParentResourceNotFound"), // in the other group
        (hubs("/none"), 404, "ResourceNotFound"),
        (hubs("/hub-1/certificates/none"), 404, "ResourceNotFound"),
        (format!("/subscriptions/{s}/providers/Microsoft.None/things"), 404, "InvalidResourceNamespace"),
        (hubs("/hub-1/certificates/ca/x"), 404, "InvalidResourceType"),
    ] {
        assert_eq!(
            code(&emulator.arm_get(&format!("{path}?api-version=2018-04-01"))),
            (status, expected.to_owned()),
            "{path}"
        );
    }
}

#[test]
fn the_wrong_method_is_refused_with_the_right_ones() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    for (method, rest, allow) in [
        ("PATCH", "/ca", "GET, PUT, DELETE"),
        ("POST", "/ca", "GET, PUT, DELETE"),
        ("GET", "/ca/verify", "POST"),
        ("PUT", "", "GET"),
    ] {
        let reply = hub.send(method, rest, None, None).expect("an answer");
        assert_eq!(
            (code(&reply), reply.header("allow")),
            ((405, "MethodNotAllowed".to_owned()), Some(allow))
        );
    }
    assert_eq!(hub.send("HEAD", "/ca", None, None).expect("an answer").status, 405);
}

#[test]
fn roles_are_enforced_action_by_action_and_scope_by_scope() {
    let emulator = Emulator::start();
    let ca = Ca::new("A");
    let hub = Hub::new(&emulator, "2018-04-01");
    let etag = hub.holds("ca-1", &ca.pem());
    let calls: [(&str, &str, &str); 5] = [
        ("GET", "/ca-1", "Microsoft.Devices/iotHubs/certificates/Read"),
        ("PUT", "/ca-1", "Microsoft.Devices/iotHubs/certificates/Write"),
        ("DELETE", "/ca-1", "Microsoft.Devices/iotHubs/certificates/Delete"),
        (
            "POST",
            "/ca-1/generateVerificationCode",
            "Microsoft.Devices/iotHubs/certificates/generateVerificationCode/Action",
        ),
        ("POST", "/ca-1/verify", "Microsoft.Devices/iotHubs/certificates/verify/Action"),
    ];
    for (method, rest, action) in calls {
        let roles = json!([{"scope": "/", "actions": ["*"], "notActions": [action]}]);
        emulator.control("PUT", &format!("/clients/{CLIENT}/roles"), &roles);
        let reply = hub.send(method, rest, Some(&etag), None).expect("an answer");
        assert_eq!(code(&reply), (403, "AuthorizationFailed".to_owned()), "{action}");
        assert!(reply.json()["error"]["message"].as_str().unwrap().contains(action));
    }
    let one_hub =
        json!([{"scope": hubs("/HUB-2"), "actions": ["microsoft.devices/iothubs/certificates/read"]}]);
    emulator.control("PUT", &format!("/clients/{CLIENT}/roles"), &one_hub);
    assert_eq!(hub.get("ca-1").status, 403);
    assert_eq!(Hub { hub: "hub-2", ..hub }.list().status, 200);
}

#[test]
fn a_caller_is_told_the_roles_that_are_in_effect_at_a_resource() {
    let emulator = Emulator::start();
    let role = |scope: String, actions: &[&str], not: &[&str]| json!({"scope": scope, "actions": actions, "notActions": not});
    let shown = |actions: &[&str], not: &[&str]| json!({"actions": actions, "notActions": not, "dataActions": [], "notDataActions": []});
    let own = "Microsoft.Authorization/permissions/read";
    let roles = json!([
        role("/".into(), &["*/read"], &["x/*"]),
        role(hubs("/HUB-1"), &["Microsoft.Devices/*"], &[]),
        role(hubs("/hub-2"), &["*"], &[]),
    ]);
    emulator.control("PUT", &format!("/clients/{CLIENT}/roles"), &roles);
    let path = hubs("/hub-1/providers/Microsoft.Authorization/permissions?api-version=2022-04-01");
    let reply = emulator.arm_get(&path);
    let expected = [shown(&["*/read"], &["x/*"]), shown(&["Microsoft.Devices/*"], &[])];
    assert_eq!((reply.status, &reply.json()["value"]), (200, &json!(expected)));
    let without = json!([role("/".into(), &["*"], &[own])]);
    emulator.control("PUT", &format!("/clients/{CLIENT}/roles"), &without);
    let reply = emulator.arm_get(&path);
    assert_eq!(code(&reply), (403, "AuthorizationFailed".to_owned()));
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains(own));
}

#[test]
fn a_new_role_may_take_its_time() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let roles = format!("/clients/{CLIENT}/roles");
    emulator.control("PATCH", "/switches", &json!({"roleDelaySeconds": 300}));
    emulator.control("PUT", &roles, &json!([]));
    let all = json!([{"scope": "/", "actions": ["*"]}]);
    emulator.control("PUT", &roles, &all);
    assert_eq!(hub.list().status, 403);
    emulator.control("PUT", &roles, &all); // the same again does not begin anew
    emulator.control("POST", "/clock/advance", &json!({"seconds": 301}));
    assert_eq!(hub.list().status, 200);
}

#[test]
fn an_unregistered_provider_is_a_conflict_with_a_target() {
    let emulator = Emulator::start();
    let subscription = json!({"tenantId": crate::client::TENANT, "unregisteredProviders": ["Microsoft.Devices"],
                              "resourceGroups": [{"name": "rg-devices", "location": "westeurope"}]});
    emulator.control("PUT", &format!("/subscriptions/{SUBSCRIPTION}"), &subscription);
    let reply = Hub::new(&emulator, "2018-04-01").list();
    assert_eq!(code(&reply), (409, "MissingSubscriptionRegistration".to_owned()));
    assert_eq!(reply.json()["error"]["details"][0]["target"], "Microsoft.Devices");
    let target = format!("/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Devices?api-version=2021-04-01");
    assert_eq!(emulator.arm_get(&target).json()["registrationState"], "NotRegistered");
}

#[test]
fn answers_carry_arms_headers() {
    let emulator = Emulator::start();
    let bearer = format!("Bearer {}", emulator.token());
    let headers = [
        ("Authorization", bearer.as_str()),
        ("x-ms-client-request-id", "mine"),
        ("x-ms-return-client-request-id", "true"),
    ];
    let target = format!("{}?api-version=2018-04-01", hubs("/hub-1/certificates"));
    let reply = emulator.call("GET", "arm.localhost", &target, &headers, None).expect("an answer");
    for name in ["x-ms-request-id", "x-ms-correlation-request-id", "x-ms-routing-request-id", "date"] {
        assert!(reply.header(name).is_some_and(|value| !value.is_empty()), "{name}");
    }
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(reply.header("cache-control"), Some("no-cache"));
    assert_eq!(reply.header("server"), Some("Microsoft-HTTPAPI/2.0"));
    assert_eq!(reply.header("x-ms-client-request-id"), Some("mine"));
    let silent = emulator.call("GET", "arm.localhost", &target, &headers[..2], None).expect("an answer");
    assert_eq!(silent.header("x-ms-client-request-id"), None);
}

#[test]
fn bodies_past_a_mebibyte_and_other_media_types_are_refused() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let large = json!({"certificate": "x".repeat(1024 * 1024)});
    let reply = hub.send("PUT", "/ca", None, Some(&large)).expect("an answer");
    assert_eq!(code(&reply), (413, "RequestContentTooLarge".to_owned()));
    let bearer = format!("Bearer {}", emulator.token());
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "text/plain")];
    let target = format!("{}?api-version=2018-04-01", hub.path("/ca"));
    let typed = emulator.call("PUT", "arm.localhost", &target, &headers, Some(b"{}")).expect("an answer");
    assert_eq!(code(&typed), (415, "UnsupportedMediaType".to_owned()));
}

#[test]
fn what_azure_cli_asks_on_the_way() {
    let emulator = Emulator::start();
    let open = |version: &str| {
        let target = format!("/metadata/endpoints?api-version={version}");
        emulator.call("GET", "arm.localhost", &target, &[], None).expect("an answer")
    };
    let (new, old) = (open("2022-09-01").json(), open("2019-05-01").json());
    assert_eq!(new["authentication"]["loginEndpoint"], emulator.ready["login"]);
    assert_eq!(new["resourceManager"], emulator.ready["arm"]);
    assert_eq!(old[0], new);
    assert_eq!(open("2000-01-01").status, 400);

    let list = emulator.arm_get("/subscriptions?api-version=2022-12-01").json();
    assert_eq!(list["value"][0]["subscriptionId"], SUBSCRIPTION);
    let one = emulator.arm_get(&format!("/subscriptions/{SUBSCRIPTION}?api-version=2022-12-01")).json();
    assert_eq!((&one["state"], &one["tenantId"]), (&json!("Enabled"), &json!(crate::client::TENANT)));
    let provider = emulator.arm_get(&format!(
        "/subscriptions/{SUBSCRIPTION}/providers/microsoft.devices?api-version=2021-04-01"
    ));
    assert_eq!(provider.json()["registrationState"], "Registered");
    let tenants = emulator.arm_get("/tenants?api-version=2022-12-01").json();
    assert_eq!(tenants["value"].as_array().unwrap().len(), 1);
}

#[test]
fn hubs_are_read_and_listed_with_the_member_that_azure_cli_reads() {
    let emulator = Emulator::start();
    let spec = openapi::of_version("2018-04-01");
    let reply = emulator.arm_get(&format!("{}?api-version=2018-04-01", hubs("/hub-1")));
    spec.check("IotHubResource_Get", reply.status, &reply.body);
    assert_eq!(reply.json()["properties"]["state"], "Active");
    let all = emulator.arm_get(&format!(
        "/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Devices/IotHubs?api-version=2018-04-01"
    ));
    spec.check("IotHubResource_ListBySubscription", all.status, &all.body);
    let pairs: Vec<(Value, Value)> = (all.json()["value"].as_array().unwrap().iter())
        .map(|hub| (hub["name"].clone(), hub["resourcegroup"].clone()))
        .collect();
    let expected = [("hub-1", "rg-devices"), ("hub-2", "rg-devices"), ("hub-3", "rg-other")];
    assert_eq!(pairs, expected.map(|(name, group)| (json!(name), json!(group))));
    let group = emulator.arm_get(&format!("{}?api-version=2018-04-01", hubs("")));
    assert_eq!(group.json()["value"].as_array().unwrap().len(), 2);
}

#[test]
fn a_subscription_without_any_role_is_not_listed() {
    let emulator = Emulator::start();
    let client = json!({"tenantId": crate::client::TENANT, "objectId": "o", "secrets": [{"value": "s"}]});
    emulator.control("PUT", "/clients/stranger", &client);
    let bearer = format!("Bearer {}", emulator.token_of("stranger", "s", ARM_SCOPE));
    let target = "/subscriptions?api-version=2022-12-01";
    let reply = emulator.call("GET", "arm.localhost", target, &[("Authorization", &bearer)], None);
    assert_eq!(reply.expect("an answer").json()["value"], json!([]));
}
