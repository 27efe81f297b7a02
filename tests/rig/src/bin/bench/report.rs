//! The table, and the same as JSON.

use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use serde::Serialize;

/// One figure.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    /// A kind, or what else the figure is of.
    of: String,
    figure: String,
    value: f64,
    #[serde(skip_serializing_if = "str::is_empty")]
    unit: &'static str,
    /// What it is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    bound: Option<f64>,
}

impl Row {
    pub(crate) fn new(of: &str, figure: impl Into<String>, value: f64) -> Self {
        Self { of: of.to_owned(), figure: figure.into(), value, unit: "", bound: None }
    }

    pub(crate) fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    pub(crate) fn bound(mut self, bound: f64) -> Self {
        self.bound = Some(bound);
        self
    }

    /// How many times the bound it is.
    fn ratio(&self) -> Option<f64> {
        self.bound.filter(|it| *it > 0.0).map(|it| self.value / it)
    }
}

/// All that was measured, when and where.
#[derive(Serialize)]
pub(crate) struct Report {
    date: String,
    machine: String,
    seconds: f64,
    rows: Vec<Row>,
}

impl Report {
    /// What was measured on this machine until now.
    pub(crate) fn new(rows: Vec<Row>, seconds: f64) -> Self {
        Self { date: Timestamp::now().strftime("%Y-%m-%d").to_string(), machine: machine(), seconds, rows }
    }

    /// A table in Markdown.
    pub(crate) fn table(&self) -> Result<String> {
        let mut text = format!("{}, {}; {:.0} s\n\n", self.date, self.machine, self.seconds);
        text.push_str("| of | figure | measured | bound | ratio |\n| --- | --- | ---: | ---: | ---: |\n");
        for row in &self.rows {
            let unit = if row.unit.is_empty() { String::new() } else { format!(" {}", row.unit) };
            let bound = row.bound.map(|it| format!("{}{unit}", number(it))).unwrap_or_default();
            let ratio = row.ratio().map(|it| format!("{it:.2}")).unwrap_or_default();
            let Row { of, figure, value, .. } = row;
            writeln!(text, "| {of} | {figure} | {}{unit} | {bound} | {ratio} |", number(*value))?;
        }
        Ok(text)
    }

    /// Writes the same as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)?;
        std::fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))
    }
}

/// Whole numbers as such; others with as many digits as say something.
fn number(value: f64) -> String {
    if value.fract() == 0.0 {
        format!("{value:.0}")
    } else if value.abs() < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

/// Processors and memory.
fn machine() -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let (cpus, memory) = (read("/proc/cpuinfo"), read("/proc/meminfo"));
    let model = cpus.lines().find_map(|it| it.strip_prefix("model name")?.split_once(": "));
    let model = model.map_or("unknown", |(_, it)| it);
    let kib =
        memory.lines().find_map(|it| it.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok());
    let gib = kib.unwrap_or(0.0) / 1024.0 / 1024.0;
    format!("{processors} processors ({model}), {gib:.0} GiB")
}

/// What the bench is at; the table alone goes to standard output.
pub(crate) fn say(what: &str) {
    eprintln!("==> {what}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_shows_its_bound_and_how_many_times_that_it_is() -> Result<()> {
        let rows = vec![
            Row::new("IotHubCertificate", "calls", 6.0).bound(5.0),
            Row::new("all kinds", "writes", 0.0).bound(0.0),
            Row::new("all kinds", "wall", 61.25).unit("s"),
        ];
        let table = Report { date: "2026-01-01".into(), machine: "m".into(), seconds: 1.0, rows }.table()?;
        let rows: Vec<_> = table.lines().skip(4).collect();
        assert_eq!(
            rows,
            [
                "| IotHubCertificate | calls | 6 | 5 | 1.20 |",
                "| all kinds | writes | 0 | 0 |  |",
                "| all kinds | wall | 61.2 s |  |  |",
            ]
        );
        Ok(())
    }
}
