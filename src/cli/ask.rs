//! Questions to a person at a terminal.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::Context as _;

use super::{error::Advised, pen, printer::Printer};

/// Whether somebody is there to answer.
pub fn possible(printer: &Printer) -> bool {
    io::stdin().is_terminal() && printer.err.terminal
}

/// Asks, and reads a line.
///
/// # Errors
/// There is no answer.
pub fn question(text: &str) -> anyhow::Result<String> {
    pen::write(&format!("{text} "));
    let mut line = String::new();
    let read = io::stdin().lock().read_line(&mut line).context("cannot read the answer")?;
    if read == 0 {
        return Err(Advised::new("no answer", "use --yes to be asked nothing").into());
    }
    Ok(line.trim().to_owned())
}

/// Asks what is done only if somebody says yes.
///
/// # Errors
/// There is no answer.
pub fn agreed(text: &str) -> anyhow::Result<bool> {
    let answer = question(&format!("{text} [y/N]"))?;
    Ok(["y", "yes"].contains(&answer.to_ascii_lowercase().as_str()))
}
