//! The connection to the API server: with limits, so that a dead one is noticed, and a pulse for probes and metrics.

use std::pin::Pin;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Request, Response};
use kube::client::ClientBuilder;
use kube::{Client, Config};
use tower::{Service, layer::layer_fn};

use super::health::Pulse;
use crate::api::GROUP;
use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::engine::controller::kind_of;
use crate::metrics::Metrics;
use crate::providers;
use crate::source::watch::WATCH_SECONDS;

/// A client with limits: a call or a watch on a dead connection is noticed within a minute. Watches are opened anew
/// before the read limit.
pub async fn client(pulse: Pulse, metrics: Metrics) -> Result<Client> {
    let mut config =
        Config::infer().await.context("no Kubernetes configuration: set KUBECONFIG or run in a pod")?;
    config.proxy_url = None; // it would be the environment's
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
        let watched = watch.then(|| kind_at(request.uri().path())).flatten();
        let method = request.method().clone();
        let (pulse, metrics) = (self.pulse.clone(), self.metrics.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await?;
            metrics.api_server(method.as_str(), answer.status().as_u16());
            pulse.beat(watch && answer.status().is_success());
            if let Some(kind) = watched.filter(|_| answer.status().is_success()) {
                metrics.watched(kind);
            }
            Ok(answer)
        })
    }
}

/// The kind of ours whose objects are at a path, such as
/// `/apis/certferry.dev/v1alpha1/namespaces/devices/iothubcertificates`.
fn kind_at(path: &str) -> Option<&'static str> {
    let of_ours = path.strip_prefix("/apis/")?.strip_prefix(GROUP)?.strip_prefix('/')?;
    let singular = of_ours.rsplit('/').next()?.strip_suffix('s')?;
    let accounts = [kind_of::<CloudAccount>(), kind_of::<ClusterCloudAccount>()];
    let mut kinds = providers::all().into_iter().map(|it| it.kind()).chain(accounts);
    kinds.find(|it| it.eq_ignore_ascii_case(singular))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_told_by_its_path() {
        for (path, kind) in [
            ("/apis/certferry.dev/v1alpha1/iothubcertificates", Some("IotHubCertificate")),
            ("/apis/certferry.dev/v1alpha1/namespaces/devices/cloudaccounts", Some("CloudAccount")),
            ("/apis/certferry.dev/v1alpha1/clustercloudaccounts", Some("ClusterCloudAccount")),
            ("/apis/certferry.dev/v1alpha1/others", None),
            ("/api/v1/namespaces/devices/secrets", None),
        ] {
            assert_eq!(kind_at(path), kind, "{path}");
        }
    }
}
