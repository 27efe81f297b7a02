//! The manifests by which Argo CD and Flux install the operator and keep certificates: taken by the API server with those
//! projects' own definitions, and in step with the chart that they name.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::helm::{both, find, objects};
use crate::server::shared;
use crate::supply_chain::{VERSION, registry};

/// The manifests in these folders.
fn files(folders: &[&str]) -> Result<Vec<String>> {
    let mut files = Vec::new();
    for folder in folders {
        for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder))? {
            let name = entry?.file_name().into_string().ok().context("no UTF-8")?;
            files.extend(name.ends_with(".yaml").then(|| format!("{folder}/{name}")));
        }
    }
    ensure!(files.len() > 4, "only {files:?}");
    Ok(files)
}

fn manifests(path: &str) -> Result<(String, Vec<Value>)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path))?;
    let manifests = objects(&text).with_context(|| path.to_owned())?;
    Ok((text, manifests))
}

#[tokio::test(flavor = "multi_thread")]
async fn argo_cd_and_flux_take_their_manifests() -> Result<()> {
    let cluster = shared().await?;
    for path in files(&["argocd", "flux"])? {
        let (text, manifests) = manifests(&path)?;
        let args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        let told = cluster.kubectl(&args, Some(&text)).await.with_context(|| path.to_owned())?;
        ensure!(!manifests.is_empty() && told.lines().count() == manifests.len(), "{path}: {told}");
    }
    Ok(())
}

#[tokio::test]
async fn they_install_the_released_chart_with_values_that_it_knows() -> Result<()> {
    let (_, charts) = registry()?;
    let (_, argo) = manifests("argocd/operator.yaml")?;
    let source = &argo[0]["spec"]["source"];
    ensure!(source["repoURL"] == charts && source["chart"] == "certferry", "{source}");
    ensure!(source["targetRevision"] == VERSION, "{source}");

    let (_, flux) = manifests("flux/operator.yaml")?;
    let repository = find(&flux, "OCIRepository", "certferry").context("no repository")?;
    ensure!(repository["spec"]["url"] == format!("oci://{charts}/certferry"), "{repository}");
    let (major, minor) = VERSION
        .split_once('.')
        .and_then(|(major, rest)| Some((major, rest.split_once('.')?.0)))
        .context("a version")?;
    let next: u32 = minor.parse::<u32>()? + 1;
    let range = format!(">={VERSION} <{major}.{next}.0"); // a minor version may ask for changes, before 1.0
    ensure!(repository["spec"]["ref"]["semver"] == range, "{repository} and not {range}");
    let release = find(&flux, "HelmRelease", "certferry").context("no release")?;
    ensure!(release["spec"]["chartRef"]["name"] == "certferry", "{release}");

    let folder = tempfile::tempdir()?;
    let file = folder.path().join("values.json");
    for values in [&source["helm"]["valuesObject"], &release["spec"]["values"]] {
        ensure!(values.is_object(), "no values: {values}");
        fs::write(&file, values.to_string())?;
        for helm in both(None).await? {
            let file = file.to_str().context("no UTF-8")?;
            let monitored = ["--api-versions", "monitoring.coreos.com/v1/PodMonitor"];
            let rendered = objects(&helm.template(&["-f", file]).await?)?;
            ensure!(
                !rendered.is_empty() && find(&rendered, "PodMonitor", "certferry").is_none(),
                "a monitor"
            );
            let rendered = objects(&helm.template(&[&["-f", file], &monitored[..]].concat()).await?)?;
            ensure!(find(&rendered, "PodMonitor", "certferry").is_some(), "no monitor");
        }
    }
    Ok(())
}
