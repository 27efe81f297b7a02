//! Token buckets as a client meets them.

use serde_json::json;

use crate::certs::Ca;
use crate::client::{ARM_SCOPE, Emulator, TENANT};
use crate::iot_hub::Hub;

#[test]
fn the_public_clouds_sizes_are_the_default_and_each_kind_has_its_header() {
    let emulator = Emulator::start();
    let hub = Hub::new(&emulator, "2018-04-01");
    let left = |reply: &crate::client::Reply, kind: &str| {
        reply.header(&format!("x-ms-ratelimit-remaining-subscription-{kind}")).map(str::to_owned)
    };
    assert_eq!(left(&hub.list(), "reads").as_deref(), Some("249"));
    assert_eq!(left(&hub.put("ca", &Ca::new("A").pem(), None), "writes").as_deref(), Some("199"));
    let coded = hub.code("ca", Some(&hub.etag_of("ca")));
    assert!(
        left(&coded, "writes").is_some_and(|left| left.parse::<u64>().unwrap() < 200),
        "a POST is a write"
    );
    let deleted = hub.delete("ca", Some(&hub.etag_of("ca")));
    assert_eq!((left(&deleted, "deletes").as_deref(), left(&deleted, "writes")), (Some("199"), None));
    let tenant = emulator.arm_get("/subscriptions?api-version=2022-12-01");
    assert_eq!(tenant.header("x-ms-ratelimit-remaining-tenant-reads"), Some("249"));
}

#[test]
fn an_empty_bucket_answers_429_until_it_refills() {
    let emulator = Emulator::start();
    emulator.control("PATCH", "/throttle", &json!({"reads": {"size": 2, "refillPerSecond": 0.1}}));
    let hub = Hub::new(&emulator, "2018-04-01");
    assert_eq!((hub.list().status, hub.list().status), (200, 200));
    let refused = hub.list();
    assert_eq!(refused.arm_error(), (429, "SubscriptionRequestsThrottled".to_owned()));
    assert_eq!(refused.header("retry-after"), Some("10"));
    assert_eq!(refused.header("x-ms-ratelimit-remaining-subscription-reads"), Some("0"));
    assert_eq!(hub.put("ca", &Ca::new("A").pem(), None).status, 201, "writes have their own");
    emulator.control("POST", "/clock/advance", &json!({"seconds": 11}));
    assert_eq!((hub.list().status, hub.list().status), (200, 429));
    emulator.control("PATCH", "/throttle", &json!({"retryAfter": false, "reads": {"size": 0}}));
    assert_eq!((hub.list().status, hub.list().header("retry-after")), (429, None));
    emulator.control("PATCH", "/throttle", &json!({"enabled": false}));
    assert_eq!(hub.list().status, 200);
}

#[test]
fn another_principal_has_a_bucket_of_its_own() {
    let emulator = Emulator::start();
    let client = json!({"tenantId": TENANT, "objectId": "o", "secrets": [{"value": "s"}],
                        "roles": [{"scope": "/", "actions": ["*"]}]});
    emulator.control("PUT", "/clients/other", &client);
    emulator.control("PATCH", "/throttle", &json!({"reads": {"size": 1, "refillPerSecond": 0.001}}));
    let mine = Hub::new(&emulator, "2018-04-01");
    assert_eq!((mine.list().status, mine.list().status), (200, 429));
    let token = emulator.token_of("other", "s", ARM_SCOPE);
    assert_eq!(Hub::with_token(&emulator, "2018-04-01", &token).list().status, 200);
}
