//! Random schedules. `CONFORMANCE_SEED` plays one seed, `CONFORMANCE_SEEDS` so many instead of the usual number,
//! `CONFORMANCE_ONLY` the kinds whose name has it.

use std::time::Instant;

use certferry_conformance::known::KNOWN;
use certferry_conformance::schedule::Schedule;
use certferry_conformance::workers::{kinds, play, tell};

/// A suite that skips does not pass.
const FLOOR: usize = 2000;

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|it| it.parse().unwrap())
}

#[test]
fn schedules() {
    let begun = Instant::now();
    let only = number("CONFORMANCE_SEED");
    let seeds = only.map_or(0..number("CONFORMANCE_SEEDS").unwrap_or(FLOOR as u64), |seed| seed..seed + 1);
    let of_kind = |(kind, fixture)| seeds.clone().map(move |seed| Schedule { kind, fixture, seed });
    let named = std::env::var("CONFORMANCE_ONLY").unwrap_or_default();
    let kinds: Vec<_> = kinds().into_iter().filter(|it| it.0.kind().contains(&named)).collect();
    let count = kinds.len();
    let cases: Vec<_> = kinds.into_iter().flat_map(of_kind).collect();
    let runs = play(&cases, |bench, case| Box::pin(case.play(bench)));
    let mut news = 0;
    let mut known = 0;
    for (case, why) in cases.iter().zip(&runs).filter_map(|(case, run)| Some((case, run.as_ref().err()?))) {
        let seed = case.seed;
        if KNOWN.iter().any(|it| it.case.is_empty() && why.contains(it.says)) {
            known += 1;
            continue;
        }
        news += 1;
        tell(&format!(
            "FAILED {} seed {seed}: {why}\n  replay: CONFORMANCE_SEED={seed} cargo test -p certferry-conformance --test schedules",
            case.kind.kind()
        ));
    }
    tell(&format!(
        "schedules: {} seeds of each of {} kinds, {known} of them known, {} s",
        seeds.end - seeds.start,
        count,
        begun.elapsed().as_secs()
    ));
    assert_eq!(news, 0, "seeds that fail");
    let ran = cases.len() / count.max(1);
    assert!(only.is_some() || ran >= FLOOR, "{ran} seeds of each kind; at least {FLOOR} must run");
}
