//! Every request as it was received, with secrets cut out, and what became of it.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use crate::clock;
use crate::redact;
use crate::request::Request;
use crate::roles::matches;

/// Older entries fall out; counts go on.
const KEPT: usize = 50_000;

#[derive(Default)]
pub(crate) struct Journal {
    entries: VecDeque<Entry>,
    last: u64,
    counts: BTreeMap<&'static str, u64>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Entry {
    pub(crate) sequence: u64,
    /// By the emulator's clock.
    time: String,
    time_ms: i64,
    service: &'static str,
    operation: &'static str,
    host: String,
    method: String,
    /// Raw, as sent.
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
    /// What was answered; absent while the call is running.
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Outcome>,
    /// The fault that was applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    fault: Option<FaultNote>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Outcome {
    /// The status that the service gave to the call, also where the client never saw it; absent if the call was
    /// not handed to the service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) applied: Option<u16>,
    /// The status that was sent; absent if the connection was cut before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sent: Option<u16>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct FaultNote {
    pub(crate) id: u64,
    pub(crate) action: &'static str,
}

/// Which entries to show. All members narrow.
#[derive(Debug, Default)]
pub(crate) struct Filter {
    pub(crate) operation: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) since: u64,
}

impl Journal {
    pub(crate) fn received(
        &mut self,
        request: &Request,
        service: &'static str,
        operation: &'static str,
        now_ms: i64,
    ) -> u64 {
        self.last += 1;
        *self.counts.entry(operation).or_default() += 1;
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        let headers = request.headers.iter().map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), redact::header(name.as_str(), &text))
        });
        self.entries.push_back(Entry {
            sequence: self.last,
            time: clock::iso(now_ms.div_euclid(1000)),
            time_ms: now_ms,
            service,
            operation,
            host: request.authority.clone(),
            method: request.method.to_string(),
            path: request.raw_path.clone(),
            query: redact::query(request.raw_query.as_deref().unwrap_or_default()),
            headers: headers.collect(),
            body: redact::body(&request.body),
            answer: None,
            fault: None,
        });
        self.last
    }

    pub(crate) fn faulted(&mut self, sequence: u64, fault: FaultNote) {
        if let Some(entry) = self.entry(sequence) {
            entry.fault = Some(fault);
        }
    }

    /// Notes what the service made of the call.
    pub(crate) fn applied(&mut self, sequence: u64, status: u16) {
        if let Some(entry) = self.entry(sequence) {
            entry.answer.get_or_insert(Outcome { applied: None, sent: None }).applied = Some(status);
        }
    }

    /// Notes what was sent; `None` for a cut connection.
    pub(crate) fn sent(&mut self, sequence: u64, status: Option<u16>) {
        if let Some(entry) = self.entry(sequence) {
            entry.answer.get_or_insert(Outcome { applied: None, sent: None }).sent = status;
        }
    }

    fn entry(&mut self, sequence: u64) -> Option<&mut Entry> {
        let first = self.entries.front()?.sequence;
        self.entries.get_mut(usize::try_from(sequence.checked_sub(first)?).ok()?)
    }

    pub(crate) fn find(&self, filter: &Filter) -> Vec<&Entry> {
        let path = filter.path.as_ref().map(|path| path.to_ascii_lowercase());
        self.entries
            .iter()
            .filter(|entry| entry.sequence > filter.since)
            .filter(|entry| filter.operation.as_ref().is_none_or(|name| matches(name, entry.operation)))
            .filter(|entry| {
                filter.method.as_ref().is_none_or(|method| method.eq_ignore_ascii_case(&entry.method))
            })
            .filter(|entry| path.as_ref().is_none_or(|path| entry.path.to_ascii_lowercase().contains(path)))
            .collect()
    }

    pub(crate) const fn last(&self) -> u64 {
        self.last
    }

    pub(crate) const fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Forgets entries and counts; sequence numbers go on.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.counts.clear();
    }
}
