//! The right to write: while it lasts, this process is the only writer.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A leader's term. Clones are the same term.
#[derive(Clone)]
pub struct Term(Arc<Inner>);

struct Inner {
    name: String,
    /// A clock that never goes back and goes on while the machine sleeps.
    clock: Box<dyn Fn() -> Duration + Send + Sync>,
    /// Milliseconds on that clock.
    until: AtomicU64,
}

impl Term {
    /// A term that has not begun to last.
    pub fn new(name: impl Into<String>, clock: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { name: name.into(), clock: Box::new(clock), until: AtomicU64::new(0) }))
    }

    /// A term without end, where nobody else may write.
    pub fn endless(name: impl Into<String>) -> Self {
        let term = Self::new(name, || Duration::ZERO);
        term.0.until.store(u64::MAX, Ordering::SeqCst);
        term
    }

    /// What tells this term from all others.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The time on the term's clock.
    pub fn now(&self) -> Duration {
        (self.0.clock)()
    }

    /// The term lasts until then, on its clock.
    pub fn last_until(&self, until: Duration) {
        self.0.until.store(u64::try_from(until.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Whether a write may be sent now.
    pub fn lasts(&self) -> bool {
        u64::try_from(self.now().as_millis()).unwrap_or(u64::MAX) < self.0.until.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Term").field(&self.0.name).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn a_term_ends_when_its_clock_says_so() {
        let time = Arc::new(Mutex::new(Duration::from_secs(5)));
        let told = time.clone();
        let term = Term::new("a/1", move || *told.lock().unwrap());
        assert!(!term.lasts(), "it has not begun");
        term.last_until(Duration::from_secs(15));
        assert!(term.clone().lasts());
        *time.lock().unwrap() = Duration::from_secs(15);
        assert!(!term.lasts());
        assert!(Term::endless("only").lasts());
    }
}
