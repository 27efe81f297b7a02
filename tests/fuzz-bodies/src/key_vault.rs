//! What a vault answers, and what it hands out.

use std::sync::LazyLock;

use certferry::api::key_vault::KeyVaultCertificate;
use certferry::engine::clock::Clock;
use certferry::engine::{Freshness, Goal, Next, Provider, Step};
use certferry::pki::{SigningRequest, pkcs12};
use certferry::providers::azure::key_vault::KeyVault;
use certferry::source::Fetched;
use serde_json::{Value, json};

use crate::cloud::{self, Reply};
use crate::hub::now;
use crate::plain;

type Desired = <KeyVault as Provider>::Desired;

static PRESENT: LazyLock<Goal<Desired>> = LazyLock::new(|| {
    let desired = KeyVault::desired(&resource(), &Fetched::default(), now());
    Goal::Present(desired.expect("the policy is good"))
});

fn resource() -> KeyVaultCertificate {
    let manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "KeyVaultCertificate",
        "metadata": { "name": "web", "namespace": "devices", "uid": "uid-1" },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "azure" }, "vaultName": "vault-1",
            "policy": { "x509Properties": { "subject": "CN=web" }, "issuer": { "name": "Self" } },
        },
    });
    serde_json::from_value(manifest).expect("it has the shape of its kind")
}

/// The same body answers every read: of the certificate, of its operation, of its secret.
pub fn bundle(input: &[u8]) {
    let answer = Reply::new(200, input);
    let azure = cloud::azure(move |_| answer.clone());
    let vault = cloud::wait(KeyVault::connect(&azure, &cloud::account(), &resource(), &Clock::fixed(now())));
    let vault = vault.expect("the account is good");
    let body: Value = serde_json::from_slice(input).unwrap_or_default();
    // Not by the JSON: what is wrong where nobody looks keeps no body from being read.
    let is_ours = input.windows(5).any(|it| it == b"uid-1");
    for goal in [&*PRESENT, &Goal::Absent] {
        let seen = match cloud::wait(vault.observe(&resource(), goal, Freshness::Live)) {
            Ok(seen) => seen,
            Err(error) => {
                plain::text(&error.message, input, &[]);
                continue;
            }
        };
        match KeyVault::next(goal, &seen) {
            Next::Step(step) => {
                assert!(is_ours, "{} of what is not ours", step.name());
                let removes = matches!(step.name(), "Delete" | "DropOperation");
                assert!(removes || matches!(goal, Goal::Present(_)), "{} of what is to go", step.name());
            }
            Next::Done => {}
            Next::Wait { message, .. } | Next::Await { message, .. } | Next::Stuck { message, .. } => {
                let code = body["error"]["code"].as_str().unwrap_or_default();
                plain::text(&message, input, &[code]);
            }
        }
        let Goal::Present(desired) = goal else { continue };
        if let Some(facts) = KeyVault::facts(desired, &seen) {
            assert!(facts.remote.version.is_none_or(|it| it.len() <= 64));
            assert!(facts.operation.is_none_or(|it| it.id.len() <= 128));
            assert!(facts.signing_request.is_none_or(|it| it.len() <= 16_384));
        }
    }
}

/// A PKCS#12 file of a Secret or a vault, with the password of the corpus.
pub fn pkcs12(input: &[u8]) {
    match pkcs12::open(input, "secret") {
        Ok(identity) => {
            assert!(input.len() <= 64 * 1024, "more than the limit was opened");
            assert!(identity.key().matches(identity.leaf()));
            assert!((1..=20).contains(&identity.certificates().len()));
        }
        Err(fault) => plain::error(&fault, input),
    }
}

/// A request for a certificate, in DER and in PEM.
pub fn signing_request(input: &[u8]) {
    for read in [SigningRequest::from_der(input), SigningRequest::from_pem(input)] {
        match read {
            Ok(request) => {
                assert_eq!(SigningRequest::from_pem(request.to_pem().as_bytes()), Ok(request.clone()));
                assert_eq!(SigningRequest::from_der(request.der()), Ok(request));
            }
            Err(fault) => plain::error(&fault, input),
        }
    }
}
