//! The chart as an application of Argo CD, by its own engine: once synced it shows no difference, and pruning spares the
//! definitions.

use std::path::Path;

use anyhow::{Result, ensure};
use certferry_argocd::customizations;
use certferry_rig::control_plane::{ControlPlane, Options};
use certferry_rig::installation::Cluster;
use serde_json::{Value, json};

use crate::helm::{Helm, NAMESPACE, both, objects};
use crate::server::{NAMESPACES, furnish};

/// Values in which the definitions are left to another chart.
const APART: [&str; 2] = ["--set", "crds.enabled=false"];

struct Application<'a> {
    helm: &'a Helm,
    cluster: &'a Cluster,
    folder: tempfile::TempDir,
}

impl Application<'_> {
    /// The chart with these values, as one file.
    async fn rendered(&self, values: &[&str]) -> Result<(String, usize)> {
        let rendered = self.helm.template(values).await?;
        let file = self.folder.path().join("rendered.yaml");
        std::fs::write(&file, &rendered)?;
        Ok((file.to_string_lossy().into_owned(), objects(&rendered)?.len()))
    }

    /// What becomes of each object.
    async fn sync(&self, flags: &[&str], file: &str) -> Result<Vec<Value>> {
        let script = customizations().join("_/health.lua").to_string_lossy().into_owned();
        let args = [&["sync", "--namespace", NAMESPACE], flags, &[script.as_str(), file]].concat();
        Ok(self.cluster.gitops(&args, None).await?.as_array().cloned().unwrap_or_default())
    }

    /// Synced, it is as rendered, for each way to compare.
    async fn comes_to_rest(&self, values: &[&str]) -> Result<()> {
        let (file, count) = self.rendered(values).await?;
        let outcomes = self.sync(&["--prune", "--server-side"], &file).await?;
        let synced = outcomes.iter().filter(|it| it["status"] == "Synced").count();
        ensure!(synced == count, "{synced} of {count} objects: {outcomes:#?}");
        let differences = self.cluster.gitops(&["diff", "--namespace", NAMESPACE, &file], None).await?;
        ensure!(differences == json!([]), "out of sync: {differences:#}");
        Ok(())
    }

    /// What pruning does to the definitions when these values leave them out.
    async fn pruned(&self) -> Result<Vec<String>> {
        let (file, _) = self.rendered(&APART).await?;
        let outcomes = self.sync(&["--prune", "--server-side"], &file).await?;
        let definitions = outcomes.iter().filter(|it| it["kind"] == "CustomResourceDefinition");
        Ok(definitions.filter_map(|it| it["status"].as_str()).map(str::to_owned).collect())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_finds_no_difference_in_the_chart_and_spares_its_definitions() -> Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let cluster = Cluster::of(&plane)?;
    for namespace in NAMESPACES {
        cluster.kubectl(&["create", "namespace", namespace], None).await?;
    }
    furnish(&cluster).await?;
    let [_, helm] = both(None).await?;
    let application = Application { helm: &helm, cluster: &cluster, folder: tempfile::tempdir()? };
    application.comes_to_rest(&[]).await?;
    let spared = application.pruned().await?;
    ensure!(spared == ["PruneSkipped"; 6], "the definitions: {spared:?}");
    let everything = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/chart/everything.yaml");
    application.comes_to_rest(&["-f", &everything.to_string_lossy()]).await?;
    let (file, _) = application.rendered(&["--set", "crds.keep=false"]).await?;
    application.sync(&["--server-side"], &file).await?;
    let pruned = application.pruned().await?;
    ensure!(pruned == ["Pruned"; 6], "the definitions: {pruned:?}");
    plane.stop().await
}
