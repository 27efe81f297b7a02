//! Faults that tests set: which request, how often, and what goes wrong. Deciding only; `pipeline` carries out.

use std::collections::BTreeMap;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::request::{Answer, Request};
use crate::roles::matches;
use crate::stale::Which;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Fault {
    /// Given by the emulator.
    #[serde(default)]
    pub(crate) id: u64,
    /// Operation name, `*` allowed: `token`, `iotHubCertificates.*`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    /// Part of the raw path, or with `*` a pattern for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// How often it strikes; `null`: without end.
    #[serde(default = "once")]
    times: Option<u64>,
    /// How many matching requests pass first.
    #[serde(default)]
    skip: u64,
    pub(crate) action: Action,
    /// How often it struck.
    #[serde(default)]
    fired: u64,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the member's type: `null` means without end")]
const fn once() -> Option<u64> {
    Some(1)
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Action {
    /// Answer this and do nothing.
    Answer(Canned),
    /// Wait; before applying the call or after it.
    Delay {
        ms: u64,
        #[serde(default)]
        when: When,
    },
    /// Close the connection without an answer; before applying the call or after it.
    Cut {
        #[serde(default)]
        when: When,
    },
    /// Apply, and break off after so many bytes of the body (half of it unless said).
    Truncate {
        #[serde(default)]
        bytes: Option<usize>,
    },
    /// Apply, and answer with a body that is no JSON.
    Garble {
        #[serde(default = "html")]
        text: String,
    },
    /// Send the client elsewhere and do nothing.
    Redirect {
        location: String,
        #[serde(default = "temporary_redirect")]
        status: u16,
    },
    /// Apply, and answer 202 as a long-running call does.
    Accepted(Accepted),
    /// Lose the answer, and apply only later: after `ms`, or without it when the faults are released.
    Late {
        #[serde(default)]
        ms: Option<u64>,
        /// What the client gets at once; absent: the connection is cut.
        #[serde(default)]
        answer: Option<Canned>,
    },
    /// Apply the write; the next reads still see the state before it.
    Stale {
        reads: u64,
        #[serde(default)]
        which: Which,
    },
    /// Apply, and change the answer: status, headers, and the JSON body by merge patch (RFC 7396).
    Rewrite {
        #[serde(default)]
        status: Option<u16>,
        #[serde(default)]
        headers: BTreeMap<String, String>,
        #[serde(default)]
        merge: Option<Value>,
    },
    /// Apply, and send the body slowly.
    Drip { bytes: usize, every_ms: u64 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum When {
    #[default]
    Before,
    After,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Canned {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// The body, as JSON or as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Accepted {
    /// In place of a poll URL of the emulator's own.
    #[serde(default)]
    pub(crate) location: Option<String>,
    #[serde(default)]
    pub(crate) azure_async_operation: Option<String>,
    #[serde(default)]
    pub(crate) retry_after: Option<String>,
    /// Without a URL given: how many polls say that it is still running.
    #[serde(default)]
    pub(crate) polls: u64,
    /// And the error that the operation ends with; absent: it succeeds.
    #[serde(default)]
    pub(crate) failure: Option<Value>,
}

fn html() -> String {
    "<html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>".to_owned()
}

const fn temporary_redirect() -> u16 {
    307
}

impl Action {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Delay { .. } => "delay",
            Self::Cut { .. } => "cut",
            Self::Truncate { .. } => "truncate",
            Self::Garble { .. } => "garble",
            Self::Redirect { .. } => "redirect",
            Self::Accepted(_) => "accepted",
            Self::Late { .. } => "late",
            Self::Stale { .. } => "stale",
            Self::Rewrite { .. } => "rewrite",
            Self::Drip { .. } => "drip",
        }
    }

    /// Why it cannot be carried out, if so.
    fn problem(&self) -> Option<String> {
        let bad =
            |status: u16| StatusCode::from_u16(status).is_err().then(|| format!("status {status} is none"));
        match self {
            Self::Answer(canned) | Self::Late { answer: Some(canned), .. } => canned.problem(),
            Self::Redirect { status, .. } | Self::Rewrite { status: Some(status), .. } => bad(*status),
            Self::Drip { bytes: 0, .. } => Some("bytes must be 1 or more".to_owned()),
            _ => None,
        }
    }
}

impl Canned {
    fn problem(&self) -> Option<String> {
        if StatusCode::from_u16(self.status).is_err() {
            return Some(format!("status {} is none", self.status));
        }
        (self.json.is_some() && self.text.is_some()).then(|| "json and text exclude each other".to_owned())
    }

    pub(crate) fn answer(&self) -> Answer {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = match (&self.json, &self.text) {
            (Some(json), _) => Answer::json(status, json),
            (None, Some(text)) => {
                let mut answer = Answer::empty(status).with("content-type", "text/plain; charset=utf-8");
                answer.body = text.clone().into_bytes();
                answer
            }
            (None, None) => Answer::empty(status),
        };
        for (name, value) in &self.headers {
            answer.set(name, value.clone());
        }
        answer
    }
}

impl Fault {
    fn fits(&self, request: &Request, operation: &str) -> bool {
        let path = |wanted: &String| {
            let wanted_lower = wanted.to_ascii_lowercase();
            let has = || request.raw_path.to_ascii_lowercase().contains(&wanted_lower);
            if wanted.contains('*') { matches(wanted, &request.raw_path) } else { has() }
        };
        self.operation.as_ref().is_none_or(|name| matches(name, operation))
            && self.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(request.method.as_str()))
            && self.host.as_ref().is_none_or(|host| matches(host, &request.host))
            && self.path.as_ref().is_none_or(path)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Faults {
    all: Vec<Fault>,
    last_id: u64,
}

impl Faults {
    /// Adds all of them, or none if one cannot be carried out; gives their ids.
    pub(crate) fn add(&mut self, faults: Vec<Fault>) -> Result<Vec<u64>, String> {
        if let Some(problem) = faults.iter().find_map(|fault| fault.action.problem()) {
            return Err(problem);
        }
        let mut ids = Vec::new();
        for fault in faults {
            self.last_id += 1;
            ids.push(self.last_id);
            self.all.push(Fault { id: self.last_id, fired: 0, ..fault });
        }
        Ok(ids)
    }

    /// The fault that strikes this request. The first in order that fits and is neither spent nor still skipping;
    /// each that fits and skips is counted down.
    pub(crate) fn strike(&mut self, request: &Request, operation: &str) -> Option<(u64, Action)> {
        for fault in &mut self.all {
            if fault.times == Some(0) || !fault.fits(request, operation) {
                continue;
            }
            if fault.skip > 0 {
                fault.skip -= 1;
                continue;
            }
            fault.times = fault.times.map(|times| times - 1);
            fault.fired += 1;
            return Some((fault.id, fault.action.clone()));
        }
        None
    }

    /// All faults, spent ones too: their `fired` tells a test whether it tested anything.
    pub(crate) fn all(&self) -> &[Fault] {
        &self.all
    }

    pub(crate) fn remove(&mut self, id: u64) -> bool {
        let before = self.all.len();
        self.all.retain(|fault| fault.id != id);
        self.all.len() < before
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }
}

/// JSON merge patch, RFC 7396.
pub(crate) fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(serde_json::Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.remove(name);
        } else {
            merge(members.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}
