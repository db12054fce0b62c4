//! `mozart reference` (hidden): the page `docs/reference/cli.md` and the manual pages of a release, made from the
//! definition of the command line.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::Context as _;

use super::{exit::Exit, printer::Printer, verbs::Place};

/// Arguments of `mozart reference`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Write manual pages into a folder instead, one for each command
    #[arg(long, value_name = "FOLDER")]
    man: Option<PathBuf>,
}

/// Prints the page, or writes the manual pages.
pub fn execute(Args { man }: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    match man {
        None => printer.bytes(page().as_bytes())?,
        Some(folder) => {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
            clap_mangen::generate_to(super::args::command(), folder)
                .with_context(|| format!("cannot write manual pages into {}", folder.display()))?;
        }
    }
    Ok(Exit::Done)
}

/// The whole page as Markdown.
fn page() -> String {
    let mut command = super::args::command();
    command.build();
    let mut text = String::from("# Command line\n\n");
    let _ = writeln!(text, "{}\n", include_str!("reference/intro.md").trim_end());
    section(&mut text, &command, "mozart", 2);
    while text.ends_with("\n\n") {
        text.pop();
    }
    text
}

fn section(text: &mut String, command: &clap::Command, path: &str, level: usize) {
    let _ = writeln!(text, "{} {path}\n", "#".repeat(level));
    if let Some(about) = command.get_long_about().or(command.get_about()) {
        let _ = writeln!(text, "{}\n", sentence(&about.to_string()));
    }
    if let Some(examples) = command.get_before_help() {
        let _ = writeln!(text, "```sh");
        for line in examples.to_string().lines() {
            let _ = writeln!(text, "{}", line.trim());
        }
        let _ = writeln!(text, "```\n");
    }
    if let Some(place) = Some(command.get_name()).filter(|_| level == 3).and_then(Place::of) {
        let _ = writeln!(text, "{}\n", place.words());
    }
    let usage = command.clone().render_usage().to_string();
    let _ = writeln!(text, "`{}`\n", usage.trim_start_matches("Usage:").trim());
    let aliases: Vec<&str> = command.get_visible_aliases().collect();
    if !aliases.is_empty() {
        let _ = writeln!(text, "Also: `{}`.\n", aliases.join("`, `"));
    }
    let is_root = level == 2;
    let mut listed = false;
    for argument in command.get_arguments() {
        let help = argument.get_id() == "help" || argument.get_id() == "version";
        if argument.is_hide_set() || help || (argument.is_global_set() && !is_root) {
            continue;
        }
        let words =
            argument.get_long_help().or(argument.get_help()).map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "- `{}`: {}{}", name(argument), joined(&words), values(argument));
        listed = true;
    }
    if listed {
        text.push('\n');
    }
    if let Some(after) = command.get_after_help() {
        let _ = writeln!(text, "{after}\n");
    }
    for one in command.get_subcommands().filter(|one| !one.is_hide_set() && one.get_name() != "help") {
        section(text, one, &format!("{path} {}", one.get_name()), if is_root { 3 } else { 4 });
    }
}

/// `-f, --follow`, `--limit <N>`, `<FILE>`.
fn name(argument: &clap::Arg) -> String {
    let placeholder = argument
        .get_value_names()
        .filter(|_| argument.get_action().takes_values())
        .map(|names| names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" "));
    let flags: Vec<String> = argument
        .get_short()
        .map(|short| format!("-{short}"))
        .into_iter()
        .chain(argument.get_long().map(|long| format!("--{long}")))
        .collect();
    match (flags.is_empty(), placeholder) {
        (true, placeholder) => placeholder.unwrap_or_else(|| argument.get_id().to_string()),
        (false, None) => flags.join(", "),
        (false, Some(placeholder)) => format!("{} {placeholder}", flags.join(", ")),
    }
}

fn values(argument: &clap::Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let possible: Vec<String> =
        argument.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
    let mut text = String::new();
    if !possible.is_empty() {
        let _ = write!(text, " One of {}.", possible.join(", "));
    }
    let default: Vec<_> = argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if !default.is_empty() {
        let _ = write!(text, " Default `{}`.", default.join(", "));
    }
    text
}

fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '?', ':']) { text.to_owned() } else { format!("{text}.") }
}

/// Help of several paragraphs as one line of full sentences.
fn joined(text: &str) -> String {
    text.split("\n\n").map(|part| sentence(&part.replace('\n', " "))).collect::<Vec<_>>().join(" ")
}
