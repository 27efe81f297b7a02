//! `plan`: what the operator would write to the service, without writing.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;

use super::connection::{Connection, Flags};
use super::kinds::{self, Kind};
use super::printing::{Output, Paint};
use super::service::Seen;
use crate::cli::validate::{is_ours, read};

/// What `plan` is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The object, such as iothubcertificate/factory-root.
    #[arg(value_name = "TYPE/NAME", required_unless_present = "file", num_args = 1..=2)]
    object: Vec<String>,
    /// A manifest file instead, as it would be applied; `-` reads standard input.
    #[arg(short, long = "filename", value_name = "FILE", conflicts_with = "object")]
    file: Option<PathBuf>,
}

/// What would be written for an object.
#[derive(Debug, Serialize)]
struct Report {
    kind: String,
    namespace: String,
    name: String,
    #[serde(flatten)]
    seen: Seen,
}

/// Prints what would be written; gives whether nothing is left to do.
pub(super) async fn plan(flags: &Flags, output: &Output, args: Args) -> Result<bool> {
    let connection = Connection::open(flags).await?;
    let manifests = match &args.file {
        Some(file) => from_file(&connection, file).await?,
        None => {
            let (kind, name) = kinds::subject(&args.object)?;
            let manifest = kind.get(&connection, &name).await?.manifest()?;
            vec![(kind, manifest)]
        }
    };
    let mut reports = Vec::new();
    for (kind, manifest) in manifests {
        let text = |member: &str| manifest["metadata"][member].as_str().unwrap_or_default().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let preview = kind.provider()?.preview(&connection.viewer, &connection.clouds, manifest).await;
        let seen = Seen::of(preview).with_context(|| format!("{} {namespace}/{name}", kind.resource.kind))?;
        reports.push(Report { kind: kind.resource.kind, namespace, name, seen });
    }
    let all = |paint| reports.iter().map(|it| it.text(paint)).collect::<Vec<_>>().join("\n");
    match (args.file, reports.as_slice()) {
        (None, [report]) => output.print(report, all)?,
        _ => output.print(&reports, all)?,
    }
    Ok(reports.iter().all(|it| it.seen.is_as_wanted))
}

impl Report {
    fn text(&self, paint: Paint) -> String {
        let Self { kind, namespace, name, seen } = self;
        let verdict = if seen.is_as_wanted { "as wanted" } else { "not as wanted" };
        let verdict = paint.verdict(verdict, seen.is_as_wanted);
        format!("{kind} {namespace}/{name}: {verdict}\n{}", seen.text(paint))
    }
}

/// The certificates of a manifest file, with what the cluster holds of those that are there.
async fn from_file(connection: &Connection, file: &Path) -> Result<Vec<(Kind, Value)>> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read(file)?)
        .map_err(|error| anyhow::anyhow!("{}: not YAML: {error}", file.display()))?;
    let mut found = Vec::new();
    for manifest in documents.into_iter().filter(is_ours) {
        let kind = kinds::named(manifest["kind"].as_str().unwrap_or_default())?;
        if kind.provider.is_none() {
            continue; // an account: it takes part as the cluster has it
        }
        found.push(standing(connection, kind, manifest).await?);
    }
    if found.is_empty() {
        bail!("{} holds no certificate of ours", file.display());
    }
    Ok(found)
}

/// A manifest as the API server would have it after it was applied.
async fn standing(connection: &Connection, kind: Kind, mut manifest: Value) -> Result<(Kind, Value)> {
    let namespace = manifest["metadata"]["namespace"].as_str().unwrap_or(&connection.namespace).to_owned();
    let Some(name) = manifest["metadata"]["name"].as_str().map(str::to_owned) else {
        bail!("a manifest of kind {} has no name", kind.resource.kind)
    };
    let there = kind.api(&connection.client, &namespace).get_opt(&name).await;
    match there.map_err(super::connection::refused)? {
        None => manifest["metadata"]["namespace"] = namespace.into(),
        Some(it) => {
            let there = serde_json::to_value(&it)?;
            manifest["metadata"] = there["metadata"].clone();
            manifest["status"] = there["status"].clone();
        }
    }
    if manifest["status"].is_null()
        && let Some(members) = manifest.as_object_mut()
    {
        members.remove("status");
    }
    Ok((kind, manifest))
}
