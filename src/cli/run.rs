//! `certferry run`: the operator.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;

use crate::engine::Limits;
use crate::runtime::{self, Identity, LogFormat, Options};
use crate::source::ServiceAccount;

/// How the operator runs.
#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// Namespace that the operator runs in; the Secrets of ClusterCloudAccounts are read there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "certferry")]
    namespace: String,
    /// ServiceAccount that the operator runs as, for messages that say how to grant it something.
    #[arg(long, env = "POD_SERVICE_ACCOUNT", default_value = "certferry")]
    service_account: String,
    /// File with a projected token of that ServiceAccount, exchanged by accounts with `workloadIdentity` and no
    /// `serviceAccountRef`.
    #[arg(
        long,
        env = "AZURE_FEDERATED_TOKEN_FILE",
        default_value = "/var/run/secrets/azure/tokens/azure-identity-token"
    )]
    federated_token_file: PathBuf,
    /// Whether other replicas may run, one of which leads by the Lease `certferry` in the namespace.
    #[arg(long, default_value_t = true, action = clap::ArgAction::Set)]
    leader_elect: bool,
    /// Where `/healthz` and `/readyz` are answered, such as `[::]:8081`; nowhere unless set.
    #[arg(long)]
    health_address: Option<SocketAddr>,
    /// Where `/metrics` is served, such as `[::]:8080`; nowhere unless set.
    #[arg(long)]
    metrics_address: Option<SocketAddr>,
    /// How many remote certificates may be deleted within ten minutes; more wait for an annotation.
    #[arg(long, default_value_t = 10)]
    max_deletes: usize,
    /// Form of the log lines.
    #[arg(long, default_value = "json")]
    log_format: LogFormat,
    /// What is logged, as `tracing` filters.
    #[arg(long, env = "RUST_LOG", default_value = "info,typespec_client_core=warn,kube_runtime=warn")]
    log_filter: String,
}

/// Runs it until it is told to stop.
pub(super) fn operate(run: Run) -> Result<()> {
    let Run {
        namespace,
        service_account,
        federated_token_file,
        leader_elect,
        health_address,
        metrics_address,
        max_deletes,
        log_format,
        log_filter,
    } = run;
    let service_account = ServiceAccount { namespace, name: service_account };
    let identity = Identity { service_account, token_file: federated_token_file };
    let limits = Limits { max_deletes };
    let options = Options { identity, leader_elect, health_address, metrics_address, limits };
    runtime::run(options, log_format, &log_filter)
}
