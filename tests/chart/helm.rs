//! Both Helms, and what they render.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use certferry_rig::programs;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// The namespace that releases go to.
pub const NAMESPACE: &str = "certferry";

/// A Helm, with a home of its own.
pub struct Helm {
    program: PathBuf,
    home: TempDir,
    /// 3 or 4.
    pub major: u8,
    /// The cluster, if any.
    kubeconfig: Option<PathBuf>,
}

/// Helm 3 and Helm 4, each with that cluster, if any.
pub async fn both(kubeconfig: Option<&Path>) -> Result<[Helm; 2]> {
    let helm = |program, major| -> Result<Helm> {
        Ok(Helm { program, home: tempfile::tempdir()?, major, kubeconfig: kubeconfig.map(Path::to_owned) })
    };
    Ok([helm(programs::helm3().await?, 3)?, helm(programs::helm().await?, 4)?])
}

/// The charts: all of it, and the definitions alone.
pub const CHARTS: [&str; 2] = ["certferry", "certferry-crds"];

/// The folder of one of the charts.
pub fn folder(chart: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts").join(chart)
}

/// The folder of the chart that has all.
pub fn chart() -> PathBuf {
    folder("certferry")
}

/// A copy of a folder, in another.
pub fn copied(from: &Path, into: &Path) -> Result<()> {
    let done = std::process::Command::new("cp").arg("-r").args([from, into]).status()?;
    ensure!(done.success(), "{} is not copied", from.display());
    Ok(())
}

/// The files with values, by name, in order.
pub fn matrix() -> Result<Vec<PathBuf>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chart");
    let files = std::fs::read_dir(folder)?.map(|it| Ok(it?.path())).collect::<Result<Vec<_>>>()?;
    let mut values: Vec<_> =
        files.into_iter().filter(|it| it.extension().is_some_and(|it| it == "yaml")).collect();
    values.sort();
    ensure!(values.len() > 3, "the values have gone");
    Ok(values)
}

impl Helm {
    /// Runs it; what it prints, if it succeeds.
    pub async fn run(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(&self.program);
        command.args(args).env_clear().env("HOME", self.home.path()).kill_on_drop(true);
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        let done = command.output().await.context("running Helm")?;
        let told = String::from_utf8_lossy(&done.stderr);
        ensure!(done.status.success(), "helm {} {}: {told}", self.major, args.join(" "));
        Ok(String::from_utf8(done.stdout)?)
    }

    /// Renders the chart as the release `certferry`, with further arguments.
    pub async fn template(&self, args: &[&str]) -> Result<String> {
        self.template_as("certferry", args).await
    }

    /// Renders the chart as a release of that name.
    pub async fn template_as(&self, release: &str, args: &[&str]) -> Result<String> {
        self.template_of("certferry", release, args).await
    }

    /// Renders one of the charts as a release of that name.
    pub async fn template_of(&self, chart: &str, release: &str, args: &[&str]) -> Result<String> {
        let chart = folder(chart);
        let chart = chart.to_str().context("no UTF-8")?;
        let all = ["template", release, chart, "--namespace", NAMESPACE, "--kube-version", "1.36.3"];
        self.run(&[&all[..], args].concat()).await
    }
}

/// The objects of a rendered text.
pub fn objects(rendered: &str) -> Result<Vec<Value>> {
    let documents = serde_saphyr::from_multiple::<Value>(rendered)?;
    Ok(documents.into_iter().filter(|it| !it.is_null()).collect())
}

/// The one object of that kind and name.
pub fn find<'a>(objects: &'a [Value], kind: &str, name: &str) -> Option<&'a Value> {
    objects.iter().find(|it| it["kind"] == kind && it["metadata"]["name"] == name)
}
