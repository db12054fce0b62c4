//! Validations: what must be true after an attempt, what is, and how both are said.

mod command;
mod content;
mod files;
mod kept;
pub mod paths;

pub use command::{CheckProgram, Programs};

use super::{Attempt, baseline::Baseline};
use crate::{
    backend::Answer,
    job::{
        batches::Batch,
        expand::{expand_command, expand_path},
        finding::Finding,
        model::{Check, Job, Validation},
        outcome::Failure,
    },
};

/// The longest `actual`, in bytes: text of a file or a command, from its end.
const MAX_ACTUAL_BYTES: usize = 2048;

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
    programs: &impl Programs,
) -> Result<Vec<Finding>, Failure> {
    let mut findings = Vec::with_capacity(attempt.job.validations.len());
    let baseline = attempt.baseline()?;
    for (index, validation) in attempt.job.validations.iter().enumerate() {
        let verdict = match &validation.check {
            Check::CommandSucceeds { .. } => {
                command::run(attempt, index, &validation.check, programs).await?
            }
            Check::OutputContains { .. } | Check::OutputRegex { .. } => {
                of_answer(&validation.check, content::Source::answer(attempt, answer))
            }
            check => of_files(attempt, check, &baseline),
        };
        if !is_seen_again(&validation.check) {
            kept::keep(attempt, index, verdict.actual.as_ref().err());
        }
        findings.push(finding(&attempt.job, attempt.batch, validation, verdict));
    }
    Ok(findings)
}

/// The same of a batch that has no files: its validations are about its answer.
pub fn look_at_answer(job: &Job, batch: Batch, answer: &Answer) -> Vec<Finding> {
    let of = |validation: &Validation| {
        let verdict = match (&validation.check, answer) {
            (check @ (Check::OutputContains { .. } | Check::OutputRegex { .. }), Answer::Text(text)) => {
                of_answer(check, content::Source::text(text.clone()))
            }
            (check @ (Check::OutputContains { .. } | Check::OutputRegex { .. }), _) => {
                of_answer(check, content::Source::missing("no answer".to_owned()))
            }
            _ => Verdict::new("a workspace", Err("an attempt that has none".to_owned())),
        };
        finding(job, batch, validation, verdict)
    };
    job.validations.iter().map(of).collect()
}

/// What can be seen without running anything, for the next try: files as they are now, and what was not right of the rest
/// when it was last looked at.
pub(super) fn look_again(attempt: &Attempt, baseline: &Baseline) -> Vec<Finding> {
    let validations = attempt.job.validations.iter().enumerate();
    validations
        .filter_map(|(index, validation)| {
            let verdict = match &validation.check {
                Check::CommandSucceeds { .. } => {
                    Verdict::new(command::EXPECTED, Err(kept::kept(attempt, index)?))
                }
                check @ (Check::OutputContains { .. } | Check::OutputRegex { .. }) => {
                    of_answer(check, content::Source::missing(kept::kept(attempt, index)?))
                }
                check => of_files(attempt, check, baseline),
            };
            Some(finding(&attempt.job, attempt.batch, validation, verdict))
        })
        .collect()
}

/// Whether the next try can look at it again by itself.
fn is_seen_again(check: &Check) -> bool {
    check.path().is_some()
}

fn of_answer(check: &Check, answer: content::Source) -> Verdict {
    match check {
        Check::OutputContains { pattern } => content::contains(answer, pattern),
        Check::OutputRegex { pattern } => content::matches(answer, pattern),
        _ => unreachable!("only what is about the answer is looked for in it"),
    }
}

fn of_files(attempt: &Attempt, check: &Check, baseline: &Baseline) -> Verdict {
    let place = |written: &str| {
        let path = expand_path(&attempt.job, attempt.batch, written).map_err(|error| error.to_string())?;
        let found = paths::inside(&path, &attempt.job.workspace.path).map_err(|error| error.to_string())?;
        Ok((path, found))
    };
    let text = |path| content::Source::file(place(path).map(|(_, found)| found));
    match check {
        Check::FileExists { path, allow_existing } => files::exists(place(path), *allow_existing, baseline),
        Check::FileModified { path } => files::modified(place(path), baseline),
        Check::ContentContains { path, pattern } => content::contains(text(path), pattern),
        Check::ContentRegex { path, pattern } => content::matches(text(path), pattern),
        Check::CommandSucceeds { .. } | Check::OutputContains { .. } | Check::OutputRegex { .. } => {
            unreachable!("only what is about a file is looked for in one")
        }
    }
}

fn finding(job: &Job, batch: Batch, validation: &Validation, verdict: Verdict) -> Finding {
    let check = &validation.check;
    let path = check.path().map(|written| match expand_path(job, batch, written) {
        Ok(path) => path.strip_prefix(&job.workspace.path).unwrap_or(&path).display().to_string(),
        Err(_) => written.to_owned(),
    });
    let command = check.command().map(|written| expand_command(job, batch, written));
    let passed = verdict.actual.is_ok();
    let (Ok(actual) | Err(actual)) = verdict.actual;
    let from = actual.ceil_char_boundary(actual.len().saturating_sub(MAX_ACTUAL_BYTES));
    Finding { path, command, passed, ..Finding::failed(validation, verdict.expected, &actual[from..]) }
}
