//! The table of reasons, for the documentation: from the enum itself, so that it cannot be out of step.

use std::fmt::Write as _;

use anyhow::{Context, Result};
use schemars::schema_for;

use crate::api::reason::{Class, Reason};

/// The classes in the order of the page, with what each means for conditions and for the next look.
const CLASSES: [(Class, &str, &str); 8] = [
    (
        Class::Fine,
        "as wanted",
        "`Ready=True`; looked at again after `resyncInterval`, or when validity changes.",
    ),
    (Class::Working, "at work", "`Reconciling=True`; goes on by itself."),
    (
        Class::Transient,
        "passing faults",
        "`Reconciling=True`; tried again with growing pauses up to ten minutes, or when the service says. An object that \
         was Ready stays so for two resync intervals.",
    ),
    (
        Class::Missing,
        "something is not there",
        "`Reconciling=True` for five minutes, then `Stalled=True`; heals within seconds of the missing thing's arrival.",
    ),
    (
        Class::User,
        "the spec or what it refers to is not right",
        "`Stalled=True`; looked at again when the spec or a referenced object changes.",
    ),
    (
        Class::Grant,
        "somebody has to grant or repair something",
        "`Stalled=True`; looked at again every quarter of an hour. `AccessDenied` and `TargetNotFound` are tried sooner at \
         first: a new role takes minutes to work, and a target may be in the making.",
    ),
    (
        Class::Conflict,
        "somebody has to decide",
        "`Stalled=True`; looked at again when something changes, and every quarter of an hour.",
    ),
    (Class::Suspended, "suspended", "Ready keeps its value; nothing is looked at."),
];

/// The page, in Markdown.
pub fn page() -> Result<String> {
    let reasons = all()?;
    let mut page = String::from(
        "# Reasons\n\nThe reason of a condition, and of the event that tells of its change, is one of these. The message \
         beside it says what to do. This page is generated: `make docs`.\n",
    );
    for (class, title, meaning) in CLASSES {
        let rows = reasons.iter().filter(|(reason, _)| reason.class() == class);
        writeln!(page, "\n## {}\n\n{meaning}\n\n| reason | means |\n| --- | --- |", capitalised(title))?;
        for (reason, means) in rows {
            writeln!(page, "| `{reason}` | {means} |")?;
        }
    }
    Ok(page)
}

/// Every reason with its description, in the order of the enum.
fn all() -> Result<Vec<(Reason, String)>> {
    let schema = serde_json::to_value(schema_for!(Reason))?;
    let variants = schema["oneOf"].as_array().context("the reasons have no descriptions")?;
    variants
        .iter()
        .map(|it| {
            let reason = serde_json::from_value(it["const"].clone())?;
            let description = it["description"].as_str().context("a reason has no description")?;
            Ok((reason, description.replace('\n', " ")))
        })
        .collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_one_row() {
        let page = page().unwrap();
        let reasons = all().unwrap();
        assert!(reasons.len() > 40);
        for (reason, _) in reasons {
            assert_eq!(page.matches(&format!("| `{reason}` |")).count(), 1, "{reason}");
        }
    }
}
