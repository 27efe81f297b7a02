//! A way to the API server that goes wrong when told to: watches that fall silent without ending, and watches that are
//! told that what they ask for is too old.

use std::convert::Infallible;
use std::future::Future;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll};

use anyhow::{Context, Result, anyhow};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use kube::config::Kubeconfig;
use reqwest::{Certificate, Client};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What a watch is told whose resourceVersion has been compacted away.
const EXPIRED: &str = concat!(
    r#"{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","metadata":{},"status":"Failure","#,
    r#""message":"too old resource version: 1 (2)","reason":"Expired","code":410}}"#,
    "\n"
);

/// A running relay. It speaks plain HTTP on loopback and passes on what clients prove themselves with. Dropped, it ends.
pub struct Relay {
    /// Where it listens.
    pub url: String,
    state: Arc<State>,
    serving: JoinHandle<()>,
}

struct State {
    upstream: String,
    client: Client,
    /// Told when the watches that are open are to say nothing any more.
    silenced: watch::Sender<()>,
    /// Told when the watches that are open are to end.
    ended: watch::Sender<()>,
    /// How many more watches are told that they are too old.
    expiring: AtomicUsize,
    expired: AtomicUsize,
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Relay {
    /// A relay to the API server of a kubeconfig.
    pub async fn start(kubeconfig: &Kubeconfig) -> Result<Self> {
        let cluster = kubeconfig.clusters.first().and_then(|it| it.cluster.clone());
        let cluster = cluster.context("the kubeconfig names no cluster")?;
        let upstream = cluster.server.context("the kubeconfig names no server")?;
        let ca = cluster.certificate_authority_data.context("the kubeconfig has no CA in it")?;
        let client =
            Client::builder().tls_certs_only(Certificate::from_pem_bundle(&decoded(&ca)?)?).no_proxy();
        let state = Arc::new(State {
            upstream,
            client: client.build()?,
            silenced: watch::Sender::default(),
            ended: watch::Sender::default(),
            expiring: AtomicUsize::new(0),
            expired: AtomicUsize::new(0),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = tokio::spawn(serve(listener, state.clone()));
        Ok(Self { url, state, serving })
    }

    /// Watches that are open say nothing any more, nor do they end: as when a firewall forgets a connection.
    pub fn silence_watches(&self) {
        self.state.silenced.send_replace(());
    }

    /// Watches that are open end, and the next ones are told that what they ask for is too old.
    pub fn expire_watches(&self, next: usize) {
        self.state.expiring.store(next, Ordering::SeqCst);
        self.state.ended.send_replace(());
    }

    /// How many watches were told so.
    pub fn expired(&self) -> usize {
        self.state.expired.load(Ordering::SeqCst)
    }
}

fn decoded(base64: &str) -> Result<Vec<u8>> {
    use base64::Engine;
    Ok(base64::engine::general_purpose::STANDARD.decode(base64)?)
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = state.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let state = state.clone();
                async move { Ok::<_, Infallible>(state.answer(request).await.unwrap_or_else(|why| refused(&why))) }
            });
            // A client that goes away is no error of the relay's.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn refused(why: &anyhow::Error) -> Response<Relayed> {
    let mut answer = Response::new(Relayed::Here(Full::from(format!("{why:#}"))));
    *answer.status_mut() = StatusCode::BAD_GATEWAY;
    answer
}

impl State {
    async fn answer(&self, request: Request<Incoming>) -> Result<Response<Relayed>> {
        let watch = request.uri().query().is_some_and(|it| it.contains("watch=true"));
        let left = |it: usize| it.checked_sub(1);
        if watch && self.expiring.fetch_update(Ordering::SeqCst, Ordering::SeqCst, left).is_ok() {
            self.expired.fetch_add(1, Ordering::SeqCst);
            return Ok(Response::new(Relayed::Here(Full::from(EXPIRED))));
        }
        // Before the call, lest a watch that is told to end while it is opened goes on.
        let (silenced, mut ended) = (self.silenced.subscribe(), self.ended.subscribe());
        let (parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().context("a request without a path")?;
        let mut headers = parts.headers;
        headers.remove(http::header::HOST);
        let body = body.collect().await.map_err(|error| anyhow!(error))?.to_bytes();
        let asked =
            self.client.request(parts.method, format!("{}{path}", self.upstream.trim_end_matches('/')));
        let answer = Response::<reqwest::Body>::from(asked.headers(headers).body(body).send().await?);
        Ok(answer.map(|body| {
            if !watch {
                return Relayed::Through(body);
            }
            let ended = Box::pin(async move { ended.changed().await.unwrap_or_default() });
            Relayed::Watch { body, silenced, ended }
        }))
    }
}

/// The body of an answer.
enum Relayed {
    Here(Full<Bytes>),
    Through(reqwest::Body),
    Watch {
        body: reqwest::Body,
        silenced: watch::Receiver<()>,
        ended: Pin<Box<dyn Future<Output = ()> + Send>>,
    },
}

impl Body for Relayed {
    type Data = Bytes;
    type Error = reqwest::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, reqwest::Error>>> {
        match &mut *self {
            Self::Here(body) => Pin::new(body).poll_frame(context).map_err(|never| match never {}),
            Self::Through(body) => Pin::new(body).poll_frame(context),
            Self::Watch { body, silenced, ended } => {
                if ended.as_mut().poll(context).is_ready() {
                    Poll::Ready(None)
                } else if silenced.has_changed().unwrap_or(false) {
                    Poll::Pending // what the API server says is lost
                } else {
                    Pin::new(body).poll_frame(context)
                }
            }
        }
    }
}
