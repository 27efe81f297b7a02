//! The three servers of a plane: which flags they take, and which files they read.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use super::certificates::write_private;
use super::{Options, access, audit};
use crate::process::Process;

/// The controllers that tests and users' manifests rely on. The rest would only use time.
const CONTROLLERS: &str = "namespace-controller,garbage-collector-controller,serviceaccount-controller,\
    serviceaccount-token-controller,root-ca-certificate-publisher-controller,clusterrole-aggregation-controller,\
    deployment-controller,replicaset-controller";

/// What is the same for every start and restart of a plane's servers.
pub(super) struct Servers {
    pub(super) program: PathBuf,
    pub(super) folder: PathBuf,
    /// Of the API server, the controller manager, etcd's clients, etcd's peers.
    pub(super) ports: [u16; 4],
    pub(super) options: Options,
}

impl Servers {
    /// The files that the servers read, but for the certificates.
    pub(super) fn write_files(&self) -> Result<()> {
        for user in ["admin", "controller-manager"] {
            let kubeconfig = access::with_certificate(&self.url(), &self.folder, user);
            write_private(&self.kubeconfig(user), &kubeconfig.to_string())?;
        }
        write_private(&self.audit_policy(), audit::POLICY)
    }

    pub(super) fn url(&self) -> String {
        let [apiserver, ..] = self.ports;
        format!("https://127.0.0.1:{apiserver}")
    }

    pub(super) fn ca(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    pub(super) fn kubeconfig(&self, user: &str) -> PathBuf {
        self.folder.join(user).with_extension("kubeconfig")
    }

    pub(super) fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    fn audit_policy(&self) -> PathBuf {
        self.folder.join("audit.yaml")
    }

    pub(super) fn etcd(&self) -> Result<Process> {
        let [_, _, clients, peers] = self.ports;
        let mut command = self.command("etcd");
        command.arg("-data-dir").arg(self.folder.join("etcd"));
        command.arg(format!("-listen-client-urls=http://127.0.0.1:{clients}"));
        command.arg(format!("-listen-peer-urls=http://127.0.0.1:{peers}"));
        self.spawn("etcd", command)
    }

    pub(super) fn apiserver(&self) -> Result<Process> {
        let [port, _, etcd, _] = self.ports;
        let folder = self.folder.display();
        let mut command = self.command("kube-apiserver");
        command.args([
            format!("--etcd-servers=http://127.0.0.1:{etcd}"),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".into(),
            "--advertise-address=127.0.0.1".into(),
            "--endpoint-reconciler-type=none".into(), // the others refuse a loopback address
            format!("--tls-cert-file={folder}/apiserver.crt"),
            format!("--tls-private-key-file={folder}/apiserver.key"),
            format!("--client-ca-file={folder}/ca.crt"),
            format!("--service-account-key-file={folder}/sa.key"),
            format!("--service-account-signing-key-file={folder}/sa.key"),
            "--service-account-issuer=https://kubernetes.default.svc".into(),
            "--service-cluster-ip-range=10.0.0.0/24".into(),
            "--authorization-mode=RBAC".into(),
            "--allow-privileged=true".into(),
            // One CA serves for clients and for the request header, so the names allowed in the latter must be given.
            format!("--requestheader-client-ca-file={folder}/ca.crt"),
            "--requestheader-allowed-names=front-proxy".into(),
            "--requestheader-username-headers=X-Remote-User".into(),
            "--requestheader-group-headers=X-Remote-Group".into(),
            "--requestheader-extra-headers-prefix=X-Remote-Extra-".into(),
        ]);
        if self.options.audit {
            command.arg("--audit-policy-file").arg(self.audit_policy());
            command.arg("--audit-log-path").arg(self.audit_log());
            command.arg("--audit-log-maxsize=4000"); // MB; what is rotated away would never have been asked
        }
        command.args(&self.options.apiserver_args);
        self.spawn("kube-apiserver", command)
    }

    pub(super) fn controller_manager(&self) -> Result<Process> {
        let [_, port, ..] = self.ports;
        let kubeconfig = self.kubeconfig("controller-manager");
        let mut command = self.command("kube-controller-manager");
        for flag in ["--kubeconfig", "--authentication-kubeconfig", "--authorization-kubeconfig"] {
            command.arg(flag).arg(&kubeconfig);
        }
        command.arg("--service-account-private-key-file").arg(self.folder.join("sa.key"));
        command.arg("--root-ca-file").arg(self.ca());
        command.args([
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".into(),
            "--leader-elect=false".into(),
            "--use-service-account-credentials=true".into(), // the RBAC roles are bound per controller
            format!("--controllers={CONTROLLERS}"),
        ]);
        command.args(&self.options.controller_manager_args);
        self.spawn("kube-controller-manager", command)
    }

    fn command(&self, subcommand: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg(subcommand).current_dir(&self.folder);
        command
    }

    fn spawn(&self, name: &str, command: Command) -> Result<Process> {
        Process::spawn(name, command, &self.folder.join(name).with_extension("log"))
    }
}
