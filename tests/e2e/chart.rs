//! What the chart installs besides the operator.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

fn read(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Names of metrics of ours in an expression.
fn metrics(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|it: char| !it.is_ascii_alphanumeric() && it != '_');
    let ours = ["certferry_", "controller_runtime_", "rest_client_", "leader_election_"];
    words.filter(|it| ours.iter().any(|prefix| it.starts_with(prefix))).map(str::to_owned).collect()
}

#[test]
fn every_alert_goes_by_metrics_that_exist_and_has_a_runbook() -> Result<()> {
    let rules: Value = serde_saphyr::from_str(&read("charts/certferry/alerts.yaml")?)?;
    let (operations, runbooks) = (read("docs/operations.md")?, read("docs/alerts.md")?);
    let rules = rules["groups"][0]["rules"].as_array().context("no rules")?;
    for rule in rules {
        let (name, expression) = (rule["alert"].as_str(), rule["expr"].as_str());
        let (name, expression) = (name.context("no name")?, expression.context("no expression")?);
        let named = metrics(expression);
        ensure!(!named.is_empty(), "{name} goes by no metric of ours");
        for metric in named {
            ensure!(operations.contains(&format!("| `{metric}`")), "{name}: {metric} does not exist");
        }
        ensure!(runbooks.contains(&format!("\n## {name}\n")), "{name} has no runbook");
    }
    let runbooks = runbooks.lines().filter(|it| it.starts_with("## ")).count();
    ensure!(runbooks == rules.len(), "{runbooks} runbooks for {} alerts", rules.len());
    Ok(())
}
