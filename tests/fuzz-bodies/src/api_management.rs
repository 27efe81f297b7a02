//! What an API Management service answers.

use std::sync::LazyLock;

use certferry::api::api_management::ApiManagementCertificate;
use certferry::engine::clock::Clock;
use certferry::engine::{Freshness, Goal, Next, Provider, Step};
use certferry::providers::azure::api_management::ApiManagement;
use certferry::source::Fetched;
use serde_json::{Value, json};

use crate::cloud::{self, Reply};
use crate::hub::now;
use crate::plain;

type Desired = <ApiManagement as Provider>::Desired;

static PRESENT: LazyLock<Goal<Desired>> = LazyLock::new(|| {
    let desired = ApiManagement::desired(&resource(), &Fetched::default(), now());
    Goal::Present(desired.expect("the reference is good"))
});

fn resource() -> ApiManagementCertificate {
    let manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "ApiManagementCertificate",
        "metadata": { "name": "web", "namespace": "devices", "uid": "uid-1" },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "azure" },
            "apiManagement": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444", "resourceGroup": "rg-devices",
                "serviceName": "apim-1",
            },
            "keyVault": { "secretIdentifier": "https://web-1.vault.azure.net/secrets/web" },
        },
    });
    serde_json::from_value(manifest).expect("it has the shape of its kind")
}

/// The same body answers every read; no record says that the certificate is ours.
pub fn contract(input: &[u8]) {
    let answer = Reply { etag: Some("\"AAAA\""), ..Reply::new(200, input) };
    let azure = cloud::azure(move |_| answer.clone());
    let root = resource();
    let service = cloud::wait(ApiManagement::connect(&azure, &cloud::account(), &root, &Clock::fixed(now())));
    let service = service.expect("the account is good");
    let body: Value = serde_json::from_slice(input).unwrap_or_default();
    for goal in [&*PRESENT, &Goal::Absent] {
        let seen = match cloud::wait(service.observe(&root, goal, Freshness::Live)) {
            Ok(seen) => seen,
            Err(error) => {
                plain::text(&error.message, input, &[]);
                continue;
            }
        };
        match ApiManagement::next(goal, &seen) {
            // Of what is not ours a failed look at the vault alone may be repeated.
            Next::Step(step) => assert_eq!(step.name(), "Refresh", "of what is not ours"),
            Next::Done => {}
            Next::Wait { message, .. } | Next::Await { message, .. } | Next::Stuck { message, .. } => {
                plain::text(&message, input, &[]);
            }
        }
        let Goal::Present(desired) = goal else { continue };
        if let Some(facts) = ApiManagement::facts(desired, &seen) {
            assert!(facts.remote.etag.is_none_or(|it| it.len() <= 256));
            let subject = facts.certificate.map(|it| it.subject).unwrap_or_default();
            assert!(subject.chars().count() <= 256 && !subject.chars().any(char::is_control));
            let shown = body["properties"]["subject"].as_str().unwrap_or_default();
            assert!(subject.is_empty() || shown.chars().any(|it| !it.is_control()));
        }
    }
}
