//! How long a service asks to be left alone: the `Retry-After` header (RFC 9110 §10.2.3).

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// The longest wait that a service is granted. One that asks for more is asked again after this long: politer than our
/// own backoff, and no answer can park an object for a year.
pub const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// The wait that a `Retry-After` value asks for, at most [`LONGEST_WAIT`]. `None` for zero, times that have passed and
/// what is neither a number of seconds nor an HTTP date: then our own backoff decides.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim_matches([' ', '\t']);
    let wait = if !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit()) {
        // A number too long for a u64 is still a number.
        Duration::from_secs(value.parse().unwrap_or(u64::MAX))
    } else {
        let until = DateTimeParser::new().parse_timestamp(value).ok()?;
        until.duration_since(now).try_into().ok()?
    };
    (!wait.is_zero()).then(|| wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates() {
        let now: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let table = [
            ("1", Some(1)),
            ("17", Some(17)),
            (" 17\t", Some(17)),
            ("0017", Some(17)),
            ("600", Some(600)),
            ("601", Some(600)),
            ("31536000", Some(600)),
            ("99999999999999999999999999", Some(600)),
            ("Tue, 01 Jan 2030 00:00:30 GMT", Some(30)),
            ("Tue, 01 Jan 2030 02:00:00 GMT", Some(600)),
            ("Thu, 31 Dec 9998 23:59:59 GMT", Some(600)),
            ("Tue, 01 Jan 2030 00:00:00 GMT", None),
            ("Mon, 31 Dec 2029 23:59:59 GMT", None),
            ("Mon, 01 Jan 0001 00:00:00 GMT", None),
            ("", None),
            ("0", None),
            ("-5", None),
            ("+5", None),
            ("1.5", None),
            ("5s", None),
            ("0x10", None),
            ("soon", None),
            ("\u{665}", None),
            ("Tue, 99 Jan 2030 00:00:30 GMT", None),
        ];
        for (value, seconds) in table {
            assert_eq!(retry_after(value, now), seconds.map(Duration::from_secs), "{value:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_gives_a_bounded_wait(value in ".{0,64}", now in -1_000_000_000i64..100_000_000_000) {
            let wait = retry_after(&value, Timestamp::from_second(now).unwrap());
            assert!(wait.is_none_or(|w| !w.is_zero() && w <= LONGEST_WAIT));
        }
    }
}
