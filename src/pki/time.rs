//! The two ways in which certificates write a time (RFC 5280 §4.1.2.5).

use der::{SliceReader, Tag};
use jiff::{Timestamp, civil, tz::TimeZone};

use super::asn1;

/// The years that UTCTime's two digits stand for.
const UTC_TIME_YEARS: std::ops::Range<i16> = 1950..2050;

/// Reads a UTCTime or GeneralizedTime. The year 9999 stands for "no end", which is a day later than the last
/// `Timestamp`: what is later than that is taken as that.
pub(super) fn read(value: &[u8]) -> Option<Timestamp> {
    match SliceReader::new(value).ok().and_then(|reader| Tag::peek(&reader).ok())? {
        tag @ Tag::UtcTime => {
            let digits = digits::<12>(asn1::contents(tag, value)?)?;
            let year = number(&digits[..2]);
            timestamp(if year < 50 { 2000 + year } else { 1900 + year }, &digits[2..])
        }
        tag @ Tag::GeneralizedTime => {
            let digits = digits::<14>(asn1::contents(tag, value)?)?;
            timestamp(number(&digits[..4]), &digits[4..])
        }
        _ => None,
    }
}

/// Writes a time to the second.
pub(super) fn write(time: Timestamp) -> der::Result<Vec<u8>> {
    let at = time.to_zoned(TimeZone::UTC).datetime();
    let after_year =
        format!("{:02}{:02}{:02}{:02}{:02}Z", at.month(), at.day(), at.hour(), at.minute(), at.second());
    if UTC_TIME_YEARS.contains(&at.year()) {
        asn1::value(Tag::UtcTime, format!("{:02}{after_year}", at.year() % 100).as_bytes())
    } else {
        asn1::value(Tag::GeneralizedTime, format!("{:04}{after_year}", at.year()).as_bytes())
    }
}

/// The values of exactly N digits that are followed by a Z.
fn digits<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digits: [u8; N] = text.strip_suffix(b"Z")?.try_into().ok()?;
    digits.iter().all(u8::is_ascii_digit).then(|| digits.map(|digit| digit - b'0'))
}

/// At most four digits as a number.
fn number(digits: &[u8]) -> i16 {
    digits.iter().fold(0, |number, digit| number * 10 + i16::from(*digit))
}

/// The time of a year and the ten digits of month, day, hour, minute and second.
fn timestamp(year: i16, rest: &[u8]) -> Option<Timestamp> {
    let mut pairs = rest.chunks_exact(2).map(|pair| pair[0] * 10 + pair[1]).map(|pair| pair as i8);
    let mut next = || pairs.next();
    let civil = civil::DateTime::new(year, next()?, next()?, next()?, next()?, next()?, 0).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_rfc_5280_says() {
        let cases: [(Tag, &str, Option<&str>); 14] = [
            (Tag::UtcTime, "491231235959Z", Some("2049-12-31T23:59:59Z")),
            (Tag::UtcTime, "500101000000Z", Some("1950-01-01T00:00:00Z")),
            (Tag::UtcTime, "261125102030Z", Some("2026-11-25T10:20:30Z")),
            (Tag::GeneralizedTime, "20500101000000Z", Some("2050-01-01T00:00:00Z")),
            (Tag::GeneralizedTime, "00010101000000Z", Some("0001-01-01T00:00:00Z")),
            (Tag::GeneralizedTime, "99991231235959Z", Some("9999-12-30T22:00:00.999999999Z")),
            (Tag::UtcTime, "2611251020Z", None),
            (Tag::UtcTime, "261125102030+0100", None),
            (Tag::UtcTime, "260230000000Z", None),
            (Tag::UtcTime, "26112510203 Z", None),
            (Tag::UtcTime, "", None),
            (Tag::GeneralizedTime, "20261125102030.5Z", None),
            (Tag::GeneralizedTime, "20261125106030Z", None),
            (Tag::OctetString, "261125102030Z", None),
        ];
        for (tag, text, wanted) in cases {
            let read = read(&asn1::value(tag, text.as_bytes()).unwrap());
            assert_eq!(read, wanted.map(|time| time.parse().unwrap()), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_is_read(seconds in 0_i64..253_402_207_200) {
            let time = Timestamp::from_second(seconds).unwrap();
            proptest::prop_assert_eq!(read(&write(time).unwrap()), Some(time));
        }
    }
}
