//! Odd values of answers. What cannot be read is unknown, never a guess.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A boolean of an answer. The vendor's own sample has `"false,"` for one, and an official client reads that as true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flag {
    /// `true`.
    On,
    /// `false`, null or absent.
    #[default]
    Off,
    /// Something else: nothing may be written because of it.
    Unknown,
}

impl Flag {
    /// Whether it is as wanted; `None` if that cannot be told.
    pub fn is(self, wanted: bool) -> Option<bool> {
        match self {
            Self::On => Some(wanted),
            Self::Off => Some(!wanted),
            Self::Unknown => None,
        }
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Value::deserialize(deserializer)? {
            Value::Bool(true) => Self::On,
            Value::Bool(false) | Value::Null => Self::Off,
            Value::String(text) => match text.strip_suffix(',').unwrap_or(&text) {
                "true" => Self::On,
                "false" => Self::Off,
                _ => Self::Unknown,
            },
            Value::Number(_) | Value::Array(_) | Value::Object(_) => Self::Unknown,
        })
    }
}

/// A date as IoTDA writes it, `yyyyMMdd'T'HHmmss'Z'` in UTC; `None` for null and for all that is none. For
/// `#[serde(default, deserialize_with = "…")]`.
pub fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(value.as_str().and_then(compact))
}

fn compact(text: &str) -> Option<Timestamp> {
    let fixed = text.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'T',
        15 => byte == b'Z',
        13 => (b'0'..=b'5').contains(&byte), // no leap second: it would be read as the one before
        _ => byte.is_ascii_digit(),
    });
    if text.len() != 16 || !fixed {
        return None;
    }
    if text == "99991231T235959Z" {
        return Some(Timestamp::MAX); // "no end", as in certificates: a day later than what can be represented
    }
    let civil = DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Deserialize)]
    struct Answer {
        #[serde(default)]
        flag: Flag,
        #[serde(default, deserialize_with = "date")]
        date: Option<Timestamp>,
    }

    fn read(body: Value) -> Answer {
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn booleans_are_read_to_the_letter() {
        use Flag::*;
        for (value, flag) in [
            (json!(true), On),
            (json!(false), Off),
            (json!(null), Off),
            (json!("true"), On),
            (json!("false"), Off),
            (json!("true,"), On),
            (json!("false,"), Off),
            (json!("false,,"), Unknown),
            (json!("False"), Unknown),
            (json!(" true"), Unknown),
            (json!(""), Unknown),
            (json!(","), Unknown),
            (json!("1"), Unknown),
            (json!(0), Unknown),
            (json!([]), Unknown),
            (json!({}), Unknown),
        ] {
            assert_eq!(read(json!({ "flag": value })).flag, flag, "{value}");
        }
        assert_eq!(read(json!({})).flag, Off);
        assert_eq!((On.is(true), Off.is(true), Unknown.is(true)), (Some(true), Some(false), None));
        assert_eq!((On.is(false), Off.is(false), Unknown.is(false)), (Some(false), Some(true), None));
    }

    #[test]
    fn dates_are_read_in_their_one_form() {
        let at = |text: &str| Some(text.parse::<Timestamp>().unwrap());
        for (value, date) in [
            (json!("20260115T080910Z"), at("2026-01-15T08:09:10Z")),
            (json!("99991231T235959Z"), Some(Timestamp::MAX)),
            (json!("20260229T000000Z"), None),
            (json!("20260115T240000Z"), None),
            (json!("20280229T235960Z"), None),
            (json!("20260115T080910"), None),
            (json!("2026-01-15T08:09:10Z"), None),
            (json!(" 0260115T080910Z"), None),
            (json!("20260115080910"), None),
            (json!(""), None),
            (json!(20_260_115), None),
            (json!(null), None),
        ] {
            assert_eq!(read(json!({ "date": value })).date, date, "{value}");
        }
        assert_eq!(read(json!({})).date, None);
    }
}
