//! The command line.

pub mod kubectl;
mod reasons;
mod reference;
#[cfg(target_os = "linux")]
mod run;
mod validate;
mod way;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::api::crd;
use crate::providers;

/// Keeps certificates in cloud services equal to what Kubernetes manifests say.
#[derive(Debug, Parser)]
#[command(name = "certferry", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the operator.
    #[cfg(target_os = "linux")]
    Run(Box<run::Run>),
    /// Prints the CustomResourceDefinitions, or writes a file for each.
    Crds {
        /// Folder to write `<plural>.yaml` files to.
        #[arg(long)]
        dir: Option<PathBuf>,
    },
    /// Prints what each reason in a condition means, in Markdown.
    Reasons,
    /// Prints every field of every kind, in Markdown.
    Reference,
    /// Tells whether accounts can sign in, and which permissions are missing; the same as `kubectl certferry check`.
    Check(Check),
    /// Checks manifests without a cluster: schema, CEL rules, and what the operator would say at once.
    Validate {
        /// Manifest file, of one or more documents; `-` reads standard input. Documents of other groups are passed
        /// over.
        #[arg(short, long = "filename", required = true)]
        file: Vec<PathBuf>,
    },
}

/// Where accounts are checked, and how that is told.
#[derive(Debug, clap::Args)]
struct Check {
    #[command(flatten)]
    flags: kubectl::Flags,
    #[command(flatten)]
    output: kubectl::Output,
    #[command(flatten)]
    args: kubectl::check::Args,
}

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        #[cfg(target_os = "linux")]
        Command::Run(run) => run::operate(*run).map(|()| true),
        Command::Crds { dir } => crds(dir.as_deref()).map(|()| true),
        Command::Reasons => print(reasons::page()).map(|()| true),
        Command::Reference => print(reference::page(&definitions())).map(|()| true),
        Command::Validate { file } => validate::validate(&file),
        Command::Check(Check { flags, output, args }) => {
            kubectl::run(async { kubectl::check::check(&flags, &output, args).await })
        }
    };
    kubectl::ended("certferry", done)
}

/// The definitions of all kinds.
fn definitions() -> Vec<CustomResourceDefinition> {
    let accounts = [crd::definition::<CloudAccount>(), crd::definition::<ClusterCloudAccount>()];
    accounts.into_iter().chain(providers::all().iter().map(|it| it.definition())).collect()
}

fn print(page: Result<String>) -> Result<()> {
    write!(std::io::stdout(), "{}", page?).context("cannot write to standard output")
}

fn crds(dir: Option<&Path>) -> Result<()> {
    for definition in definitions() {
        let yaml = serde_saphyr::to_string(&definition).context("a definition cannot be written as YAML")?;
        match dir {
            Some(dir) => {
                let path = dir.join(format!("{}.yaml", definition.spec.names.plural));
                std::fs::write(&path, yaml).with_context(|| format!("cannot write {}", path.display()))?;
            }
            None => writeln!(std::io::stdout(), "---\n{yaml}").context("cannot write to standard output")?,
        }
    }
    Ok(())
}
