//! The API server as the operator's HTTP client reaches it: requests are counted and spoiled here.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use kube::client::Body;
use serde_json::{Value, json};
use tower::Service;

use crate::api_server::{ApiServer, Refused};
use crate::chaos::{KubeFault, Life, Point};
use crate::path::Path;

/// The longest that a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// What of a request counts.
pub(crate) struct Sent {
    pub(crate) content_type: String,
    pub(crate) metadata_only: bool,
    pub(crate) field_manager: bool,
    pub(crate) body: Bytes,
}

/// The server as one life of the operator reaches it.
#[derive(Clone)]
pub struct Reached {
    /// The server.
    pub server: ApiServer,
    /// Whose requests these are.
    pub life: Life,
}

impl Reached {
    async fn serve(self, request: Request<Body>) -> io::Result<Response<Full<Bytes>>> {
        let (parts, body) = request.into_parts();
        let header = |name| parts.headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
        let (content_type, accept) = (header("content-type").to_owned(), header("accept").to_owned());
        let (method, uri) = (parts.method.clone(), parts.uri.clone());
        let query = uri.query().unwrap_or_default().to_owned();
        if query.split('&').any(|it| matches!(it, "watch=true" | "watch=1")) || !self.life.lasts() {
            return std::future::pending().await;
        }
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        let metadata_only = accept.contains("as=PartialObjectMetadata");
        let sent = Sent { content_type, metadata_only, field_manager: query.contains("fieldManager="), body };
        let Some(path) = Path::of(uri.path()) else {
            return Ok(respond(refusal((404, "NotFound", format!("no such path: {}", uri.path())))));
        };
        let answer = |it: &Self| it.server.answer(&method, &path, &sent).unwrap_or_else(refusal);
        if metadata_only {
            return Ok(respond(answer(&self)));
        }
        let ruling = self.life.kube(&format!("{method} {}", uri.path()), method == Method::PATCH);
        self.life.meanwhile(ruling.acts).await;
        if ruling.crash == Some(Point::BeforeSend) {
            return self.life.die().await;
        }
        match ruling.fault {
            None => {}
            Some(KubeFault::Status(status)) => {
                return Ok(respond(refusal((status, "Injected", "injected".into()))));
            }
            Some(fault @ (KubeFault::TimeoutBefore | KubeFault::TimeoutAfter)) => {
                if fault == KubeFault::TimeoutAfter {
                    answer(&self);
                }
                tokio::time::sleep(PATIENCE).await;
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let answer = answer(&self);
        match ruling.crash {
            Some(Point::Unanswered) => return self.life.die().await,
            Some(Point::Answered) => self.life.doom(),
            Some(Point::BeforeSend) | None => {}
        }
        Ok(respond(answer))
    }
}

fn refusal((code, reason, message): Refused) -> (u16, Value) {
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "metadata": {}, "status": "Failure",
        "code": code, "reason": reason, "message": message,
    });
    (code, status)
}

fn respond((status, body): (u16, Value)) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

impl Service<Request<Body>> for Reached {
    type Response = Response<Full<Bytes>>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.clone().serve(request))
    }
}
