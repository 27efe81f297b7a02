//! The way to the cloud: to the emulator in this process, past the faults.

use std::time::Duration;

use anyhow::{Context, Result};
use certferry::http::{Answer, Http, HttpError, NoConnection, Plan};
use emulator::Embedded;
use http::{HeaderMap, HeaderValue, Request};
use serde_json::Value;
use tower::service_fn;
use zeroize::Zeroizing;

use crate::faults::{Called, CloudFault, Fault, Faults};

/// A text in the bodies of faults that must show up nowhere.
pub const MARKER: &str = "a-providers-own-words-7f3a9c51";

/// A client whose calls go to the emulator.
pub fn http(emulator: Embedded, faults: Faults) -> Http {
    Http::over(service_fn(move |plan: Plan| carry(emulator.clone(), faults.clone(), plan)))
}

async fn carry(emulator: Embedded, faults: Faults, plan: Plan) -> Result<Answer, HttpError> {
    let called = Called::Cloud(format!("{} {}", plan.method, plan.url.path()));
    match faults.at(called) {
        None | Some(Fault::Server(_)) => send(&emulator, plan).await,
        Some(Fault::CrashBefore) => faults.die().await,
        Some(Fault::CrashAfter) => {
            let _ = send(&emulator, plan).await;
            faults.die().await
        }
        Some(Fault::Cloud(fault)) => strike(fault, &emulator, plan).await,
    }
}

async fn strike(fault: CloudFault, emulator: &Embedded, plan: Plan) -> Result<Answer, HttpError> {
    match fault {
        CloudFault::NotSent => Err(HttpError::NotSent(NoConnection::Unreachable)),
        CloudFault::CutBefore => Err(HttpError::Cut),
        CloudFault::CutAfter => {
            let _ = send(emulator, plan).await;
            Err(HttpError::Cut)
        }
        CloudFault::SilentBefore => std::future::pending().await,
        CloudFault::SilentAfter => {
            let _ = send(emulator, plan).await;
            std::future::pending().await
        }
        CloudFault::Late => {
            let emulator = emulator.clone();
            tokio::spawn(async move {
                tokio::time::sleep(Duration::from_secs(240)).await;
                let _ = send(&emulator, plan).await;
            });
            std::future::pending().await
        }
        CloudFault::Status(status, retry_after) => Ok(answered(status, retry_after)),
        CloudFault::StatusAfter(status) => {
            let _ = send(emulator, plan).await;
            Ok(answered(status, None))
        }
        CloudFault::Html => {
            let _ = send(emulator, plan).await;
            let body = format!("<html>{MARKER}</html>").into_bytes();
            Ok(Answer::new(200, HeaderMap::new(), Zeroizing::new(body)))
        }
    }
}

fn answered(status: u16, retry_after: Option<u32>) -> Answer {
    let mut headers = HeaderMap::new();
    headers.extend(retry_after.map(|it| (http::header::RETRY_AFTER, HeaderValue::from(it))));
    let body = format!(r#"{{"error":{{"code":"Unknown","message":"{MARKER}"}}}}"#);
    Answer::new(status, headers, Zeroizing::new(body.into_bytes()))
}

async fn send(emulator: &Embedded, plan: Plan) -> Result<Answer, HttpError> {
    let mut request = Request::builder().method(plan.method).uri(plan.url.as_str());
    if let Some(headers) = request.headers_mut() {
        headers.extend(plan.headers);
    }
    let body = plan.body.map(|it| it.to_vec()).unwrap_or_default();
    let request = request.body(body).map_err(|_| HttpError::Cut)?;
    let answer = emulator.call(request).await.map_err(|_| HttpError::Cut)?;
    let (parts, body) = answer.into_parts();
    Ok(Answer::new(parts.status.as_u16(), parts.headers, Zeroizing::new(body)))
}

/// Asks the emulator's control endpoint.
pub async fn control(emulator: &Embedded, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
    let bytes = body.map(|it| it.to_string().into_bytes()).unwrap_or_default();
    let request = Request::builder()
        .method(method)
        .uri(format!("https://control.localhost/_emulator/{path}"))
        .header("content-type", "application/json")
        .body(bytes)?;
    let answer = emulator.call(request).await.context("the control endpoint was cut")?;
    let text = String::from_utf8_lossy(answer.body()).into_owned();
    anyhow::ensure!(answer.status().is_success(), "{method} {path}: {} {text}", answer.status());
    Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
}
