//! What a test leaves behind when it is killed: nothing.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, ensure};
use certferry_rig::wait::eventually;

#[tokio::test]
async fn what_is_killed_leaves_no_process_and_no_folder() -> Result<()> {
    let reports = tempfile::tempdir()?;
    let report = reports.path().join("report");
    let mut doomed = Command::new(env!("CARGO_BIN_EXE_doomed")).arg(&report).spawn()?;
    let started = eventually(Duration::from_secs(90), "the program has started everything", async || {
        Ok(std::fs::read_to_string(&report)?)
    })
    .await;
    doomed.kill()?;
    doomed.wait()?;

    let started = started?;
    let lines: Vec<_> = started.lines().map(PathBuf::from).collect();
    ensure!(lines.len() == 6, "three servers, a program and two folders: {started}");
    eventually(Duration::from_secs(10), "all of it is gone", async || {
        let left: Vec<_> = lines.iter().filter(|path| path.exists()).collect();
        ensure!(left.is_empty(), "{left:?}");
        Ok(())
    })
    .await
}
