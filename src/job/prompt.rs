//! The prompt of an attempt: the author's template, and Mozart's words where an attempt follows another.

use std::fmt::Write as _;

use minijinja::Value;
use serde::{Deserialize, Serialize};

use super::{
    batches::Batch,
    model::{Job, Prompt},
    template::{TemplateError, value},
};

/// The longest prompt, in bytes: Claude Code takes 10 MB on stdin, Mozart's own words included.
pub const MAX_PROMPT_BYTES: usize = 9_000_000;

/// What an attempt's prompt depends on, beyond the job and the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptContext {
    /// Tries of this batch, 1 first; waits for a limit do not count.
    pub attempt: u32,
    /// What was missing after the try before; empty on the first.
    pub previous_failures: Vec<PreviousFailure>,
    /// How the attempt before ended, for people: `the plan's limit was reached`. Empty on the first.
    pub reason: String,
    /// Which form.
    pub kind: PromptKind,
}

impl PromptContext {
    /// That of a batch's first attempt.
    pub fn first() -> Self {
        Self { attempt: 1, previous_failures: Vec::new(), reason: String::new(), kind: PromptKind::First }
    }
}

/// Which form a prompt has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PromptKind {
    /// The author's prompt, in a session in which nothing was done before.
    First,
    /// The session goes on: its work was checked, and something is missing.
    ContinueAfterChecks,
    /// The session goes on after a limit, an interruption or a timeout.
    ContinueAfterInterruption,
    /// The author's prompt in a new session, over what an earlier one left.
    FreshOverEarlierWork,
}

/// A validation that did not pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreviousFailure {
    /// The validation's type: `file_exists`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The file, for those that look at one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The command, for those that run one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What should be.
    pub expected: String,
    /// What is, at most 2 KiB.
    pub actual: String,
}

/// Why there is no prompt.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RenderError {
    /// The template cannot be rendered.
    #[error("the prompt of batch {batch} cannot be rendered")]
    Template {
        /// The batch.
        batch: u32,
        /// Why.
        #[source]
        source: TemplateError,
    },
    /// It has nothing but blanks.
    #[error("the prompt of batch {batch} is blank")]
    Blank {
        /// The batch.
        batch: u32,
    },
    /// It is longer than [`MAX_PROMPT_BYTES`].
    #[error("the prompt of batch {batch} has {bytes} bytes, and may have {MAX_PROMPT_BYTES}")]
    TooLong {
        /// The batch.
        batch: u32,
        /// Its length.
        bytes: usize,
    },
}

/// The prompt of an attempt at `batch`.
///
/// # Errors
/// The template fails, or what it makes is blank or too long. Every form of every batch was rendered when the job was
/// loaded, so this fails later only where the template depends on what failed before.
pub fn render_prompt(job: &Job, batch: Batch, context: &PromptContext) -> Result<String, RenderError> {
    let text = match context.kind {
        PromptKind::ContinueAfterChecks => after_checks(&context.previous_failures),
        PromptKind::ContinueAfterInterruption => format!(
            "The session was interrupted ({}) and goes on now. Check whether your last step took effect before you \
             repeat it, then finish the task.",
            context.reason
        ),
        PromptKind::First => author(job, batch, context)?,
        PromptKind::FreshOverEarlierWork => {
            let mut text = author(job, batch, context)?;
            let _ = write!(
                text,
                "\n\nThis is try {} at this batch; an earlier one ended with: {}. Its files may be there. Look at \
                 them first, keep what is right, complete what is missing, and do not append, commit or send \
                 anything a second time.",
                context.attempt, context.reason
            );
            text
        }
    };
    let number = batch.number.0;
    if text.trim().is_empty() {
        return Err(RenderError::Blank { batch: number });
    }
    if text.len() > MAX_PROMPT_BYTES {
        return Err(RenderError::TooLong { batch: number, bytes: text.len() });
    }
    Ok(text)
}

/// The label of a batch, if the job names one: one line of at most 120 characters.
///
/// # Errors
/// The template fails.
pub fn render_label(job: &Job, batch: Batch) -> Result<Option<String>, RenderError> {
    if job.label.is_none() {
        return Ok(None);
    }
    let context = variables(job, batch, &PromptContext::first());
    match job.prompt.templates.label(context) {
        None => Ok(None),
        Some(Ok(text)) => {
            let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
            Ok(Some(line.chars().take(120).collect()))
        }
        Some(Err(source)) => Err(RenderError::Template { batch: batch.number.0, source }),
    }
}

fn author(job: &Job, batch: Batch, context: &PromptContext) -> Result<String, RenderError> {
    let Prompt { templates, stakes, thinking_method, append_unused, .. } = &job.prompt;
    let mut text = templates
        .prompt(variables(job, batch, context))
        .map_err(|source| RenderError::Template { batch: batch.number.0, source })?;
    if *append_unused {
        for (name, paragraph) in [("stakes", stakes), ("thinking_method", thinking_method)] {
            if let Some(paragraph) = paragraph
                && !templates.uses(name)
            {
                text.truncate(text.trim_end().len());
                text.push_str("\n\n");
                text.push_str(paragraph);
            }
        }
    }
    Ok(text)
}

fn after_checks(failures: &[PreviousFailure]) -> String {
    let mut text = "Your work on this batch was checked. Not yet right:\n".to_owned();
    for PreviousFailure { kind, path, command, expected, actual, .. } in failures {
        let what = path.as_ref().or(command.as_ref()).unwrap_or(kind);
        let _ = writeln!(text, "- {what}: expected {expected}, found {actual}");
    }
    text.push_str("Mend only that. Leave what is right as it is and add nothing a second time.");
    text
}

fn variables(job: &Job, batch: Batch, context: &PromptContext) -> Value {
    let text = |text: &Option<String>| text.as_deref().map_or_else(|| Value::from(""), Value::from);
    let failures = context.previous_failures.iter().map(|failure| {
        let optional = |text: &Option<String>| text.as_deref().map_or_else(|| Value::from(()), Value::from);
        Value::from_pairs([
            ("type", Value::from(failure.kind.as_str())),
            ("path", optional(&failure.path)),
            ("command", optional(&failure.command)),
            ("description", optional(&failure.description)),
            ("expected", Value::from(failure.expected.as_str())),
            ("actual", Value::from(failure.actual.as_str())),
        ])
    });
    let own = [
        ("batch_num", Value::from(batch.number.0)),
        ("total_batches", Value::from(job.batches.total())),
        ("start_item", Value::from(batch.start_item)),
        ("end_item", Value::from(batch.end_item)),
        ("items", job.batches.items_of(batch).iter().map(value).collect()),
        ("workspace", Value::from(job.workspace.path.to_string_lossy().as_ref())),
        ("job_name", Value::from(job.name.as_str())),
        ("attempt", Value::from(context.attempt)),
        ("stakes", text(&job.prompt.stakes)),
        ("thinking_method", text(&job.prompt.thinking_method)),
        ("previous_failures", failures.collect()),
    ];
    let authors = job.prompt.values.iter().map(|(name, value)| (name.as_str(), value.clone()));
    Value::from_pairs(authors.chain(own))
}

/// The names that Mozart gives a template; an author's variable may not be called so.
pub const NAMES: [&str; 11] = [
    "batch_num",
    "total_batches",
    "start_item",
    "end_item",
    "items",
    "workspace",
    "job_name",
    "attempt",
    "stakes",
    "thinking_method",
    "previous_failures",
];

#[cfg(test)]
mod tests;
