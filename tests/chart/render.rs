//! What is rendered from which values.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::json;

use crate::helm::{self, Helm, both, chart, find, folder, matrix, objects};

/// What `lint --strict` says beside its frame: nothing, as all that it recommends is there.
async fn lint(helm: &Helm, chart: &str, more: &[&str]) -> Result<()> {
    let chart = folder(chart);
    let args = ["lint", "--strict", chart.to_str().context("no UTF-8")?, "--kube-version", "1.36.3"];
    let told = helm.run(&[&args[..], more].concat()).await?;
    ensure!(!["[INFO]", "[WARNING]", "[ERROR]"].iter().any(|it| told.contains(it)), "{more:?}: {told}");
    Ok(())
}

#[tokio::test]
async fn lint_has_nothing_to_say() -> Result<()> {
    for helm in both(None).await? {
        for values in matrix()? {
            lint(&helm, "certferry", &["-f", values.to_str().context("no UTF-8")?]).await?;
        }
        for keep in ["keep=true", "keep=false"] {
            lint(&helm, "certferry-crds", &["--set", keep]).await?;
        }
    }
    Ok(())
}

/// The definitions that a chart renders as the release `certferry`, each as its text.
async fn definitions(helm: &Helm, chart: &str, set: &str) -> Result<Vec<String>> {
    let rendered = helm.template_of(chart, "certferry", &["--set", set]).await?;
    let documents = rendered.split("---\n").map(|it| {
        // Where it comes from: in a comment of Helm's, and in the label that is the chart's by convention.
        let lines = it.lines().filter(|it| !it.starts_with("# Source: "));
        let lines = lines.map(|it| it.replace("helm.sh/chart: certferry-crds-", "helm.sh/chart: certferry-"));
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    });
    Ok(documents.filter(|it| it.contains("\nkind: CustomResourceDefinition\n")).collect())
}

#[tokio::test]
async fn both_charts_render_the_same_definitions() -> Result<()> {
    for helm in both(None).await? {
        for (all, alone) in [
            ("crds.keep=true", "keep=true"),
            ("crds.keep=false", "keep=false"),
            ("crds.annotations.a=b", "annotations.a=b"),
            ("crds.keep=false,crds.annotations.a=b", "keep=false,annotations.a=b"),
        ] {
            let of_all = definitions(&helm, "certferry", all).await?;
            ensure!(of_all.len() == 6, "{} definitions", of_all.len());
            ensure!(
                of_all == definitions(&helm, "certferry-crds", alone).await?,
                "Helm {}: {all}",
                helm.major
            );
        }
        let alone = objects(&helm.template_of("certferry-crds", "certferry", &[]).await?)?;
        ensure!(alone.iter().all(|it| it["kind"] == "CustomResourceDefinition"), "there is something else");
        ensure!(
            definitions(&helm, "certferry", "crds.enabled=false").await?.is_empty(),
            "definitions are left"
        );
    }
    Ok(())
}

/// Hooks, random values and look-ups make each rendering another, or need a cluster: GitOps would never come to rest.
#[tokio::test]
async fn the_same_values_give_the_same_bytes_and_no_hook() -> Result<()> {
    for values in matrix()? {
        let values = ["-f", values.to_str().context("no UTF-8")?];
        let mut seen = Vec::new();
        for helm in both(None).await? {
            let first = helm.template(&values).await?;
            ensure!(first == helm.template(&values).await?, "{values:?} with Helm {}", helm.major);
            ensure!(!first.contains("helm.sh/hook"), "{values:?}: a hook");
            seen.push(objects(&first)?);
        }
        ensure!(seen[0] == seen[1], "{values:?}: the two Helms do not agree");
    }
    Ok(())
}

/// `helm template` has no cluster to look anything up in: what is rendered there does not tell.
#[test]
fn no_template_looks_anything_up_or_goes_by_chance_or_time() -> Result<()> {
    const FUNCTIONS: [&str; 9] = [
        "lookup",
        "randAlphaNum",
        "randAlpha",
        "randBytes",
        "uuidv4",
        "genCA",
        "genSelfSignedCert",
        "now",
        "htpasswd",
    ];
    let mut seen = 0;
    for (path, text) in templates()? {
        for action in text.split("{{").skip(1).filter_map(|it| it.split("}}").next()) {
            let mut words = action.split(|it: char| !it.is_alphanumeric() && it != '.');
            let found = words.find(|it| FUNCTIONS.contains(it));
            ensure!(found.is_none(), "{}: {found:?} in {action}", path.display());
            seen += 1;
        }
    }
    ensure!(seen > 100, "only {seen} actions were found");
    Ok(())
}

/// All templates of both charts.
fn templates() -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut folders = ["certferry", "certferry-crds"].map(|it| folder(it).join("templates")).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.clone(), std::fs::read_to_string(path)?)),
            }
        }
    }
    Ok(found)
}

/// But for the definitions, which `crds/` has.
#[tokio::test]
async fn what_is_rendered_is_as_committed() -> Result<()> {
    let [_, helm] = both(None).await?;
    for values in matrix()? {
        let path = values.with_extension("rendered");
        let given = ["-f", values.to_str().context("no UTF-8")?, "--set", "crds.enabled=false"];
        let rendered = helm.template(&given).await?;
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &rendered)?;
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        ensure!(committed == rendered, "{}: look at the difference after UPDATE=1", path.display());
    }
    Ok(())
}

#[tokio::test]
async fn names_follow_the_release_and_are_never_too_long() -> Result<()> {
    let [_, helm] = both(None).await?;
    let longest = "r".repeat(53);
    for (release, set, name) in [
        ("certferry", "replicas=2", "certferry"),
        ("my-certferry", "replicas=2", "my-certferry"),
        ("east", "replicas=2", "east-certferry"),
        ("east", "nameOverride=ferry", "east-ferry"),
        ("east", "fullnameOverride=ferry", "ferry"),
        (longest.as_str(), "replicas=2", &longest[..50]),
    ] {
        let objects = objects(&helm.template_as(release, &["--set", set]).await?)?;
        let deployment = find(&objects, "Deployment", name).with_context(|| format!("{release} {set}"))?;
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let told = args.as_array().is_some_and(|it| it.contains(&json!(format!("--installation={name}"))));
        ensure!(told, "{release}: the operator does not know its name: {args}");
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            ensure!(name.len() <= 63, "{} {name}", object["kind"]);
        }
    }
    Ok(())
}

/// Which Secrets the operator may read by what is bound to it.
#[tokio::test]
async fn secrets_are_read_cluster_wide_only_when_asked_for() -> Result<()> {
    let [_, helm] = both(None).await?;
    let bound = async |args: &[&str], role: &str| -> Result<(usize, Vec<String>)> {
        let objects = objects(&helm.template(args).await?)?;
        let bindings = objects.iter().filter(|it| it["roleRef"]["name"] == role);
        let (cluster, single): (Vec<_>, Vec<_>) = bindings.partition(|it| it["kind"] == "ClusterRoleBinding");
        let places = single.iter().filter_map(|it| it["metadata"]["namespace"].as_str());
        Ok((cluster.len(), places.map(str::to_owned).collect()))
    };
    for (set, role, cluster, places) in [
        ("replicas=2", "certferry-sources", 0, &[helm::NAMESPACE][..]),
        ("sources.namespaces={a,b}", "certferry-sources", 0, &[helm::NAMESPACE, "a", "b"][..]),
        ("sources.allNamespaces=true", "certferry-sources", 1, &[][..]),
        ("replicas=2", "certferry-outputs", 0, &[][..]),
        ("outputs.namespaces={a}", "certferry-outputs", 0, &["a"][..]),
        ("replicas=2", "certferry-resources", 1, &[][..]),
        ("watchNamespaces={a,b}", "certferry-resources", 0, &["a", "b"][..]),
        ("rbac.create=false", "certferry-resources", 0, &[][..]),
    ] {
        let found = bound(&["--set", set], role).await?;
        ensure!(
            found == (cluster, places.iter().map(|it| (*it).to_owned()).collect()),
            "{set} {role}: {found:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn monitors_are_rendered_as_the_cluster_and_the_mode_say() -> Result<()> {
    let known = ["--api-versions", "monitoring.coreos.com/v1/PodMonitor"];
    for helm in both(None).await? {
        for (mode, there, rendered) in [
            ("Always", false, Some(true)),
            ("SkipIfMissing", false, Some(false)),
            ("SkipIfMissing", true, Some(true)),
            ("FailIfMissing", false, None),
            ("FailIfMissing", true, Some(true)),
        ] {
            let set = format!("metrics.podMonitor.enabled=true,metrics.renderMode={mode}");
            let mut args = vec!["--set", &set];
            args.extend(known.iter().filter(|_| there));
            let objects = helm.template(&args).await.and_then(|it| objects(&it));
            let found = objects.ok().map(|it| find(&it, "PodMonitor", "certferry").is_some());
            ensure!(found == rendered, "{mode}, {there}: {found:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_old_cluster_is_refused() -> Result<()> {
    let chart = chart();
    let chart = chart.to_str().context("no UTF-8")?;
    for helm in both(None).await? {
        let refused = helm.run(&["template", "certferry", chart, "--kube-version", "1.31.0"]).await;
        ensure!(refused.is_err_and(|it| it.to_string().contains("1.32")), "Helm {}", helm.major);
    }
    Ok(())
}
