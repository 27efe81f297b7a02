//! The emulator of the clouds, as a process, and its control endpoint.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::{Certificate, Client, Method, Url};
use serde::Deserialize;
use serde_json::Value;

use crate::folder::Folder;
use crate::process::Process;
use crate::programs;
use crate::wait::eventually;

const READY_TIMEOUT: Duration = Duration::from_secs(30);

/// How long it may take to end by itself. It promises a second.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// How long one request to it may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The emulator's program; without it the workspace's own is built.
    pub binary: Option<PathBuf>,
    /// A file with the world to begin with; without it the emulator's documented one.
    pub world: Option<PathBuf>,
    /// Whether it keeps nothing on disk, which takes long of a large world; then a restart begins anew.
    pub forgets: bool,
    /// Further arguments.
    pub args: Vec<String>,
}

/// What the emulator says of itself when it is ready.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Urls {
    /// The file with the CA certificate to trust.
    pub ca: PathBuf,
    pub login: String,
    pub arm: String,
    pub imds: String,
    /// With `{vault}` in it: see [`Urls::vault`].
    pub vault: String,
    pub iam: String,
    pub sts: String,
    pub pod_identity: String,
    /// With `{instance}` in it.
    pub iotda: String,
    /// The host that instances of the basic edition share.
    pub iotda_basic: String,
    pub control: String,
}

impl Urls {
    /// The URL of the Key Vault called `name`.
    pub fn vault(&self, name: &str) -> String {
        self.vault.replace("{vault}", name)
    }
}

/// A running emulator. Dropped, it ends, and its folder goes.
pub struct Emulator {
    pub process: Process,
    pub urls: Urls,
    binary: PathBuf,
    options: Options,
    folder: Folder,
}

impl Emulator {
    /// Starts an emulator on a free port.
    pub async fn start(options: Options) -> Result<Self> {
        let binary = match &options.binary {
            Some(binary) => binary.clone(),
            None => programs::build("emulator", "emulator").await?,
        };
        let folder = Folder::new("emulator")?;
        let (process, urls) = spawn(&binary, folder.path(), &options, 0).await?;
        Ok(Self { process, urls, binary, options, folder })
    }

    /// Ends the emulator and starts it again on the same port and with the same folder, where its CA is.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.stop(STOP_GRACE).await?;
        let port = Url::parse(&self.urls.control)?.port().context("the control URL has no port")?;
        (self.process, self.urls) = spawn(&self.binary, self.folder.path(), &self.options, port).await?;
        Ok(())
    }

    /// Ends the emulator and removes its folder.
    pub async fn stop(mut self) -> Result<()> {
        self.process.stop(STOP_GRACE).await.map(drop)
    }

    /// Asks the control endpoint; `path` follows the URL `control`. An answer without a body is `null`.
    pub async fn control_get(&self, path: &str) -> Result<Value> {
        self.control(Method::GET, path, None).await
    }

    /// Tells the control endpoint.
    pub async fn control_post(&self, path: &str, body: &Value) -> Result<Value> {
        self.control(Method::POST, path, Some(body)).await
    }

    /// Any other request to the control endpoint.
    pub async fn control(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}/{}", self.urls.control.trim_end_matches('/'), path.trim_start_matches('/'));
        let mut request = self.client()?.request(method.clone(), &url);
        if let Some(body) = body {
            request = request.json(body);
        }
        let asked = || format!("{method} {url}");
        let answer = request.send().await.with_context(asked)?;
        let status = answer.status();
        let text = answer.text().await.with_context(asked)?;
        ensure!(status.is_success(), "{method} {url} answered {status}: {text}");
        if text.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_str(&text).with_context(|| format!("{method} {url} answered {text}"))
    }

    /// A client that trusts the emulator's CA alone and finds every name at the emulator. Its connections belong to the
    /// caller's runtime; make a new one per test.
    pub fn client(&self) -> Result<Client> {
        let ca = fs::read(&self.urls.ca).with_context(|| format!("reading {}", self.urls.ca.display()))?;
        let client = Client::builder()
            .tls_certs_only(Certificate::from_pem_bundle(&ca)?)
            .dns_resolver(Loopback)
            .no_proxy()
            .timeout(REQUEST_TIMEOUT);
        client.build().context("making an HTTP client")
    }
}

async fn spawn(binary: &Path, folder: &Path, options: &Options, port: u16) -> Result<(Process, Urls)> {
    let mut command = Command::new(binary);
    command.current_dir(folder);
    command.arg("--listen").arg(format!("127.0.0.1:{port}"));
    if !options.forgets {
        command.arg("--dir").arg(folder.join("data"));
    }
    if let Some(world) = &options.world {
        command.arg("--world").arg(world);
    }
    command.args(&options.args);

    let stdout = folder.join("emulator.json");
    let process = Process::spawn_apart("emulator", command, &folder.join("emulator.log"), &stdout)?;
    let mut process = process.end_with_us()?;
    let ready = eventually(READY_TIMEOUT, "the emulator prints its line", async || {
        let printed = fs::read_to_string(&stdout)?;
        if printed.ends_with('\n') {
            return Ok(Some(printed));
        }
        let ended = process.exit_status()?.is_some();
        ensure!(ended, "it runs, and printed {printed:?}");
        Ok(None)
    });
    let Some(line) = ready.await.with_context(|| process.last_log_lines(20))? else {
        process.ensure_running()?;
        bail!("the emulator ended without a line");
    };
    let urls =
        serde_json::from_str(&line).with_context(|| format!("reading what the emulator printed: {line}"))?;
    Ok((process, urls))
}

/// Finds every name at the loopback address: libc often finds none below `localhost`. The port is the URL's.
struct Loopback;

impl Resolve for Loopback {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(std::iter::once(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
        Box::pin(std::future::ready(Ok(addresses)))
    }
}
