//! What is asked of an API server that answers as a script says.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use kube::client::Body;
use serde_json::{Value, json};
use tower::service_fn;

use super::*;
use crate::api::key_vault::KeyVaultCertificate;
use crate::source::ServiceAccount;

/// What was asked: the method, and the body.
type Asked = Arc<Mutex<Vec<(String, Value)>>>;

fn server(answers: Vec<(u16, Value)>) -> (Client, Asked) {
    let (answers, asked) = (Arc::new(Mutex::new(VecDeque::from(answers))), Asked::default());
    let heard = asked.clone();
    let serve = service_fn(move |request: http::Request<Body>| {
        let (answers, heard) = (answers.clone(), heard.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect_bytes().await.unwrap_or_default();
            let body = serde_json::from_slice(&body).unwrap_or_default();
            heard.lock().unwrap().push((head.method.to_string(), body));
            let (status, answer) = answers.lock().unwrap().pop_front().unwrap();
            let answer = Body::from(answer.to_string().into_bytes());
            Ok::<_, Infallible>(http::Response::builder().status(status).body(answer).unwrap())
        }
    });
    (Client::new(serve, "default"), asked)
}

fn refusal(code: u16) -> (u16, Value) {
    let reason = if code == 404 { "NotFound" } else { "" };
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": "",
    });
    (code, status)
}

fn secret(owner: &str) -> (u16, Value) {
    let reference = json!({ "apiVersion": "v1", "kind": "X", "name": "x", "uid": owner });
    let metadata =
        json!({ "name": "out", "uid": "its-own", "resourceVersion": "7", "ownerReferences": [reference] });
    (200, json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata }))
}

/// Exports to a server that gives these answers: what comes of it, and what was asked.
async fn exported(answers: Vec<(u16, Value)>) -> (Result<(), Halt>, Vec<(String, Value)>) {
    let (client, asked) = server(answers);
    let root: KeyVaultCertificate = serde_json::from_value(json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "KeyVaultCertificate",
        "metadata": { "name": "web", "namespace": "default", "uid": "ours" },
        "spec": { "accountRef": { "kind": "CloudAccount", "name": "azure" }, "vaultName": "vault-1" },
    }))
    .unwrap();
    let service_account = ServiceAccount { namespace: "certferry".into(), name: "certferry".into() };
    let operator = Operator { service_account, installation: "certferry".into() };
    let (certificates, private_key) = ("certificates".to_owned(), Zeroizing::new("key".to_owned()));
    let output = Output::TlsSecret { name: "out".into(), certificates, private_key };
    let done = deliver(&client, &operator, &root, vec![output]).await;
    let asked = asked.lock().unwrap().clone();
    (done, asked)
}

fn methods(asked: &[(String, Value)]) -> String {
    asked.iter().map(|it| it.0.as_str()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_secret_that_others_make_or_change_meanwhile_is_not_overwritten() {
    // Applied, the new one would have become part of theirs.
    let (done, asked) = exported(vec![refusal(404), refusal(409)]).await;
    assert!(matches!(done, Err(Halt::Outdated)));
    assert_eq!(methods(&asked), "GET POST");
    let (done, asked) = exported(vec![secret("ours"), refusal(409)]).await;
    assert!(matches!(done, Err(Halt::Outdated)));
    assert_eq!(methods(&asked), "GET PATCH");
    let metadata = &asked[1].1["metadata"];
    assert_eq!((&metadata["uid"], &metadata["resourceVersion"]), (&json!("its-own"), &json!("7")));
    let (done, asked) = exported(vec![secret("theirs")]).await;
    assert!(matches!(done, Err(Halt::Invalid(Invalid { reason: Reason::NotOwned, .. }))));
    assert_eq!(methods(&asked), "GET");
}

#[tokio::test]
async fn what_only_somebody_can_mend_is_told_and_all_else_tried_again() {
    for (code, expected) in [
        (401, None),
        (403, Some(Reason::OutputsNotGranted)),
        (413, Some(Reason::SpecInvalid)),
        (422, Some(Reason::SpecInvalid)),
        (429, None),
        (500, None),
    ] {
        let (done, _) = exported(vec![secret("ours"), refusal(code)]).await;
        let told = match done {
            Err(Halt::Invalid(Invalid { reason, .. })) => Some(reason),
            Err(Halt::Api(_)) => None,
            _ => panic!("{code}: neither told nor tried again"),
        };
        assert_eq!(told, expected, "{code}");
    }
}
