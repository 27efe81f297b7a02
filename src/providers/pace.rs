//! How fast one account calls a service: below the published limits, not while the service asks to be left alone, and
//! one write at a time for each parent or vault's certificate, whoever writes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};
use tokio::time::{Instant, sleep};

use crate::http::Method;

/// Kept below the limits, as others of the same principal call too.
const SHARE: f64 = 0.95;
/// A wait for a token that is longer than that is told instead.
const PATIENCE: Duration = Duration::from_secs(20);
/// A pause that the service asked for is waited for only if it is nearly over.
const NEARLY: Duration = Duration::from_secs(1);

/// One account's pace.
pub(super) struct Pace {
    reads: Bucket,
    writes: Bucket,
    deletes: Bucket,
}

/// Until when a host wants to be left alone.
#[derive(Default)]
pub(super) struct Pause(Mutex<Option<Instant>>);

impl Pace {
    /// A pace with these limits, each a bucket's size and its refill per second.
    pub(super) fn new(reads: (f64, f64), writes: (f64, f64), deletes: (f64, f64)) -> Self {
        let [reads, writes, deletes] = [reads, writes, deletes].map(|(size, rate)| Bucket::new(size, rate));
        Self { reads, writes, deletes }
    }

    /// Waits for a call's turn, or tells how long it would have to wait.
    pub(super) async fn admit(&self, method: Method, pause: &Pause) -> Result<(), Duration> {
        let pause = pause.left();
        if pause > NEARLY {
            return Err(pause);
        }
        sleep(pause).await;
        let bucket = match method {
            Method::Get => &self.reads,
            Method::Put | Method::Post | Method::Patch => &self.writes,
            Method::Delete => &self.deletes,
        };
        sleep(bucket.turn()?).await;
        Ok(())
    }
}

impl Pause {
    /// The host asked to be left alone for so long.
    pub(super) fn leave_alone(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut paused = lock(&self.0);
        *paused = Some(paused.map_or(until, |before| before.max(until)));
    }

    /// What is left of it.
    pub(super) fn left(&self) -> Duration {
        lock(&self.0).map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }
}

/// A token bucket.
struct Bucket {
    size: f64,
    per_second: f64,
    /// Tokens, and when they were counted. Negative: those who wait have taken theirs already.
    level: Mutex<(f64, Instant)>,
}

impl Bucket {
    fn new(size: f64, per_second: f64) -> Self {
        let size = size * SHARE;
        Self { size, per_second: per_second * SHARE, level: Mutex::new((size, Instant::now())) }
    }

    /// Takes a token, and gives the time until it is there; or, if that is long, takes none.
    fn turn(&self) -> Result<Duration, Duration> {
        let now = Instant::now();
        let mut level = lock(&self.level);
        let (tokens, at) = *level;
        let refilled = now.duration_since(at).as_secs_f64() * self.per_second;
        let left = (tokens + refilled).min(self.size) - 1.0;
        let wait = Duration::from_secs_f64((-left).max(0.0) / self.per_second);
        if wait > PATIENCE {
            return Err(wait);
        }
        *level = (left, now);
        Ok(wait)
    }
}

/// Who writes to which parent (hub, service). Shared by all accounts: they refuse concurrent writes.
#[derive(Default)]
pub(super) struct Writers(Mutex<HashMap<String, Arc<AsyncMutex<()>>>>);

impl Writers {
    /// Waits until nobody else writes there.
    pub(super) async fn turn(&self, parent: String) -> OwnedMutexGuard<()> {
        let writer = {
            let mut writers = lock(&self.0);
            writers.retain(|_, it| Arc::strong_count(it) > 1); // nobody writes or waits there
            writers.entry(parent).or_default().clone()
        };
        writer.lock_owned().await
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    fn pace() -> Pace {
        Pace::new((250.0, 25.0), (200.0, 10.0), (200.0, 10.0))
    }

    async fn writes(pace: &Pace, count: usize) -> Duration {
        let (begin, none) = (Instant::now(), Pause::default());
        for admitted in join_all((0..count).map(|_| pace.admit(Method::Put, &none))).await {
            assert!(admitted.is_ok());
        }
        begin.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_through_and_the_rest_at_the_rate() {
        let pace = pace();
        assert_eq!(writes(&pace, 190).await, Duration::ZERO);
        let seconds = writes(&pace, 95).await.as_secs_f64();
        assert!((9.9..10.2).contains(&seconds), "{seconds}");
        let none = Pause::default();
        let told = join_all((0..300).map(|_| pace.admit(Method::Put, &none))).await;
        let refused = told.iter().filter(|it| it.is_err()).count();
        assert!((100..120).contains(&refused), "{refused} who would wait too long");
        assert!(pace.admit(Method::Get, &none).await.is_ok(), "reads have their own bucket");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_all_calls() {
        let pace = pace();
        let pause = Pause::default();
        pause.leave_alone(Duration::from_secs(60));
        pause.leave_alone(Duration::from_secs(5));
        assert_eq!(pace.admit(Method::Get, &pause).await.err(), Some(Duration::from_secs(60)));
        tokio::time::advance(Duration::from_millis(59_500)).await;
        let begin = Instant::now();
        assert!(pace.admit(Method::Delete, &pause).await.is_ok());
        assert_eq!(begin.elapsed(), Duration::from_millis(500));
    }

    #[tokio::test(start_paused = true)]
    async fn a_parent_has_one_writer() {
        let writers = Writers::default();
        let first = writers.turn("hub".into()).await;
        assert!(tokio::time::timeout(Duration::from_secs(1), writers.turn("hub".into())).await.is_err());
        let _other = writers.turn("another".into()).await;
        drop(first);
        writers.turn("hub".into()).await;
        writers.turn("x".into()).await;
        assert!(lock(&writers.0).len() <= 3);
    }
}
