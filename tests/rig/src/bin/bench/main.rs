//! `make bench`: what the operator costs, on a control plane and an emulator of its own, in a release build.
//!
//! Everything is measured from outside: by the emulator's journal, the API server's audit log and `/proc`. Prints one
//! table and writes the same as JSON. Nothing is asserted: `docs/performance.md` explains the figures.
//!
//! With `BENCH_TOFU` and `BENCH_AZURERM` (the programs) OpenTofu does some of the work too, for comparison.
//! `BENCH_PHASES` names the phases to run, separated by commas, where not all are wanted.

mod certificates;
mod kinds;
mod meter;
mod report;
mod stage;
mod tofu;
mod work;

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use report::{Report, Row};
use stage::{Stage, sibling};

/// The phases, in their order.
const PHASES: [&str; 5] = ["binary", "singles", "fleets", "memory", "tofu"];

#[tokio::main]
async fn main() -> Result<()> {
    let begun = Instant::now();
    let phases = phases()?;
    let (mut rows, mut failed) = (Vec::new(), Ok(()));
    for phase in PHASES.iter().filter(|it| phases.iter().any(|wanted| wanted == *it)) {
        let done = match *phase {
            "binary" => binary().map(|it| vec![it]),
            "singles" => singles().await,
            "fleets" => fleets().await,
            "memory" => memory().await,
            _ => tofu::compared().await,
        };
        report::say(&format!("{phase} ends after {:.0} s", begun.elapsed().as_secs_f64()));
        match done {
            Ok(measured) => rows.extend(measured),
            // What was measured before is told all the same.
            Err(error) => failed = failed.and(Err(error.context(format!("phase {phase}")))),
        }
    }
    let report = Report::new(rows, begun.elapsed().as_secs_f64());
    println!("{}", report.table()?);
    let programs = sibling("bench")?;
    let target = programs.ancestors().nth(2).context("the program lies in no target folder")?;
    let path = target.join(if phases.len() == PHASES.len() {
        "bench.json".to_owned()
    } else {
        format!("bench-{}.json", phases.join("-")) // not all of it is no news of the rest
    });
    report.write(&path)?;
    report::say(&format!("written to {}", path.display()));
    failed
}

fn phases() -> Result<Vec<String>> {
    let Ok(wanted) = std::env::var("BENCH_PHASES") else { return Ok(PHASES.map(String::from).to_vec()) };
    let wanted: Vec<_> = wanted.split(',').map(|it| it.trim().to_owned()).collect();
    let unknown = wanted.iter().find(|it| !PHASES.contains(&it.as_str()));
    ensure!(unknown.is_none(), "BENCH_PHASES may name {}, not {unknown:?}", PHASES.join(", "));
    Ok(wanted)
}

/// The program's size; the release build strips it.
fn binary() -> Result<Row> {
    let bytes = std::fs::metadata(sibling("certferry")?)?.len();
    Ok(Row::new("certferry", "size of the program, stripped", bytes as f64 / 1e6).unit("MB").bound(20.0))
}

async fn singles() -> Result<Vec<Row>> {
    let stage = Stage::start().await?;
    let rows = work::singles(&stage).await?;
    stage.stop().await?;
    Ok(rows)
}

async fn fleets() -> Result<Vec<Row>> {
    let mut stage = Stage::start().await?;
    let (mut rows, sets) = work::fleets(&stage).await?;
    rows.extend(work::rest(&stage, &sets).await?);
    rows.extend(work::restart(&mut stage, &sets).await?);
    stage.stop().await?;
    Ok(rows)
}

async fn memory() -> Result<Vec<Row>> {
    let mut stage = Stage::start().await?;
    let rows = work::memory(&mut stage).await?;
    stage.stop().await?;
    Ok(rows)
}
