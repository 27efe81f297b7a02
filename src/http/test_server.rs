//! A TLS server on loopback for tests: it reads one request per connection, remembers it, and answers in raw bytes.

use std::sync::{Arc, Mutex};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use super::{Endpoint, Http, Trust};

/// What the server does with a request.
pub(crate) enum Reply {
    /// Writes this and closes.
    Bytes(Vec<u8>),
    /// Writes this and falls silent.
    Silence(Vec<u8>),
}

/// A server whose hosts are all of `localhost`, `login.localhost`, `arm.localhost` and `127.0.0.1`.
pub(crate) struct TestServer {
    pub(crate) ca: String,
    pub(crate) port: u16,
    pub(crate) asked: Arc<Notify>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl TestServer {
    pub(crate) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::with_certificate(|_| {}, reply).await
    }

    pub(crate) async fn with_certificate(
        adapt: impl FnOnce(&mut CertificateParams),
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let (ca, acceptor) = certificates(adapt);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { ca, port, asked: Arc::default(), requests: Arc::default() };
        let (requests, asked, reply) = (server.requests.clone(), server.asked.clone(), Arc::new(reply));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (requests, asked, reply, acceptor) =
                    (requests.clone(), asked.clone(), reply.clone(), acceptor.clone());
                tokio::spawn(async move { serve(stream, acceptor, &requests, &asked, &*reply).await });
            }
        });
        server
    }

    /// An endpoint of this server.
    pub(crate) fn endpoint(&self, host: &str) -> Endpoint {
        Endpoint::parse(&format!("https://{host}:{}", self.port)).unwrap()
    }

    /// A client that trusts this server.
    pub(crate) fn client(&self) -> Http {
        Http::new(&Trust::administrator(Some(&self.ca)).unwrap()).unwrap()
    }

    /// The requests so far, head and body as they arrived.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// How many requests so far have this in them.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.requests().iter().filter(|request| request.contains(part)).count()
    }
}

/// An answer with a length and a body.
pub(crate) fn answer(status: u16, headers: &str, body: &str) -> Reply {
    let length = body.len();
    Reply::Bytes(
        format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes(),
    )
}

fn certificates(adapt: impl FnOnce(&mut CertificateParams)) -> (String, TlsAcceptor) {
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(ca, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let names = ["localhost", "login.localhost", "arm.localhost", "127.0.0.1"].map(str::to_owned);
    let mut params = CertificateParams::new(names).unwrap();
    adapt(&mut params);
    let leaf = params.signed_by(&key, &ca).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    (ca.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn serve(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    requests: &Mutex<Vec<String>>,
    asked: &Notify,
    reply: &(impl Fn(&str) -> Reply + ?Sized),
) {
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let mut read = Vec::new();
    while !is_whole(&read) {
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer).await {
            Ok(count @ 1..) => read.extend_from_slice(&buffer[..count]),
            _ => return,
        }
    }
    let request = String::from_utf8_lossy(&read).into_owned();
    requests.lock().unwrap().push(request.clone());
    let (bytes, silent) = match reply(&request) {
        Reply::Bytes(bytes) => (bytes, false),
        Reply::Silence(bytes) => (bytes, true),
    };
    let _ = stream.write_all(&bytes).await;
    let _ = stream.flush().await;
    asked.notify_one();
    if silent {
        std::future::pending::<()>().await;
    }
    let _ = stream.shutdown().await;
}

/// Whether the head has ended and as much body is there as it says.
fn is_whole(read: &[u8]) -> bool {
    let text = String::from_utf8_lossy(read);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head
        .lines()
        .filter_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned())
        })
        .find_map(|n| n.parse::<usize>().ok());
    body.len() >= length.unwrap_or(0)
}
