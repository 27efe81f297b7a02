//! The alerts, by promtool: each fires and stays quiet as `tests/data/alerts_test.yaml` says, and that says enough.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::programs;
use serde_json::{Value, json};
use tokio::process::Command;

fn read(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// Whether the rules pass their test; and what promtool says.
async fn passes(rules: &Value) -> Result<(bool, String)> {
    let folder = tempfile::tempdir()?;
    let mut test: Value = serde_saphyr::from_str(&read("tests/data/alerts_test.yaml")?)?;
    test["rule_files"] = json!(["rules.yaml"]);
    // JSON is YAML.
    std::fs::write(folder.path().join("rules.yaml"), rules.to_string())?;
    std::fs::write(folder.path().join("test.yaml"), test.to_string())?;
    let mut promtool = Command::new(programs::promtool().await?);
    let done = promtool.args(["test", "rules", "test.yaml"]).current_dir(folder.path()).output().await?;
    let told = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok((done.status.success(), told))
}

#[tokio::test]
async fn every_alert_fires_and_stays_quiet_as_written() -> Result<()> {
    let rules: Value = serde_saphyr::from_str(&read("charts/certferry/alerts.yaml")?)?;
    let (passed, told) = passes(&rules).await?;
    ensure!(passed, "{told}");
    for (at, rule) in rules["groups"][0]["rules"].as_array().context("no rules")?.iter().enumerate() {
        let changed = |with: Value| {
            let mut rules = rules.clone();
            rules["groups"][0]["rules"][at] = with;
            rules
        };
        let name = &rule["alert"];
        let never = changed(json!({ "alert": name, "expr": "vector(1) > 2" }));
        ensure!(!passes(&never).await?.0, "no test says that {name} fires");
        let always = changed(json!({ "alert": name, "expr": "vector(1)", "labels": { "always": "yes" } }));
        ensure!(!passes(&always).await?.0, "no test says when {name} stays quiet");
    }
    Ok(())
}

#[test]
fn every_alert_can_be_left_out_by_its_name() -> Result<()> {
    let rules: Value = serde_saphyr::from_str(&read("charts/certferry/alerts.yaml")?)?;
    ensure!(rules["groups"].as_array().is_some_and(|it| it.len() == 1), "the template takes one group");
    let names: Vec<_> =
        rules["groups"][0]["rules"].as_array().into_iter().flatten().map(|it| it["alert"].clone()).collect();
    let schema: Value = serde_json::from_str(&read("charts/certferry/values.schema.json")?)?;
    let known =
        schema.pointer("/properties/metrics/properties/prometheusRule/properties/disabled/items/enum");
    ensure!(known == Some(&json!(names)), "the schema knows {known:?}");
    Ok(())
}
