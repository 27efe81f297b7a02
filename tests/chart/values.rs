//! The values: what the schema says of them, and the table that tells of them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::helm::{CHARTS, both, folder};

/// Helm's own, for charts that depend on this one.
const HELMS: [&str; 2] = ["global", "enabled"];

fn schema(chart: &str) -> Result<Value> {
    Ok(serde_json::from_str(&fs::read_to_string(folder(chart).join("values.schema.json"))?)?)
}

/// The paths that a schema has, where its objects are ours: closed, and not one of `$defs`, which Kubernetes has.
fn of_schema(schema: &Value, path: &str, paths: &mut BTreeSet<String>) {
    for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match inner.get("properties") {
            Some(_) => of_schema(inner, &path, paths),
            None => drop(paths.insert(path)),
        }
    }
}

/// A value of `values.yaml` that has a comment: where, its default, and the comment.
struct Row {
    path: String,
    default: Value,
    comment: String,
}

/// The rows in the order of the file. A key with no comment above it is a group, or the inside of a value.
fn rows(chart: &str) -> Result<Vec<Row>> {
    let text = fs::read_to_string(folder(chart).join("values.yaml"))?;
    let defaults: Value = serde_saphyr::from_str(&text)?;
    let (mut rows, mut comment, mut groups) = (Vec::new(), String::new(), Vec::<(usize, String)>::new());
    for line in text.lines() {
        let bare = line.trim_start();
        let indent = line.len() - bare.len();
        if let Some(words) = bare.strip_prefix("# ") {
            comment = [comment.as_str(), words].join(" ").trim().to_owned();
            continue;
        }
        let Some((key, _)) = bare.split_once(':').filter(|(key, _)| key.chars().all(char::is_alphanumeric))
        else {
            comment.clear();
            continue;
        };
        groups.retain(|(at, _)| *at < indent);
        let parents = groups.iter().map(|(_, name)| name.as_str());
        let path = parents.chain([key]).collect::<Vec<_>>().join(".");
        groups.push((indent, key.to_owned()));
        if !comment.is_empty() {
            let default = defaults.pointer(&format!("/{}", path.replace('.', "/"))).context(path.clone())?;
            rows.push(Row { path, default: default.clone(), comment: std::mem::take(&mut comment) });
        }
    }
    Ok(rows)
}

#[test]
fn every_value_is_in_the_schema_and_every_property_among_the_values() -> Result<()> {
    for chart in CHARTS {
        let mut known = BTreeSet::new();
        of_schema(&schema(chart)?, "", &mut known);
        for helms in HELMS {
            ensure!(known.remove(helms), "the schema of {chart} does not let {helms} pass");
        }
        let told = rows(chart)?.into_iter().map(|it| it.path);
        let told: BTreeSet<_> = told.filter(|it| !it.starts_with("global.")).collect();
        ensure!(
            told == known,
            "{chart}: in one of values.yaml, with a comment, and the schema alone: {:?}",
            &told ^ &known
        );
    }
    Ok(())
}

#[test]
fn every_object_of_ours_is_closed() -> Result<()> {
    fn check(schema: &Value, path: &str) -> Result<()> {
        if schema.get("properties").is_some() {
            ensure!(schema["additionalProperties"] == false, "{path} lets anything pass");
        }
        for (key, inner) in schema["properties"].as_object().into_iter().flatten() {
            check(inner, &format!("{path}.{key}"))?;
        }
        Ok(())
    }
    CHARTS.iter().try_for_each(|chart| check(&schema(chart)?, chart))
}

#[test]
fn the_tables_of_values_are_in_step() -> Result<()> {
    CHARTS.iter().try_for_each(|chart| table_in_step(chart))
}

fn table_in_step(chart: &str) -> Result<()> {
    let path = folder(chart).join("README.md");
    let page = fs::read_to_string(&path)?;
    let (head, rest) = page.split_once("<!-- values -->\n").context("no mark where the table begins")?;
    let (_, tail) = rest.split_once("<!-- end -->\n").context("no mark where the table ends")?;
    let mut table = "\n| value | default | what it is |\n| --- | --- | --- |\n".to_owned();
    for Row { path, default, comment } in rows(chart)? {
        let comment = comment.replace('|', "\\|");
        writeln!(table, "| `{path}` | `{default}` | {comment} |")?;
    }
    let fresh = format!("{head}<!-- values -->\n{table}\n<!-- end -->\n{tail}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &fresh)?;
    }
    ensure!(
        fs::read_to_string(&path)? == fresh,
        "{chart}: the table is out of step with values.yaml: run make docs"
    );
    Ok(())
}

#[tokio::test]
async fn bad_values_are_refused() -> Result<()> {
    let helms = both(None).await?;
    for bad in [
        "replica=3",
        "replicas=-1",
        "replicas=two",
        "replicas=1.5",
        "maxDeletes=-1",
        "leaderElection.enabled=false",
        "leaderElection.enabled=false,replicas=1",
        "hostNetwork=true,hostUsers=false",
        "image.pullPolicy=Sometimes",
        "image.digest=latest",
        "image.digest=sha256:abc",
        "image.tag=a b",
        "image.registry=https://example.com",
        "image.repositry=x",
        "crds.keep=maybe",
        "crds.install=true",
        "fullnameOverride=Upper",
        "watchNamespaces=a",
        "watchNamespaces={A}",
        "watchNamespaces={a,a}",
        "watchNamespaces={\"a,b\"}",
        "sources.namespaces={*}",
        "sources.allNamespaces=sometimes",
        "outputs.allNamespaces=true",
        "workloadIdentity.audience=",
        "workloadIdentity.serviceAccounts[0].name=x",
        "workloadIdentity.serviceAccounts[0].name=x,workloadIdentity.serviceAccounts[0].namespace=a_b",
        "admissionPolicies.accountUse=true",
        "log.format=xml",
        "log.level=debug",
        "otlp.endpoint=collector:4317",
        "proxy.url=https://proxy:3128",
        "proxy.url=http://user:password@proxy:3128",
        "proxy.except={a b}",
        "metrics.port=0",
        "metrics.port=70000",
        "metrics.renderMode=Never",
        "metrics.podMonitor.interval=often",
        "metrics.prometheusRule.runbooks=docs/alerts.md",
        "networkPolicy.egressPorts={}",
        "podDisruptionBudget.maxUnavailable=0",
        "podDisruptionBudget.maxUnavailable=0%",
        "podDisruptionBudget.minAvailable=0",
        "podDisruptionBudget.minAvailable=100%",
        "runtimeClassName=gVisor",
        "caBundle.configMap=a,caBundle.secret=b",
        "caBundle.configMap=a,caBundle.key=../x",
        "caBundle.configMap=a,caBundle.key=",
        "caBundle.name=a",
        "strategy.type=BlueGreen",
        "terminationGracePeriodSeconds=5",
        "livenessProbe.httpGet.path=/x",
        "resources.request.cpu=1",
        "commonLabels.a=b c",
        "podLabels.a=true",
        "extraEnv[0].value=x",
        "extraArgs=--x",
        "topologySpreadConstraints[0].maxSkew=1",
    ] {
        for helm in &helms {
            let refused = helm.template(&["--set", bad]).await.err();
            let refused =
                refused.with_context(|| format!("{bad} is taken by Helm {}", helm.major))?.to_string();
            ensure!(refused.contains("values don't meet the specifications"), "{bad}: {refused}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn bad_values_of_the_definitions_are_refused() -> Result<()> {
    for helm in both(None).await? {
        for bad in
            ["keep=maybe", "enabled=1", "crds.keep=true", "annotations=a", "annotations.a=true", "replicas=2"]
        {
            let refused = helm.template_of("certferry-crds", "certferry", &["--set", bad]).await.err();
            let refused =
                refused.with_context(|| format!("{bad} is taken by Helm {}", helm.major))?.to_string();
            ensure!(refused.contains("values don't meet the specifications"), "{bad}: {refused}");
        }
    }
    Ok(())
}

/// A chart that depends on this one hands over `global`, and its own switch.
#[tokio::test]
async fn what_helm_hands_to_a_dependency_passes() -> Result<()> {
    for helm in both(None).await? {
        for chart in CHARTS {
            for set in ["global.x.y=z,enabled=true", "global=null", "global.imagePullSecrets={a}"] {
                helm.template_of(chart, "certferry", &["--set", set]).await?;
            }
        }
    }
    Ok(())
}
