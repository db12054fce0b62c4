//! Errors as people read them: what went wrong, why, and what to do.

use std::fmt::{self, Write as _};

/// An error that says what to do about it.
#[derive(Debug)]
pub struct Advised {
    message: String,
    hint: String,
}

impl Advised {
    /// `message` is what went wrong, `hint` what to do, both without a final full stop.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Advised {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Advised {}

/// Standard output was closed by its reader: `mozart list | head` is no failure.
#[derive(Debug, thiserror::Error)]
#[error("standard output was closed")]
pub struct Closed;

/// What went wrong has been told already, in more than a line.
#[derive(Debug, thiserror::Error)]
#[error("the job file has errors")]
pub struct Told;

/// An error's parts: its own message, the causes that add something to it, and what to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// What went wrong.
    pub message: String,
    /// Why, from the outside in; a cause whose text the line above it already has is left out.
    pub causes: Vec<String>,
    /// What to do.
    pub hint: Option<String>,
}

impl Report {
    /// Takes `error` apart.
    pub fn of(error: &anyhow::Error) -> Self {
        let message = error.to_string();
        let mut causes: Vec<String> = Vec::new();
        for cause in error.chain().skip(1).map(ToString::to_string) {
            let above = causes.last().unwrap_or(&message);
            if !cause.is_empty() && !above.contains(&cause) {
                causes.push(cause);
            }
        }
        let hint = error.downcast_ref::<Advised>().map(|advised| advised.hint.clone());
        Self { message, causes, hint }
    }

    /// The whole on one line, for logs and JSON.
    pub fn one_line(&self) -> String {
        let mut line = self.message.clone();
        for cause in &self.causes {
            let _ = write!(line, ": {cause}");
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use anyhow::{Context as _, anyhow};

    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let error = anyhow!("disk full").context("cannot write a.db: disk full").context("cannot save");
        let report = Report::of(&error);
        assert_eq!(report.message, "cannot save");
        assert_eq!(report.causes, ["cannot write a.db: disk full"]);
        assert_eq!(report.one_line(), "cannot save: cannot write a.db: disk full");
    }

    #[test]
    fn the_hint_of_an_advised_context_is_found() {
        let failed: Result<(), _> = Err(std::io::Error::other("denied"));
        let error =
            failed.context(Advised::new("cannot read job.yaml", "check its permissions")).unwrap_err();
        let report = Report::of(&error);
        assert_eq!(report.causes, ["denied"]);
        assert_eq!(report.hint.as_deref(), Some("check its permissions"));
    }
}
