//! What a release is called, where that is written in several places: versions, archives, images. Each place has its own
//! readers (Helm, krew, Artifact Hub, who verifies a signature), and none of them would tell of a difference before the
//! release is out. That actions are pinned is checked in `tests/structure`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::helm::{CHARTS, both, copied, folder, objects};

pub const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

fn yaml(path: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(&text(path)?)?)
}

fn about(chart: &str) -> Result<Value> {
    yaml(&format!("charts/{chart}/Chart.yaml"))
}

/// An annotation of a chart that is YAML itself.
fn annotation(about: &Value, name: &str) -> Result<Value> {
    let annotation = about["annotations"][format!("artifacthub.io/{name}")].as_str();
    Ok(serde_saphyr::from_str(annotation.with_context(|| format!("no {name}"))?)?)
}

fn release() -> Result<Value> {
    yaml(".github/workflows/release.yaml")
}

/// A text of the workflow with its expressions filled in; fails where one is left.
fn filled(template: &Value, values: &[(&str, &str)]) -> Result<String> {
    let template = template.as_str().with_context(|| format!("{template} is no text"))?;
    let filled = values.iter().fold(template.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{{ {name} }}}}"), value) // `${{ name }}`
    });
    ensure!(!filled.contains("${{"), "{filled} has an expression that no test knows");
    Ok(filled)
}

/// The step of a job that has this in that field.
fn step<'a>(release: &'a Value, job: &str, field: &str, part: &str) -> Result<&'a Value> {
    let steps = release["jobs"][job]["steps"].as_array().with_context(|| format!("no job {job}"))?;
    let step = steps.iter().find(|it| it[field].as_str().is_some_and(|it| it.contains(part)));
    step.with_context(|| format!("{job} has no step whose {field} has {part}"))
}

/// The project's name at its host, `owner/name`, and its owner. The charts' home says which it is.
fn repository() -> Result<(String, String)> {
    let about = about("certferry")?;
    let name = about["home"].as_str().and_then(|it| it.strip_prefix("https://github.com/"));
    let name = name.context("the chart has no home at GitHub")?;
    let (owner, _) = name.split_once('/').context("the home is no repository")?;
    Ok((name.to_owned(), owner.to_owned()))
}

/// Where the release pushes the image, and the charts.
pub fn registry() -> Result<(String, String)> {
    let (name, owner) = repository()?;
    let values = [("github.repository", name.as_str()), ("github.repository_owner", &owner)];
    let release = release()?;
    Ok((filled(&release["env"]["IMAGE"], &values)?, filled(&release["env"]["CHARTS"], &values)?))
}

#[test]
fn there_is_one_version() -> Result<()> {
    for chart in CHARTS {
        let about = about(chart)?;
        ensure!(about["version"] == VERSION && about["appVersion"] == VERSION, "{chart}: {about}");
    }
    let images = annotation(&about("certferry")?, "images")?;
    let image = images[0]["image"].as_str().context("no image")?;
    ensure!(image.rsplit_once(':').is_some_and(|(_, tag)| tag == VERSION), "images: {image}");

    // The tag fills it in, and the release begins by comparing the tag with all others.
    let krew = yaml("plugins/krew/certferry.yaml")?;
    ensure!(krew["spec"]["version"] == "VERSION", "the krew manifest has a version of its own");
    let compared = step(&release()?, "version", "run", "hack/release-notes \"${TAG#v}\"").map(drop);
    compared.context("the release does not compare its tag")?;

    let changelog = text("CHANGELOG.md")?;
    let headings = changelog.lines().filter_map(|it| it.strip_prefix("## [")?.split(']').next());
    let versions: Vec<_> = headings.filter(|it| *it != "Unreleased").collect();
    if versions.contains(&VERSION) {
        ensure!(versions[0] == VERSION, "the changelog has a newer version than {VERSION}: {versions:?}");
        let notes = Command::new(root().join("hack/release-notes")).arg(VERSION).output()?;
        ensure!(notes.status.success(), "{}", String::from_utf8_lossy(&notes.stderr));
    }
    Ok(())
}

#[test]
fn what_krew_offers_is_what_the_release_builds() -> Result<()> {
    let release = release()?;
    let plugin = &release["jobs"]["plugin"];
    let build = step(&release, "plugin", "run", "tar -czf")?;
    let built = plugin["strategy"]["matrix"]["include"].as_array().context("no matrix")?.iter().map(|it| {
        let platform = it["platform"].as_str().context("no platform")?;
        let values = [("github.ref_name", "VERSION"), ("matrix.platform", platform)];
        Ok((platform.to_owned(), filled(&build["env"]["ARCHIVE"], &values)?))
    });
    let built = built.collect::<Result<BTreeSet<_>>>()?;

    let krew = yaml("plugins/krew/certferry.yaml")?;
    let offered = krew["spec"]["platforms"].as_array().context("no platforms")?.iter().map(|it| {
        let labels = &it["selector"]["matchLabels"];
        let (os, arch) = labels["os"].as_str().zip(labels["arch"].as_str()).context("no selector")?;
        let archive =
            it["uri"].as_str().and_then(|it| it.strip_prefix("BASE_URL/releases/download/VERSION/"));
        let program = it["bin"].as_str().context("no program")?;
        let packed = build["run"].as_str().is_some_and(|it| it.contains(&format!("release\" {program}\n")));
        ensure!(packed, "the archive does not hold {program}");
        Ok((format!("{os}_{arch}"), archive.context("it comes from elsewhere")?.to_owned()))
    });
    let offered = offered.collect::<Result<BTreeSet<_>>>()?;
    ensure!(built == offered, "built or offered alone: {:?}", &built ^ &offered);
    Ok(())
}

/// Runs what the release does to a checkout before it packs a chart; the folder of that chart then.
fn as_released(checkout: &Path, image: &str) -> Result<PathBuf> {
    copied(&root().join("charts"), checkout)?;
    let release = release()?;
    let script = step(&release, "chart", "run", " package ")?["run"].as_str().context("no script")?;
    let edits: Vec<_> = script.lines().filter(|it| it.starts_with("sed ")).collect();
    let mut edit = Command::new("bash");
    edit.args(["-euc", &edits.join("\n")]).current_dir(checkout);
    ensure!(edit.env("IMAGE", image).env("VERSION", VERSION).status()?.success(), "{edits:?}");
    Ok(checkout.join("charts/certferry"))
}

#[tokio::test]
async fn the_released_chart_names_the_image_that_the_release_pushes() -> Result<()> {
    let (image, _) = registry()?;
    for image in [image.as_str(), "ghcr.io/somebody/else"] {
        names_what_is_pushed(image).await.with_context(|| image.to_owned())?;
    }
    Ok(())
}

async fn names_what_is_pushed(image: &str) -> Result<()> {
    let release = release()?;
    let build = step(&release, "image", "uses", "docker/build-push-action@")?;
    let values = [("env.IMAGE", image), ("needs.version.outputs.version", VERSION)];
    let pushed = filled(&build["with"]["tags"], &values)?;

    let checkout = tempfile::tempdir()?;
    let chart = as_released(checkout.path(), image)?;
    let about: Value = serde_saphyr::from_str(&fs::read_to_string(chart.join("Chart.yaml"))?)?;
    let images = annotation(&about, "images")?;
    ensure!(images == json!([{ "name": "certferry", "image": pushed }]), "{images} and not {pushed}");
    let chart = chart.to_str().context("no UTF-8")?;
    for helm in both(None).await? {
        let args = ["template", "certferry", chart, "--kube-version", "1.36.3", "--show-only"];
        let rendered = helm.run(&[&args[..], &["templates/deployment.yaml"]].concat()).await?;
        let pulled = &objects(&rendered)?[0]["spec"]["template"]["spec"]["containers"][0]["image"];
        ensure!(*pulled == pushed, "Helm {}: {pulled} and not {pushed}", helm.major);
    }
    Ok(())
}

#[test]
fn every_chart_is_released_and_the_documentation_verifies_what_is() -> Result<()> {
    let folders = fs::read_dir(root().join("charts"))?.map(|it| Ok(it?.file_name().into_string().ok()));
    let mut folders = folders.collect::<Result<Option<Vec<_>>>>()?.context("no UTF-8")?;
    folders.sort();
    let release = release()?;
    ensure!(release["jobs"]["chart"]["strategy"]["matrix"]["chart"] == json!(CHARTS), "a chart stays behind");
    ensure!(folders == CHARTS, "{folders:?}");

    let (image, charts) = registry()?;
    let told = text("docs/upgrading.md")?;
    let signed = CHARTS.map(|it| format!("{charts}/{it}"));
    for name in signed.iter().chain([&image]) {
        ensure!(
            told.contains(&format!("\ncosign verify {name}:$version ")),
            "nobody is told to verify {name}"
        );
    }
    Ok(())
}

#[test]
fn the_documentation_installs_the_released_charts() -> Result<()> {
    let (_, charts) = registry()?;
    for page in [
        "README.md",
        "docs/quick-start.md",
        "docs/installation.md",
        "charts/certferry/README.md",
        "charts/certferry-crds/README.md",
    ] {
        let text = text(page)?;
        let is_one = |it: &&str| it.starts_with("helm install ") || it.starts_with("helm upgrade ");
        let installs: Vec<_> = text.lines().filter(is_one).collect();
        ensure!(!installs.is_empty(), "{page} installs nothing");
        for install in installs {
            let mut words = install.split(' ').skip(1);
            let (verb, chart) = words.next().zip(words.next()).unwrap_or_default();
            let told = format!("helm {verb} {chart} oci://{charts}/{chart} --version {VERSION} ");
            ensure!(CHARTS.contains(&chart) && install.starts_with(&told), "{page}: {install}");
        }
    }
    Ok(())
}

#[test]
fn what_the_charts_refer_to_is_there() -> Result<()> {
    let (name, _) = repository()?;
    for chart in CHARTS {
        let about = about(chart)?;
        let home = format!("https://github.com/{name}");
        ensure!(about["home"] == home && about["sources"] == json!([home]), "{chart}: {about}");
        let icon = about["icon"].as_str().context("no icon")?;
        let file = icon.strip_prefix(&format!("https://raw.githubusercontent.com/{name}/main/"));
        ensure!(
            file.is_some_and(|it| root().join(it).is_file()),
            "{chart}: {icon} is not of this repository"
        );
    }
    let links = annotation(&about("certferry")?, "links")?;
    for link in links.as_array().context("no links")? {
        let url = link["url"].as_str().context("no URL")?;
        let page = url.strip_prefix(&format!("https://github.com/{name}/blob/main/"));
        ensure!(page.is_some_and(|it| root().join(it).is_file()), "{url} is no page of this repository");
    }
    let told = annotation(&about("certferry")?, "crds")?;
    ensure!(told == annotation(&about("certferry-crds")?, "crds")?, "the charts tell of other definitions");
    let told = told.as_array().context("no list")?.iter().map(|it| (it["kind"].clone(), it["name"].clone()));
    let mut told: Vec<_> = told.map(|(kind, name)| format!("{kind} {name}")).collect();
    told.sort();
    let files = fs::read_dir(folder("certferry").join("crd"))?.map(|it| {
        let crd: Value = serde_saphyr::from_str(&fs::read_to_string(it?.path())?)?;
        Ok(format!("{} {}", crd["spec"]["names"]["kind"], crd["metadata"]["name"]))
    });
    let mut there = files.collect::<Result<Vec<_>>>()?;
    there.sort();
    ensure!(told == there, "Artifact Hub is told of {told:?}, and there are {there:?}");
    Ok(())
}
