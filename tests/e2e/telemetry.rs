//! What a run tells in its log and in its traces.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::collector::{Collector, Span, attribute};
use certferry_rig::installation::{CLIENT_SECRET, ca};
use certferry_rig::wait::eventually;
use serde_json::{Map, Value, json};

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::SOON;

const WRITE: &str = "Microsoft.Devices/iotHubs/certificates/Write";

/// The fields that the documentation lists.
fn documented() -> Result<BTreeSet<String>> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let page = std::fs::read_to_string(page)?;
    let (_, logs) = page.split_once("\n## Logs\n").context("the page has no section on logs")?;
    let logs = logs.split("\n## ").next().unwrap_or_default();
    let rows = logs.lines().filter(|line| line.starts_with("| `"));
    let names = rows.filter_map(|row| row.split('|').nth(1)).flat_map(|it| it.split('`').skip(1).step_by(2));
    Ok(names.map(str::to_owned).collect())
}

type Line = Map<String, Value>;

fn lines(log: &str) -> Result<Vec<Line>> {
    log.lines().map(|line| serde_json::from_str(line).with_context(|| line.to_owned())).collect()
}

/// The first line in which all of these stand.
fn find<'a>(lines: &'a [Line], wanted: &Value) -> Result<&'a Line> {
    let wanted = wanted.as_object().context("not an object")?;
    let fits = |line: &&Line| wanted.iter().all(|(name, value)| line.get(name) == Some(value));
    lines.iter().find(fits).with_context(|| format!("no line has {wanted:?}"))
}

fn text(line: &Line, field: &str) -> Result<String> {
    let text = line.get(field).and_then(Value::as_str).filter(|it| !it.is_empty());
    text.map(str::to_owned).with_context(|| format!("no {field} in {line:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_and_its_calls_are_told_in_the_log_and_in_traces_without_any_secret() -> Result<()> {
    let (stage, collector) = (Stage::set().await?, Collector::start().await?);
    let endpoint = format!("--otlp-endpoint={}", collector.url);
    let told = ["--log-format=json", &endpoint];
    let operator = stage.cluster.operator(binary(), "certferry=debug", &told).await?;
    let world = stage.world("telemetry").await?;
    let refused = json!({ "operation": "iotHubCertificates.get", "times": 1, "action": { "answer": {
        "status": 503, "json": { "error": { "code": "ServerBusy", "message": "very-private-provider-text" } },
    } } });
    world.emulator.control_post("faults", &refused).await?;
    let pair = ca("Factory root")?;
    world.tls_secret("factory-ca", &pair).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;

    let object = json!({ "kind": "IotHubCertificate", "namespace": world.namespace, "name": "factory-root" });
    let with = |more: Value| {
        let mut all = object.clone();
        all.as_object_mut()
            .into_iter()
            .for_each(|it| it.extend(more.as_object().cloned().unwrap_or_default()));
        all
    };
    eventually(SOON, "the end of the pass, in the log", async || {
        find(&lines(&operator.process.log()?)?, &with(json!({ "reason": "Ready" }))).map(drop)
    })
    .await?;
    let log = operator.process.log()?;
    let lines = lines(&log)?;

    let known = documented()?;
    for line in &lines {
        let strange: Vec<_> = line.keys().filter(|it| !known.contains(*it)).collect();
        ensure!(strange.is_empty(), "not documented: {strange:?} in {line:?}");
        for field in ["timestamp", "level", "target", "message"] {
            text(line, field)?;
        }
    }
    let call = json!({ "provider": "azure", "operation": WRITE, "message": "the service answered" });
    let written = find(&lines, &with(call))?;
    for field in ["reconcile_id", "client_request_id", "request_id", "correlation_id"] {
        text(written, field)?;
    }
    ensure!(written.get("status").is_some_and(Value::is_u64), "{written:?}");
    ensure!(written.get("duration_ms").is_some_and(Value::is_u64), "{written:?}");
    let of_pass = json!({ "reconcile_id": text(written, "reconcile_id")?, "message": "the pass ended" });
    let ended = find(&lines, &with(of_pass))?;
    ensure!(text(ended, "result")? == "requeue_after", "{ended:?}");
    find(&lines, &with(json!({ "reason": "CloudUnavailable" })))?;

    ensure!(operator.stop().await?.code() == Some(0), "it did not end well");
    let spans = collector.spans();
    let write = |it: &&Span| it.name == "call" && attribute(it, "operation").as_deref() == Some(WRITE);
    let call = spans.iter().find(write).context("no span of the write")?;
    let pass = spans.iter().find(|it| it.span_id == call.parent_span_id).context("no span around it")?;
    ensure!(pass.name == "reconcile" && pass.trace_id == call.trace_id, "{pass:?}");
    ensure!(attribute(pass, "name").as_deref() == Some("factory-root"), "{pass:?}");
    ensure!(attribute(call, "request_id").is_some(), "{call:?}");

    let key = pair.key.lines().nth(1).context("the key has no second line")?;
    for (where_, told) in [("the log", log), ("a span", format!("{spans:?}"))] {
        for secret in [CLIENT_SECRET, key, "very-private-provider-text", "Bearer ey"] {
            ensure!(!told.contains(secret), "{where_} holds {secret}");
        }
    }
    world.emulator.stop().await
}
