//! `certferry run`: the operator.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Result;
use url::Url;

use super::way::Way;
use crate::engine::Limits;
use crate::engine::served::Served;
use crate::runtime::{self, Identity, LogFormat, Options, Telling};
use crate::source::{Operator, ServiceAccount};

/// How the operator runs.
#[derive(Debug, clap::Args)]
#[command(args_override_self = true)] // of an argument that the chart gives and `extraArgs` again, the last holds
pub(super) struct Run {
    /// Namespace that the operator runs in; the Secrets of ClusterCloudAccounts are read there.
    #[arg(long, env = "POD_NAMESPACE", default_value = "certferry")]
    namespace: String,
    /// ServiceAccount that the operator runs as, for messages that say how to grant it something.
    #[arg(long, env = "POD_SERVICE_ACCOUNT", default_value = "certferry")]
    service_account: String,
    /// Name of the installation, for several in one cluster: its Lease has this name, and the ClusterRoles that namespaces
    /// grant it are this with `-sources` and `-outputs`.
    #[arg(long, default_value = "certferry")]
    installation: String,
    /// File with a projected token of that ServiceAccount, exchanged by accounts with `workloadIdentity` and no
    /// `serviceAccountRef`.
    #[arg(
        long,
        env = "AZURE_FEDERATED_TOKEN_FILE",
        default_value = "/var/run/secrets/azure/tokens/azure-identity-token"
    )]
    federated_token_file: PathBuf,
    /// Namespaces whose resources are served, separated by commas; all of them unless set. The operator then needs no right
    /// in any other, except to read ClusterCloudAccounts and Namespaces.
    #[arg(long, env = "WATCH_NAMESPACES", value_delimiter = ',', value_parser = namespace_name)]
    watch_namespaces: Vec<String>,
    /// Whether other replicas may run, one of which leads by a Lease in the namespace.
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
    #[command(flatten)]
    way: Way,
    /// Call no cloud: every account counts as suspended, and deletions wait.
    #[arg(long)]
    suspend: bool,
    /// How many remote certificates may be deleted within ten minutes; more wait for an annotation.
    #[arg(long, default_value_t = 10)]
    max_deletes: usize,
    /// Form of the log lines.
    #[arg(long, default_value = "json")]
    log_format: LogFormat,
    /// What is logged, as `tracing` filters.
    #[arg(
        long,
        env = "RUST_LOG",
        default_value = "info,typespec_client_core=warn,kube_runtime=warn,kube_runtime::watcher=error"
    )]
    log_filter: String,
}

/// Runs it until it is told to stop.
pub(super) fn operate(run: Run) -> Result<()> {
    let Run {
        namespace,
        service_account,
        installation,
        federated_token_file,
        watch_namespaces,
        leader_elect,
        health_address,
        metrics_address,
        object_conditions,
        otlp_endpoint,
        way,
        suspend,
        max_deletes,
        log_format,
        log_filter,
    } = run;
    let operator =
        Operator { service_account: ServiceAccount { namespace, name: service_account }, installation };
    let identity = Identity { operator, token_file: federated_token_file };
    let limits = Limits { max_deletes, served: Served::namespaces(watch_namespaces) };
    let proxy = way.proxy()?;
    let options = Options {
        identity,
        leader_elect,
        health_address,
        metrics_address,
        object_conditions,
        suspended: suspend,
        proxy,
        limits,
    };
    runtime::run(options, &Telling { log_format, log_filter, collector: otlp_endpoint })
}

/// A name that a namespace can have. An empty one is a mistake, which must not come to mean all.
fn namespace_name(name: &str) -> Result<String, &'static str> {
    let alphanumeric = |it: Option<char>| it.is_some_and(|it| it.is_ascii_lowercase() || it.is_ascii_digit());
    let good = name.len() <= 63
        && name.chars().all(|it| it == '-' || alphanumeric(Some(it)))
        && alphanumeric(name.chars().next())
        && alphanumeric(name.chars().last());
    if good {
        Ok(name.to_owned())
    } else {
        Err("no namespace has such a name: give names separated by commas")
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(clap::Parser)]
    struct Cli {
        #[command(flatten)]
        run: Run,
    }

    #[test]
    fn of_an_argument_given_twice_the_last_holds() {
        let parsed = Cli::try_parse_from(["run", "--max-deletes=10", "--max-deletes=4"]).unwrap();
        assert_eq!(parsed.run.max_deletes, 4);
    }

    fn watched(value: &str) -> Option<Vec<String>> {
        let parsed = Cli::try_parse_from(["run", "--watch-namespaces", value]);
        parsed.ok().map(|it| it.run.watch_namespaces)
    }

    #[test]
    fn namespaces_are_named_or_refused() {
        assert_eq!(watched("team-a,b2"), Some(vec!["team-a".to_owned(), "b2".to_owned()]));
        for bad in ["", "a,,b", "a,", "A", "-a", "a-", "a b", "*", &"a".repeat(64)] {
            assert_eq!(watched(bad), None, "{bad}");
        }
    }
}
