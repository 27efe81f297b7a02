//! How long to wait before trying again. Chance comes in as a value between 0 and 1, so that tests can choose it.

use std::time::Duration;

/// The shortest and the longest wait after a failure.
const FIRST: Duration = Duration::from_secs(1);
/// A loop must not get hot by chance.
const LEAST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(600);

/// The wait after that many failures in a row: doubled each time, and spread from nothing to its whole ("full jitter"),
/// so that objects that failed together do not return together.
pub fn after_failures(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(2u32.saturating_pow(failures.saturating_sub(1))).min(LONGEST);
    doubled.mul_f64(chance.clamp(0.0, 1.0)).max(LEAST)
}

/// A period give or take a fifth, so that objects made together do not stay together.
pub fn jittered(period: Duration, chance: f64) -> Duration {
    period.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_ten_minutes_and_are_spread_over_all_of_it() {
        for (failures, whole) in
            [(0, 1), (1, 1), (2, 2), (3, 4), (10, 512), (11, 600), (40, 600), (u32::MAX, 600)]
        {
            let whole = Duration::from_secs(whole);
            assert_eq!(after_failures(failures, 1.0), whole, "after {failures}");
            assert_eq!(after_failures(failures, 0.5), whole / 2, "after {failures}");
            assert_eq!(after_failures(failures, 0.0), LEAST, "after {failures}");
        }
    }

    #[test]
    fn a_period_is_spread_by_a_fifth() {
        let hour = Duration::from_secs(3600);
        assert_eq!(jittered(hour, 0.0), Duration::from_secs(2880));
        assert_eq!(jittered(hour, 1.0), Duration::from_secs(4320));
        assert_eq!(jittered(hour, 7.0), Duration::from_secs(4320));
    }
}
