//! What the chart installs besides the operator.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::programs;
use serde_json::Value;
use tokio::process::Command;

use crate::metrics::{Documented, documented};

fn read(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The words of an expression, other than those within quotation marks.
fn words(expression: &str) -> impl Iterator<Item = &str> {
    let unquoted = expression.split('"').step_by(2);
    unquoted.flat_map(|it| it.split(|it: char| !it.is_ascii_alphanumeric() && it != '_'))
}

/// What stands between any `open` and the next `close`.
fn within<'a>(expression: &'a str, open: &'a str, close: char) -> impl Iterator<Item = &'a str> {
    expression.split(open).skip(1).filter_map(move |it| it.split(close).next())
}

/// The labels that an expression goes by.
fn labels(expression: &str) -> Vec<&str> {
    let matched = within(expression, "{", '}').flat_map(words);
    let grouped = within(expression, "by (", ')').flat_map(words);
    matched.chain(grouped).filter(|it| !it.is_empty()).collect()
}

/// An expression goes by metrics that exist, and by labels that these have.
fn is_about_what_exists(expression: &str, documented: &Documented) -> Result<()> {
    let ours = ["certferry_", "controller_runtime_", "rest_client_", "leader_election_", "workqueue_"];
    // Of every scrape: the bucket of a histogram, and what Prometheus adds of the target.
    let mut known = vec!["le", "pod"];
    let named: Vec<_> = words(expression).filter(|it| ours.iter().any(|of| it.starts_with(of))).collect();
    ensure!(!named.is_empty(), "{expression} goes by no metric of ours");
    for name in named {
        let base = ["_bucket", "_count", "_sum"].iter().find_map(|it| name.strip_suffix(it));
        let found = documented.get(name).or_else(|| documented.get(base?));
        let found = found.with_context(|| format!("{expression}: {name} does not exist"))?;
        known.extend(found.iter().map(String::as_str));
    }
    for label in labels(expression) {
        ensure!(known.contains(&label), "{expression}: there is no label {label}");
    }
    Ok(())
}

#[test]
fn what_does_not_exist_is_noticed() -> Result<()> {
    let documented = documented()?;
    for (expression, exists) in [
        ("rate(certferry_cloud_request_duration_seconds_bucket[5m])", true),
        (r#"sum by (le, kind) (certferry_resource_condition{type="Ready", status!="True"})"#, true),
        ("certferry_resource_conditions", false),
        ("sum by (namespace) (certferry_resource_condition)", false),
        (r#"certferry_resource_condition{state="Ready"}"#, false),
        ("up", false),
    ] {
        ensure!(is_about_what_exists(expression, &documented).is_ok() == exists, "{expression}");
    }
    Ok(())
}

#[test]
fn every_alert_goes_by_metrics_that_exist_and_has_a_runbook() -> Result<()> {
    let rules: Value = serde_saphyr::from_str(&read("charts/certferry/alerts.yaml")?)?;
    let (documented, runbooks) = (documented()?, read("docs/alerts.md")?);
    let rules = rules["groups"][0]["rules"].as_array().context("no rules")?;
    for rule in rules {
        let (name, expression) = (rule["alert"].as_str(), rule["expr"].as_str());
        let (name, expression) = (name.context("no name")?, expression.context("no expression")?);
        is_about_what_exists(expression, &documented).context(name.to_owned())?;
        ensure!(runbooks.contains(&format!("\n## {name}\n")), "{name} has no runbook");
    }
    let runbooks = runbooks.lines().filter(|it| it.starts_with("## ")).count();
    ensure!(runbooks == rules.len(), "{runbooks} runbooks for {} alerts", rules.len());
    Ok(())
}

#[test]
fn every_panel_of_the_dashboard_shows_metrics_that_exist() -> Result<()> {
    let dashboard: Value = serde_json::from_str(&read("charts/certferry/dashboard.json")?)?;
    let documented = documented()?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let mut shown = String::new();
    let mut ids = std::collections::BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().context("a panel without a title")?;
        ensure!(ids.insert(panel["id"].as_u64()), "{title}: its id is another's too");
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        ensure!(targets.is_empty() == (panel["type"] == "row"), "{title} shows nothing");
        for target in targets {
            let expression = target["expr"].as_str().context("no expression")?;
            is_about_what_exists(expression, &documented).context(title.to_owned())?;
            shown += expression;
        }
    }
    // The count of conditions is shown; of each object it is told only where asked.
    let unseen = documented.keys().filter(|it| !shown.contains(it.as_str()));
    let unseen: Vec<_> = unseen.filter(|it| *it != "certferry_object_condition").collect();
    ensure!(unseen.is_empty(), "the dashboard does not show {unseen:?}");
    Ok(())
}

#[tokio::test]
async fn the_dashboard_reaches_grafana_unchanged_where_asked() -> Result<()> {
    let home = tempfile::tempdir()?;
    for (enabled, maps) in [("true", 1), ("false", 0)] {
        let mut helm = Command::new(programs::helm().await?);
        helm.args(["template", "certferry", "charts/certferry", "--kube-version=1.36.3", "--set"]);
        helm.arg(format!("metrics.dashboard.enabled={enabled}")).current_dir(env!("CARGO_MANIFEST_DIR"));
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            helm.env(variable, home.path().join(variable));
        }
        let rendered = helm.output().await?;
        ensure!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
        let objects: Vec<Value> = serde_saphyr::from_multiple(&String::from_utf8(rendered.stdout)?)?;
        let found: Vec<_> = objects.iter().filter(|it| it["kind"] == "ConfigMap").collect();
        ensure!(found.len() == maps, "{found:?}");
        for map in found {
            ensure!(map["metadata"]["labels"]["grafana_dashboard"] == "1", "{map}");
            ensure!(map["data"]["certferry.json"] == read("charts/certferry/dashboard.json")?, "{map}");
        }
    }
    Ok(())
}
