//! The operator, as a process: the program under test.

use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::Result;

use crate::folder::Folder;
use crate::process::Process;

/// How long it may take to end by itself: it promises 25 seconds, whatever hangs.
const STOP_GRACE: Duration = Duration::from_secs(30);

#[derive(Clone, Debug)]
pub struct Options {
    /// The operator's program. The root package's own tests take `env!("CARGO_BIN_EXE_certferry")`.
    pub binary: PathBuf,
    pub kubeconfig: PathBuf,
    /// What follows `certferry run`.
    pub args: Vec<String>,
    /// All of its environment, but for `KUBECONFIG`: a developer's own cloud variables must not reach it.
    pub env: Vec<(String, String)>,
}

/// A running operator. Dropped, it ends.
pub struct Operator {
    pub process: Process,
    options: Options,
    folder: Folder,
}

impl Operator {
    /// Starts `certferry run`. It is up to the caller to wait for what shows that it works.
    pub fn start(options: Options) -> Result<Self> {
        let folder = Folder::new("operator")?;
        let process = spawn(&options, &folder)?;
        Ok(Self { process, options, folder })
    }

    /// Ends the operator, unless it has ended, and starts it again as before. The log goes on in the same file.
    pub async fn restart(&mut self) -> Result<()> {
        self.process.stop(STOP_GRACE).await?;
        self.process = spawn(&self.options, &self.folder)?;
        Ok(())
    }

    /// Ends the operator by SIGTERM, and tells how it ended: by SIGKILL when it took too long.
    pub async fn stop(mut self) -> Result<ExitStatus> {
        self.process.stop(STOP_GRACE).await
    }
}

fn spawn(options: &Options, folder: &Folder) -> Result<Process> {
    let mut command = Command::new(&options.binary);
    command.arg("run").args(&options.args).current_dir(folder.path());
    command.env_clear().envs(options.env.iter().map(|(name, value)| (name, value)));
    command.env("KUBECONFIG", &options.kubeconfig);
    Process::spawn("certferry", command, &folder.path().join("certferry.log"))?.end_with_us()
}
