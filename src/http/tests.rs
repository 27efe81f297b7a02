use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::test_server::{Reply, TestServer, answer};
use super::*;

fn get(server: &TestServer) -> Call {
    Call::new(Method::Get, &server.endpoint("arm.localhost"), ["a"])
}

#[tokio::test]
async fn a_call_arrives_as_it_was_planned() {
    let server = TestServer::start(|_| answer(200, "x-thing: yes\r\n", "{\"a\":1}")).await;
    let call = Call::new(Method::Put, &server.endpoint("arm.localhost"), ["certificates", "root-(1)"])
        .query("api-version", "2018-04-01")
        .query("q", "a&b=c")
        .if_match("AAAADEqHziw=")
        .bearer("token")
        .body(Body::json(&serde_json::json!({"certificate": "x"})));
    let answer = server.client().send(call).await.unwrap();
    assert_eq!((answer.status, answer.header("X-Thing")), (200, Some("yes")));
    assert_eq!(answer.json::<serde_json::Value>().unwrap()["a"], 1);

    let request = server.requests().remove(0);
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("PUT /certificates/root-%281%29?api-version=2018-04-01&q=a%26b%3Dc HTTP/1.1\r\n")
    );
    assert_eq!(body, r#"{"certificate":"x"}"#);
    let mut names: Vec<&str> = head.lines().skip(1).map(|line| line.split_once(':').unwrap().0).collect();
    names.sort_unstable();
    let expected =
        ["accept", "authorization", "content-length", "content-type", "host", "if-match", "user-agent"];
    assert_eq!(names, expected);
    assert!(head.contains("if-match: AAAADEqHziw=\r\n") && head.contains("authorization: Bearer token"));
}

#[tokio::test]
async fn a_post_without_content_says_so() {
    let server = TestServer::start(|_| answer(200, "", "")).await;
    for method in [Method::Post, Method::Get, Method::Delete] {
        let call = Call::new(method, &server.endpoint("arm.localhost"), ["a"]);
        server.client().send(call).await.unwrap();
    }
    let lengths: Vec<usize> =
        server.requests().iter().map(|request| request.matches("content-length: 0\r\n").count()).collect();
    assert_eq!(lengths, [1, 0, 0]);
    assert_eq!(server.count("content-type"), 0);
}

#[tokio::test]
async fn redirects_are_answers() {
    let other = TestServer::start(|_| answer(200, "", "stolen")).await;
    let targets = [
        format!("https://localhost:{}/steal", other.port),
        format!("//localhost:{}/steal", other.port),
        format!("http://127.0.0.1:{}/steal", other.port),
        "/elsewhere".to_owned(),
    ];
    for status in [301, 302, 303, 307, 308] {
        for target in targets.clone() {
            let server =
                TestServer::start(move |_| answer(status, &format!("location: {target}\r\n"), "")).await;
            // It trusts both servers, so that only the policy stands between them.
            let both = format!("{}{}", server.ca, other.ca);
            let client = Http::new(&Trust::administrator(Some(&both)).unwrap()).unwrap();
            let call = Call::new(Method::Post, &server.endpoint("arm.localhost"), ["a"])
                .bearer("canary")
                .secret_header("x-auth-token", "canary".to_owned().into())
                .body(Body::json(&"canary"));
            assert_eq!(client.send(call).await.unwrap().status, status);
            assert_eq!(server.requests().len(), 1);
        }
    }
    assert!(other.requests().is_empty());
}

#[tokio::test]
async fn an_answer_of_the_largest_size_is_read_and_one_byte_more_is_not() {
    for (limit, bytes) in [(Limit::Object, 1024 * 1024), (Limit::Page, 4 * 1024 * 1024)] {
        for (more, chunked) in [(0, false), (1, false), (0, true), (1, true)] {
            let size = bytes + more;
            let server = TestServer::start(move |_| match chunked {
                false => answer(200, "", &"x".repeat(size)),
                true => Reply::Bytes(
                    format!(
                        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n{size:x}\r\n{}\r\n0\r\n\r\n",
                        "x".repeat(size)
                    )
                    .into_bytes(),
                ),
            })
            .await;
            let outcome =
                server.client().send(get(&server).limit(limit)).await.map(|answer| answer.body.len());
            assert_eq!(outcome, if more == 0 { Ok(bytes) } else { Err(HttpError::TooLarge) });
        }
    }
}

#[tokio::test]
async fn an_answer_in_another_form_is_refused() {
    let large = format!("x-large: {}\r\n", "x".repeat(HEADER_BLOCK));
    for (headers, outcome) in [
        ("content-encoding: gzip\r\n", Err(HttpError::Encoded)),
        ("content-encoding: identity, gzip\r\n", Err(HttpError::Encoded)),
        ("content-encoding: identity\r\n", Ok(200)),
        (&large, Err(HttpError::TooLarge)),
    ] {
        let headers = headers.to_owned();
        let server = TestServer::start(move |_| answer(200, &headers, "{}")).await;
        let client = server.client();
        assert_eq!(client.send(get(&server)).await.map(|answer| answer.status), outcome);
    }
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_the_outcome_unknown() {
    for bytes in [
        "",
        "HTTP/1.1 200",
        "HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n12345",
        "HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n5\r\n123",
        "SSH-2.0-OpenSSH_9.6\r\n",
    ] {
        let server = TestServer::start(|_| Reply::Bytes(bytes.as_bytes().to_vec())).await;
        let error = server.client().send(get(&server)).await.unwrap_err();
        assert_eq!(error, HttpError::Cut, "{bytes:?}");
        assert!(!error.certainly_unseen());
        assert_eq!(server.requests().len(), 1, "nothing is repeated");
    }
}

#[tokio::test]
async fn silence_after_the_request_leaves_the_outcome_unknown() {
    for bytes in ["", "HTTP/1.1 200 X\r\ncontent-length: 10\r\n\r\n12345"] {
        let server = TestServer::start(|_| Reply::Silence(bytes.as_bytes().to_vec())).await;
        let (client, call) = (server.client(), get(&server));
        let sent = tokio::spawn(async move { client.send(call).await.map(drop) });
        server.asked.notified().await;
        tokio::time::pause(); // from here the clock runs by itself to the next deadline
        assert_eq!(sent.await.unwrap(), Err(HttpError::TimedOut), "{bytes:?}");
        tokio::time::resume();
    }
}

#[tokio::test]
async fn silence_before_the_handshake_means_that_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = Http::new(&trusting_nobody(Reach::Loopback)).unwrap();
    let sent = tokio::spawn(async move { client.send(call_to(address)).await.map(drop) });
    let _open = listener.accept().await.unwrap();
    tokio::time::pause();
    let error = sent.await.unwrap().unwrap_err();
    assert_eq!(error, HttpError::NotSent(NoConnection::Unreachable));
    assert!(error.certainly_unseen());
}

#[tokio::test]
async fn nothing_is_sent_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let client = Http::new(&trusting_nobody(Reach::Loopback)).unwrap();
    let error = client.send(call_to(address)).await.unwrap_err();
    assert_eq!(error, HttpError::NotSent(NoConnection::Unreachable));
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_request() {
    let past = |params: &mut rcgen::CertificateParams| params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let future = |params: &mut rcgen::CertificateParams| params.not_before = rcgen::date_time_ymd(4000, 1, 1);
    let named = |params: &mut rcgen::CertificateParams| {
        params.subject_alt_names = vec![rcgen::SanType::DnsName("other.localhost".try_into().unwrap())];
    };
    let reply = |_: &str| answer(200, "", "");
    let table = [
        (TestServer::start(reply).await, false, Distrust::UnknownIssuer),
        (TestServer::with_certificate(past, reply).await, true, Distrust::Validity),
        (TestServer::with_certificate(future, reply).await, true, Distrust::Validity),
        (TestServer::with_certificate(named, reply).await, true, Distrust::Name),
    ];
    for (server, knows_the_ca, why) in table {
        let client = if knows_the_ca {
            server.client()
        } else {
            Http::new(&trusting_nobody(Reach::Loopback)).unwrap()
        };
        let error = client.send(get(&server).bearer("canary")).await.unwrap_err();
        assert_eq!(error, HttpError::NotSent(NoConnection::Untrusted(why)));
        assert!(server.requests().is_empty());
    }
}

#[tokio::test]
async fn loopback_is_for_an_administrators_endpoints_only() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = Http::new(&trusting_nobody(Reach::Clouds)).unwrap();
    for host in [
        "127.0.0.1",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:169.254.169.254]",
        "169.254.169.254",
        "0.0.0.0",
        "localhost",
        "arm.localhost",
    ] {
        let endpoint = Endpoint::parse(&format!("https://{host}:{port}")).unwrap();
        let error = client.send(Call::new(Method::Get, &endpoint, ["a"])).await.unwrap_err();
        assert_eq!(error, HttpError::Refused(Refusal::Address), "{host}");
    }
    let knocked = tokio::time::timeout(Duration::ZERO, listener.accept()).await;
    assert!(knocked.is_err(), "somebody connected");
}

#[test]
fn a_bundle_is_pem_certificates() {
    for bundle in ["", "text", "-----BEGIN CERTIFICATE-----\nAAAA\n", &"x".repeat(BUNDLE.0 + 1)] {
        assert_eq!(Trust::administrator(Some(bundle)).map(drop), Err(TrustError::Bundle));
    }
    let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let trust = Trust::administrator(Some(no_certificate)).unwrap();
    assert_eq!(Http::new(&trust).map(drop), Err(TrustError::Bundle));
}

fn call_to(address: SocketAddr) -> Call {
    let endpoint = Endpoint::parse(&format!("https://{address}")).unwrap();
    Call::new(Method::Get, &endpoint, ["a"])
}

/// One root of nobody's, so that the tests need none of the platform.
fn trusting_nobody(reach: Reach) -> Trust {
    let key = rcgen::KeyPair::generate().unwrap();
    let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let pem = params.self_signed(&key).unwrap().pem();
    Trust { roots: Certificate::from_pem_bundle(pem.as_bytes()).unwrap(), reach, proxy: None }
}
