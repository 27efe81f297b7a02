//! Starts what a test starts, tells what that is in the file of its argument, and waits to be killed:
//! `tests/orphans.rs` looks at what it leaves behind.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use certferry_rig::control_plane;
use certferry_rig::folder::Folder;
use certferry_rig::process::{Process, Signal};

#[tokio::main]
async fn main() -> Result<()> {
    let report = PathBuf::from(std::env::args_os().nth(1).context("which file to report to?")?);
    let plane = control_plane::shared().await?;
    // A program that knows nothing of its standard input, as the operator is one.
    let folder = Folder::new("orphan")?;
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    let mut sleep = Process::spawn("sleep", sleep, &folder.path().join("log"))?.end_with_us()?;

    let [a, b, c] = plane.pids();
    let mut lines = [a, b, c, sleep.pid()].map(|pid| format!("/proc/{pid}")).to_vec();
    lines.extend([folder.path(), plane.folder()].map(|path| path.display().to_string()));
    std::fs::write(report.with_extension("unfinished"), lines.join("\n"))?;
    std::fs::rename(report.with_extension("unfinished"), &report)?; // so that it is read whole

    sleep.signal(Signal::CONT)?; // it is there
    sleep.wait_exit(Duration::from_secs(60)).await?;
    bail!("nobody killed this program")
}
