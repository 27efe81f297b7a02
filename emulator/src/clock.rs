//! The one clock, which tests can move, and the date forms of the services.

use std::time::{SystemTime, UNIX_EPOCH};

/// The system's time plus an offset. Certificates' validity, token life, dates and throttling follow it; TLS does
/// not.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    pub(crate) offset_ms: i64,
}

impl Clock {
    pub(crate) fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX).saturating_add(self.offset_ms)
    }

    /// Unix seconds.
    pub(crate) fn now(&self) -> i64 {
        self.now_ms().div_euclid(1000)
    }

    pub(crate) fn set(&mut self, unix_seconds: i64) {
        self.offset_ms = 0;
        self.offset_ms = unix_seconds.saturating_mul(1000).saturating_sub(self.now_ms());
    }

    pub(crate) fn advance(&mut self, seconds: i64) {
        self.offset_ms = self.offset_ms.saturating_add(seconds.saturating_mul(1000));
    }
}

const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]; // day 0 was a Thursday
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The year 1, which IoT Hub was seen to give as `created` throughout 2022.
pub(crate) const YEAR_ONE: i64 = -62_135_596_800;

struct Civil {
    year: i64,
    month: i64,
    day: i64,
    seconds: i64,
}

/// Days to a date of the proleptic Gregorian calendar: counted in 400-year eras that begin in March, so that the
/// leap day is the last of its year.
fn civil(unix_seconds: i64) -> Civil {
    let (days, seconds) = (unix_seconds.div_euclid(86_400), unix_seconds.rem_euclid(86_400));
    let from_march_0000 = days + 719_468;
    let (era, day_of_era) = (from_march_0000.div_euclid(146_097), from_march_0000.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    Civil {
        year: era * 400 + year_of_era + i64::from(month <= 2),
        month,
        day: day_of_year - (153 * march_month + 2) / 5 + 1,
        seconds,
    }
}

/// The same day of the month, so many months later; the last one where the month is shorter.
pub(crate) fn months_later(unix_seconds: i64, months: i64) -> i64 {
    let Civil { year, month, day, seconds } = civil(unix_seconds);
    let total = year * 12 + month - 1 + months;
    let (year, month) = (total.div_euclid(12), total.rem_euclid(12) + 1);
    let longest = (28..=31).rev().find(|day| civil(unix(year, month, *day, 0)).day == *day).unwrap_or(28);
    unix(year, month, day.min(longest), seconds)
}

fn unix(year: i64, month: i64, day: i64, seconds: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let march_month = if month > 2 { month - 3 } else { month + 9 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + (153 * march_month + 2) / 5 + day - 1;
    (era * 146_097 + day_of_era - 719_468) * 86_400 + seconds
}

/// `Thu, 20 May 2021 06:38:19 GMT`
pub(crate) fn rfc1123(unix_seconds: i64) -> String {
    let at = civil(unix_seconds);
    let weekday = usize::try_from(unix_seconds.div_euclid(86_400).rem_euclid(7)).unwrap_or(0);
    let month = usize::try_from(at.month - 1).unwrap_or(0);
    let (h, m, s) = (at.seconds / 3600, at.seconds / 60 % 60, at.seconds % 60);
    let (day, year) = (at.day, at.year);
    format!("{}, {day:02} {} {year:04} {h:02}:{m:02}:{s:02} GMT", DAYS[weekday], MONTHS[month])
}

/// `2021-05-20 06:38:19Z`, as IoT Hub writes it into its error texts.
pub(crate) fn spaced(unix_seconds: i64) -> String {
    iso(unix_seconds).replace('T', " ")
}

/// `2021-05-20T06:38:19Z`
pub(crate) fn iso(unix_seconds: i64) -> String {
    let at = civil(unix_seconds);
    let (h, m, s) = (at.seconds / 3600, at.seconds / 60 % 60, at.seconds % 60);
    format!("{:04}-{:02}-{:02}T{h:02}:{m:02}:{s:02}Z", at.year, at.month, at.day)
}

/// `20210520T063819Z`, as Huawei Cloud writes and signs it.
pub(crate) fn compact(unix_seconds: i64) -> String {
    iso(unix_seconds).replace(['-', ':'], "")
}

/// Reads `20210520T063819Z`, nothing else.
pub(crate) fn from_compact(text: &str) -> Option<i64> {
    let fits = |(at, byte): (usize, u8)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 16 || !text.bytes().enumerate().all(fits) {
        return None;
    }
    let (year, month, day) = (&text[..4], &text[4..6], &text[6..8]);
    let (h, m, s) = (&text[9..11], &text[11..13], &text[13..15]);
    from_iso(&format!("{year}-{month}-{day}T{h}:{m}:{s}Z"))
}

/// Reads `2021-05-20T06:38:19Z`, nothing else.
pub(crate) fn from_iso(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let date: Vec<i64> = date.split('-').map(str::parse).collect::<Result<_, _>>().ok()?;
    let time: Vec<i64> = time.split(':').map(str::parse).collect::<Result<_, _>>().ok()?;
    let ([year, month, day], [h, m, s]) = (date.as_slice(), time.as_slice()) else { return None };
    let valid = (1..=12).contains(month) && (1..=31).contains(day) && *h < 24 && *m < 60 && *s < 60;
    valid.then(|| unix(*year, *month, *day, h * 3600 + m * 60 + s))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_the_services_write_them() {
        assert_eq!(rfc1123(1_621_492_699), "Thu, 20 May 2021 06:38:19 GMT");
        assert_eq!(rfc1123(YEAR_ONE), "Mon, 01 Jan 0001 00:00:00 GMT");
        assert_eq!(rfc1123(2_208_988_799), "Sat, 31 Dec 2039 23:59:59 GMT");
        assert_eq!(rfc1123(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(spaced(1_709_164_800), "2024-02-29 00:00:00Z");
    }

    #[test]
    fn a_written_date_reads_back() {
        for seconds in [YEAR_ONE, -1, 0, 951_782_399, 951_782_400, 1_709_164_800, 253_402_300_799] {
            assert_eq!(from_iso(&iso(seconds)), Some(seconds));
            assert_eq!(from_compact(&compact(seconds)), Some(seconds));
        }
        assert_eq!(from_iso("2021-13-01T00:00:00Z"), None);
        assert_eq!(from_iso("2021-05-20"), None);
        for other in ["20211301T000000Z", "20210520T063819", "2021-05-20T06:38:19Z", "20210520t063819z"] {
            assert_eq!(from_compact(other), None, "{other}");
        }
    }
}
