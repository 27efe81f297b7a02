//! What Prometheus sees of the operator.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::{CLIENT_SECRET, NAMESPACE, ca};
use certferry_rig::operator::Operator;
use certferry_rig::wait::eventually;
use serde_json::json;

use crate::failover::Stage;
use crate::world::{SOON, World, thumbprint};

/// Families that stand in no scrape until the operator itself is at fault.
const RARE: [&str; 2] = ["controller_runtime_reconcile_errors", "controller_runtime_reconcile_panics"];

/// Families that have series for each object.
const OF_OBJECTS: [&str; 4] = [
    "certferry_certificate_expiration_timestamp_seconds",
    "certferry_certificate_renewal_timestamp_seconds",
    "certferry_credential_expiration_timestamp_seconds",
    "certferry_object_condition",
];

/// The most series that there are beside those of objects, as the documentation says.
const MOST: usize = 1000;

/// Metrics as the documentation lists them, each with its labels.
pub type Documented = BTreeMap<String, BTreeSet<String>>;

fn page(path: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    std::fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// What the documentation lists.
pub fn documented() -> Result<Documented> {
    let page = page("docs/operations.md")?;
    let (_, metrics) = page.split_once("## Metrics").context("the page has no section on metrics")?;
    let metrics = metrics.split("\n## ").next().unwrap_or_default();
    let rows = metrics.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<_> = row.split('|').map(|it| it.trim().trim_matches('`')).collect();
        let [_, name, _, labels, ..] = cells[..] else { anyhow::bail!("not a row: {row}") };
        let labels = labels.split(", ").filter(|it| !it.is_empty()).map(str::to_owned);
        Ok((name.to_owned(), labels.collect()))
    })
    .collect()
}

/// One line of a scrape.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Series<'a> {
    name: &'a str,
    labels: Vec<(&'a str, &'a str)>,
}

fn series(text: &str) -> Vec<Series<'_>> {
    let lines = text.lines().filter(|it| !it.starts_with('#'));
    let parsed = lines.map(|line| {
        let (name, rest) = line.split_at(line.find(['{', ' ']).unwrap_or(line.len()));
        let labels =
            rest.strip_prefix('{').and_then(|it| it.split_once('}')).map_or("", |(labels, _)| labels);
        let labels = labels.trim_end_matches(',').strip_suffix('"').unwrap_or_default();
        let labels = labels.split("\",").filter_map(|it| it.split_once("=\""));
        Series { name, labels: labels.collect() }
    });
    parsed.collect()
}

/// All that the providers' source holds, in which every operation stands as a literal.
fn providers_source() -> Result<String> {
    fn files(folder: &Path) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            found.extend(if path.is_dir() { files(&path)? } else { vec![path] });
        }
        Ok(found)
    }
    let files = files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/providers"))?;
    files.iter().map(|it| Ok(std::fs::read_to_string(it)?)).collect()
}

/// Every label of every series has a value of a set that no user, object or service can add to.
fn labels_are_closed(text: &str) -> Result<()> {
    let (reasons, source) = (page("docs/reasons.md")?, providers_source()?);
    let kinds = [
        "IotHubCertificate",
        "ApiManagementCertificate",
        "KeyVaultCertificate",
        "IotdaCertificate",
        "CloudAccount",
        "ClusterCloudAccount",
    ];
    for it in series(text) {
        let of_object = OF_OBJECTS.contains(&it.name);
        for (label, value) in &it.labels {
            let closed = match *label {
                "namespace" | "name" if of_object => true,
                "kind" | "controller" | "name" => kinds.contains(value),
                "type" => ["Ready", "Reconciling", "Stalled", "Synced", "Verified"].contains(value),
                "status" => ["True", "False", "Unknown"].contains(value),
                "reason" => reasons.contains(&format!("| `{value}` |")),
                "provider" => ["azure", "huaweicloud"].contains(value),
                "operation" => *value == "token" || source.contains(&format!("\"{value}\"")),
                "code" => {
                    ["none", "other"].contains(value)
                        || value.parse().is_ok_and(|it: u16| (100..600).contains(&it))
                }
                "method" => ["GET", "POST", "PUT", "PATCH", "DELETE"].contains(value),
                "result" => ["success", "error", "requeue_after"].contains(value),
                "corrected" => ["true", "false"].contains(value),
                "credential" => ["secret", "temporary"].contains(value),
                "le" => *value == "+Inf" || value.parse::<f64>().is_ok(),
                "version" | "commit" | "tls" => it.name == "certferry_build_info",
                _ => false,
            };
            ensure!(closed, "{}: {label}={value}", it.name);
        }
    }
    Ok(())
}

fn are_few(text: &str) -> Result<()> {
    let beside = series(text).into_iter().filter(|it| !OF_OBJECTS.contains(&it.name)).count();
    ensure!(beside < MOST, "{beside} series");
    Ok(())
}

/// The argument by which an operator serves its metrics on a free port.
pub const SERVED: &str = "--metrics-address=127.0.0.1:0";

/// Where it serves them.
pub async fn url(operator: &Operator) -> Result<String> {
    let address = eventually(SOON, "the address of the metrics", async || {
        let log = operator.process.log()?;
        let line = log.lines().find(|it| it.contains("serving metrics")).context("not yet")?;
        let (_, address) = line.split_once("address=").with_context(|| line.to_owned())?;
        Ok(address.split_whitespace().next().unwrap_or_default().to_owned())
    })
    .await?;
    Ok(format!("http://{address}/metrics"))
}

/// The labels of what is served there, whatever has happened.
pub async fn have_closed_labels(url: &str) -> Result<()> {
    labels_are_closed(&reqwest::get(url).await?.text().await?)
}

#[test]
fn a_label_that_anybody_can_add_to_is_noticed() {
    for (line, closed) in [
        (
            r#"certferry_object_condition{namespace="a",name="b",kind="CloudAccount",type="Ready",status="True"} 1"#,
            true,
        ),
        (r#"certferry_resource_condition{kind="Pod",type="Ready"} 1"#, false),
        (r#"certferry_resource_condition{namespace="a",kind="CloudAccount"} 1"#, false),
        (r#"certferry_cloud_requests_total{operation="/subscriptions/1"} 1"#, false),
        (r#"certferry_cloud_requests_total{operation="token",code="200"} 1"#, true),
        (r#"certferry_deletion_blocked{reason="the service said no"} 1"#, false),
    ] {
        assert_eq!(labels_are_closed(line).is_ok(), closed, "{line}");
    }
}

/// What is served is what is documented, by name and by label.
fn is_documented(text: &str) -> Result<()> {
    let documented = documented()?;
    let counterless = |it: &str| it.trim_end_matches("_total").to_owned();
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let served: BTreeSet<_> = types.filter_map(|it| it.split(' ').next()).map(str::to_owned).collect();
    let known: BTreeSet<_> = documented.keys().map(|it| counterless(it)).collect();
    ensure!(served.is_subset(&known), "not documented: {:?}", &served - &known);
    let unseen = &known - &served;
    ensure!(unseen.iter().all(|it| RARE.contains(&it.as_str())), "not served: {unseen:?}");
    for it in series(text) {
        let base =
            ["_bucket", "_count", "_sum"].iter().find_map(|end| it.name.strip_suffix(end)).unwrap_or(it.name);
        let Some(known) = documented.get(base) else { continue }; // `# EOF` and the like
        let labels: BTreeSet<_> =
            it.labels.iter().map(|(label, _)| (*label).to_owned()).filter(|it| it != "le").collect();
        ensure!(labels == *known, "{}: {labels:?}", it.name);
    }
    Ok(())
}

/// Something of all that may happen.
async fn busy(stage: &Stage, world: &World) -> Result<()> {
    let dated = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": world.namespace },
        "stringData": { "clientSecret": CLIENT_SECRET, "expiresAt": "2051-01-01T00:00:00Z" },
    });
    stage.cluster.apply(NAMESPACE, &dated.to_string()).await?;
    let throttled = json!({ "operation": "iotHubCertificates.get", "times": 1, "action": { "answer": {
        "status": 429, "headers": { "retry-after": "1" }, "json": {} } } });
    world.emulator.control_post("faults", &throttled).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;

    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;

    world.tamper(reqwest::Method::DELETE, "factory-root", None).await?;
    world.nudge("factory-root").await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;

    let mut mismatched = ca("Another root")?;
    mismatched.key = second.key.clone();
    world.tls_secret("mismatched", &mismatched).await?;
    world.apply(&world.certificate("stalled").replace("factory-ca", "mismatched")).await?;
    world.reason("stalled", "KeyMismatch").await?;

    world.apply(&world.certificate("kept")).await?;
    world.ready("kept").await?;
    let suspended = world.certificate("kept").replace("resyncInterval: 1m", "managementPolicy: Suspend");
    world.apply(&suspended).await?;
    world.kubectl(&["delete", "iothubcertificate", "kept", "--wait=false"]).await?;
    world.reason("kept", "DeletionBlocked").await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_served_is_what_is_documented_and_tells_what_happened() -> Result<()> {
    let stage = Stage::set().await?;
    let operator = stage.operator(&[SERVED, "--object-conditions"]).await?;
    let url = self::url(&operator).await?;
    let world = stage.world("metrics").await?;
    busy(&stage, &world).await?;
    let namespace = &world.namespace;
    let of_it = format!("{{namespace=\"{namespace}\",name=\"factory-root\",kind=\"IotHubCertificate\"");
    eventually(SOON, "the metrics of all that happened", async || {
        let answer = reqwest::get(&url).await?;
        let kind = answer.headers()["content-type"].to_str()?.to_owned();
        ensure!(kind.starts_with("application/openmetrics-text"), "{kind}");
        let text = answer.text().await?;
        is_documented(&text)?;
        labels_are_closed(&text)?;
        are_few(&text)?;
        for series in [
            &format!("certferry_certificate_expiration_timestamp_seconds{of_it}}}"),
            &format!("certferry_certificate_renewal_timestamp_seconds{of_it}}}"),
            &format!("certferry_object_condition{of_it},type=\"Ready\",status=\"True\",reason=\"Ready\"}} 1"),
            &format!(
                "certferry_credential_expiration_timestamp_seconds{{namespace=\"\",name=\"{namespace}\",credential=\"secret\"}} 2556144000"
            ),
            r#"certferry_resource_condition{kind="IotHubCertificate",type="Ready",status="True",reason="Ready"} 1"#,
            r#"certferry_resource_condition{kind="IotHubCertificate",type="Stalled",status="True",reason="KeyMismatch"} 1"#,
            r#"certferry_deletion_blocked{kind="IotHubCertificate",reason="Suspended"} 1"#,
            r#"certferry_source_to_remote_seconds_count{kind="IotHubCertificate"} 1"#,
            r#"certferry_drift_detected_total{kind="IotHubCertificate",corrected="true"} 1"#,
            r#"certferry_cloud_writes_total{provider="azure",operation="Microsoft.Devices/iotHubs/certificates/Write"}"#,
            r#"certferry_token_requests_total{provider="azure",result="success"}"#,
            r#"certferry_resource_time_to_ready_seconds_count{kind="IotHubCertificate"} 2"#,
            r#"controller_runtime_reconcile_total{controller="IotHubCertificate",result="requeue_after"}"#,
            r#"controller_runtime_terminal_reconcile_errors_total{controller="IotHubCertificate"}"#,
            r#"workqueue_depth{name="IotHubCertificate",controller="IotHubCertificate"} 0"#,
            "leader_election_master_status 1",
            r#"certferry_watch_last_progress_timestamp_seconds{kind="KeyVaultCertificate"}"#,
            r#"rest_client_requests_total{method="GET",code="200"}"#,
        ] {
            ensure!(text.contains(series), "{series} is not in\n{text}");
        }
        Ok(())
    })
    .await?;
    let enforced = r#"{"spec":{"managementPolicy":"Enforce"}}"#;
    world.kubectl(&["patch", "iothubcertificate", "kept", "--type=merge", "-p", enforced]).await?;
    world.delete("stalled").await?;
    world.delete("factory-root").await?;
    eventually(SOON, "nothing of what is gone", async || {
        let text = reqwest::get(&url).await?.text().await?;
        ensure!(!text.contains("kind=\"IotHubCertificate\",type="), "{text}");
        ensure!(!text.contains("name=\"factory-root\""), "{text}");
        ensure!(!text.contains("certferry_deletion_blocked{"), "{text}");
        Ok(())
    })
    .await?;
    world.stop().await
}
