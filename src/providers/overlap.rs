//! Make before break: a rotated certificate's predecessor stays until its successor serves and the grace time is over.
//! Pure.

use std::time::Duration;

use jiff::Timestamp;

use crate::api::certificate::Retiring;

/// What is retiring once `leaving`, if there is one, has left its place to `serving`. While the successor does not yet
/// serve, nobody's time has come.
pub fn retiring(
    recorded: &[Retiring],
    leaving: Option<Retiring>,
    serving: &str,
    serves: bool,
    until: Timestamp,
) -> Vec<Retiring> {
    let stay = recorded.iter().cloned().chain(leaving).filter(|it| it.id != serving);
    stay.map(|it| Retiring { until: it.until.or(serves.then_some(until)), ..it }).collect()
}

/// Whether its time is over.
pub fn is_due(entry: &Retiring, now: Timestamp) -> bool {
    entry.until.is_some_and(|until| until <= now)
}

/// The end of the grace time that begins now.
pub fn until(now: Timestamp, grace: Duration) -> Timestamp {
    now.checked_add(grace).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, until: Option<&str>) -> Retiring {
        Retiring { id: id.into(), content_hash: "aa".into(), until: until.map(|it| it.parse().unwrap()) }
    }

    #[test]
    fn a_predecessor_stays_until_its_successor_has_served_for_the_grace_time() {
        let (now, later) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        let end = until(now.parse().unwrap(), Duration::from_secs(24 * 3600));
        assert_eq!(end, later.parse().unwrap());
        // The successor stands there, and is not verified yet.
        let first = retiring(&[], Some(entry("old", None)), "new", false, end);
        assert_eq!(first, [entry("old", None)]);
        assert!(!is_due(&first[0], Timestamp::MAX));
        // It serves from now on.
        let second = retiring(&first, None, "new", true, end);
        assert_eq!(second, [entry("old", Some(later))]);
        // The time does not begin anew at the next look.
        let third = retiring(&second, None, "new", true, Timestamp::MAX);
        assert_eq!(third, second);
        assert!(!is_due(&third[0], now.parse().unwrap()) && is_due(&third[0], end));
    }

    #[test]
    fn what_serves_again_does_not_retire() {
        let recorded = [entry("old", Some("2026-01-02T00:00:00Z"))];
        let swapped = retiring(&recorded, Some(entry("new", None)), "old", true, Timestamp::MAX);
        assert_eq!(swapped, [Retiring { until: Some(Timestamp::MAX), ..entry("new", None) }]);
    }
}
