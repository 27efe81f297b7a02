//! Reading the journal.

use serde_json::{Value, json};

use super::{Control, bad_request, value};
use crate::journal::Filter;
use crate::request::Answer;

pub(super) fn list(control: &mut Control) -> Result<Value, Answer> {
    let mut filter = Filter::default();
    for (name, text) in control.request.query.iter().flatten() {
        let text = text.clone();
        match name.as_str() {
            "operation" => filter.operation = Some(text),
            "method" => filter.method = Some(text),
            "path" => filter.path = Some(text),
            "since" => filter.since = text.parse().map_err(|_| bad_request("since is no number"))?,
            other => return Err(bad_request(&format!("no filter '{other}'"))),
        }
    }
    let journal = &control.state.journal;
    Ok(json!({"last": journal.last(), "requests": value(&journal.find(&filter))}))
}

pub(super) fn counts(control: &mut Control) -> Result<Value, Answer> {
    let journal = &control.state.journal;
    Ok(json!({"last": journal.last(), "counts": journal.counts()}))
}

pub(super) fn clear(control: &mut Control) -> Result<Value, Answer> {
    control.state.journal.clear();
    Ok(json!({}))
}
