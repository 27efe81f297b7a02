//! Being a process: logs, hardening, shutdown. It puts the engine and the providers together and waits for the end.

mod process;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::ValueEnum;
use futures::future::{BoxFuture, join_all};
use kube::{Client, Config};
use tokio_util::sync::CancellationToken;

use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::engine::account::{self, AccountResource};
use crate::engine::clock::Clock;
use crate::engine::controller;
use crate::engine::{Engine, stock};
use crate::providers::{self, Clouds};
use crate::source::cluster::{Cluster, ServiceAccount};
use crate::source::watch::WATCH_SECONDS;

/// How long running passes may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(20);

/// Forms of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

/// Who the operator is.
pub struct Identity {
    /// The ServiceAccount that it runs as.
    pub service_account: ServiceAccount,
    /// File with a token of it for exchange in a cloud.
    pub token_file: PathBuf,
}

/// Runs the operator until SIGTERM or SIGINT.
pub fn run(identity: Identity, log_format: LogFormat, log_filter: &str) -> Result<()> {
    process::log(log_format, log_filter)?;
    process::harden()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let ended = runtime.block_on(serve(identity));
    runtime.shutdown_timeout(Duration::from_secs(1)); // whatever hangs
    ended
}

async fn serve(identity: Identity) -> Result<()> {
    let stop = CancellationToken::new();
    process::cancel_on_signal(stop.clone())?;
    let client = client().await?;
    let cluster = Cluster::new(client.clone(), identity.service_account, identity.token_file);
    let engine = Engine::new(client, cluster, Clock::system(), process::hostname());
    let clouds = Arc::new(Clouds::default());
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "certferry runs");
    tokio::select! {
        () = take_stock(&engine) => {}
        () = stop.cancelled() => return Ok(()),
    }

    let mut controllers: Vec<BoxFuture<'static, ()>> = vec![
        accounts::<CloudAccount>(&engine, &clouds, &stop),
        accounts::<ClusterCloudAccount>(&engine, &clouds, &stop),
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
    Ok(())
}

async fn take_stock(engine: &Engine) {
    let clouds = stock::clouds(engine).await;
    join_all(providers::all().map(|it| it.take_stock(engine, &clouds))).await;
}

/// The API server, with limits: a call or a watch on a dead connection is noticed within a minute. Watches are opened
/// anew before the read limit.
async fn client() -> Result<Client> {
    let mut config =
        Config::infer().await.context("no Kubernetes configuration: set KUBECONFIG or run in a pod")?;
    config.connect_timeout = Some(Duration::from_secs(10));
    config.read_timeout = Some(Duration::from_secs(u64::from(WATCH_SECONDS) + 10));
    config.write_timeout = Some(Duration::from_secs(30));
    Client::try_from(config).context("the Kubernetes configuration cannot be used")
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
