//! Runs many cases on a few threads, each with an emulator of its own and in virtual time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use anyhow::{Result, ensure};
use emulator::Embedded;

/// How many cases run at a time.
const THREADS: usize = 4;

/// Runs each case; an error names those that failed, ten of them in full.
pub fn run<C: Sync>(
    cases: &[C],
    name: impl Fn(&C) -> String + Sync,
    run: impl AsyncFn(&Embedded, &C) -> Result<()> + Sync,
) -> Result<usize> {
    let (next, failed) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                let folder = tempfile::tempdir().expect("a temporary folder");
                let emulator = Embedded::new(folder.path()).expect("an emulator");
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::SeqCst)) {
                    // A runtime for each case: what one leaves running ends with it.
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .start_paused(true)
                        .build()
                        .expect("a runtime");
                    if let Err(error) = runtime.block_on(run(&emulator, case)) {
                        let mut failed = failed.lock().expect("no thread panicked");
                        failed.push(format!("{}: {error:#}", name(case)));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().expect("no thread panicked");
    let shown: Vec<_> = failed.iter().take(10).map(|it| it.chars().take(1500).collect::<String>()).collect();
    ensure!(failed.is_empty(), "{} of {} cases failed:\n{}", failed.len(), cases.len(), shown.join("\n\n"));
    Ok(cases.len())
}
