//! The texts of a batch: what the job's templates become for it.

use std::path::PathBuf;

use super::checks::Finding;
use crate::job::{batches::Batch, model::Job};

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
