//! The connection to the API server: with limits, so that a dead one is noticed, and a pulse for the probes.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, Response};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::{Service, layer::layer_fn};

use super::health::Pulse;
use crate::metrics::Metrics;
use crate::source::watch::WATCH_SECONDS;

/// A client with limits: a call or a watch on a dead connection is noticed within a minute. Watches are opened anew
/// before the read limit.
pub async fn client(pulse: Pulse, metrics: Metrics) -> Result<Client> {
    let mut config =
        Config::infer().await.context("no Kubernetes configuration: set KUBECONFIG or run in a pod")?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_secs(u64::from(WATCH_SECONDS) + 10));
    config.write_timeout = Some(Duration::from_secs(30));
    let builder = ClientBuilder::try_from(config).context("the Kubernetes configuration cannot be used")?;
    let heard = layer_fn(move |inner| Heard { inner, pulse: pulse.clone(), metrics: metrics.clone() });
    Ok(builder.with_layer(&heard).build())
}

/// Tells the pulse and the metrics of every answer.
#[derive(Clone)]
struct Heard<S> {
    inner: S,
    pulse: Pulse,
    metrics: Metrics,
}

impl<S, B, C> Service<Request<B>> for Heard<S>
where
    S: Service<Request<B>, Response = Response<C>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<C>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let watch = request.uri().query().is_some_and(|it| it.contains("watch=true"));
        let method = request.method().clone();
        let (pulse, metrics) = (self.pulse.clone(), self.metrics.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            metrics.api_server(method.as_str(), answer.status().as_u16());
            pulse.beat(watch && answer.status().is_success());
            Ok(answer)
        })
    }
}
