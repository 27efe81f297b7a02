//! Signatures of requests to Huawei Cloud, computed anew from what the emulator captured. It is done by a script beside
//! this file, which shares nothing with the operator's signer or with the emulator's verifier, not even a language.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use certferry_rig::emulator::Emulator;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/signatures.py");

/// All signed requests that were captured, those to IAM too.
pub async fn all_signed(emulator: &Emulator) -> Result<Vec<Value>> {
    let mut requests: Vec<Value> =
        serde_json::from_value(emulator.control_get("requests").await?["requests"].take())?;
    requests.retain(|it| authorization(it).is_ok_and(|it| it.contains("-HMAC-SHA256 ")));
    Ok(requests)
}

/// Each of these requests is signed as it has to be, with a key that the emulated account has.
pub async fn are_right(emulator: &Emulator, requests: &[Value]) -> Result<()> {
    let judged = judged(emulator, requests).await?;
    let wrong = requests.iter().zip(&judged).find(|it| it.1 != "right");
    ensure!(wrong.is_none(), "{wrong:?}");
    Ok(())
}

/// What is wrong with the signature of each, or `right`.
pub async fn judged(emulator: &Emulator, requests: &[Value]) -> Result<Vec<String>> {
    let captured = json!({ "requests": requests, "keys": keys(emulator).await? });
    let mut python = Command::new("python3");
    python.arg(SCRIPT).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn().context("running python3, which this test needs")?;
    let mut input = child.stdin.take().context("no standard input")?;
    input.write_all(captured.to_string().as_bytes()).await?;
    drop(input);
    let done = child.wait_with_output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let judged: Vec<_> = String::from_utf8(done.stdout)?.lines().map(str::to_owned).collect();
    ensure!(judged.len() == requests.len(), "{} of {} were looked at", judged.len(), requests.len());
    Ok(judged)
}

/// The secrets of the account's keys, and the tokens of its temporary ones, by their ids.
async fn keys(emulator: &Emulator) -> Result<Map<String, Value>> {
    let account = &emulator.control_get("state").await?["huawei"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let lasting = list(&account["users"]).into_iter().flat_map(|user| list(&user["accessKeys"]));
    let lasting = lasting.map(|key| (key["access"].clone(), json!({ "secret": key["secret"] })));
    let temporary = list(&account["temporaryKeys"]).into_iter();
    let temporary = temporary.map(|key| {
        (key["access"].clone(), json!({ "secret": key["secret"], "token": key["securityToken"] }))
    });
    let named = |(id, key): (Value, Value)| Some((id.as_str()?.to_owned(), key));
    Ok(lasting.chain(temporary).filter_map(named).collect())
}

/// A request's `Authorization`.
pub fn authorization(request: &Value) -> Result<String> {
    let headers = request["headers"].as_array().context("it has no headers")?;
    let found = headers.iter().find(|it| it[0] == "authorization").context("it is not signed")?;
    found[1].as_str().map(str::to_owned).context("no text")
}

/// The same request, altered in one thing at a time that its signature covers, and in the signature.
pub fn altered(request: &Value) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for member in ["method", "path", "query", "body", "host"] {
        let mut other = request.clone();
        other[member] = json!(format!("{}x", request[member].as_str().context("no text")?));
        if member == "host" {
            other["headers"].as_array_mut().context("no headers")?.retain(|it| it[0] != "host");
        }
        all.push(other);
    }
    let signed = authorization(request)?;
    let (claimed, signature) = signed.rsplit_once('=').context("no signature")?;
    let names = claimed.split_once("SignedHeaders=").and_then(|(_, it)| it.split_once(','));
    let names: Vec<_> = names.context("no signed headers")?.0.split(';').collect();
    let headers = request["headers"].as_array().context("no headers")?;
    for (at, header) in headers.iter().enumerate() {
        let name = header[0].as_str().unwrap_or_default();
        if names.contains(&name) {
            let mut other = request.clone();
            other["headers"][at][1] = json!(format!("{}0", header[1].as_str().unwrap_or_default()));
            all.push(other);
        }
        if name == "authorization" {
            let first = if signature.starts_with('0') { "1" } else { "0" };
            let mut other = request.clone();
            other["headers"][at][1] =
                json!(format!("{claimed}={first}{}", signature.get(1..).unwrap_or_default()));
            all.push(other);
        }
    }
    Ok(all)
}
