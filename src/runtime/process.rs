//! The process itself: its signals, its panics, and that it leaves no core file with secrets in it.

use anyhow::{Context, Result};
use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A panic is told by its place alone: its text may hold anything.
pub(super) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}

/// No core files, no reading of our memory by other processes of the same user.
pub(super) fn harden() -> Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })
        .context("core files cannot be switched off")?;
    set_dumpable_behavior(DumpableBehavior::NotDumpable).context("the process cannot be made non-dumpable")
}

/// Cancels at the first SIGTERM or SIGINT.
pub(super) fn cancel_on_signal(stop: CancellationToken) -> Result<()> {
    let mut term = signal(SignalKind::terminate()).context("SIGTERM cannot be handled")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("SIGINT cannot be handled")?;
    tokio::spawn(async move {
        tokio::select! { _ = term.recv() => {} _ = interrupt.recv() => {} }
        stop.cancel();
    });
    Ok(())
}

/// The name of this pod or machine, for events.
pub(super) fn hostname() -> Option<String> {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    (!name.is_empty()).then_some(name)
}

/// What tells this process from every other that runs or ran.
pub(super) fn identity() -> String {
    format!("{}_{:016x}", hostname().unwrap_or_else(|| "certferry".to_owned()), fastrand::u64(..))
}
