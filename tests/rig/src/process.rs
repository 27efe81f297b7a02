//! A child process, held by its pid: its signals, its end, its log. What the program does is not known here.

use std::fs::{self, File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, kill_process};

pub use rustix::process::Signal;

use crate::last_will::LastWill;

/// A program that knows this variable ends when its standard input does, hence when we do, whatever ends us.
const EXIT_WITH_STDIN: &str = "CERTFERRY_EXIT_WITH_STDIN";

/// How often an awaited end is looked for.
const POLL: Duration = Duration::from_millis(20);

/// How long a dropped process may take to end by itself. Short: it also passes when a test has failed.
const DROP_GRACE: Duration = Duration::from_secs(2);

/// A running or ended child process. Dropped, it is ended first.
///
/// It is a plain `std` child, bound to no async runtime, because a process may be shared by tests that have one each.
pub struct Process {
    name: String,
    child: Child, // holds the write end of the standard input
    exit: Option<ExitStatus>,
    log: PathBuf,
    last_will: Option<LastWill>,
}

impl Process {
    /// Starts `command` with both its output streams appended to the file `log`.
    pub fn spawn(name: &str, command: Command, log: &Path) -> Result<Self> {
        let both = append(log)?;
        Self::spawn_into(name, command, both.try_clone()?.into(), both, log)
    }

    /// Starts `command` with its standard error appended to the file `log` and its standard output alone in the file
    /// `stdout`, which begins empty.
    pub fn spawn_apart(name: &str, command: Command, log: &Path, stdout: &Path) -> Result<Self> {
        let output = File::create(stdout).with_context(|| format!("creating {}", stdout.display()))?;
        Self::spawn_into(name, command, output.into(), append(log)?, log)
    }

    fn spawn_into(name: &str, mut command: Command, stdout: Stdio, stderr: File, log: &Path) -> Result<Self> {
        let child = command
            .env(EXIT_WITH_STDIN, "1")
            .process_group(0) // out of reach of the terminal's Ctrl-C: we end it, in our own order
            .stdin(Stdio::piped())
            .stdout(stdout)
            .stderr(stderr)
            .spawn()
            .with_context(|| format!("starting {name}: {}", command.get_program().display()))?;
        Ok(Self { name: name.to_owned(), child, exit: None, log: log.to_owned(), last_will: None })
    }

    /// Lets the process end with us also if its program does not watch its standard input.
    pub fn end_with_us(mut self) -> Result<Self> {
        self.last_will = Some(LastWill::new("kill -KILL \"$1\"", self.pid().to_string())?);
        Ok(self)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal`. An error when the process has been seen to end: its pid may be another's by now.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        ensure!(self.exit.is_none(), "{} has ended: {:?}", self.name, self.exit);
        kill_process(Pid::from_child(&self.child), signal)
            .with_context(|| format!("sending {signal:?} to {} (pid {})", self.name, self.pid()))
    }

    /// How the process ended, if it has.
    pub fn exit_status(&mut self) -> Result<Option<ExitStatus>> {
        if self.exit.is_none() {
            self.exit =
                self.child.try_wait().with_context(|| format!("asking for the end of {}", self.name))?;
        }
        if self.exit.is_some() {
            self.last_will = None; // from here on the pid may be another's
        }
        Ok(self.exit)
    }

    /// Waits for the process to end by itself, or by a signal that was sent.
    pub async fn wait_exit(&mut self, timeout: Duration) -> Result<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some(status) = self.exit_status()? {
                return Ok(status);
            }
            if Instant::now() >= deadline {
                bail!(
                    "{} still runs after {timeout:?}; its last lines:\n{}",
                    self.name,
                    self.last_log_lines(20)
                );
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends the process: SIGTERM, and SIGKILL when `grace` has passed. Nothing to do when it has ended.
    pub async fn stop(&mut self, grace: Duration) -> Result<ExitStatus> {
        if let Some(status) = self.exit_status()? {
            return Ok(status);
        }
        self.terminate()?;
        if let Ok(status) = self.wait_exit(grace).await {
            return Ok(status);
        }
        self.signal(Signal::KILL)?;
        self.wait_exit(Duration::from_secs(10)).await
    }

    /// An error with the last lines of the log when the process has ended.
    pub fn ensure_running(&mut self) -> Result<()> {
        if let Some(status) = self.exit_status()? {
            bail!("{} ended with {status}; its last lines:\n{}", self.name, self.last_log_lines(20));
        }
        Ok(())
    }

    /// All that the process, and its forerunners with the same log file, have logged.
    pub fn log(&self) -> Result<String> {
        let bytes = fs::read(&self.log).with_context(|| format!("reading {}", self.log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last `count` lines of the log, for an error's text: a log that cannot be read says so itself.
    pub fn last_log_lines(&self, count: usize) -> String {
        let log = self.log().unwrap_or_else(|error| format!("{error:#}"));
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(count)..].join("\n")
    }

    /// SIGTERM, and SIGCONT so that a frozen process hears it.
    fn terminate(&self) -> Result<()> {
        self.signal(Signal::TERM)?;
        self.signal(Signal::CONT)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors have nowhere to go here, and a process that cannot be signalled is gone already.
        let deadline = Instant::now() + DROP_GRACE;
        if matches!(self.exit_status(), Ok(None)) {
            let _ = self.terminate();
        }
        while matches!(self.exit_status(), Ok(None)) {
            if Instant::now() >= deadline {
                let _ = self.child.kill();
                let _ = self.child.wait();
                return;
            }
            std::thread::sleep(POLL);
        }
    }
}

fn append(log: &Path) -> Result<File> {
    let file = OpenOptions::new().append(true).create(true).open(log);
    file.with_context(|| format!("opening {}", log.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt;

    fn shell(script: &str, folder: &Path) -> Result<Process> {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Process::spawn("sh", command, &folder.join("log"))
    }

    #[tokio::test]
    async fn a_process_is_stopped_even_if_it_is_frozen() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut process = shell("echo started; exec sleep 60", folder.path())?;
        process.signal(Signal::STOP)?;
        let status = process.stop(Duration::from_secs(5)).await?;
        assert_eq!(status.signal(), Some(Signal::TERM.as_raw()));
        assert!(process.signal(Signal::TERM).is_err(), "an ended process takes no signal");
        Ok(())
    }

    #[tokio::test]
    async fn a_process_deaf_to_sigterm_is_killed() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut process = shell("trap '' TERM; echo deaf; while :; do sleep 0.1; done", folder.path())?;
        while !process.log()?.contains("deaf") {
            tokio::time::sleep(POLL).await;
        }
        let status = process.stop(Duration::from_millis(300)).await?;
        assert_eq!(status.signal(), Some(Signal::KILL.as_raw()));
        Ok(())
    }

    #[tokio::test]
    async fn an_early_end_is_told_with_the_last_lines() -> Result<()> {
        let folder = tempfile::tempdir()?;
        let mut process = shell("echo one; echo two >&2; exit 3", folder.path())?;
        process.wait_exit(Duration::from_secs(5)).await?;
        assert_eq!(process.last_log_lines(1), "two");
        let error = process.ensure_running().expect_err("the process has ended").to_string();
        assert!(error.contains("exit status: 3") && error.contains("one\ntwo"), "{error}");
        Ok(())
    }
}
