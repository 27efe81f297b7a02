//! What probes ask: `/healthz`, whether the process is worth keeping, and `/readyz`, whether it can do its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use http::StatusCode;

use super::endpoint::Response;
use crate::source::watch::WATCH_SECONDS;

/// A leader whose watches are silent for so long, while the API server answers, sees nothing any more.
const SILENCE: Duration = Duration::from_secs(3 * WATCH_SECONDS as u64);

/// The API server counts as answering for so long.
const RECENT: Duration = Duration::from_secs(30);

/// What was last heard of the API server. Clones are the same.
#[derive(Clone)]
pub struct Pulse(Arc<Inner>);

struct Inner {
    begin: Instant,
    /// Milliseconds since the beginning, plus one; 0: never.
    answer: AtomicU64,
    watch: AtomicU64,
    leading_since: AtomicU64,
}

impl Pulse {
    pub fn new() -> Self {
        Self(Arc::new(Inner {
            begin: Instant::now(),
            answer: AtomicU64::new(0),
            watch: AtomicU64::new(0),
            leading_since: AtomicU64::new(0),
        }))
    }

    /// The API server answered; a watch, perhaps.
    pub fn beat(&self, watch: bool) {
        self.mark(&self.0.answer);
        if watch {
            self.mark(&self.0.watch);
        }
    }

    /// Whether this process leads: only then it watches.
    pub fn leads(&self, leads: bool) {
        if leads { self.mark(&self.0.leading_since) } else { self.0.leading_since.store(0, Ordering::SeqCst) }
    }

    fn mark(&self, cell: &AtomicU64) {
        let now = u64::try_from(self.0.begin.elapsed().as_millis()).unwrap_or(u64::MAX - 1);
        cell.store(now + 1, Ordering::SeqCst);
    }

    /// How long ago, if ever.
    fn since(&self, cell: &AtomicU64) -> Option<Duration> {
        let at = cell.load(Ordering::SeqCst).checked_sub(1)?;
        Some(self.0.begin.elapsed().saturating_sub(Duration::from_millis(at)))
    }

    fn is_ready(&self) -> bool {
        self.since(&self.0.answer).is_some()
    }

    fn is_alive(&self) -> bool {
        let answers = self.since(&self.0.answer).is_some_and(|it| it < RECENT);
        let leads = self.since(&self.0.leading_since).is_some_and(|it| it > SILENCE);
        let watches = self.since(&self.0.watch).is_some_and(|it| it < SILENCE);
        !(answers && leads && !watches)
    }
}

/// What a probe is told.
pub fn answer(pulse: &Pulse, path: &str) -> Response {
    let (good, why) = match path {
        "/healthz" => (pulse.is_alive(), "the watches are silent while the API server answers"),
        "/readyz" => (pulse.is_ready(), "the API server has not answered yet"),
        _ => return Response::plain(StatusCode::NOT_FOUND, "there are /healthz and /readyz"),
    };
    match good {
        true => Response::plain(StatusCode::OK, "ok"),
        false => Response::plain(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many seconds ago, `None` for never.
    fn pulse(answer: Option<u64>, watch: Option<u64>, leading: Option<u64>) -> Pulse {
        let pulse = Pulse::new();
        let begin = Instant::now().checked_sub(Duration::from_secs(10_000)).unwrap();
        let cell = |ago: Option<u64>| AtomicU64::new(ago.map_or(0, |it| (10_000 - it) * 1000 + 1));
        drop(pulse);
        Pulse(Arc::new(Inner {
            begin,
            answer: cell(answer),
            watch: cell(watch),
            leading_since: cell(leading),
        }))
    }

    #[test]
    fn only_a_leader_that_hears_but_sees_nothing_is_dead() {
        for (answer, watch, leading, alive, ready) in [
            (None, None, None, true, false),
            (Some(1), None, None, true, true),
            (Some(1), None, Some(10), true, true),
            (Some(1), Some(20), Some(500), true, true),
            (Some(1), Some(400), Some(500), false, true),
            (Some(1), None, Some(500), false, true),
            (Some(300), Some(400), Some(500), true, true),
        ] {
            let pulse = pulse(answer, watch, leading);
            assert_eq!(
                (pulse.is_alive(), pulse.is_ready()),
                (alive, ready),
                "{answer:?} {watch:?} {leading:?}"
            );
        }
    }
}
