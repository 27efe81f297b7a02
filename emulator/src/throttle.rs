//! ARM's token buckets: per subscription (or tenant), principal and kind of call, and per subscription and kind
//! for everybody together. Source: `azure-common`, section "Throttling".

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Reads,
    Writes,
    Deletes,
}

impl Kind {
    pub(crate) const fn plural(self) -> &'static str {
        match self {
            Self::Reads => "reads",
            Self::Writes => "writes",
            Self::Deletes => "deletes",
        }
    }
}

/// Sizes of the buckets. The defaults are the public cloud's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Limits {
    pub(crate) enabled: bool,
    pub(crate) reads: Bucket,
    pub(crate) writes: Bucket,
    pub(crate) deletes: Bucket,
    /// How many times the figures above all principals of a subscription have together.
    pub(crate) everybody: f64,
    /// Whether a 429 carries Retry-After.
    pub(crate) retry_after: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Bucket {
    pub(crate) size: f64,
    pub(crate) refill_per_second: f64,
}

impl Default for Limits {
    fn default() -> Self {
        let smaller = Bucket { size: 200.0, refill_per_second: 10.0 };
        Self {
            enabled: true,
            reads: Bucket { size: 250.0, refill_per_second: 25.0 },
            writes: smaller,
            deletes: smaller,
            everybody: 15.0,
            retry_after: true,
        }
    }
}

impl Limits {
    const fn of(&self, kind: Kind) -> Bucket {
        match kind {
            Kind::Reads => self.reads,
            Kind::Writes => self.writes,
            Kind::Deletes => self.deletes,
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass { remaining: u64 },
    Refused { retry_after_seconds: u64 },
}

/// How full the buckets are. A new bucket is full.
#[derive(Debug, Default)]
pub(crate) struct Levels(HashMap<(String, Option<String>, Kind), Level>);

#[derive(Debug)]
struct Level {
    tokens: f64,
    at_ms: i64,
}

impl Levels {
    /// Takes one token for a call of `principal` in `scope` (a subscription's or tenant's id).
    pub(crate) fn take(
        &mut self,
        limits: &Limits,
        scope: &str,
        principal: &str,
        kind: Kind,
        now_ms: i64,
    ) -> Verdict {
        if !limits.enabled {
            return Verdict::Pass { remaining: limits.of(kind).size as u64 };
        }
        let scope = scope.to_ascii_lowercase();
        let own = limits.of(kind);
        let all = Bucket {
            size: own.size * limits.everybody,
            refill_per_second: own.refill_per_second * limits.everybody,
        };
        let own_key = (scope.clone(), Some(principal.to_ascii_lowercase()), kind);
        let all_key = (scope, None, kind);
        let wait = self.refilled(&own_key, own, now_ms).max(self.refilled(&all_key, all, now_ms));
        if wait > 0.0 {
            return Verdict::Refused { retry_after_seconds: wait.ceil().clamp(1.0, 3600.0) as u64 };
        }
        self.0.entry(all_key).and_modify(|level| level.tokens -= 1.0);
        let level = self.0.get_mut(&own_key).map_or(0.0, |level| {
            level.tokens -= 1.0;
            level.tokens
        });
        Verdict::Pass { remaining: level.max(0.0) as u64 }
    }

    /// Brings a bucket up to date; gives the seconds until it holds a whole token, 0 if it does.
    fn refilled(&mut self, key: &(String, Option<String>, Kind), bucket: Bucket, now_ms: i64) -> f64 {
        let full = Level { tokens: bucket.size, at_ms: now_ms };
        let level = self.0.entry(key.clone()).or_insert(full);
        let elapsed = now_ms.saturating_sub(level.at_ms).max(0) as f64 / 1000.0; // a clock set back refills nothing
        level.tokens = (level.tokens + elapsed * bucket.refill_per_second).min(bucket.size);
        level.at_ms = now_ms;
        if level.tokens >= 1.0 { 0.0 } else { (1.0 - level.tokens) / bucket.refill_per_second }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TINY: Bucket = Bucket { size: 2.0, refill_per_second: 0.5 };

    fn limits() -> Limits {
        Limits { writes: TINY, ..Limits::default() }
    }

    #[test]
    fn a_bucket_empties_and_refills() {
        let (mut levels, limits) = (Levels::default(), limits());
        let mut take = |ms| levels.take(&limits, "s", "p", Kind::Writes, ms);
        assert_eq!(take(0), Verdict::Pass { remaining: 1 });
        assert_eq!(take(0), Verdict::Pass { remaining: 0 });
        assert_eq!(take(0), Verdict::Refused { retry_after_seconds: 2 });
        assert_eq!(take(1_000), Verdict::Refused { retry_after_seconds: 1 });
        assert_eq!(take(2_000), Verdict::Pass { remaining: 0 });
        assert_eq!(take(1_000_000), Verdict::Pass { remaining: 1 });
    }

    #[test]
    fn principals_kinds_and_scopes_have_their_own() {
        let (mut levels, limits) = (Levels::default(), limits());
        for _ in 0..2 {
            levels.take(&limits, "s", "p", Kind::Writes, 0);
        }
        for (scope, principal, kind) in
            [("t", "p", Kind::Writes), ("s", "q", Kind::Writes), ("s", "p", Kind::Reads)]
        {
            assert!(matches!(levels.take(&limits, scope, principal, kind, 0), Verdict::Pass { .. }));
        }
        assert!(matches!(levels.take(&limits, "S", "P", Kind::Writes, 0), Verdict::Refused { .. }));
    }

    #[test]
    fn everybody_together_has_a_bucket_too() {
        let limits = Limits { everybody: 1.5, ..limits() };
        let mut levels = Levels::default();
        let passed = (0..10)
            .filter(|n| {
                let verdict = levels.take(&limits, "s", &format!("p{n}"), Kind::Writes, 0);
                matches!(verdict, Verdict::Pass { .. })
            })
            .count();
        assert_eq!(passed, 3);
    }
}
