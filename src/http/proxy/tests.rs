use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::http::test_server::{TestServer, answer};
use crate::http::{Call, Http, HttpError, Method, NoConnection, Trust};

/// A proxy on loopback; to each CONNECT it answers this status, and opens the tunnel if that is 200.
pub(crate) struct TestProxy {
    pub(crate) port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    pub(crate) async fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self { port: listener.local_addr().unwrap().port(), asked: Arc::default() };
        let asked = proxy.asked.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(tunnel(stream, status, asked.clone()));
            }
        });
        proxy
    }

    /// A client of that server, by way of this proxy but for `except`.
    fn client(&self, server: &TestServer, except: &str) -> Http {
        let proxy = Proxy::parse(&format!("http://user:canary@127.0.0.1:{}", self.port), except).unwrap();
        Http::new(&Trust::administrator(Some(&server.ca)).unwrap().through(Some(proxy))).unwrap()
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn tunnel(mut stream: TcpStream, status: u16, asked: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    let head = String::from_utf8(head).unwrap();
    asked.lock().unwrap().push(head.clone());
    stream.write_all(format!("HTTP/1.1 {status} X\r\n\r\n").as_bytes()).await.unwrap();
    if status == 200 {
        let port = head.split([':', ' ']).nth(2).unwrap();
        let mut server = TcpStream::connect(format!("127.0.0.1:{port}")).await.unwrap();
        let _ = copy_bidirectional(&mut stream, &mut server).await;
    }
}

/// A server with names that are not of this machine, which only the proxy resolves.
async fn server() -> TestServer {
    let names = ["service.test", "login.test"].map(|it| rcgen::SanType::DnsName(it.try_into().unwrap()));
    TestServer::with_certificate(|it| it.subject_alt_names.extend(names), |_| answer(200, "", "")).await
}

fn get(server: &TestServer, host: &str) -> Call {
    Call::new(Method::Get, &server.endpoint(host), ["a"])
}

#[tokio::test]
async fn a_tunnel_is_opened_and_tls_ends_at_the_service() {
    let (server, proxy) = (server().await, TestProxy::start(200).await);
    let client = proxy.client(&server, "");
    client.send(get(&server, "service.test").bearer("canary-token")).await.unwrap();
    let [asked] = proxy.asked().try_into().unwrap();
    assert!(asked.starts_with(&format!("CONNECT service.test:{} HTTP/1.1\r\n", server.port)), "{asked}");
    // `user:canary`
    assert!(asked.to_ascii_lowercase().contains("proxy-authorization: basic dxnlcjpjyw5hcnk="), "{asked}");
    assert!(!asked.contains("canary-token"), "{asked}");
    assert_eq!(server.count("canary-token"), 1);
    assert_eq!(server.count("roxy-"), 0, "the service is told of the proxy");
}

#[tokio::test]
async fn what_is_excepted_is_reached_directly() {
    let (server, proxy) = (server().await, TestProxy::start(200).await);
    for (except, host, directly) in [
        ("", "service.test", false),
        ("login.test", "service.test", false),
        ("vice.test", "service.test", false),
        ("", "arm.localhost", true),
        ("", "127.0.0.1", true),
    ] {
        let before = proxy.asked().len();
        proxy.client(&server, except).send(get(&server, host)).await.unwrap();
        assert_eq!(proxy.asked().len() == before, directly, "{host} without {except}");
    }
    // Directly these names are not known.
    for except in ["service.test", "login.test, service.test", "test", ".test", "*"] {
        let before = proxy.asked().len();
        let error = proxy.client(&server, except).send(get(&server, "service.test")).await.unwrap_err();
        assert!(error.certainly_unseen(), "{except}: {error:?}");
        assert_eq!(proxy.asked().len(), before, "{except}");
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_lets_nothing_through() {
    let server = server().await;
    for status in [403, 407, 502] {
        let proxy = TestProxy::start(status).await;
        let error = proxy.client(&server, "").send(get(&server, "service.test")).await.unwrap_err();
        assert_eq!(error, HttpError::NotSent(NoConnection::Unproxied), "{status}");
    }
    assert!(server.requests().is_empty());
}

#[test]
fn a_url_of_a_proxy_is_a_host_and_a_port() {
    for good in
        ["http://proxy:3128", "http://proxy.example.com", "http://u:p%40@10.0.0.1:8080/", "http://[::1]:1"]
    {
        assert!(Proxy::parse(good, "").is_ok(), "{good}");
    }
    for bad in [
        "",
        "proxy",
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://proxy/path",
        "http://proxy/?q",
        "http://proxy/#f",
        "http://localhost:3128",
        "http://proxy.localhost:3128",
        "file:///etc/passwd",
    ] {
        assert_eq!(Proxy::parse(bad, "").err(), Some(BadProxy), "{bad}");
    }
    let told = format!("{:?} {BadProxy}", Proxy::parse("http://user:canary@proxy", "").unwrap());
    assert!(!told.contains("canary"), "{told}");
}
