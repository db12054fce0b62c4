//! Validations: what must be true after an attempt, what is, and how both are said.

mod command;
mod content;
mod files;
pub mod paths;

pub use command::{CheckProgram, Programs};

use serde::{Deserialize, Serialize};

use super::{Attempt, baseline::Baseline, texts::Texts};
use crate::{
    backend::Answer,
    job::{
        model::{Check, Validation},
        outcome::Failure,
    },
};

/// The longest `actual`, in bytes: text of a file or a command, from its end.
const MAX_ACTUAL_BYTES: usize = 2048;

/// What one validation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The validation's type in the job file: `file_exists`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The path that was looked at, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The command that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// What should have been.
    pub expected: String,
    /// What was found; at most 2 KiB. It may hold text that a model wrote.
    pub actual: String,
}

impl Finding {
    /// One sentence for people.
    pub fn sentence(&self) -> String {
        let subject = self.path.as_deref().or(self.command.as_deref()).unwrap_or("the answer");
        let actual = self.actual.lines().next_back().unwrap_or_default();
        format!("{subject}: expected {}, found {actual}", self.expected)
    }
}

/// What a check expects and what it found instead; `Ok` is what it found when it passed.
pub(crate) struct Verdict {
    expected: String,
    actual: Result<String, String>,
}

impl Verdict {
    fn new(expected: impl Into<String>, actual: Result<String, String>) -> Self {
        Self { expected: expected.into(), actual }
    }
}

/// Looks at everything the job demands, in its order. Blocks for file checks: see [`Attempt::reads_files`].
///
/// # Errors
/// When a validation's command was ended with the attempt, or the baseline cannot be read.
pub async fn look(
    attempt: &Attempt,
    answer: &Answer,
    texts: &impl Texts,
    programs: &impl Programs,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::with_capacity(attempt.job.validations.len());
    let baseline = attempt.baseline(texts)?;
    for (index, validation) in attempt.job.validations.iter().enumerate() {
        let verdict = match &validation.check {
            Check::CommandSucceeds { .. } => {
                command::run(attempt, index, &validation.check, texts, programs).await?
            }
            check => of_files(attempt, check, Some(answer), &baseline, texts),
        };
        findings.push(finding(attempt, validation, verdict, texts));
    }
    Ok(findings)
}

/// What can be seen without running anything, for the next try: files as they are now, and what a command said last.
pub(super) fn look_again(attempt: &Attempt, baseline: &Baseline, texts: &impl Texts) -> Vec<Finding> {
    let validations = attempt.job.validations.iter().enumerate();
    validations
        .filter_map(|(index, validation)| {
            let verdict = match &validation.check {
                Check::CommandSucceeds { .. } => command::kept(attempt, index)?,
                Check::OutputContains { .. } | Check::OutputRegex { .. } => return None,
                check => of_files(attempt, check, None, baseline, texts),
            };
            Some(finding(attempt, validation, verdict, texts))
        })
        .collect()
}

fn of_files(
    attempt: &Attempt,
    check: &Check,
    answer: Option<&Answer>,
    baseline: &Baseline,
    texts: &impl Texts,
) -> Verdict {
    let place = |written: &str| {
        let path = texts.path(&attempt.job, attempt.batch, written)?;
        let found = paths::inside(&path, &attempt.job.workspace.path).map_err(|error| error.to_string())?;
        Ok((path, found))
    };
    match check {
        Check::FileExists { path, allow_existing } => files::exists(place(path), *allow_existing, baseline),
        Check::FileModified { path } => files::modified(place(path), baseline),
        Check::ContentContains { path, pattern } => {
            content::contains(content::Source::file(place(path).map(|(_, found)| found)), pattern)
        }
        Check::ContentRegex { path, pattern } => {
            content::matches(content::Source::file(place(path).map(|(_, found)| found)), pattern)
        }
        Check::OutputContains { pattern } => {
            content::contains(content::Source::answer(attempt, answer), pattern)
        }
        Check::OutputRegex { pattern } => content::matches(content::Source::answer(attempt, answer), pattern),
        Check::CommandSucceeds { .. } => {
            unreachable!("commands are run by `look` and not looked at by `look_again`")
        }
    }
}

fn finding(attempt: &Attempt, validation: &Validation, verdict: Verdict, texts: &impl Texts) -> Finding {
    let (kind, path, command) = match &validation.check {
        Check::FileExists { path, .. } => ("file_exists", Some(path), None),
        Check::FileModified { path } => ("file_modified", Some(path), None),
        Check::ContentContains { path, .. } => ("content_contains", Some(path), None),
        Check::ContentRegex { path, .. } => ("content_regex", Some(path), None),
        Check::CommandSucceeds { command, .. } => ("command_succeeds", None, Some(command)),
        Check::OutputContains { .. } => ("output_contains", None, None),
        Check::OutputRegex { .. } => ("output_regex", None, None),
    };
    let path = path.map(|written| match texts.path(&attempt.job, attempt.batch, written) {
        Ok(path) => path.strip_prefix(&attempt.job.workspace.path).unwrap_or(&path).display().to_string(),
        Err(_) => written.clone(),
    });
    let command = command.map(|written| {
        texts.command(&attempt.job, attempt.batch, written).unwrap_or_else(|_| written.clone())
    });
    let passed = verdict.actual.is_ok();
    let (Ok(actual) | Err(actual)) = verdict.actual;
    let from = actual.ceil_char_boundary(actual.len().saturating_sub(MAX_ACTUAL_BYTES));
    Finding {
        kind: kind.to_owned(),
        path,
        command,
        description: validation.description.clone(),
        passed,
        expected: verdict.expected,
        actual: actual[from..].to_owned(),
    }
}
