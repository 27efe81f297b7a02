//! The command line.

mod reasons;
mod validate;

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use url::Url;

use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::api::crd;
use crate::engine::Limits;
use crate::providers;
use crate::runtime::{self, Identity, LogFormat, Options, Telling};
use crate::source::ServiceAccount;

/// Keeps certificates in cloud services equal to what Kubernetes manifests say.
#[derive(Debug, Parser)]
#[command(name = "certferry", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator.
    Run(Box<Run>),
    /// Prints the CustomResourceDefinitions, or writes a file for each.
    Crds {
        /// Folder to write `<plural>.yaml` files to.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Prints what each reason in a condition means, in Markdown.
    Reasons,
    /// Checks manifests without a cluster: schema, CEL rules, and what the operator would say at once.
    Validate {
        /// Manifest file, of one or more documents; `-` reads standard input. Documents of other groups are passed
        /// over.
        #[arg(short, long = "filename", required = true)]
        file: Vec<PathBuf>,
    },
}

/// How the operator runs.
#[derive(Debug, clap::Args)]
struct Run {
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
    /// Let metrics tell the conditions of each object, up to five series for each, and not only how many have which.
    #[arg(long)]
    object_conditions: bool,
    /// Base URL of an OpenTelemetry collector that takes traces by OTLP over HTTP, such as `http://collector:4318`; no
    /// traces unless set.
    #[arg(long, env = "OTEL_EXPORTER_OTLP_ENDPOINT")]
    otlp_endpoint: Option<Url>,
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

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Run(run) => operate(*run).map(|()| true),
        Command::Crds { dir } => crds(dir.as_deref()).map(|()| true),
        Command::Reasons => print_reasons().map(|()| true),
        Command::Validate { file } => validate::validate(&file),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "certferry: {error:#}"); // nobody left to tell
            ExitCode::from(2)
        }
    }
}

fn operate(run: Run) -> Result<()> {
    let Run {
        namespace,
        service_account,
        federated_token_file,
        leader_elect,
        health_address,
        metrics_address,
        object_conditions,
        otlp_endpoint,
        max_deletes,
        log_format,
        log_filter,
    } = run;
    let service_account = ServiceAccount { namespace, name: service_account };
    let identity = Identity { service_account, token_file: federated_token_file };
    let limits = Limits { max_deletes };
    let options =
        Options { identity, leader_elect, health_address, metrics_address, object_conditions, limits };
    runtime::run(options, &Telling { log_format, log_filter, collector: otlp_endpoint })
}

/// The definitions of all kinds.
fn definitions() -> Vec<CustomResourceDefinition> {
    let accounts = [crd::definition::<CloudAccount>(), crd::definition::<ClusterCloudAccount>()];
    accounts.into_iter().chain(providers::all().iter().map(|it| it.definition())).collect()
}

fn print_reasons() -> Result<()> {
    write!(std::io::stdout(), "{}", reasons::page()?).context("cannot write to standard output")
}

fn crds(dir: Option<&Path>) -> Result<()> {
    for definition in definitions() {
        let yaml = serde_saphyr::to_string(&definition).context("a definition cannot be written as YAML")?;
        match dir {
            Some(dir) => {
                let path = dir.join(format!("{}.yaml", definition.spec.names.plural));
                std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => writeln!(std::io::stdout(), "---\n{yaml}").context("cannot write to standard output")?,
        }
    }
    Ok(())
}
