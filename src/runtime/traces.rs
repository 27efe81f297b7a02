//! Traces: the spans of passes and calls, exported by OTLP over HTTP. Spans are queued and sent by a thread of their own; a
//! collector that is slow or away costs spans, never a pass.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;
use tracing::level_filters::LevelFilter;
use tracing::{Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use url::Url;

use super::process;

/// How long one export may take.
const EXPORT: Duration = Duration::from_secs(10);

/// How long the last export may take when the process ends.
const LAST: Duration = Duration::from_secs(1);

/// The way of spans to a collector.
pub(super) struct Traces(SdkTracerProvider);

impl Traces {
    /// To the collector whose base URL this is, over connections of that runtime.
    pub(super) fn to(collector: &Url, runtime: Handle) -> Result<Self> {
        ensure!(matches!(collector.scheme(), "http" | "https"), "it must begin with http:// or https://");
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(EXPORT)
            .build()
            .context("no HTTP client for it can be made")?;
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Collector { client, runtime, away: AtomicBool::new(false) })
            .with_endpoint(format!("{}/v1/traces", collector.as_str().trim_end_matches('/')))
            .with_timeout(EXPORT)
            .build()
            .context("it cannot be exported to")?;
        let about = Resource::builder()
            .with_service_name("certferry")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", process::hostname().unwrap_or_default()),
            ])
            .build();
        Ok(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(about).build()))
    }

    /// Takes the operator's own spans, and no other library's: those may hold anything.
    pub(super) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let ours = |about: &Metadata<'_>| {
            about.target().starts_with(env!("CARGO_CRATE_NAME")) && *about.level() <= LevelFilter::INFO
        };
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer("certferry"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(ours))
    }

    /// Sends what is queued, within a second, and gives whether it got through. Blocks; the rest is lost.
    pub(super) fn end(self) -> bool {
        self.0.shutdown_with_timeout(LAST).is_ok()
    }
}

/// The collector, reached on our runtime from the thread that exports.
#[derive(Debug)]
struct Collector {
    client: reqwest::Client,
    runtime: Handle,
    /// Whether the last export failed: that is told once.
    away: AtomicBool,
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await });
        let answer = sent.await.map_err(HttpError::from).and_then(|it| it.map_err(HttpError::from));
        let fails = !answer.as_ref().is_ok_and(|it| it.status().is_success());
        if fails && !self.away.swap(true, Ordering::Relaxed) {
            let status = answer.as_ref().ok().map(|it| it.status().as_u16());
            tracing::warn!(status, "spans cannot be exported; they are dropped while that lasts");
        }
        if !fails {
            self.away.store(false, Ordering::Relaxed);
        }
        answer
    }
}

/// What a collector says beyond the status is of no use to us.
async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, reqwest::Error> {
    let answer = client.execute(request.try_into()?).await?;
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = answer.status();
    Ok(response)
}

#[cfg(test)]
mod tests;
