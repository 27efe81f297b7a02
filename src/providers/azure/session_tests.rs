use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures::future::join_all;
use zeroize::Zeroizing;

use super::super::{Failure, RestCall, What, common};
use super::*;
use crate::api::reason::Reason;
use crate::engine::error::Then;
use crate::http::test_server::{Reply, TestServer, answer};
use crate::http::{Body, Method};
use crate::providers::failure::Fault;
use crate::source::assertion::Assertion;

const TENANT: &str = "7b795fb9-09d3-42f4-a494-38864f99ba3c";
const TOKEN_CALL: &str = "POST /7b795fb9-09d3-42f4-a494-38864f99ba3c/oauth2/v2.0/token HTTP/1.1";
const READ: &str = "Microsoft.Devices/iotHubs/certificates/read";
const REFUSAL: &str =
    r#"{"error":"invalid_client","error_description":"AADSTS7000215: x","error_codes":[7000215]}"#;

fn account(server: &TestServer, secret: &str) -> AzureAccount {
    AzureAccount {
        environment: AzureEnvironment::Custom(AzureEndpoints {
            authority: server.endpoint("login.localhost").to_string(),
            resource_manager: server.endpoint("arm.localhost").to_string(),
            resource_manager_scope: "https://management.azure.com/.default".to_owned(),
            key_vault: Some(server.endpoint("vault.localhost").to_string().replace("://", "://{vault}.")),
            key_vault_scope: "https://vault.azure.net/.default".to_owned(),
            instance_metadata: Some(server.endpoint("localhost").to_string()),
            ca_bundle: Some(server.ca.clone()),
        }),
        tenant_id: TENANT.to_owned(),
        identity: AzureIdentity::ClientSecret {
            client_id: "client".to_owned(),
            secret: Zeroizing::new(secret.to_owned()),
        },
    }
}

fn id(uid: &str) -> AccountId {
    AccountId { display: "ClusterCloudAccount azure".to_owned(), uid: uid.to_owned() }
}

fn session(server: &TestServer) -> Arc<Session> {
    Azure::new(Term::endless("test")).session(&id("1"), &account(server, "canary-secret")).unwrap()
}

/// Tokens `token-1`, `token-2`, …
fn tokens(life: u64) -> impl Fn() -> Reply {
    let issued = AtomicUsize::new(0);
    move || {
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        answer(
            200,
            "",
            &format!(r#"{{"token_type":"Bearer","access_token":"token-{number}","expires_in":{life}}}"#),
        )
    }
}

/// A server that issues tokens, and answers all else like this.
async fn server(other: impl Fn(&str) -> Reply + Send + Sync + 'static) -> TestServer {
    let token = tokens(3599);
    TestServer::start(move |request| if request.starts_with(TOKEN_CALL) { token() } else { other(request) })
        .await
}

async fn get(session: &Session) -> Result<u16, Failure> {
    let call = RestCall::new(Method::Get, &["subscriptions", "s"], "2018-04-01", READ);
    session.arm().call(&call).await.map(|answer| answer.status)
}

async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn one_token_serves_all_callers() {
    let server = server(|_| answer(200, "", "{}")).await;
    let session = session(&server);
    assert!(join_all((0..20).map(|_| get(&session))).await.into_iter().all(|outcome| outcome.is_ok()));
    assert_eq!(
        (server.count(TOKEN_CALL), server.count("GET /subscriptions/s?api-version=2018-04-01")),
        (1, 20)
    );
    assert_eq!(server.count("authorization: Bearer token-1\r\n"), 20);
    let token_call = server.requests().remove(0);
    assert!(
        token_call.contains("client_id=client&client_secret=canary-secret&grant_type=client_credentials")
    );
    assert!(token_call.contains("scope=https%3A%2F%2Fmanagement.azure.com%2F.default"));
}

#[tokio::test]
async fn a_rotated_kubernetes_token_is_read_anew() {
    let server = server(|_| answer(401, "", "{}")).await;
    let file = std::env::temp_dir().join(format!("certferry-{}-token", std::process::id()));
    let identity = |path: &std::path::Path| AzureIdentity::Federated {
        client_id: "client".to_owned(),
        assertion: Assertion::File(path.to_owned()),
    };
    let account = |path: &std::path::Path| AzureAccount { identity: identity(path), ..account(&server, "") };
    std::fs::write(&file, "first.kubernetes.token\n").unwrap();
    let session = Azure::new(Term::endless("test")).session(&id("1"), &account(&file)).unwrap();
    session.sign_in().await.unwrap();
    let call = server.requests().remove(0);
    assert!(call.contains("client_assertion=first.kubernetes.token&"), "{call}");
    assert!(
        call.contains(
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        )
    );
    std::fs::write(&file, "second.kubernetes.token").unwrap();
    get(&session).await.unwrap_err(); // the token is refused, so another is asked for
    assert_eq!(server.count("client_assertion=second.kubernetes.token&"), 1);
    std::fs::remove_file(&file).unwrap();
    let error = Azure::new(Term::endless("test"))
        .session(&id("1"), &account(&file))
        .unwrap()
        .sign_in()
        .await
        .unwrap_err();
    assert_eq!(error.reason, Reason::AuthenticationFailed);
    assert!(error.message.contains("workloadIdentity.enabled"), "{error}");
}

#[tokio::test]
async fn a_managed_identity_is_asked_for_in_the_machines_own_way() {
    let until = jiff::Timestamp::now().as_second() + 3600;
    let token =
        format!(r#"{{"access_token":"m","expires_on":"{until}","resource":"r","token_type":"Bearer"}}"#);
    let server = TestServer::start(move |request| match request.starts_with("GET /metadata/") {
        true => answer(200, "", &token),
        false => answer(200, "", "{}"),
    })
    .await;
    for client_id in [None, Some("a-client".to_owned())] {
        let identity = AzureIdentity::Managed { client_id: client_id.clone() };
        let account = AzureAccount { identity, ..account(&server, "") };
        let session = Azure::new(Term::endless("test")).session(&id("1"), &account).unwrap();
        assert_eq!(get(&session).await.unwrap(), 200);
        let asked = server.requests().into_iter().rfind(|it| it.starts_with("GET /metadata/")).unwrap();
        assert!(asked.starts_with("GET /metadata/identity/oauth2/token?api-version="), "{asked}");
        assert!(asked.contains("&resource=https%3A%2F%2Fmanagement.azure.com"), "{asked}");
        assert!(asked.contains("metadata: true\r\n"), "{asked}");
        assert_eq!(asked.contains("&client_id=a-client"), client_id.is_some());
    }
    assert_eq!(server.count("authorization: Bearer m\r\n"), 2);
}

#[tokio::test]
async fn each_call_has_its_own_id() {
    let server = server(|_| answer(200, "", "{}")).await;
    let session = session(&server);
    let mut ids = Vec::new();
    for _ in 0..2 {
        get(&session).await.unwrap();
        let request = server.requests().pop().unwrap();
        let id =
            request.lines().find_map(|line| line.strip_prefix("x-ms-client-request-id: ")).map(str::to_owned);
        ids.push(id.unwrap());
    }
    assert!(ids[0] != ids[1] && ids[0].len() == 36);
}

#[tokio::test]
async fn a_refused_secret_is_asked_for_once_per_pause() {
    let server = TestServer::start(|_| answer(401, "", REFUSAL)).await;
    let session = session(&server);
    for (pause, calls) in [(0, 1), (1, 1), (9, 2), (1, 2), (19, 3)] {
        pass(Duration::from_secs(pause)).await;
        for error in join_all((0..10).map(|_| session.sign_in())).await {
            let error = error.unwrap_err();
            assert_eq!(error.reason, Reason::AuthenticationFailed);
            assert!(error.message.contains("AADSTS7000215"), "{error}");
            assert!(
                matches!(error.then, Then::Retry { after: Some(wait) } if wait <= Duration::from_secs(40))
            );
        }
        assert_eq!(server.requests().len(), calls);
    }
}

#[tokio::test]
async fn an_authority_that_fails_is_asked_again_as_it_says() {
    let asked = AtomicUsize::new(0);
    let token = tokens(3599);
    let server = TestServer::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => answer(429, "retry-after: 120\r\n", ""),
        1 => answer(503, "", "<html>"),
        _ => token(),
    })
    .await;
    let session = session(&server);
    assert_eq!(session.sign_in().await.unwrap_err().reason, Reason::Throttled);
    pass(Duration::from_secs(60)).await;
    assert_eq!(session.sign_in().await.unwrap_err().reason, Reason::Throttled);
    pass(Duration::from_secs(60)).await;
    assert_eq!(session.sign_in().await.unwrap_err().reason, Reason::CloudUnavailable);
    assert_eq!(server.requests().len(), 2, "the SDK repeats nothing");
    pass(Duration::from_secs(3)).await;
    assert_eq!(session.sign_in().await, Ok(()));
}

#[tokio::test]
async fn a_token_that_still_lasts_bridges_a_failing_authority() {
    // Tokens of less than five minutes are renewed at each use.
    let (first, asked) = (tokens(200), AtomicUsize::new(0));
    let server = TestServer::start(move |request| match request.starts_with(TOKEN_CALL) {
        true if asked.fetch_add(1, Ordering::SeqCst) == 0 => first(),
        true => answer(503, "", ""),
        false => answer(200, "", "{}"),
    })
    .await;
    let session = session(&server);
    assert!(get(&session).await.is_ok() && get(&session).await.is_ok());
    assert_eq!((server.count(TOKEN_CALL), server.count("Bearer token-1")), (2, 2));
    pass(Duration::from_secs(160)).await;
    assert!(get(&session).await.is_err());
}

#[tokio::test]
async fn a_token_that_is_refused_is_replaced_once() {
    let server =
        server(|request| answer(if request.contains("Bearer token-1\r\n") { 401 } else { 200 }, "", "{}"))
            .await;
    let session = session(&server);
    assert_eq!(get(&session).await.unwrap(), 200);
    assert_eq!((server.count(TOKEN_CALL), server.count("GET ")), (2, 2));
    assert_eq!(get(&session).await.unwrap(), 200);
    assert_eq!(server.count(TOKEN_CALL), 2);
}

#[tokio::test]
async fn a_target_that_refuses_every_token_does_not_cost_a_token_each_time() {
    let server =
        server(|_| answer(401, "", r#"{"error":{"code":"InvalidAuthenticationTokenTenant"}}"#)).await;
    let session = session(&server);
    for calls in [2, 3, 4] {
        let error = common(&get(&session).await.unwrap_err());
        assert_eq!(error.reason, Reason::AuthenticationFailed);
        assert!(error.message.contains("another tenant"), "{error}");
        assert_eq!((server.count(TOKEN_CALL), server.count("GET ")), (2, calls));
    }
    pass(Duration::from_secs(61)).await;
    get(&session).await.unwrap_err();
    assert_eq!(server.count(TOKEN_CALL), 3);
    assert_eq!(session.sign_in().await, Ok(()), "other targets of the account are not held up");
}

#[tokio::test]
async fn an_answer_that_is_no_success_is_a_failure() {
    let status = Arc::new(AtomicU64::new(200));
    let now = status.clone();
    let server =
        server(move |_| answer(now.load(Ordering::SeqCst) as u16, "retry-after: 5\r\n", "{\"code\":412001}"))
            .await;
    let session = session(&server);
    for (code, outcome) in [
        (200, Some(())),
        (201, Some(())),
        (204, Some(())),
        (202, None),
        (302, None),
        (412, None),
        (500, None),
    ] {
        status.store(code, Ordering::SeqCst);
        let mut call = RestCall::new(Method::Put, &["a"], "v", READ);
        call.body = Body::json(&1);
        call.if_match = Some("AAAA=");
        let answered = session.arm().call(&call).await;
        assert_eq!(answered.as_ref().ok().map(drop), outcome, "{code}");
        if let Err(failure) = answered {
            assert!(failure.write);
            match failure.what {
                What::Working => assert_eq!(code, 202),
                What::Answered { status, body, retry_after } => {
                    assert_eq!(u64::from(status), code);
                    assert_eq!((body.iot_hub, retry_after), (Some(412001), Some(Duration::from_secs(5))));
                }
                other => panic!("{other:?}"),
            }
        }
    }
    assert_eq!(server.count("if-match: AAAA=\r\n"), 7);
    status.store(200, Ordering::SeqCst);
    let call = RestCall::new(Method::Get, &["a"], "v", READ);
    let unreadable = session.arm().read::<Vec<String>>(&call).await.unwrap_err();
    assert!(matches!(unreadable.what, What::Fault(Fault::Unreadable)));
}

#[tokio::test]
async fn when_one_call_is_told_to_wait_all_of_the_account_wait() {
    let asked = AtomicUsize::new(0);
    let server = server(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => answer(429, "retry-after: 60\r\n", ""),
        _ => answer(200, "", "{}"),
    })
    .await;
    let session = session(&server);
    assert_eq!(get(&session).await.unwrap_err().status(), Some(429));
    let error = common(&get(&session).await.unwrap_err());
    assert_eq!(error.reason, Reason::Throttled);
    assert!(matches!(error.then, Then::Retry { after: Some(wait) } if wait > Duration::from_secs(50)));
    assert_eq!(server.count("GET /subscriptions/s"), 1, "the second was not sent");
    pass(Duration::from_secs(60)).await;
    assert_eq!(get(&session).await.unwrap(), 200);
}

#[tokio::test]
async fn a_write_is_not_sent_when_the_term_is_over() {
    let server = server(|_| answer(200, "", "{}")).await;
    let term = Term::new("a/1", || Duration::from_secs(10));
    term.last_until(Duration::from_secs(20));
    let session = Azure::new(term.clone()).session(&id("1"), &account(&server, "s")).unwrap();
    let call = RestCall::new(Method::Delete, &["a"], "v", READ);
    session.arm().call(&call).await.unwrap();
    term.last_until(Duration::from_secs(10));
    assert!(matches!(session.arm().call(&call).await.unwrap_err().what, What::Fault(Fault::TermOver)));
    assert_eq!(get(&session).await.unwrap(), 200, "reading goes on");
    assert_eq!(server.count("DELETE /a"), 1);
}

#[tokio::test]
async fn a_path_that_is_no_path_costs_no_call() {
    let server = server(|_| answer(200, "", "{}")).await;
    let session = session(&server);
    let call = RestCall::new(Method::Delete, &["certificates", ".."], "v", READ);
    let error = common(&session.arm().call(&call).await.unwrap_err());
    assert_eq!(error.reason, Reason::SpecInvalid);
    assert_eq!(server.count("DELETE"), 0);
}

#[tokio::test]
async fn a_session_lasts_until_its_account_changes() {
    let server = TestServer::start(|request| match request.contains("client_secret=new") {
        true => answer(200, "", r#"{"token_type":"Bearer","access_token":"t","expires_in":3599}"#),
        false => answer(401, "", REFUSAL),
    })
    .await;
    let azure = Azure::new(Term::endless("test"));
    let old = azure.session(&id("1"), &account(&server, "old")).unwrap();
    assert!(Arc::ptr_eq(&old, &azure.session(&id("1"), &account(&server, "old")).unwrap()));
    assert!(!Arc::ptr_eq(&old, &azure.session(&id("2"), &account(&server, "old")).unwrap()));
    assert!(old.sign_in().await.is_err());
    let new = azure.session(&id("1"), &account(&server, "new")).unwrap();
    assert_eq!(new.sign_in().await, Ok(()), "at once, whatever the old secret's pause");
    assert_eq!(azure.sessions.count(), 2);
    assert_eq!(Arc::strong_count(&old), 1, "the old one is dropped");
    azure.forget(&id("1"));
    assert_eq!(azure.sessions.count(), 1);
    pass(crate::providers::sessions::UNUSED).await;
    azure.session(&id("3"), &account(&server, "old")).unwrap();
    assert_eq!(azure.sessions.count(), 1, "what nobody uses is dropped");
}

#[test]
fn every_member_is_in_the_hash() {
    let with_vaults = |key_vault: Option<&str>, key_vault_scope: &str| {
        AzureEnvironment::Custom(AzureEndpoints {
            authority: "a".to_owned(),
            resource_manager: "m".to_owned(),
            resource_manager_scope: "s".to_owned(),
            key_vault: key_vault.map(str::to_owned),
            key_vault_scope: key_vault_scope.to_owned(),
            instance_metadata: None,
            ca_bundle: None,
        })
    };
    let custom = |authority: &str, arm: &str, scope: &str, metadata: Option<&str>, ca: Option<&str>| {
        AzureEnvironment::Custom(AzureEndpoints {
            authority: authority.to_owned(),
            resource_manager: arm.to_owned(),
            resource_manager_scope: scope.to_owned(),
            key_vault: None,
            key_vault_scope: "v".to_owned(),
            instance_metadata: metadata.map(str::to_owned),
            ca_bundle: ca.map(str::to_owned),
        })
    };
    let whole = |environment, tenant: &str, client: &str, secret: &str| {
        fingerprint(&AzureAccount {
            environment,
            tenant_id: tenant.to_owned(),
            identity: AzureIdentity::ClientSecret {
                client_id: client.to_owned(),
                secret: Zeroizing::new(secret.to_owned()),
            },
        })
    };
    let of = |identity| {
        fingerprint(&AzureAccount {
            environment: AzureEnvironment::Public,
            tenant_id: "t".to_owned(),
            identity,
        })
    };
    let file = |path: &str| Assertion::File(path.into());
    let all = [
        whole(AzureEnvironment::Public, "t", "c", "s"),
        whole(AzureEnvironment::UsGovernment, "t", "c", "s"),
        whole(AzureEnvironment::China, "t", "c", "s"),
        whole(AzureEnvironment::Public, "x", "c", "s"),
        whole(AzureEnvironment::Public, "t", "x", "s"),
        whole(AzureEnvironment::Public, "t", "c", "x"),
        whole(AzureEnvironment::Public, "tc", "", "s"),
        whole(custom("a", "m", "s", None, None), "t", "c", "s"),
        whole(custom("x", "m", "s", None, None), "t", "c", "s"),
        whole(custom("a", "x", "s", None, None), "t", "c", "s"),
        whole(custom("a", "m", "x", None, None), "t", "c", "s"),
        whole(custom("a", "m", "s", Some("x"), None), "t", "c", "s"),
        whole(custom("a", "m", "s", None, Some("x")), "t", "c", "s"),
        whole(with_vaults(Some("x"), "v"), "t", "c", "s"),
        whole(with_vaults(None, "x"), "t", "c", "s"),
        of(AzureIdentity::Managed { client_id: None }),
        of(AzureIdentity::Managed { client_id: Some("c".to_owned()) }),
        of(AzureIdentity::Federated { client_id: "c".to_owned(), assertion: file("f") }),
        of(AzureIdentity::Federated { client_id: "x".to_owned(), assertion: file("f") }),
        of(AzureIdentity::Federated { client_id: "c".to_owned(), assertion: file("x") }),
    ];
    let different: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}
