//! Setting faults.

use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::faults::Fault;
use crate::request::Answer;

pub(super) fn list(control: &mut Control) -> Result<Value, Answer> {
    Ok(value(&control.state.faults.all()))
}

/// One fault or a list; all of a list or none.
pub(super) fn add(control: &mut Control) -> Result<Value, Answer> {
    let body: Value = control.body()?;
    let many = body.is_array();
    let all = if many { body } else { json!([body]) };
    let all: Vec<Fault> = serde_json::from_value(all).map_err(|error| bad_request(&error.to_string()))?;
    let ids = control.state.faults.add(all).map_err(|problem| bad_request(&problem))?;
    Ok(if many { json!({ "ids": ids }) } else { json!({"id": ids[0]}) })
}

pub(super) fn clear(control: &mut Control) -> Result<Value, Answer> {
    control.state.faults.clear();
    control.state.stale.clear();
    Ok(json!({}))
}

pub(super) fn remove(control: &mut Control) -> Result<Value, Answer> {
    let id = control.captures.text("id");
    match id.parse() {
        Ok(number) if control.state.faults.remove(number) => Ok(json!({})),
        _ => Err(not_found("fault", id)),
    }
}

pub(super) fn release(control: &mut Control) -> Result<Value, Answer> {
    control.cloud.released.notify_waiters();
    Ok(json!({}))
}
