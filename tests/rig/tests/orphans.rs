//! What a test leaves behind when it is killed: nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane;
use certferry_rig::folder::Folder;
use certferry_rig::process::{Process, Signal};
use certferry_rig::wait::eventually;

/// How the test that is killed tells what it started.
const REPORT: &str = "CERTFERRY_TEST_REPORT";

#[tokio::test]
async fn a_killed_test_leaves_no_process_and_no_folder() -> Result<()> {
    let reports = tempfile::tempdir()?;
    let report = reports.path().join("report");
    let mut test = Command::new(std::env::current_exe()?)
        .args(["--exact", "a_test_that_is_killed", "--ignored"])
        .env(REPORT, &report)
        .stdout(Stdio::null())
        .spawn()
        .context("starting this binary again")?;
    let started = eventually(Duration::from_secs(90), "the other test has started everything", async || {
        Ok(std::fs::read_to_string(&report)?)
    })
    .await;
    test.kill()?;
    test.wait()?;

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

/// Started by the test above, which kills it.
#[tokio::test]
#[ignore = "not a test of its own"]
async fn a_test_that_is_killed() -> Result<()> {
    let plane = control_plane::shared().await?;
    // A program that knows nothing of its standard input, as the operator is one.
    let folder = Folder::new("orphan")?;
    let mut sleep = Command::new("sleep");
    sleep.arg("60");
    let mut sleep = Process::spawn("sleep", sleep, &folder.path().join("log"))?.end_with_us()?;

    let report = PathBuf::from(std::env::var_os(REPORT).context("this is not run by itself")?);
    let [a, b, c] = plane.pids();
    let mut lines = [a, b, c, sleep.pid()].map(|pid| format!("/proc/{pid}")).to_vec();
    lines.extend([folder.path(), plane.folder()].map(|path| path.display().to_string()));
    std::fs::write(report.with_extension("unfinished"), lines.join("\n"))?;
    std::fs::rename(report.with_extension("unfinished"), &report)?; // so that it is read whole

    sleep.signal(Signal::CONT)?; // it is there
    sleep.wait_exit(Duration::from_secs(60)).await?;
    anyhow::bail!("nobody killed this test")
}
