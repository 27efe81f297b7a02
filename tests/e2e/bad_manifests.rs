//! What the API server refuses, and odd things that it takes: one table per kind in `tests/data/manifests`, each row a
//! change to a good manifest. A row is `field | value in JSON, or - to remove it | what the refusal has to name`.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use kube::Client;
use serde_json::Value;

use crate::shared::shared;

const KINDS: [(&str, &str); 9] = [
    ("iot_hub", "namespaces/default/iothubcertificates"),
    ("key_vault", "namespaces/default/keyvaultcertificates"),
    ("api_management", "namespaces/default/apimanagementcertificates"),
    ("api_management_vault", "namespaces/default/apimanagementcertificates"),
    ("iotda", "namespaces/default/iotdacertificates"),
    ("cloud_account", "namespaces/default/cloudaccounts"),
    ("cloud_account_huawei", "namespaces/default/cloudaccounts"),
    ("cluster_cloud_account", "clustercloudaccounts"),
    ("cluster_cloud_account_huawei", "clustercloudaccounts"),
];

/// Tables that shrink do not pass.
const BAD: usize = 400;
const VALID: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn bad_manifests_are_refused_with_the_field_named() -> Result<()> {
    let client = shared().await?.plane.admin();
    let (mut count, mut accepted, mut told_otherwise) = (0, Vec::new(), Vec::new());
    for (kind, path) in KINDS {
        let good = good(kind)?;
        for row in rows(&format!("{kind}.bad.txt"))? {
            let [field, value, named] = row.as_slice() else { anyhow::bail!("{kind}: {row:?}") };
            let bad = changed(&good, field, value)?;
            match create(&client, path, &bad).await {
                Ok(()) => accepted.push(format!("{kind}: {field} = {value}")),
                Err(refusal) if refusal.contains(named) => {}
                Err(refusal) => told_otherwise.push(format!("{kind}: {field} = {value}: {refusal}")),
            }
            // Names of objects and twins in lists are the server's to judge; all else the offline check refuses too.
            let here_too = field.starts_with("spec") && named != "Duplicate value";
            if here_too && offline(&bad)?.is_none() {
                accepted.push(format!("offline, {kind}: {field} = {value}"));
            }
            count += 1;
        }
    }
    ensure!(accepted.is_empty(), "accepted:\n{}", accepted.join("\n"));
    ensure!(told_otherwise.is_empty(), "refused without the field:\n{}", told_otherwise.join("\n"));
    ensure!(count >= BAD, "{count} bad manifests");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_manifests_that_are_valid_are_taken() -> Result<()> {
    let client = shared().await?.plane.admin();
    let (mut count, mut refused) = (0, Vec::new());
    for (kind, path) in KINDS {
        let good = good(kind)?;
        create(&client, path, &good).await.map_err(|why| anyhow::anyhow!("the good {kind}: {why}"))?;
        for row in rows(&format!("{kind}.valid.txt"))? {
            let [field, value] = row.as_slice() else { anyhow::bail!("{kind}: {row:?}") };
            let odd = changed(&good, field, value)?;
            if let Err(refusal) = create(&client, path, &odd).await {
                refused.push(format!("{kind}: {field} = {value}: {refusal}"));
            }
            if let Some(refusal) = offline(&odd)? {
                refused.push(format!("offline, {kind}: {field} = {value}: {refusal}"));
            }
            count += 1;
        }
    }
    ensure!(refused.is_empty(), "{}", refused.join("\n"));
    ensure!(count >= VALID, "{count} odd manifests");
    Ok(())
}

fn data(file: &str) -> Result<String> {
    let path = format!("{}/tests/data/manifests/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).with_context(|| path)
}

fn good(kind: &str) -> Result<Value> {
    Ok(serde_json::from_str(&data(&format!("{kind}.good.json"))?)?)
}

fn rows(file: &str) -> Result<Vec<Vec<String>>> {
    Ok(data(file)?.lines().map(|line| line.split(" | ").map(str::to_owned).collect()).collect())
}

/// The manifest with one field set or removed.
fn changed(good: &Value, field: &str, value: &str) -> Result<Value> {
    let mut changed = good.clone();
    let (parents, last) = field.rsplit_once('.').unwrap_or(("", field));
    let mut place = &mut changed;
    for parent in parents.split('.').filter(|it| !it.is_empty()) {
        place = &mut place[parent];
    }
    match value {
        "-" => {
            place
                .as_object_mut()
                .context("no object")?
                .remove(last)
                .with_context(|| format!("no {field}"))?;
        }
        json => place[last] = serde_json::from_str(json).with_context(|| json.to_owned())?,
    }
    Ok(changed)
}

/// Has the server check it as on creation, without storing it; the refusal, if there is one.
async fn create(client: &Client, path: &str, manifest: &Value) -> Result<(), String> {
    let uri = format!("/apis/certferry.dev/v1alpha1/{path}?dryRun=All&fieldValidation=Strict");
    let request = http::Request::post(uri).header("content-type", "application/json");
    let request = request.body(manifest.to_string().into_bytes()).map_err(|error| error.to_string())?;
    client.request::<Value>(request).await.map(drop).map_err(|error| error.to_string())
}

/// What `certferry validate` says against a manifest.
pub fn offline(manifest: &Value) -> Result<Option<String>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_certferry"))
        .args(["validate", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no standard input")?.write_all(manifest.to_string().as_bytes())?;
    let done = child.wait_with_output()?;
    Ok((!done.status.success()).then(|| String::from_utf8_lossy(&done.stdout).into_owned()))
}
