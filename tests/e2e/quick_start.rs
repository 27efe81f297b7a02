//! The quick start, block by block, as somebody follows it: Helm, kubectl and openssl as written, with Azure's real names.
//! What stands for the cloud is an emulator behind a proxy, and for Helm's registry the chart of this checkout.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::Options;
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::installation::CLIENT_SECRET;
use certferry_rig::programs;
use certferry_rig::proxy::Proxy;
use certferry_rig::wait::eventually;
use reqwest::Url;
use serde_json::json;
use tokio::process::Command;

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::SOON;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/quick-start.md");
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/charts/certferry");
const RELEASED: &str = "oci://ghcr.io/certferry/charts/certferry --version 0.1.0";

/// Something to do.
#[derive(Debug)]
enum Block {
    Commands(String),
    Manifest(String),
}

fn blocks() -> Result<Vec<Block>> {
    let page = std::fs::read_to_string(PAGE)?;
    let blocks = page.split("\n```").skip(1).step_by(2).map(|it| {
        let (language, text) = it.split_once('\n').context("a block of one line")?;
        match language {
            "sh" => Ok(Block::Commands(text.to_owned())),
            "yaml" => Ok(Block::Manifest(text.to_owned())),
            other => anyhow::bail!("nobody here knows what a block of {other} is for"),
        }
    });
    blocks.collect()
}

/// Somebody's shell, with the programs that the page wants.
struct Shell {
    folder: tempfile::TempDir,
    kubeconfig: PathBuf,
}

impl Shell {
    async fn new(stage: &Stage) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let programs = [
            ("helm", programs::helm().await?.display().to_string()),
            ("kubectl", format!("{} kubectl", programs::control_plane().await?.display())),
            ("certferry", binary().display().to_string()),
        ];
        for (name, program) in programs {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\nexec {program} \"$@\"\n"))?;
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        Ok(Self { folder, kubeconfig: stage.plane.admin_kubeconfig() })
    }

    async fn run(&self, commands: &str) -> Result<String> {
        let mut shell = Command::new("bash");
        let path = format!("{}:{}", self.folder.path().display(), std::env::var("PATH")?);
        shell.args(["-euo", "pipefail", "-c", commands]).current_dir(self.folder.path()).env("PATH", path);
        shell.env("KUBECONFIG", &self.kubeconfig).env("HOME", self.folder.path()).stdin(Stdio::null());
        let done = shell.kill_on_drop(true).output().await?;
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "{commands}\n{told}");
        Ok(String::from_utf8(done.stdout)?)
    }

    async fn apply(&self, manifest: &str) -> Result<()> {
        let file = self.folder.path().join("manifest.yaml");
        std::fs::write(&file, manifest)?;
        self.run("certferry validate -f manifest.yaml && kubectl apply -f manifest.yaml").await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_the_quick_start_has_a_verified_certificate() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    let emulator = Emulator::start(emulator::Options::default()).await?;
    let port = Url::parse(&emulator.urls.control)?.port().context("no port")?;
    let proxy = Proxy::with(port).await?;
    let shell = Shell::new(&stage).await?;
    let mut operator = None;
    for block in blocks()? {
        match block {
            Block::Commands(it) if it.starts_with("helm install ") => {
                ensure!(it.contains(RELEASED), "another release is installed: {it}");
                shell.run(&it.replace(RELEASED, CHART)).await?;
                // The way to the emulator; a pod would have it from the chart's values.
                let way = format!("CERTFERRY_PROXY=http://127.0.0.1:{}", proxy.port);
                let trust = format!("SSL_CERT_FILE={}", emulator.urls.ca.display());
                shell
                    .run(&format!("kubectl -n certferry set env deployment/certferry {way} {trust}"))
                    .await?;
                operator = Some(stage.cluster.deployed_operator(binary()).await?);
            }
            Block::Commands(it) => shell.run(&it.replace('…', CLIENT_SECRET)).await.map(drop)?,
            Block::Manifest(it) => {
                shell.apply(&it).await?;
                let ready = "kubectl -n devices wait certferry --all --for=condition=Ready --timeout=90s";
                shell.run(ready).await?;
            }
        }
    }
    let held = emulator.control_get("hubs/hub-1/certificates/factory-root").await?;
    ensure!(held["isVerified"] == true, "{held}");
    ensure!(proxy.asked().contains("management.azure.com"), "{:?}", proxy.asked());
    let handled = "kubectl -n devices get iothubcertificate factory-root -o jsonpath='{.metadata.annotations.certferry\\.dev/sync-requested} {.status.lastHandledSyncRequest}'";
    eventually(SOON, "the request for a pass", async || {
        let told = shell.run(handled).await?;
        let (asked, done) = told.split_once(' ').context("nobody asked")?;
        ensure!(asked == done && !asked.is_empty(), "{told}");
        Ok(())
    })
    .await?;
    shell.run("kubectl -n devices delete iothubcertificate factory-root --timeout=60s").await?;
    ensure!(emulator.control_get("hubs/hub-1").await?["certificates"] == json!([]), "it stays");
    operator.context("nothing was installed")?.stop().await?;
    emulator.stop().await?;
    stage.plane.stop().await
}

#[test]
fn the_page_is_there() -> Result<()> {
    let (blocks, page) = (blocks()?, Path::new(PAGE));
    ensure!(blocks.len() > 6, "{}: {blocks:?}", page.display());
    Ok(())
}
