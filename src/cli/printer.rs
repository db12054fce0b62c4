//! The only thing that prints: standard output is data, standard error is for people.

use std::io::{self, Write};

use serde::Serialize;

use super::{
    error::{Closed, Report},
    pen,
    table::Table,
    terminal::{ColorChoice, Environment, Look, Tone},
};
use crate::show::safe;

/// Prints, and knows what each stream can show.
#[derive(Clone, Debug)]
pub struct Printer {
    /// What standard output can show.
    pub out: Look,
    /// What standard error can show.
    pub err: Look,
    quiet: bool,
}

impl Printer {
    /// A printer for this process's streams. `quiet` leaves out what is neither data, warning nor error.
    pub fn new(choice: ColorChoice, quiet: bool) -> Self {
        let environment = Environment::read();
        Self {
            out: Look::of(&console::Term::stdout(), choice, &environment),
            err: Look::of(&console::Term::stderr(), choice, &environment),
            quiet,
        }
    }

    /// Whether only data, warnings and errors are wanted.
    pub fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// Writes data: as it is, but to a terminal only text and colours, since it may be what a program wrote.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn bytes(&self, bytes: &[u8]) -> anyhow::Result<()> {
        if !self.out.terminal {
            return self.raw(bytes);
        }
        self.raw(safe::for_terminal(&String::from_utf8_lossy(bytes), self.out.color).as_bytes())
    }

    /// Writes data as it is, control sequences too.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    #[expect(clippy::unused_self, reason = "whoever has no printer has nothing to print")]
    pub fn raw(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut stdout = io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Closed.into()),
            Err(error) => Err(anyhow::Error::new(error).context("cannot write to standard output")),
        }
    }

    /// Writes a line of data.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn line(&self, line: impl std::fmt::Display) -> anyhow::Result<()> {
        self.bytes(format!("{line}\n").as_bytes())
    }

    /// Writes a table as data.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn table(&self, table: &Table) -> anyhow::Result<()> {
        self.bytes(table.render(&self.out).as_bytes())
    }

    /// Writes a value as indented JSON.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn json(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string_pretty(value)?)
    }

    /// Writes a value as YAML.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn yaml(&self, value: &impl Serialize) -> anyhow::Result<()> {
        // By way of JSON, so that both say the same.
        let yaml = serde_saphyr::to_string(&serde_json::to_value(value)?)?;
        self.bytes(format!("{}\n", yaml.trim_end()).as_bytes())
    }

    /// Writes a value as one line of JSON.
    ///
    /// # Errors
    /// [`Closed`] when the reader has gone.
    pub fn json_line(&self, value: &impl Serialize) -> anyhow::Result<()> {
        self.line(serde_json::to_string(value)?)
    }

    /// Tells people something that is good to know.
    pub fn note(&self, text: impl std::fmt::Display) {
        if !self.quiet {
            pen::write(&format!("{text}\n"));
        }
    }

    /// Tells people what may be wrong.
    pub fn warn(&self, text: impl std::fmt::Display) {
        pen::write(&format!("{} {text}\n", self.err.paint(Tone::Warning, "warning:")));
    }

    /// Tells people what to do.
    pub fn hint(&self, text: impl std::fmt::Display) {
        pen::write(&format!("{} {text}\n", self.err.paint(Tone::Name, "hint:")));
    }

    /// Tells people what went wrong, why, and what to do.
    pub fn error(&self, error: &anyhow::Error) {
        let report = Report::of(error);
        let label = self.err.paint(Tone::Bad, "error:");
        pen::write(&format!("{label} {}\n", report.message));
        for cause in &report.causes {
            pen::write(&format!("  caused by: {cause}\n"));
        }
        if let Some(hint) = &report.hint {
            self.hint(hint);
        }
    }
}
