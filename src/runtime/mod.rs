//! Being a process: logs, hardening, probes, leadership, shutdown. It puts the engine and the providers together for each
//! term and waits for the end.

mod api_server;
mod endpoint;
mod health;
mod leader;
mod log;
mod process;
mod traces;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use futures::future::{BoxFuture, join_all};
use kube::Client;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use url::Url;

use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::engine::account::{self, AccountResource};
use crate::engine::clock::Clock;
use crate::engine::controller;
use crate::engine::term::Term;
use crate::engine::{Engine, Limits, stock};
use crate::metrics::Metrics;
use crate::providers::{self, Clouds, Proxy};
use crate::source::Operator;
use crate::source::cluster::Cluster;
use endpoint::Response;
use health::Pulse;
use http::StatusCode;
use leader::Candidate;
use traces::Traces;

/// How long running passes may take to finish after SIGTERM; the Lease is given up after that.
const GRACE: Duration = Duration::from_secs(17);

/// The form of what is scraped.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Forms of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Who the operator is.
#[derive(Clone)]
pub struct Identity {
    /// Its ServiceAccount, and the name of the installation, which is the Lease's too.
    pub operator: Operator,
    /// File with a token of that account for exchange in a cloud.
    pub token_file: PathBuf,
}

/// Where and how it runs.
pub struct Options {
    /// Who it is.
    pub identity: Identity,
    /// Whether other replicas may run, one of which leads.
    pub leader_elect: bool,
    /// Where probes are answered; nowhere unless set.
    pub health_address: Option<SocketAddr>,
    /// Where metrics are served; nowhere unless set.
    pub metrics_address: Option<SocketAddr>,
    /// Whether metrics tell the conditions of each object.
    pub object_conditions: bool,
    /// Whether every account counts as suspended.
    pub suspended: bool,
    /// By way of which the clouds are reached; directly unless set.
    pub proxy: Option<Proxy>,
    /// What every leader's engine is told.
    pub limits: Limits,
}

/// What is told of what it does, and where.
pub struct Telling {
    /// Form of the log lines.
    pub log_format: LogFormat,
    /// What is logged, as `tracing` filters.
    pub log_filter: String,
    /// Base URL of a collector of traces; none are made unless set.
    pub collector: Option<Url>,
}

/// Runs the operator until SIGTERM or SIGINT.
pub fn run(options: Options, telling: &Telling) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let traces = tell(telling, runtime.handle())?;
    process::tell_panics();
    process::harden()?;
    let ended = runtime.block_on(serve(options));
    if traces.is_some_and(|it| !it.end()) {
        tracing::info!("the last spans were not exported");
    }
    runtime.shutdown_timeout(Duration::from_secs(1)); // whatever hangs
    ended
}

/// From here on, logs are written and spans exported.
fn tell(telling: &Telling, runtime: &Handle) -> Result<Option<Traces>> {
    let Telling { log_format, log_filter, collector } = telling;
    let filter = EnvFilter::try_new(log_filter).context("the log filter cannot be read")?;
    let traces = collector.as_ref().map(|url| {
        Traces::to(url, runtime.clone()).with_context(|| format!("the OTLP endpoint {url} is of no use"))
    });
    let traces = traces.transpose()?;
    let exported = traces.as_ref().map(Traces::layer);
    tracing_subscriber::registry().with(log::layer(*log_format, filter)).with(exported).init();
    Ok(traces)
}

async fn serve(options: Options) -> Result<()> {
    let stop = CancellationToken::new();
    process::cancel_on_signal(stop.clone())?;
    let (pulse, metrics) = (Pulse::new(), Metrics::new(options.object_conditions));
    if let Some(address) = options.health_address {
        let pulse = pulse.clone();
        endpoint::serve(address, "probes", stop.clone(), move |path| health::answer(&pulse, path)).await?;
    }
    if let Some(address) = options.metrics_address {
        let metrics = metrics.clone();
        endpoint::serve(address, "metrics", stop.clone(), move |path| scrape(&metrics, path)).await?;
    }
    let client = api_server::client(pulse.clone(), metrics.clone()).await?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "certferry runs");
    if !options.leader_elect {
        pulse.leads(true);
        metrics.leads(true);
        lead(&options, &client, Term::endless(process::identity()), &metrics, &stop).await;
        return Ok(());
    }
    let Operator { service_account, installation } = &options.identity.operator;
    let mut candidate =
        Candidate::new(client.clone(), &service_account.namespace, installation.clone(), process::identity());
    while !stop.is_cancelled() {
        let term = tokio::select! {
            term = candidate.win() => term,
            () = stop.cancelled() => break,
        };
        pulse.leads(true);
        metrics.leads(true);
        tokio::select! {
            () = lead(&options, &client, term.clone(), &metrics, &stop) => {}
            () = candidate.keep(&term) => {} // whatever runs is dropped: it may not write any more
        }
        pulse.leads(false);
        metrics.leads(false);
        if stop.is_cancelled() {
            candidate.resign(&term).await;
        }
    }
    Ok(())
}

/// Does the operator's work for one term, until told to stop.
async fn lead(options: &Options, client: &Client, term: Term, metrics: &Metrics, stop: &CancellationToken) {
    let Identity { operator, token_file } = options.identity.clone();
    let cluster = Cluster::new(client.clone(), operator, token_file).suspended(options.suspended);
    let clouds = Arc::new(Clouds::new(term.clone(), metrics, options.proxy.as_ref()));
    let engine = Engine::leading(
        term,
        client.clone(),
        cluster,
        Clock::system(),
        process::hostname(),
        options.limits.clone(),
        metrics.clone(),
    );
    tokio::select! {
        () = take_stock(&engine) => {}
        () = stop.cancelled() => return,
    }
    let mut controllers: Vec<BoxFuture<'static, ()>> = vec![
        accounts::<CloudAccount>(&engine, &clouds, stop),
        accounts::<ClusterCloudAccount>(&engine, &clouds, stop),
    ];
    controllers.extend(providers::all().map(|it| it.run(engine.clone(), &clouds, stop.clone())));
    let running = join_all(controllers);
    tokio::pin!(running);
    tokio::select! {
        _ = &mut running => {}
        () = stop.cancelled() => {
            tracing::info!("shutting down; running passes are let finish");
            let _ = tokio::time::timeout(GRACE, running).await; // what has not finished is begun anew at the next start
        }
    }
}

/// What Prometheus asks for.
fn scrape(metrics: &Metrics, path: &str) -> Response {
    if path != "/metrics" {
        return Response::plain(StatusCode::NOT_FOUND, "there is /metrics");
    }
    match metrics.render() {
        Ok(text) => Response { status: StatusCode::OK, kind: OPEN_METRICS, text },
        Err(_) => Response::plain(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"),
    }
}

async fn take_stock(engine: &Engine) {
    let clouds = stock::clouds(engine).await;
    join_all(providers::all().map(|it| it.take_stock(engine, &clouds))).await;
}

fn accounts<K: AccountResource>(
    engine: &Arc<Engine>,
    clouds: &Arc<Clouds>,
    stop: &CancellationToken,
) -> BoxFuture<'static, ()> {
    let context = Arc::new(account::Context { engine: engine.clone(), clouds: clouds.clone() });
    let pass = move |key| {
        let context = context.clone();
        async move { account::reconcile::<K, Clouds>(&context, &key).await }
    };
    Box::pin(controller::run::<K, _>(engine.clone(), Some(K::KIND), stop.clone(), pass))
}
