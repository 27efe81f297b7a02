//! `sync`: has the operator look at an object now, and waits until it has.

use std::time::Duration;

use anyhow::{Result, bail};
use jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::Instant;

use super::connection::{Connection, Flags, refused};
use super::kinds;
use super::printing::Output;
use super::status::{self, State};
use crate::api::SYNC_REQUESTED;
use crate::api::certificate::parse_duration;

/// How often it is looked whether the operator is done.
const LOOK: Duration = Duration::from_secs(1);

/// What `sync` is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The object, such as iothubcertificate/factory-root.
    #[arg(value_name = "TYPE/NAME", required = true, num_args = 1..=2)]
    object: Vec<String>,
    /// How long to wait for the operator, such as 90s or 5m.
    #[arg(long, default_value = "2m", value_parser = duration)]
    timeout: Duration,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration("--timeout", text).map_err(|invalid| invalid.message)
}

/// Asks for a pass and waits for it; gives whether the object is ready then.
pub(super) async fn sync(flags: &Flags, output: &Output, args: Args) -> Result<bool> {
    let (kind, name) = kinds::subject(&args.object)?;
    kind.provider()?;
    let connection = Connection::open(flags).await?;
    let request = Timestamp::now().to_string();
    let annotation = json!({ "metadata": { "annotations": { SYNC_REQUESTED: request } } });
    let api = kind.api(&connection.client, &connection.namespace);
    api.patch(&name, &PatchParams::default(), &Patch::Merge(annotation)).await.map_err(refused)?;
    let end = Instant::now() + args.timeout;
    let object = loop {
        let object = kind.get(&connection, &name).await?;
        if status::has_handled(&object, &request) {
            break object;
        }
        let handled = object.status.last_handled_sync_request.as_deref() == Some(&request);
        match Instant::now() >= end {
            true if handled => break object, // it goes on; the report says with what
            true => bail!(
                "the operator has not handled the request within {} s: check that it runs",
                args.timeout.as_secs()
            ),
            false => tokio::time::sleep(LOOK).await,
        }
    };
    let report = status::report(&connection, &object, None).await?;
    let now = connection.viewer.clock.now();
    output.print(&report, |paint| report.text(now, paint))?;
    Ok(report.state == State::Ready)
}
