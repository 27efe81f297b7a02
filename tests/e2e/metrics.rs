//! What Prometheus sees of the operator.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::ports;
use certferry_rig::wait::eventually;

use crate::failover::Stage;
use crate::world::SOON;

/// Families that stand in no scrape until something went wrong.
const RARE: [&str; 3] = [
    "certferry_cloud_throttled",
    "controller_runtime_reconcile_errors",
    "controller_runtime_reconcile_panics",
];

/// Families of metrics that stand in a scrape.
fn families(text: &str) -> BTreeSet<String> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|it| it.split(' ').next()).map(str::to_owned).collect()
}

/// Those that the documentation lists, as OpenMetrics names them: without the counters' `_total`.
fn documented() -> Result<BTreeSet<String>> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md"))?;
    let (_, metrics) = page.split_once("## Metrics").context("the page has no section on metrics")?;
    let metrics = metrics.split("\n## ").next().unwrap_or_default();
    let rows = metrics.lines().filter_map(|line| line.strip_prefix("| `"));
    let names = rows.filter_map(|it| it.split('`').next());
    Ok(names.map(|it| it.trim_end_matches("_total").to_owned()).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_is_documented_and_tells_of_the_certificate() -> Result<()> {
    let stage = Stage::set().await?;
    let [port] = ports::free::<1>()?;
    let _operator = stage.operator(&[&format!("--metrics-address=127.0.0.1:{port}")]).await?;
    let world = stage.world("metrics").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    let url = format!("http://127.0.0.1:{port}/metrics");
    eventually(SOON, "the metrics of a ready certificate", async || {
        let answer = reqwest::get(&url).await?;
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        ensure!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = answer.text().await?;
        let (served, documented) = (families(&text), documented()?);
        ensure!(served.is_subset(&documented), "not documented: {:?}", &served - &documented);
        let unseen = &documented - &served;
        ensure!(unseen.iter().all(|it| RARE.contains(&it.as_str())), "not served: {unseen:?}");
        let of_it = format!("{{namespace=\"{}\",name=\"factory-root\",kind=\"IotHubCertificate\"}}", world.namespace);
        for series in [
            &format!("certferry_certificate_expiration_timestamp_seconds{of_it}"),
            &format!("certferry_certificate_renewal_timestamp_seconds{of_it}"),
            r#"certferry_resource_condition{kind="IotHubCertificate",type="Ready",status="True",reason="Ready"} 1"#,
            r#"certferry_cloud_writes_total{provider="azure",operation="Microsoft.Devices/iotHubs/certificates/Write"} 1"#,
            r#"certferry_token_requests_total{provider="azure",result="success"}"#,
            r#"certferry_resource_time_to_ready_seconds_count{kind="IotHubCertificate"} 1"#,
            r#"controller_runtime_reconcile_total{controller="IotHubCertificate",result="requeue_after"}"#,
            "leader_election_master_status 1",
            r#"certferry_watch_last_progress_timestamp_seconds{kind="IotHubCertificate"}"#,
            r#"rest_client_requests_total{method="GET",code="200"}"#,
        ] {
            ensure!(text.contains(series), "{series} is not in\n{text}");
        }
        Ok(())
    })
    .await?;
    world.delete("factory-root").await?;
    eventually(SOON, "nothing of what is gone", async || {
        let text = reqwest::get(&url).await?.text().await?;
        ensure!(!text.contains("factory-root"), "{text}");
        Ok(())
    })
    .await?;
    world.stop().await
}
