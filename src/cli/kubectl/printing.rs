//! How a command's findings are printed: for people, or as JSON.

use std::io::{IsTerminal, Write as _};

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Serialize;

/// How it is printed.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Output {
    /// Print JSON for programs.
    #[arg(short, long, global = true, value_name = "FORMAT")]
    output: Option<Format>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Json,
}

impl Output {
    /// Prints a report, once in either form.
    pub(super) fn print(&self, report: &impl Serialize, text: impl FnOnce(Paint) -> String) -> Result<()> {
        let printed = match self.output {
            Some(Format::Json) => serde_json::to_string_pretty(report)?,
            None => text(Paint::for_stdout()),
        };
        say(printed.trim_end())
    }
}

/// Prints a line. A reader that has gone is no error of ours.
pub(super) fn say(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}

/// Colours, where a terminal shows them.
#[derive(Clone, Copy)]
pub(super) struct Paint(bool);

impl Paint {
    /// None.
    #[cfg(test)]
    pub(super) const PLAIN: Self = Self(false);

    fn for_stdout() -> Self {
        let asked_not_to = std::env::var_os("NO_COLOR").is_some_and(|it| !it.is_empty());
        Self(std::io::stdout().is_terminal() && !asked_not_to)
    }

    /// In green where it is well, in red where not.
    pub(super) fn verdict(self, text: &str, is_well: bool) -> String {
        self.with(if is_well { "32" } else { "31" }, text)
    }

    /// What stands out.
    pub(super) fn strong(self, text: &str) -> String {
        self.with("1", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Rows in columns, two spaces apart, indented by as much.
pub(super) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |row: &[String; N]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    rows.iter().map(line).collect()
}

/// What comes from outside, fit for a terminal.
pub(super) fn plain(text: &str) -> String {
    text.chars().filter(|it| !it.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "bb", "c"], ["aaa", "b", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "  a    bb  c\n  aaa  b\n");
    }

    #[test]
    fn without_a_terminal_nothing_is_coloured() {
        assert_eq!(Paint::PLAIN.verdict("Ready", true) + &Paint::PLAIN.strong("x"), "Readyx");
        assert_eq!(Paint(true).verdict("Ready", false), "\u{1b}[31mReady\u{1b}[0m");
    }
}
