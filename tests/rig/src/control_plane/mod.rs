//! A real Kubernetes control plane: etcd, kube-apiserver and kube-controller-manager as processes on loopback ports,
//! with certificates and data in a temporary folder. There is no scheduler and no kubelet: pods stay Pending.

mod access;
mod audit;
mod certificates;
mod servers;

pub use access::client;
pub(crate) use access::run;
pub use audit::AuditEvent;
pub(crate) use audit::refusals;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{Api, Client, Config};
use tokio::sync::OnceCell;

use crate::folder::Folder;
use crate::process::Process;
use crate::{ports, programs};
use servers::Servers;

/// How long the servers may take to be ready. They need three seconds on an idle machine.
const READY_TIMEOUT: Duration = Duration::from_secs(60);

/// How long to pause between two looks at a server that starts.
const PAUSE: Duration = Duration::from_millis(50);

/// How long each server may take to end by itself. While clients watch, neither the API server nor etcd ends within many
/// seconds; then they are killed, which they survive: what etcd has written lies with the system.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What a test may want otherwise than usual.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Write an audit log of level Metadata, for [`ControlPlane::audit_events`].
    pub audit: bool,
    /// Further flags of kube-apiserver; of a flag given twice the last counts.
    pub apiserver_args: Vec<String>,
    /// Further flags of kube-controller-manager.
    pub controller_manager_args: Vec<String>,
}

/// A running control plane. Dropped, it ends and its folder goes.
pub struct ControlPlane {
    // In the order in which they end: an API server whose etcd has gone hangs at SIGTERM.
    pub controller_manager: Process,
    pub apiserver: Process,
    pub etcd: Process,
    servers: Servers,
    admin: Config,
    folder: Folder,
}

/// The plane that all tests of this test binary share, kept apart by namespaces. It writes an audit log.
///
/// Nobody can stop or restart it; a test that has to starts its own. Its processes and its folder go with the process
/// of the tests.
pub async fn shared() -> Result<&'static ControlPlane> {
    static SHARED: OnceCell<ControlPlane> = OnceCell::const_new();
    SHARED.get_or_try_init(|| ControlPlane::start(Options { audit: true, ..Options::default() })).await
}

impl ControlPlane {
    /// Starts a plane, and waits until its API server is ready and its controllers work.
    pub async fn start(options: Options) -> Result<Self> {
        match Self::start_once(options.clone()).await {
            // Somebody took one of the ports between the finding and the using of it.
            Err(error) if format!("{error:#}").contains("address already in use") => {
                Self::start_once(options).await
            }
            started => started,
        }
    }

    async fn start_once(options: Options) -> Result<Self> {
        let program = programs::control_plane().await?;
        let folder = Folder::new("control-plane")?;
        certificates::write(folder.path())?;
        let servers = Servers { program, folder: folder.path().to_owned(), ports: ports::free()?, options };
        servers.write_files()?;

        let mut etcd = servers.etcd()?;
        let mut apiserver = servers.apiserver()?;
        let admin = access::config(&servers.kubeconfig("admin")).await?;
        wait_ready(&admin, &mut apiserver, &mut etcd).await?;
        // Only now: it gives up after ten seconds without an API server.
        let controller_manager = servers.controller_manager()?;

        let mut plane = Self { controller_manager, apiserver, etcd, servers, admin, folder };
        plane.wait_for_controllers().await?;
        Ok(plane)
    }

    /// A client of the cluster's administrator. It belongs to the calling test's runtime; make a new one per test.
    pub fn admin(&self) -> Client {
        Client::try_from(self.admin.clone())
            .expect("the same configuration made a client when the plane started")
    }

    /// A kubeconfig of the cluster's administrator.
    pub fn admin_kubeconfig(&self) -> PathBuf {
        self.servers.kubeconfig("admin")
    }

    /// The URL of the API server.
    pub fn url(&self) -> String {
        self.servers.url()
    }

    /// The folder of its keys, data and logs.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The pids of the three servers.
    pub fn pids(&self) -> [u32; 3] {
        [self.controller_manager.pid(), self.apiserver.pid(), self.etcd.pid()]
    }

    /// What the API server was asked, oldest first. Needs [`Options::audit`].
    pub fn audit_events(&self) -> Result<Vec<AuditEvent>> {
        self.audit_events_from(0).map(|(events, _)| events)
    }

    /// The same from that byte of the log on, and the byte where the next events will stand.
    pub fn audit_events_from(&self, from: u64) -> Result<(Vec<AuditEvent>, u64)> {
        ensure!(self.servers.options.audit, "this plane writes no audit log: set Options::audit");
        audit::events(&self.servers.audit_log(), from)
    }

    /// The audit log, if it writes one.
    pub(crate) fn audit_log(&self) -> Option<PathBuf> {
        self.servers.options.audit.then(|| self.servers.audit_log())
    }

    /// Ends all servers, in the order that they can bear, and removes the folder.
    pub async fn stop(mut self) -> Result<()> {
        self.controller_manager.stop(STOP_GRACE).await?;
        self.stop_apiserver().await?;
        self.stop_etcd().await
    }

    pub async fn stop_apiserver(&mut self) -> Result<()> {
        self.apiserver.stop(STOP_GRACE).await.map(drop)
    }

    /// Starts the API server again, on its port, after it was stopped or killed, and waits until it is ready.
    pub async fn start_apiserver(&mut self) -> Result<()> {
        self.apiserver.stop(STOP_GRACE).await?;
        self.apiserver = self.servers.apiserver()?;
        wait_ready(&self.admin, &mut self.apiserver, &mut self.etcd).await
    }

    pub async fn restart_apiserver(&mut self) -> Result<()> {
        self.stop_apiserver().await?;
        self.start_apiserver().await
    }

    pub async fn stop_etcd(&mut self) -> Result<()> {
        self.etcd.stop(STOP_GRACE).await.map(drop)
    }

    /// Starts etcd again, on its ports and with its data, and waits until the API server, if it runs, is ready with it.
    pub async fn start_etcd(&mut self) -> Result<()> {
        self.etcd.stop(STOP_GRACE).await?;
        self.etcd = self.servers.etcd()?;
        if self.apiserver.exit_status()?.is_some() {
            return Ok(());
        }
        wait_ready(&self.admin, &mut self.apiserver, &mut self.etcd).await
    }

    pub async fn restart_etcd(&mut self) -> Result<()> {
        self.stop_etcd().await?;
        self.start_etcd().await
    }

    /// Waits for the first work of the controller manager, a ServiceAccount, without which no namespace is complete.
    async fn wait_for_controllers(&mut self) -> Result<()> {
        let accounts = Api::<ServiceAccount>::namespaced(self.admin(), "default");
        let deadline = Instant::now() + READY_TIMEOUT;
        while accounts.get_opt("default").await?.is_none() {
            self.controller_manager.ensure_running()?;
            ensure!(
                Instant::now() < deadline,
                "the controllers do not work after {READY_TIMEOUT:?}; the last lines of their log:\n{}",
                self.controller_manager.last_log_lines(20)
            );
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Waits until GET /readyz answers 200. An error has the last log lines of the server that failed.
async fn wait_ready(admin: &Config, apiserver: &mut Process, etcd: &mut Process) -> Result<()> {
    let deadline = Instant::now() + READY_TIMEOUT;
    let admin = Client::try_from(admin.clone())?;
    loop {
        etcd.ensure_running()?;
        apiserver.ensure_running()?;
        let request = http::Request::get("/readyz").body(Vec::new())?;
        // A look has a limit of its own: a server that hangs does not refuse.
        let seen = match tokio::time::timeout(Duration::from_secs(5), admin.request_text(request)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(refused)) => refused.to_string(),
            Err(elapsed) => elapsed.to_string(),
        };
        ensure!(
            Instant::now() < deadline,
            "kube-apiserver is not ready after {READY_TIMEOUT:?}: {seen}; its last lines:\n{}",
            apiserver.last_log_lines(20)
        );
        tokio::time::sleep(PAUSE).await;
    }
}
