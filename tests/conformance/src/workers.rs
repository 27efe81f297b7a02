//! Runs many cases on all processors: each worker has an emulator of its own, each case a runtime whose time does not
//! pass by itself.

use std::future::Future;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use certferry::providers::Registered;
use emulator::Embedded;

use crate::fixture::{self, Fixture};
use crate::run::Run;

/// What a case needs.
pub struct Bench {
    emulator: Embedded,
    schemas: Vec<(&'static str, Arc<jsonschema::Validator>)>,
}

impl Bench {
    /// The world of a case.
    pub async fn run(&self, kind: &'static dyn Registered, fixture: &'static dyn Fixture) -> Run {
        let schema = self.schemas.iter().find(|it| it.0 == kind.kind()).map(|it| it.1.clone());
        let schema = schema.unwrap_or_else(|| status_schema(kind));
        Run::new(kind, fixture, self.emulator.clone(), schema).await
    }
}

/// Every registered kind, with its fixture.
pub fn kinds() -> Vec<(&'static dyn Registered, &'static dyn Fixture)> {
    certferry::providers::all().into_iter().map(|it| (it, fixture::of(it.kind()))).collect()
}

/// The same, with those that only tell stories.
pub fn storytellers() -> Vec<(&'static dyn Registered, &'static dyn Fixture)> {
    let of = |fixture: &'static dyn Fixture| {
        let kinds = certferry::providers::all().into_iter();
        kinds.filter(|it| it.kind() == fixture.kind()).map(move |it| (it, fixture))
    };
    kinds().into_iter().chain(fixture::further().into_iter().flat_map(of)).collect()
}

fn status_schema(kind: &dyn Registered) -> Arc<jsonschema::Validator> {
    let definition = kind.definition();
    let schema = definition.spec.versions.first().and_then(|it| it.schema.as_ref());
    let schema =
        schema.and_then(|it| it.open_api_v3_schema.as_ref()).and_then(|it| serde_json::to_value(it).ok());
    let status = schema.map(|it| it["properties"]["status"].clone()).unwrap_or_default();
    assert!(status.is_object(), "{} has no schema of its status", kind.kind());
    match jsonschema::validator_for(&status) {
        Ok(validator) => Arc::new(validator),
        Err(error) => unreachable!("the status's schema is none: {error}"),
    }
}

/// The future of one case.
pub type Played<'a, T> = Pin<Box<dyn Future<Output = Result<T, String>> + 'a>>;

/// Plays all cases; gives what each came to, in order.
pub fn play<C: Sync, T: Send>(
    cases: &[C],
    play: impl for<'a> Fn(&'a Bench, &'a C) -> Played<'a, T> + Sync,
) -> Vec<Result<T, String>> {
    let folder = std::env::temp_dir().join(format!("certferry-conformance-{}", std::process::id()));
    let made = std::fs::create_dir_all(&folder);
    assert!(made.is_ok(), "no folder for the emulator's keys: {made:?}");
    let next = AtomicUsize::new(0);
    let outcomes = Mutex::new(Vec::new());
    let emulators: Vec<_> = (0..threads()).filter_map(|_| Embedded::new(&folder).ok()).collect();
    assert_eq!(emulators.len(), threads(), "the emulator could not make its key");
    thread::scope(|scope| {
        for emulator in emulators {
            scope.spawn(|| {
                let schemas = kinds().into_iter().map(|(it, _)| (it.kind(), status_schema(it))).collect();
                let bench = Bench { emulator, schemas };
                loop {
                    let index = next.fetch_add(1, Ordering::SeqCst);
                    let Some(case) = cases.get(index) else { return };
                    let outcome = alone(play(&bench, case));
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                }
            });
        }
    });
    let _ = std::fs::remove_dir_all(&folder);
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|it| it.0);
    outcomes.into_iter().map(|it| it.1).collect()
}

/// One case in a time of its own. One that panics fails, and no other with it.
fn alone<T>(case: Played<'_, T>) -> Result<T, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(case)));
    played.unwrap_or_else(|_| Err("I13: it panicked".into()))
}

fn threads() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// Tells something past the test harness, which keeps the output of tests that pass to itself.
pub fn tell(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
