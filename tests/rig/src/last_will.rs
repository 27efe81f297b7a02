//! What is done when this process is gone, whatever ended it: destructors do not run at SIGKILL, nor ever for statics.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};

/// A shell that waits for our end and then runs one line. Dropped before that, it runs nothing.
pub(crate) struct LastWill {
    shell: Child,
}

impl LastWill {
    /// Runs `line` at our end, with `argument` as its `$1`.
    pub(crate) fn new(line: &str, argument: impl AsRef<OsStr>) -> Result<Self> {
        // The shell's standard input ends when we do, as nobody else holds its other end. `read` is built in, so that
        // killing the shell leaves nothing behind.
        let shell = Command::new("sh")
            .args(["-c", &format!("read -r _\n{line}"), "last-will"])
            .arg(argument)
            .process_group(0) // out of reach of the terminal's Ctrl-C, which is for us
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("starting sh")?;
        Ok(Self { shell })
    }
}

impl Drop for LastWill {
    fn drop(&mut self) {
        // Killed before its standard input is closed: the order matters. It cannot fail for a child not yet reaped.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}
