//! `completion`: scripts for shells, and the answers that kubectl asks a plugin's completion program for.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::{CommandFactory, ValueEnum};
use clap_complete::Shell;
use kube::ResourceExt;
use kube::api::ListParams;

use super::connection::{Connection, Flags};
use super::printing::say;
use super::{Cli, kinds};

/// The hidden command that kubectl's completion calls.
pub(super) const ASKED: &str = "__complete";

/// Names of objects are offered if the API server tells them so soon.
const PATIENCE: Duration = Duration::from_secs(2);

/// No names of files; and of these, no space behind. Source: cobra, shell completion directives.
const NO_FILES: u8 = 4;
const NO_FILES_NO_SPACE: u8 = 6;

/// What `completion` is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell; `kubectl` prints the program `kubectl_complete-certferry`, by which kubectl's own completion reaches
    /// the plugin.
    shell: Target,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Target {
    Bash,
    Zsh,
    Fish,
    Powershell,
    Kubectl,
}

/// The words so far; the last is to be completed.
#[derive(Debug, clap::Args)]
pub(super) struct Asked {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

const PROGRAM: &str = "#!/bin/sh\n# Save as `kubectl_complete-certferry` in a folder of PATH, and make it executable.\n\
                       exec kubectl certferry __complete -- \"$@\"";

/// Prints the script.
pub(super) fn print(args: &Args) -> Result<bool> {
    let shell = match args.shell {
        Target::Bash => Shell::Bash,
        Target::Zsh => Shell::Zsh,
        Target::Fish => Shell::Fish,
        Target::Powershell => Shell::PowerShell,
        Target::Kubectl => return say(PROGRAM).map(|()| true),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kubectl-certferry", &mut script);
    std::io::stdout().write_all(&script).context("cannot write to standard output")?;
    Ok(true)
}

/// Prints what may stand in place of the last word.
pub(super) async fn complete(flags: &Flags, asked: &Asked) -> Result<bool> {
    let (last, before) =
        asked.words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut offered = offered(before);
    let mut directive = NO_FILES;
    if let Offered::Objects = offered {
        offered = Offered::Words(match last.split_once('/') {
            None => {
                directive = NO_FILES_NO_SPACE;
                kinds::all()
                    .into_iter()
                    .map(|it| format!("{}/", it.resource.kind.to_ascii_lowercase()))
                    .collect()
            }
            Some((kind, _)) => {
                let names = tokio::time::timeout(PATIENCE, names(flags, kind)).await;
                names.ok().and_then(Result::ok).unwrap_or_default() // nobody reads an error here
            }
        });
    }
    if let Offered::Words(words) = offered {
        for word in words.iter().filter(|it| it.starts_with(last)) {
            say(word)?;
        }
    }
    say(&format!(":{directive}"))?;
    Ok(true)
}

#[derive(Debug, PartialEq, Eq)]
enum Offered {
    Words(Vec<String>),
    /// `TYPE/NAME`.
    Objects,
}

/// What may come after these words.
fn offered(before: &[String]) -> Offered {
    let cli = Cli::command();
    let commands = || cli.get_subcommands().filter(|it| !it.is_hide_set());
    match before.iter().find_map(|word| commands().find(|it| it.get_name() == word)) {
        None => Offered::Words(commands().map(|it| it.get_name().to_owned()).collect()),
        Some(it) if it.get_name() == "completion" => {
            let shells = Target::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            Offered::Words(shells.map(|it| it.get_name().to_owned()).collect())
        }
        Some(_) => Offered::Objects,
    }
}

async fn names(flags: &Flags, kind: &str) -> Result<Vec<String>> {
    let found = kinds::named(kind)?;
    let connection = Connection::open(flags).await?;
    let listed = found.api(&connection.client, &connection.namespace).list(&ListParams::default()).await?;
    Ok(listed.items.iter().map(|it| format!("{kind}/{}", it.name_any())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_come_next_is_offered() {
        let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        assert_eq!(offered(&words(&["status"])), Offered::Objects);
        assert_eq!(offered(&words(&["--context", "here", "plan"])), Offered::Objects);
        let Offered::Words(commands) = offered(&[]) else { panic!("no words") };
        assert!(
            commands.contains(&"check".to_owned()) && !commands.contains(&ASKED.to_owned()),
            "{commands:?}"
        );
        let Offered::Words(shells) = offered(&words(&["completion"])) else { panic!("no words") };
        assert_eq!(shells, ["bash", "zsh", "fish", "powershell", "kubectl"]);
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }
}
