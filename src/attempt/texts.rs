//! The texts of a batch: what the job's templates become for it.

use std::path::PathBuf;

use super::checks::Finding;
use crate::job::{
    batches::Batch,
    expand::{expand_command, expand_path},
    model::{Backend, Job},
    prompt::{self, PreviousFailure, PromptContext, RenderError, render_prompt},
};

/// What kind of prompt is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// The first try.
    First,
    /// A session goes on that ended for this reason.
    Continued(String),
    /// A new session over what an earlier one left, which ended for this reason.
    Again(String),
}

/// Renders the texts of a batch. Every error is a sentence for people.
pub trait Texts: Send + Sync + 'static {
    /// The prompt of a try.
    ///
    /// # Errors
    /// When the template cannot be rendered.
    fn prompt(
        &self,
        job: &Job,
        batch: Batch,
        attempt: u32,
        kind: &PromptKind,
        previous_failures: &[Finding],
    ) -> Result<String, String>;
    /// The path of a validation, absolute.
    ///
    /// # Errors
    /// When it names what is not there.
    fn path(&self, job: &Job, batch: Batch, written: &str) -> Result<PathBuf, String>;
    /// The command of a validation.
    ///
    /// # Errors
    /// When it cannot be expanded.
    fn command(&self, job: &Job, batch: Batch, written: &str) -> Result<String, String>;
}

/// The texts as the job file has them, with Mozart's own words where an attempt follows another.
#[derive(Clone, Copy, Debug, Default)]
pub struct JobTexts;

impl Texts for JobTexts {
    fn prompt(
        &self,
        job: &Job,
        batch: Batch,
        attempt: u32,
        kind: &PromptKind,
        previous_failures: &[Finding],
    ) -> Result<String, String> {
        let previous_failures: Vec<PreviousFailure> = previous_failures
            .iter()
            .filter(|finding| !finding.passed)
            .map(|finding| PreviousFailure {
                kind: finding.kind.clone(),
                path: finding.path.clone(),
                command: finding.command.clone(),
                description: finding.description.clone(),
                expected: finding.expected.clone(),
                actual: finding.actual.clone(),
            })
            .collect();
        let (kind, reason) = match kind {
            PromptKind::First => (prompt::PromptKind::First, ""),
            PromptKind::Continued(reason) if previous_failures.is_empty() => {
                (prompt::PromptKind::ContinueAfterInterruption, reason.as_str())
            }
            PromptKind::Continued(reason) => (prompt::PromptKind::ContinueAfterChecks, reason.as_str()),
            PromptKind::Again(reason) => (prompt::PromptKind::FreshOverEarlierWork, reason.as_str()),
        };
        let context = PromptContext { attempt, previous_failures, reason: in_words(job, reason), kind };
        render_prompt(job, batch, &context).map_err(|error| match &error {
            RenderError::Template { source, .. } => format!("{error}: {source}"),
            RenderError::Blank { .. } | RenderError::TooLong { .. } => error.to_string(),
        })
    }

    fn path(&self, job: &Job, batch: Batch, written: &str) -> Result<PathBuf, String> {
        expand_path(job, batch, written).map_err(|error| error.to_string())
    }

    fn command(&self, job: &Job, batch: Batch, written: &str) -> Result<String, String> {
        Ok(expand_command(job, batch, written))
    }
}

/// How the attempt before ended, as the model is told.
fn in_words(job: &Job, reason: &str) -> String {
    let turns = match &job.backend {
        Backend::ClaudeCli(settings) => settings.max_turns,
        Backend::Anthropic(_) | Backend::Command(_) => None,
    };
    match (reason, turns) {
        ("MaxTurns", Some(turns)) => format!("you were stopped after {turns} turns"),
        ("LimitReached", _) => "the plan's limit was reached".to_owned(),
        ("Timeout", _) => "it took longer than it may".to_owned(),
        ("Vanished" | "AttemptLost" | "Killed", _) => "its process died".to_owned(),
        ("Interrupted", _) => "it was ended to go on later".to_owned(),
        _ => reason.to_owned(),
    }
}
