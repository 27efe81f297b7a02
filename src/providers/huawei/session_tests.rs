use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use futures::future::join_all;
use serde_json::{Value, json};

use super::super::{Call, Place, Whereabouts};
use super::*;
use crate::engine::error::Then;
use crate::http::test_server::{Reply, TestServer, answer};

const PROJECT: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const REFUSED: &str = r#"{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: verify aksk signature fail, canonicalRequest:GET|x-sdk-date:1","request_id":"r"}"#;
const EXPIRED: &str = r#"{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: signature expired, signature time:20260115T080910Z,server time:20260115T090910Z","request_id":"r"}"#;
const GONE: &str = r#"{"error_code":"IOTDA.014306","error_msg":"no such certificate"}"#;
const AROUND: Whereabouts<'_> =
    Whereabouts { region: "local", project_id: Some(PROJECT), instance_id: None, host: None };

fn account(server: &TestServer, signing: HuaweiSigning, token: Option<&str>) -> HuaweiAccount {
    HuaweiAccount {
        environment: HuaweiEnvironment::Custom(HuaweiEndpoints {
            iotda: server.endpoint("localhost").to_string(),
            iotda_instance: Some(server.endpoint("localhost").to_string().replace("://", "://{instance}.")),
            iam: Some(server.endpoint("login.localhost").to_string()),
            signing,
            ca_bundle: Some(server.ca.clone()),
        }),
        keys: HuaweiKeys {
            access_key_id: "AK".to_owned(),
            secret: "canary-secret".to_owned().into(),
            security_token: token.map(|it| it.to_owned().into()),
        },
    }
}

fn id(uid: &str) -> AccountId {
    AccountId { display: "CloudAccount `huawei`".to_owned(), uid: uid.to_owned() }
}

fn session(server: &TestServer) -> Arc<Session> {
    let account = account(server, HuaweiSigning::Auto, None);
    Huawei::new(Term::endless("test")).session(&id("1"), &account).unwrap()
}

fn clock() -> Clock {
    Clock::fixed("2026-01-15T08:09:10Z".parse().unwrap())
}

async fn place(session: &Arc<Session>) -> Place {
    session.place(&AROUND, &clock()).await.unwrap()
}

async fn read(place: &Place) -> Result<u16, Failure> {
    place.call(&Call::new(Operation::Read, &["certificates", "61c9"])).await.map(|it| it.status)
}

fn status(failure: Failure) -> Option<u16> {
    failure.status()
}

async fn pass(seconds: u64) {
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(seconds)).await;
    tokio::time::resume();
}

/// The value of a header of a request as it arrived.
fn header<'a>(request: &'a str, name: &str) -> &'a str {
    request.lines().find_map(|it| it.strip_prefix(&format!("{name}: "))).unwrap_or_default()
}

#[tokio::test]
async fn a_request_is_sent_as_it_is_signed() {
    let server = TestServer::start(|_| answer(200, "", "{}")).await;
    let account = account(&server, HuaweiSigning::Derived, Some("a-token"));
    let huawei = Huawei::new(Term::endless("test"));
    let session = huawei.session(&id("1"), &account).unwrap();
    let around = Whereabouts { instance_id: Some("6b0d-1"), host: Some("login.localhost"), ..AROUND };
    let place = session.place(&around, &clock()).await.unwrap();
    let body = Body::json(&json!({ "template_id": Value::Null }));
    let call =
        Call::new(Operation::Update, &["certificates", "61c9"]).query("b", "2 x").query("a", "1").body(body);
    place.call(&call).await.unwrap();
    let request = server.requests().remove(0);
    let host = place.host();
    assert!(
        request.starts_with(&format!("PUT /v5/iot/{PROJECT}/certificates/61c9?a=1&b=2%20x HTTP/1.1\r\n")),
        "{request}"
    );
    assert!(request.ends_with(r#"{"template_id":null}"#));
    for (name, value) in [
        ("host", host.as_str()),
        ("content-type", "application/json"),
        ("instance-id", "6b0d-1"),
        ("x-project-id", PROJECT),
        ("x-sdk-date", "20260115T080910Z"),
        ("x-security-token", "a-token"),
    ] {
        assert_eq!(header(&request, name), value, "{name}");
    }
    // Made anew from what arrived.
    let arrived = Request {
        method: "PUT",
        host: header(&request, "host"),
        path: &format!("/v5/iot/{PROJECT}/certificates/61c9"),
        query: &[("a", "1"), ("b", "2 x")],
        headers: &[
            ("content-type", "application/json"),
            ("instance-id", "6b0d-1"),
            ("x-project-id", PROJECT),
        ],
        body: br#"{"template_id":null}"#,
    };
    let signed = arrived.sign(Scheme::Derived { region: "local" }, &account.keys, clock().now());
    assert_eq!(header(&request, "authorization"), *signed.authorization);
    assert!(
        signed.authorization.starts_with(
            "V11-HMAC-SHA256 Credential=AK/20260115/local/iotdm, SignedHeaders=content-type;host;"
        )
    );
    assert!(server.requests().iter().all(|it| !it.contains("canary-secret")));
}

#[tokio::test]
async fn an_empty_request_has_no_type_and_its_length_where_it_needs_one() {
    let server = TestServer::start(|_| answer(204, "", "")).await;
    let place = place(&session(&server)).await;
    for (operation, length) in [(Operation::Delete, ""), (Operation::Verify, "0"), (Operation::List, "")] {
        place.call(&Call::new(operation, &["certificates"])).await.unwrap();
        let request = server.requests().pop().unwrap();
        assert_eq!((header(&request, "content-type"), header(&request, "content-length")), ("", length));
        assert!(
            header(&request, "authorization")
                .starts_with("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-project-id;x-sdk-date, ")
        );
    }
}

#[tokio::test]
async fn a_refused_date_is_signed_anew_once() {
    let seconds = Arc::new(AtomicI64::new(1_768_464_550)); // 2026-01-15T08:09:10Z
    let ticks = seconds.clone();
    let clock =
        Clock::told_by(move || Timestamp::from_second(ticks.fetch_add(3600, Ordering::SeqCst)).unwrap());
    let server = TestServer::start(|request| match request.contains("x-sdk-date: 20260115T090910Z") {
        true => answer(200, "", "{}"),
        false => answer(401, "", EXPIRED),
    })
    .await;
    let session = session(&server);
    let place = session.place(&AROUND, &clock).await.unwrap();
    assert_eq!(read(&place).await.unwrap(), 200);
    assert_eq!(server.requests().len(), 2);
    assert_eq!(session.sign_in(), Ok(()));
    let error = CloudError::from(read(&place).await.unwrap_err());
    assert_eq!((error.reason, server.requests().len()), (Reason::AuthenticationFailed, 4));
    assert!(error.message.contains("clock") && error.message.contains("APIGW.0301"), "{error}");
}

#[tokio::test]
async fn refused_keys_are_not_tried_again_too_soon_and_the_account_says_so() {
    let server = TestServer::start(|_| answer(401, "", REFUSED)).await;
    let session = session(&server);
    let place = place(&session).await;
    assert_eq!(session.sign_in(), Ok(()));
    let mut asked = 0;
    for (pause, is_asked) in [(0, true), (1, false), (10, true), (10, false), (10, true), (20, false)] {
        pass(pause).await;
        for failure in join_all((0..8).map(|_| read(&place))).await {
            let error = CloudError::from(failure.unwrap_err());
            assert_eq!(error.reason, Reason::AuthenticationFailed);
            assert!(error.message.contains("does not belong to the access key"), "{error}");
        }
        let calls = server.requests().len() - asked;
        asked += calls;
        // Those that go at once learn of the refusal by their own answers.
        assert_eq!(calls > 0, is_asked, "{calls} after {pause} s more");
        let standing = session.sign_in().unwrap_err();
        assert_eq!(standing.reason, Reason::AuthenticationFailed);
        assert_eq!(standing.then, Then::Retry { after: None }, "the account itself waits for nothing");
    }
}

#[tokio::test]
async fn a_host_that_takes_other_keys_holds_back_no_other() {
    let server = TestServer::start(|request| match header(request, "host").starts_with("login.") {
        true => answer(401, "", REFUSED),
        false => answer(404, "", GONE),
    })
    .await;
    let session = session(&server);
    let around = Whereabouts { host: Some("login.localhost"), ..AROUND };
    let (good, other) = (place(&session).await, session.place(&around, &clock()).await.unwrap());
    assert_eq!(status(read(&other).await.unwrap_err()), Some(401));
    assert!(session.sign_in().is_err());
    assert!(read(&good).await.unwrap_err().is_absence());
    assert_eq!(session.sign_in(), Ok(()), "the service itself answered, so it took the keys");
    assert!(matches!(read(&other).await.unwrap_err().what, What::Held(_)));
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_throttling_host_is_left_alone_for_its_time_and_no_other_is() {
    let server = TestServer::start(|request| match header(request, "host").starts_with("login.") {
        true => answer(429, "retry-after: 60\r\n", r#"{"error_code":"APIGW.0308"}"#),
        false => answer(200, "", "{}"),
    })
    .await;
    let session = session(&server);
    let around = Whereabouts { host: Some("login.localhost"), ..AROUND };
    let (good, busy) = (place(&session).await, session.place(&around, &clock()).await.unwrap());
    assert_eq!(CloudError::from(read(&busy).await.unwrap_err()).reason, Reason::Throttled);
    let held = read(&busy).await.unwrap_err();
    assert!(
        matches!(held.what, What::Fault(Fault::Paced(wait)) if wait > Duration::from_secs(50)),
        "{held:?}"
    );
    assert_eq!(read(&good).await.unwrap(), 200);
    pass(60).await;
    assert_eq!(status(read(&busy).await.unwrap_err()), Some(429));
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_project_is_found_once_and_only_if_there_is_one() {
    for (projects, found) in [
        (json!([{ "id": PROJECT, "name": "local" }]), true),
        (json!([]), false),
        (json!([{ "id": "a1" }, { "id": "a2" }]), false),
        (json!([{ "id": "../x" }]), false),
    ] {
        let body = json!({ "projects": projects }).to_string();
        let server =
            TestServer::start(move |request| match request.starts_with("GET /v3/projects?name=local ") {
                true => answer(200, "", &body),
                false => answer(200, "", "{}"),
            })
            .await;
        let session = session(&server);
        let around = Whereabouts { project_id: None, ..AROUND };
        for _ in 0..2 {
            let place = session.place(&around, &clock()).await;
            assert_eq!(place.is_ok_and(|it| it.project_id() == PROJECT), found, "{projects}");
        }
        assert_eq!(server.requests().len(), if found { 1 } else { 2 });
        let asked = server.requests().remove(0);
        assert!(
            header(&asked, "authorization")
                .starts_with("SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, ")
        );
    }
}

#[tokio::test]
async fn what_names_no_place_is_not_called() {
    let server = TestServer::start(|_| answer(200, "", "{}")).await;
    let session = session(&server);
    for around in [
        Whereabouts { project_id: Some("../x"), ..AROUND },
        Whereabouts { project_id: Some(""), ..AROUND },
        Whereabouts { region: "evil.example/", ..AROUND },
        Whereabouts { host: Some("evil.example"), ..AROUND },
    ] {
        let refused = session.place(&around, &clock()).await.err().unwrap();
        assert_eq!(refused.reason, Reason::SpecInvalid, "{around:?}");
    }
    let place = place(&session).await;
    for segment in ["..", "a/b", "%2e%2e", ""] {
        let failure =
            place.call(&Call::new(Operation::Delete, &["certificates", segment])).await.unwrap_err();
        assert!(matches!(failure.what, What::Fault(Fault::Unanswered(HttpError::Refused(_)))), "{segment}");
    }
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn writes_end_with_the_term_and_go_one_by_one() {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (now, peak) = (running.clone(), most.clone());
    let server = TestServer::start(move |_| {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(5));
        now.fetch_sub(1, Ordering::SeqCst);
        answer(200, "", "{}")
    })
    .await;
    let place = place(&session(&server)).await;
    let call = Call::new(Operation::Upload, &["certificates"]);
    assert!(join_all((0..4).map(|_| place.call(&call))).await.iter().all(Result::is_ok));
    assert_eq!(most.load(Ordering::SeqCst), 1);
    let over = Huawei::new(Term::new("over", || Duration::ZERO));
    let account = account(&server, HuaweiSigning::Auto, None);
    let session = over.session(&id("1"), &account).unwrap();
    let place = session.place(&AROUND, &clock()).await.unwrap();
    assert!(matches!(place.call(&call).await.unwrap_err().what, What::Fault(Fault::TermOver)));
    assert_eq!(read(&place).await.unwrap(), 200, "reads go on");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_unknown() {
    let server =
        TestServer::start(|_| Reply::Bytes(b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n".to_vec())).await;
    let place = place(&session(&server)).await;
    let failure = place.call(&Call::new(Operation::Upload, &["certificates"])).await.unwrap_err();
    assert_eq!(CloudError::from(failure).then, Then::Reread { tries: 3 });
    let odd = TestServer::start(|_| answer(200, "", "<html>")).await;
    let place = self::place(&session(&odd)).await;
    let failure = place.read::<Value>(&Call::new(Operation::Read, &["certificates", "1"])).await.unwrap_err();
    assert!(matches!(failure.what, What::Fault(Fault::Unreadable)));
}

#[tokio::test]
async fn a_replaced_secret_makes_another_session() {
    let server = TestServer::start(|_| answer(200, "", "{}")).await;
    let huawei = Huawei::new(Term::endless("test"));
    let mut account = account(&server, HuaweiSigning::Auto, None);
    let first = huawei.session(&id("1"), &account).unwrap();
    assert!(Arc::ptr_eq(&first, &huawei.session(&id("1"), &account).unwrap()));
    account.keys.secret = "other".to_owned().into();
    let second = huawei.session(&id("1"), &account).unwrap();
    assert!(!Arc::ptr_eq(&first, &second));
    account.keys.security_token = Some("t".to_owned().into());
    assert!(!Arc::ptr_eq(&second, &huawei.session(&id("1"), &account).unwrap()));
    huawei.forget(&id("1"));
    assert_eq!(huawei.sessions.count(), 0);
}
