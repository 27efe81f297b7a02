//! Moving the clock.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, bad_request};
use crate::clock;
use crate::request::Answer;

/// Exactly one member.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum Set {
    /// `2030-01-01T00:00:00Z`
    Time(String),
    Unix(i64),
    /// From the system's time.
    OffsetSeconds(i64),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: i64,
}

pub(super) fn show(control: &mut Control) -> Result<Value, Answer> {
    let clock = &control.state.clock;
    let now = clock.now();
    Ok(json!({"time": clock::iso(now), "unix": now, "offsetSeconds": clock.offset_ms.div_euclid(1000)}))
}

pub(super) fn set(control: &mut Control) -> Result<Value, Answer> {
    let clock = &mut control.state.clock;
    match serde_json::from_slice(&control.request.body).map_err(|error| bad_request(&error.to_string()))? {
        Set::Unix(seconds) => clock.set(seconds),
        Set::OffsetSeconds(seconds) => clock.offset_ms = seconds.saturating_mul(1000),
        Set::Time(text) => {
            let form = || bad_request("a time is written 2030-01-01T00:00:00Z");
            clock.set(clock::from_iso(&text).ok_or_else(form)?);
        }
    }
    show(control)
}

pub(super) fn advance(control: &mut Control) -> Result<Value, Answer> {
    let Advance { seconds } = control.body()?;
    control.state.clock.advance(seconds);
    show(control)
}
