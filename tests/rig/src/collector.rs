//! A collector of traces, which takes OTLP over HTTP and remembers the spans; or says nothing at all.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value;
pub use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running collector. It speaks plain HTTP on loopback. Dropped, it ends.
pub struct Collector {
    /// Its base URL.
    pub url: String,
    exports: Arc<Mutex<Vec<ExportTraceServiceRequest>>>,
    serving: JoinHandle<()>,
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

impl Collector {
    /// One that takes what it is sent.
    pub async fn start() -> Result<Self> {
        Self::serve(true).await
    }

    /// One that takes it and never answers.
    pub async fn silent() -> Result<Self> {
        Self::serve(false).await
    }

    async fn serve(answers: bool) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let exports = Arc::<Mutex<Vec<_>>>::default();
        let taken = exports.clone();
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(connection(stream, taken.clone(), answers));
            }
        });
        Ok(Self { url, exports, serving })
    }

    /// The spans so far, in the order in which they came.
    pub fn spans(&self) -> Vec<Span> {
        let exports = self.exports.lock().unwrap_or_else(PoisonError::into_inner);
        let scopes = exports.iter().flat_map(|it| &it.resource_spans).flat_map(|it| &it.scope_spans);
        scopes.flat_map(|it| it.spans.clone()).collect()
    }
}

/// An attribute's value, if it is a text.
pub fn attribute(span: &Span, key: &str) -> Option<String> {
    let found = span.attributes.iter().find(|it| it.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        any_value::Value::StringValue(text) => Some(text.clone()),
        _ => None,
    }
}

async fn connection(stream: TcpStream, exports: Arc<Mutex<Vec<ExportTraceServiceRequest>>>, answers: bool) {
    let service = service_fn(move |request| {
        let exports = exports.clone();
        async move {
            let status = match taken(request).await {
                Ok(export) => {
                    exports.lock().unwrap_or_else(PoisonError::into_inner).push(export);
                    StatusCode::OK
                }
                Err(_) => StatusCode::BAD_REQUEST,
            };
            if !answers {
                std::future::pending::<()>().await;
            }
            let mut answer = Response::new(Full::<Bytes>::default());
            *answer.status_mut() = status;
            Ok::<_, Infallible>(answer)
        }
    });
    let served = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    let _ = served.await; // the other side went away
}

async fn taken(request: Request<Incoming>) -> Result<ExportTraceServiceRequest> {
    let kind = request.headers().get("content-type").context("no content type")?;
    anyhow::ensure!(request.uri().path() == "/v1/traces" && kind == "application/x-protobuf");
    Ok(ExportTraceServiceRequest::decode(request.into_body().collect().await?.to_bytes())?)
}
