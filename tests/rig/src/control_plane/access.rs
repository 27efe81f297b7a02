//! Ways into the plane: kubeconfigs, clients, kubectl and Helm.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::ControlPlane;
use crate::programs;

/// A client with the rights of `kubeconfig`. It belongs to the runtime of the caller.
pub async fn client(kubeconfig: &Path) -> Result<Client> {
    Ok(Client::try_from(config(kubeconfig).await?)?)
}

pub(super) async fn config(kubeconfig: &Path) -> Result<Config> {
    let read = Kubeconfig::read_from(kubeconfig)?;
    let mut config = Config::from_custom_kubeconfig(read, &KubeConfigOptions::default()).await?;
    config.proxy_url = None; // which the environment may set; the plane is on loopback
    Ok(config)
}

/// A kubeconfig of `user`, whose certificate and key lie in `folder` beside the CA's.
pub(super) fn with_certificate(url: &str, folder: &Path, user: &str) -> Value {
    let pair = folder.join(user);
    let user = json!({
        "client-certificate": pair.with_extension("crt"),
        "client-key": pair.with_extension("key"),
    });
    kubeconfig(url, &folder.join("ca.crt"), "", user)
}

/// A kubeconfig as JSON, which is YAML too.
fn kubeconfig(url: &str, ca: &Path, namespace: &str, user: Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "plane", "cluster": {"server": url, "certificate-authority": ca}}],
        "users": [{"name": "user", "user": user}],
        "contexts": [{"name": "plane", "context": {"cluster": "plane", "user": "user", "namespace": namespace}}],
        "current-context": "plane",
    })
}

impl ControlPlane {
    /// A kubeconfig that holds only a token of the ServiceAccount, good for one hour. The ServiceAccount must exist.
    pub async fn kubeconfig_for(&self, service_account: &str, namespace: &str) -> Result<PathBuf> {
        let token = self.token_for(service_account, namespace, 3600).await?;
        let kubeconfig = kubeconfig(&self.url(), &self.servers.ca(), namespace, json!({"token": token}));
        // Each call makes another file, so that a program keeps the token that it was started with. Its mode is 0600.
        let mut file = tempfile::Builder::new()
            .prefix(&format!("{namespace}-{service_account}-"))
            .suffix(".kubeconfig")
            .tempfile_in(self.folder.path())?;
        file.write_all(kubeconfig.to_string().as_bytes())?;
        Ok(file.into_temp_path().keep()?) // goes with the folder
    }

    /// A token of the ServiceAccount. The API server gives none for less than 600 seconds.
    pub async fn token_for(&self, service_account: &str, namespace: &str, seconds: i64) -> Result<String> {
        let spec = TokenRequestSpec { expiration_seconds: Some(seconds), ..TokenRequestSpec::default() };
        let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
        let accounts = Api::<ServiceAccount>::namespaced(self.admin(), namespace);
        let answer = accounts.create_token_request(service_account, &PostParams::default(), &request).await;
        let answer =
            answer.with_context(|| format!("asking for a token of {namespace}/{service_account}"))?;
        answer.status.and_then(|status| status.token).context("the TokenRequest came back without a token")
    }

    /// Runs kubectl as the administrator. A failure of the command is in the output's status, not in the error.
    pub async fn kubectl(&self, args: &[&str], stdin: Option<&str>) -> Result<Output> {
        self.kubectl_as(&self.admin_kubeconfig(), args, stdin).await
    }

    /// Runs kubectl with the rights of `kubeconfig`.
    pub async fn kubectl_as(&self, kubeconfig: &Path, args: &[&str], stdin: Option<&str>) -> Result<Output> {
        let mut command = Command::new(&self.servers.program);
        command.arg("kubectl").args(args).env("KUBECONFIG", kubeconfig);
        // Its cache is keyed by the address, and another plane may have had this one.
        command.env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        run(command, stdin).await
    }

    /// Runs Helm as the administrator, with caches of its own.
    pub async fn helm(&self, args: &[&str], stdin: Option<&str>) -> Result<Output> {
        let mut command = Command::new(programs::helm().await?);
        command.args(args).env("KUBECONFIG", self.admin_kubeconfig());
        command.env("KUBECACHEDIR", self.folder.path().join("kubectl-cache"));
        for (variable, folder) in
            [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
        {
            command.env(variable, self.folder.path().join("helm").join(folder));
        }
        run(command, stdin).await
    }
}

pub(crate) async fn run(mut command: Command, stdin: Option<&str>) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let program = command.as_std().get_program().to_owned();
    let mut child = command.spawn().with_context(|| format!("starting {}", program.display()))?;
    let pipe = child.stdin.take().context("the child has no standard input")?;
    // Written beside the reading: a child that prints before it has read all would otherwise wait for us, and we for it.
    let (written, output) = tokio::join!(write(pipe, stdin.unwrap_or_default()), child.wait_with_output());
    written.with_context(|| format!("writing to {}", program.display()))?;
    output.with_context(|| format!("running {}", program.display()))
}

async fn write(mut pipe: tokio::process::ChildStdin, text: &str) -> std::io::Result<()> {
    match pipe.write_all(text.as_bytes()).await {
        // A child that ended without reading everything says why in its output.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
