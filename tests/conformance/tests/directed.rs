//! Every story of every kind, with every fault at every call. `CONFORMANCE_ONLY` plays the cases whose name has it,
//! `CONFORMANCE_EVERY` one of so many.

use std::time::Instant;

use certferry_conformance::case::Case;
use certferry_conformance::directed::spoiled;
use certferry_conformance::known::KNOWN;
use certferry_conformance::workers::{kinds, play, storytellers, tell};

/// Of each kind. A suite that skips does not pass.
const FLOOR: usize = 2000;

#[test]
fn directed() {
    let begun = Instant::now();
    let only = std::env::var("CONFORMANCE_ONLY").ok();
    let of_kind = |(kind, fixture): (_, &'static dyn certferry_conformance::fixture::Fixture)| {
        let stories = fixture.scenarios().into_iter();
        stories.map(move |scenario| Case { kind, fixture, scenario, early: vec![], faults: vec![] })
    };
    let clean: Vec<_> = storytellers().into_iter().flat_map(of_kind).collect();
    let runs = play(&clean, |bench, case| Box::pin(case.play(bench)));
    let failed = runs.iter().zip(&clean).filter_map(|(run, case)| Some((case, run.as_ref().err()?)));
    let failed: Vec<_> = failed.map(|(case, why)| tell(&format!("FAILED {case}: {why}"))).collect();
    assert_eq!(failed.len(), 0, "stories that fail without any fault");
    let told = runs.iter().zip(&clean).filter_map(|(run, case)| Some((case, run.as_ref().ok()?)));
    let mut cases: Vec<_> = told.flat_map(|(case, told)| spoiled(case, told)).collect();
    if let Some(only) = &only {
        cases.retain(|it| it.to_string().contains(only.as_str()));
    }
    let every = std::env::var("CONFORMANCE_EVERY").ok().map(|it| it.parse().unwrap());
    let cases: Vec<_> = cases.into_iter().step_by(every.unwrap_or(1)).collect();
    let runs = play(&cases, |bench, case| Box::pin(case.play(bench)));
    let mut met = vec![0; KNOWN.len()];
    let mut news = 0;
    for (case, why) in cases.iter().zip(&runs).filter_map(|(case, run)| Some((case, run.as_ref().err()?))) {
        let name = case.to_string();
        match KNOWN.iter().position(|it| name.contains(it.case) && why.contains(it.says)) {
            Some(known) => met[known] += 1,
            None => {
                news += 1;
                tell(&format!(
                    "FAILED {name}: {why}\n  replay: CONFORMANCE_ONLY='{name}' cargo test -p certferry-conformance --test directed"
                ));
            }
        }
    }
    // One that nothing fails by any more is only told: it may just have been mended.
    for (known, times) in KNOWN.iter().zip(&met) {
        tell(&format!("directed: known, {times} cases: {}", known.because));
    }
    let ran = |kind: &str| clean.iter().chain(&cases).filter(|it| it.kind.kind() == kind).count();
    let ran: Vec<_> = kinds().iter().map(|(it, _)| (it.kind(), ran(it.kind()))).collect();
    for (kind, count) in &ran {
        tell(&format!("directed: {count} cases of {kind}"));
    }
    tell(&format!("directed: {} s", begun.elapsed().as_secs()));
    assert_eq!(news, 0, "cases that fail");
    if only.is_none() && every.is_none() {
        for (kind, count) in ran {
            assert!(count >= FLOOR, "{count} cases of {kind} ran; at least {FLOOR} must");
        }
    }
}
