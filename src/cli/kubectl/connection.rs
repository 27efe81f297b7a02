//! The cluster that a command speaks to, and with whose rights.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};

use crate::cli::way::Way;
use crate::engine::clock::Clock;
use crate::engine::preview::Viewer;
use crate::providers::Clouds;
use crate::source::cluster::{Cluster, FetchError};
use crate::source::{Operator, ServiceAccount};

/// Which cluster, which namespace.
#[derive(Debug, clap::Args)]
pub(crate) struct Flags {
    /// The kubeconfig file; `KUBECONFIG` or `~/.kube/config` unless set, or the pod's own ServiceAccount.
    #[arg(long, global = true, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use.
    #[arg(long, global = true)]
    context: Option<String>,
    /// The namespace; the context's own unless set.
    #[arg(short, long, global = true)]
    namespace: Option<String>,
    /// Namespace that the operator runs in: there are the Secrets of ClusterCloudAccounts. `certferry` unless set, or the
    /// pod's own.
    #[arg(long, global = true, env = "CERTFERRY_OPERATOR_NAMESPACE", value_name = "NAMESPACE")]
    operator_namespace: Option<String>,
    /// ServiceAccount that the operator runs as; the installation's name unless set.
    #[arg(long, global = true, env = "CERTFERRY_OPERATOR_SERVICE_ACCOUNT", value_name = "NAME")]
    operator_service_account: Option<String>,
    /// The installation's name, with which its ClusterRoles begin.
    #[arg(
        long,
        global = true,
        env = "CERTFERRY_INSTALLATION",
        value_name = "NAME",
        default_value = "certferry"
    )]
    installation: String,
    #[command(flatten)]
    way: Way,
}

/// A cluster, seen with somebody's rights; and the clouds, to be read.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The namespace that is meant where none is named.
    pub(super) namespace: String,
    pub(super) viewer: Viewer,
    pub(super) clouds: Clouds,
}

impl Connection {
    pub(super) async fn open(flags: &Flags) -> Result<Self> {
        let (mut config, is_pod) = config(flags).await?;
        config.proxy_url = None; // it would be the environment's
        config.connect_timeout = Some(Duration::from_secs(10));
        config.read_timeout = Some(Duration::from_secs(60));
        let namespace = flags.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let home = if is_pod { config.default_namespace.as_str() } else { "certferry" };
        let home = flags.operator_namespace.as_deref().unwrap_or(home).to_owned();
        let client = Client::try_from(config).context("the Kubernetes configuration cannot be used")?;
        let installation = flags.installation.clone();
        let own = std::env::var("POD_SERVICE_ACCOUNT").ok().filter(|_| is_pod);
        let name = flags.operator_service_account.clone().or(own).unwrap_or_else(|| installation.clone());
        let service_account = ServiceAccount { namespace: home, name };
        let operator = Operator { service_account, installation };
        // In the operator's own pod its own token for exchange is at hand.
        let token_file = std::env::var_os("AZURE_FEDERATED_TOKEN_FILE").filter(|_| is_pod);
        let cluster = match token_file {
            Some(file) => Cluster::new(client.clone(), operator, file.into()),
            None => Cluster::of_a_person(client.clone(), operator),
        };
        let viewer = Viewer { client: client.clone(), cluster, clock: Clock::system() };
        Ok(Self { client, namespace, viewer, clouds: Clouds::for_reading(flags.way.proxy()?.as_ref()) })
    }
}

/// The configuration, and whether it is a pod's own.
async fn config(flags: &Flags) -> Result<(Config, bool)> {
    let options = KubeConfigOptions { context: flags.context.clone(), ..KubeConfigOptions::default() };
    if let Some(path) = &flags.kubeconfig {
        let cannot = || format!("cannot use {}", path.display());
        let read = Kubeconfig::read_from(path).with_context(cannot)?;
        return Ok((Config::from_custom_kubeconfig(read, &options).await.with_context(cannot)?, false));
    }
    match Config::from_kubeconfig(&options).await {
        Ok(config) => Ok((config, false)),
        Err(error) if flags.context.is_none() => match Config::incluster() {
            Ok(config) => Ok((config, true)),
            Err(_) => Err(error).context("no Kubernetes configuration: set KUBECONFIG or name --kubeconfig"),
        },
        Err(error) => Err(error).context("the kubeconfig cannot be used"),
    }
}

/// What the API server refused, in its own words: they name the right that is missing.
pub(super) fn refused(error: kube::Error) -> anyhow::Error {
    match error {
        kube::Error::Api(status) if status.code == 403 => anyhow!("a right is missing: {}", status.message),
        kube::Error::Api(status) => anyhow!("the API server answered: {}", status.message),
        error => anyhow::Error::new(error).context("the API server cannot be asked"),
    }
}

/// The same of something that was fetched.
pub(super) fn unfetched(error: FetchError) -> anyhow::Error {
    match error {
        FetchError::Invalid(invalid) => anyhow!("{}: {}", invalid.reason, invalid.message),
        FetchError::Api(error) => refused(error),
    }
}
