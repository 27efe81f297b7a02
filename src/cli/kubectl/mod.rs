//! `kubectl certferry`: what a person asks of resources and accounts, with the person's own rights. One file per command.

mod completion;
mod connection;
mod events;
mod import;
mod kinds;
mod plan;
mod printing;
mod service;
mod status;
mod sync;

pub(super) mod check;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};

pub(super) use connection::Flags;
pub(super) use printing::Output;

/// Explains, plans and checks what Certferry keeps in cloud services.
#[derive(Debug, Parser)]
#[command(name = "kubectl-certferry", bin_name = "kubectl certferry", version, about, long_about = LONG)]
struct Cli {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    output: Output,
    #[command(subcommand)]
    command: Command,
}

const LONG: &str = "Explains, plans and checks what Certferry keeps in cloud services.\n\nIt runs with the rights of your \
                    kubeconfig, prints no secrets, and never writes to a service. It ends with 0 if all is well, with 1 \
                    if something is not ready, and with 2 if it could not be told.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Explains one object down to the remote certificate.
    Status(status::Args),
    /// Tells what the operator would write to the service, without writing.
    Plan(plan::Args),
    /// Has the operator look at an object now, and waits until it has.
    Sync(sync::Args),
    /// Tells whether accounts can sign in, and which permissions are missing.
    Check(check::Args),
    /// Prints manifests for certificates that a hub, service, vault or instance holds already.
    Import(import::Args),
    /// Prints a completion script.
    Completion(completion::Args),
    /// Completes a command line, as kubectl asks its plugins to.
    #[command(name = completion::ASKED, hide = true)]
    Complete(completion::Asked),
}

/// Does what the arguments say.
pub fn main() -> ExitCode {
    let Cli { flags, output, command } = Cli::parse();
    ended("kubectl certferry", run(async { obey(&flags, &output, command).await }))
}

/// Whether all is well, as an exit code. What went wrong is told.
pub(super) fn ended(program: &str, done: Result<bool>) -> ExitCode {
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "{program}: {error:#}"); // nobody left to tell
            ExitCode::from(2)
        }
    }
}

/// Runs one command on a runtime of its own.
pub(super) fn run(command: impl Future<Output = Result<bool>>) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the asynchronous runtime cannot be started")?;
    let done = runtime.block_on(command);
    runtime.shutdown_background();
    done
}

async fn obey(flags: &Flags, output: &Output, command: Command) -> Result<bool> {
    match command {
        Command::Status(args) => status::status(flags, output, args).await,
        Command::Plan(args) => plan::plan(flags, output, args).await,
        Command::Sync(args) => sync::sync(flags, output, args).await,
        Command::Check(args) => check::check(flags, output, args).await,
        Command::Import(args) => import::import(flags, output, args).await,
        Command::Completion(args) => completion::print(&args),
        Command::Complete(asked) => completion::complete(flags, &asked).await,
    }
}
