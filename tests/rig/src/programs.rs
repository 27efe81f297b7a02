//! Where the programs come from: the scripts in `hack/` for those of others, cargo for our own.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use tokio::process::Command;
use tokio::sync::Mutex;

/// What was found or built already, by what was asked for. Held while building, so that everything is built once.
static FOUND: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);

/// The program of `tests/control-plane`: etcd, kube-apiserver, kube-controller-manager and kubectl.
pub async fn control_plane() -> Result<PathBuf> {
    once("hack/control-plane", from_script("hack/control-plane", &[])).await
}

/// A Python that has the vendors' own clients.
pub async fn vendor_clients() -> Result<PathBuf> {
    once("hack/vendor-clients", from_script("hack/vendor-clients", &[])).await
}

/// Helm 4.
pub async fn helm() -> Result<PathBuf> {
    once("hack/helm", from_script("hack/helm", &[])).await
}

/// The program of `tests/gitops`: Argo CD's engine and kstatus.
pub async fn gitops() -> Result<PathBuf> {
    once("hack/gitops", from_script("hack/gitops", &[])).await
}

/// Helm 3.
pub async fn helm3() -> Result<PathBuf> {
    once("hack/helm3", from_script("hack/helm3", &[])).await
}

/// What tests alert rules.
pub async fn promtool() -> Result<PathBuf> {
    once("hack/promtool", from_script("hack/promtool", &[])).await
}

/// The folder of another project's CustomResourceDefinitions.
pub async fn definitions(project: &str) -> Result<PathBuf> {
    let script = "hack/definitions";
    once(&format!("{script} {project}"), from_script(script, &[project])).await
}

/// The binary `bin` of the workspace's `package`, built in the dev profile; or the path in the environment variable
/// `CERTFERRY_BIN_<BIN>` where it is set.
///
/// A package's own tests need no build: cargo gives them `env!("CARGO_BIN_EXE_<bin>")`.
pub async fn build(package: &str, bin: &str) -> Result<PathBuf> {
    let variable = format!("CERTFERRY_BIN_{}", bin.to_uppercase().replace('-', "_"));
    if let Some(path) = std::env::var_os(&variable) {
        return Ok(path.into());
    }
    once(&format!("{package}/{bin}"), from_cargo(bin)).await
}

async fn once(what: &str, find: impl Future<Output = Result<PathBuf>>) -> Result<PathBuf> {
    let mut found = FOUND.lock().await;
    if let Some(path) = found.get(what) {
        return Ok(path.clone());
    }
    let path = find.await.with_context(|| format!("looking for the program of {what}"))?;
    found.insert(what.to_owned(), path.clone());
    Ok(path)
}

async fn from_script(script: &str, args: &[&str]) -> Result<PathBuf> {
    let stdout = stdout_of(Command::new(workspace().join(script)).args(args)).await?;
    Ok(stdout.trim_end().into())
}

async fn from_cargo(bin: &str) -> Result<PathBuf> {
    // `CARGO` is set in tests and `cargo run`: the very cargo that built this.
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    // All of the workspace, as in `make demo`: for one package alone cargo would choose other features and build anew.
    cargo.args(["build", "--workspace", "--bins", "--message-format=json-render-diagnostics"]);
    executable(&stdout_of(&mut cargo).await?, bin)
        .with_context(|| format!("cargo names no executable for {bin}"))
}

/// The standard output of a command that must succeed. Its progress goes to our standard error.
async fn stdout_of(command: &mut Command) -> Result<String> {
    let program = command.as_std().get_program().to_owned();
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().await;
    let output = output.with_context(|| format!("running {}", program.display()))?;
    ensure!(output.status.success(), "{} ended with {}", program.display(), output.status);
    String::from_utf8(output.stdout).with_context(|| format!("reading what {} printed", program.display()))
}

/// The path that cargo's messages, one JSON object a line, give for the binary `bin`.
fn executable(messages: &str, bin: &str) -> Option<PathBuf> {
    #[derive(Deserialize)]
    struct Artifact {
        target: Target,
        executable: Option<PathBuf>,
    }
    #[derive(Deserialize)]
    struct Target {
        name: String,
    }
    // Messages of other kinds have another shape, and are passed over.
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    artifacts.filter(|artifact| artifact.target.name == bin).find_map(|artifact| artifact.executable)
}

/// The workspace that this crate was built in.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_executable_is_the_one_of_the_binary_asked_for() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"ferry"},"executable":null}
{"reason":"build-script-executed","package_id":"x"}
{"reason":"compiler-artifact","target":{"name":"other"},"executable":"/t/debug/other"}
{"reason":"compiler-artifact","target":{"name":"ferry"},"executable":"/t/debug/ferry"}
{"reason":"build-finished","success":true}"#;
        assert_eq!(executable(messages, "ferry"), Some("/t/debug/ferry".into()));
        assert_eq!(executable(messages, "missing"), None);
    }
}
