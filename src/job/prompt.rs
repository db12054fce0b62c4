//! The prompt of an attempt: the author's template, and Mozart's words where an attempt follows another.

use std::fmt::Write as _;

use minijinja::Value;

use super::{
    batches::Batch,
    finding::Finding,
    model::{Backend, Job, Prompt},
    template::{TemplateError, value},
};

/// The longest prompt, in bytes: Claude Code takes 10 MB on stdin, Mozart's own words included.
pub const MAX_PROMPT_BYTES: usize = 9_000_000;

/// What an attempt's prompt depends on, beyond the job and the batch.
#[derive(Clone, Debug, PartialEq)]
pub struct PromptContext {
    /// Tries of this batch, 1 first; waits for a limit do not count.
    pub attempt: u32,
    /// What was not right after the try before; empty on the first, and where it was not looked at.
    pub previous_failures: Vec<Finding>,
    /// What it follows.
    pub after: After,
}

/// What an attempt follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum After {
    /// Nothing: it is the first.
    Nothing,
    /// A try that ended for this reason (`Timeout`) and whose session goes on.
    InItsSession(String),
    /// A try that ended for this reason, over whose files a new session works.
    OverItsFiles(String),
}

impl PromptContext {
    /// That of a batch's first attempt.
    pub fn first() -> Self {
        Self { attempt: 1, previous_failures: Vec::new(), after: After::Nothing }
    }
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
    let text = match &context.after {
        After::Nothing => author(job, batch, context)?,
        After::InItsSession(_) if !context.previous_failures.is_empty() => {
            after_checks(&context.previous_failures)
        }
        After::InItsSession(reason) => format!(
            "The session was interrupted ({}) and goes on now. Check whether your last step took effect before you \
             repeat it, then finish the task.",
            in_words(job, reason)
        ),
        After::OverItsFiles(reason) => {
            let mut text = author(job, batch, context)?;
            let _ = write!(
                text,
                "\n\nThis is try {} at this batch; an earlier one ended with: {}.",
                context.attempt,
                in_words(job, reason)
            );
            if !matches!(job.backend, Backend::Anthropic(_)) {
                text.push_str(
                    " Its files may be there. Look at them first, keep what is right, complete what is missing, and \
                     do not append, commit or send anything a second time.",
                );
            }
            if !context.previous_failures.is_empty() && !job.prompt.templates.uses("previous_failures") {
                text.push_str("\nNot yet right:\n");
                text.push_str(listed(&context.previous_failures).trim_end());
            }
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

fn after_checks(failures: &[Finding]) -> String {
    format!(
        "Your work on this batch was checked. Not yet right:\n{}Mend only that. Leave what is right as it is and add \
         nothing a second time.",
        listed(failures)
    )
}

/// A line each.
fn listed(failures: &[Finding]) -> String {
    let mut text = String::new();
    for failure in failures {
        let Finding { expected, actual, .. } = failure;
        let _ = writeln!(text, "- {}: expected {expected}, found {actual}", failure.subject());
    }
    text
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
        ("ValidationFailed", _) => "its work was checked, and not all of it was right".to_owned(),
        ("Interrupted", _) => "it was ended to go on later".to_owned(),
        _ => reason.to_owned(),
    }
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
