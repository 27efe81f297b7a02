//! `make demo` shows what it says, whichever way the chart is installed.

use anyhow::{Result, ensure};
use tokio::process::Command;

/// An example of each kind.
const SHOWN: [&str; 4] = ["factory-root", "public-web", "billing-client", "device-ca"];

#[tokio::test]
async fn all_kinds_become_ready_and_go_again() -> Result<()> {
    for install in [None, Some("helm")] {
        let mut demo = Command::new(env!("CARGO_BIN_EXE_demo"));
        demo.env("DEMO_ONCE", "1").env_remove("DEMO_CLUSTER").env_remove("DEMO_INSTALL").kill_on_drop(true);
        demo.envs(install.map(|it| ("DEMO_INSTALL", it)));
        let done = demo.output().await?;
        let (told, errors) = (String::from_utf8(done.stdout)?, String::from_utf8_lossy(&done.stderr));
        ensure!(done.status.success(), "{install:?}: {told}\n{errors}");
        for name in SHOWN {
            let mut rows = told.lines().map(|it| it.split_whitespace().take(3).collect::<Vec<_>>());
            ensure!(rows.any(|it| it == [name, "True", "Ready"]), "{install:?}, {name}: {told}");
        }
    }
    Ok(())
}
