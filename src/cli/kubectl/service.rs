//! What was seen in the service, and what the operator would do about it: told by `plan` and by `status --remote`.

use anyhow::{Result, bail};
use serde::Serialize;

use super::connection::unfetched;
use super::printing::{Paint, columns, plain};
use crate::api::certificate::{CertificateSummary, Remote};
use crate::api::condition::{Condition, ConditionStatus};
use crate::api::reason::{Invalid, Reason};
use crate::engine::explained::Row;
use crate::engine::preview::{Ahead, Preview};
use crate::source::cluster::FetchError;

/// What was seen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Seen {
    /// The remote name.
    pub(super) target: String,
    /// Whether nothing is left to do, and what is there is usable.
    pub(super) is_as_wanted: bool,
    /// The wish beside what stands there.
    pub(super) compared: Vec<Row>,
    pub(super) next: Next,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remote: Option<Remote>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) certificate: Option<CertificateSummary>,
    /// What would be written in the namespace.
    pub(super) outputs: Vec<String>,
    /// What could not be told.
    pub(super) notes: Vec<String>,
}

/// What comes next.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase", tag = "action")]
pub(super) enum Next {
    /// Nothing is to be done.
    Nothing {
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        message: String,
    },
    /// The service would be written.
    #[serde(rename_all = "camelCase")]
    Write {
        step: &'static str,
        follows: Vec<&'static str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        held_back: Option<Why>,
    },
    /// It would be looked at again.
    #[serde(rename_all = "camelCase")]
    Wait {
        #[serde(flatten)]
        why: Why,
        seconds: u64,
    },
    /// Somebody has to change something.
    Stuck(Why),
}

#[derive(Debug, Serialize)]
pub(super) struct Why {
    pub(super) reason: Reason,
    pub(super) message: String,
}

impl From<Invalid> for Why {
    fn from(Invalid { reason, message }: Invalid) -> Self {
        Self { reason, message: plain(&message) }
    }
}

impl Seen {
    /// What a preview says; an error where the one who asks may not read what the operator reads.
    pub(super) fn of(preview: Result<Preview, FetchError>) -> Result<Self> {
        let Preview { target, compared, next, facts, outputs, ready, notes } = preview.map_err(unfetched)?;
        let is_usable = ready.as_ref().is_none_or(|it| it.status == ConditionStatus::True);
        let is_as_wanted = next == Ahead::Nothing && is_usable;
        let facts = facts.map(|it| *it);
        Ok(Self {
            target,
            is_as_wanted,
            compared,
            next: next_of(next, ready)?,
            remote: facts.as_ref().map(|it| it.remote.clone()),
            certificate: facts.and_then(|it| it.certificate),
            outputs,
            notes,
        })
    }

    /// In words and columns.
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = format!("Target:  {}\n", self.target);
        let rows: Vec<_> = self.compared.iter().map(cells).collect();
        if !rows.is_empty() {
            let head = ["", "", "WANTED", "FOUND"].map(str::to_owned);
            text += &columns(&[&[head], rows.as_slice()].concat());
        }
        text += &format!("Next:    {}\n", self.next.text(paint));
        for output in &self.outputs {
            text += &format!("         then {output} would be written in the namespace\n");
        }
        for note in &self.notes {
            text += &format!("Note:    {note}\n");
        }
        text
    }
}

fn next_of(ahead: Ahead, ready: Option<Condition>) -> Result<Next> {
    Ok(match ahead {
        Ahead::Nothing => match ready {
            Some(it) => Next::Nothing { reason: Some(it.reason), message: it.message },
            None => Next::Nothing { reason: None, message: "nothing is left to do".to_owned() },
        },
        Ahead::Step { name, follows, held_back } => {
            Next::Write { step: name, follows, held_back: held_back.map(Why::from) }
        }
        Ahead::Wait { why, wait } => Next::Wait { why: why.into(), seconds: wait.as_secs() },
        Ahead::Stuck(Invalid { reason: Reason::SourcesNotGranted | Reason::OutputsNotGranted, message }) => {
            bail!("a right is missing: {message}")
        }
        Ahead::Stuck(why) => Next::Stuck(why.into()),
    })
}

impl Next {
    fn text(&self, paint: Paint) -> String {
        match self {
            Self::Nothing { reason, message } => match reason {
                Some(reason) => format!("{} ({reason}: {message})", paint.strong("no write")),
                None => format!("{} ({message})", paint.strong("no write")),
            },
            Self::Write { step, follows, held_back } => {
                let then = match follows.as_slice() {
                    [] => String::new(),
                    follows => format!(", then {}", follows.join(", ")),
                };
                let held = held_back.as_ref().map(|Why { reason, message }| {
                    format!("\n         but the operator would not make it: {reason}: {message}")
                });
                format!(
                    "{}{then}; it is read again after each{}",
                    paint.strong(step),
                    held.unwrap_or_default()
                )
            }
            Self::Wait { why: Why { reason, message }, seconds } => {
                format!("{} {reason}: {message}; looked at again in {seconds} s", paint.strong("wait"))
            }
            Self::Stuck(Why { reason, message }) => {
                format!("{} {reason}: {message}", paint.verdict("stuck", false))
            }
        }
    }
}

/// A mark, what, wanted, found.
fn cells(row: &Row) -> [String; 4] {
    let Row { what, wanted, found, differs } = row;
    let mark = if *differs { "!" } else { "=" };
    let (wanted, found) = (wanted.as_deref().unwrap_or("-"), found.as_deref().unwrap_or("none"));
    [mark.to_owned(), what.clone(), wanted.to_owned(), plain(found)]
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn preview(next: Ahead) -> Preview {
        Preview {
            target: "iothub/s/g/hub/ca".to_owned(),
            compared: vec![
                Row::new("SHA-1 thumbprint", "AA", Some("BB")),
                Row::new("verified", true, None::<bool>),
                Row::told("enabled", true),
            ],
            next,
            facts: None,
            outputs: vec!["Secret web".to_owned()],
            ready: None,
            notes: Vec::new(),
        }
    }

    fn text(next: Ahead) -> String {
        Seen::of(Ok(preview(next))).unwrap().text(Paint::PLAIN)
    }

    #[test]
    fn the_wish_stands_beside_what_was_found() {
        let step = Ahead::Step { name: "Replace", follows: vec!["RequestCode", "Verify"], held_back: None };
        assert_eq!(
            text(step),
            "Target:  iothub/s/g/hub/ca
                       WANTED  FOUND
  !  SHA-1 thumbprint  AA      BB
  !  verified          true    none
  =  enabled           -       true
Next:    Replace, then RequestCode, Verify; it is read again after each
         then Secret web would be written in the namespace
"
        );
    }

    #[test]
    fn what_comes_next_is_told_in_one_line() {
        let why = || Invalid::new(Reason::NotOwned, "it is another's");
        for (next, said) in [
            (Ahead::Nothing, "no write (nothing is left to do)"),
            (Ahead::Stuck(why()), "stuck NotOwned: it is another's"),
            (
                Ahead::Wait { why: why(), wait: Duration::from_secs(10) },
                "wait NotOwned: it is another's; looked at again in 10 s",
            ),
            (
                Ahead::Step { name: "Create", follows: vec![], held_back: Some(why()) },
                "but the operator would not make it: NotOwned: it is another's",
            ),
        ] {
            let text = text(next);
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn a_right_that_is_missing_is_an_error_and_not_a_finding() {
        let next = Ahead::Stuck(Invalid::new(Reason::SourcesNotGranted, "you need the right to `get` them"));
        assert!(Seen::of(Ok(preview(next))).unwrap_err().to_string().contains("`get`"));
    }

    #[test]
    fn control_characters_of_a_service_do_not_reach_the_terminal() {
        let row = Row::told("subject", "CN=\u{1b}[31mevil\n");
        assert_eq!(cells(&row)[3], "CN=[31mevil");
    }
}
