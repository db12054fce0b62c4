//! A job in a few lines: what runs, how much of it, where its results go, what it may cost.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{
    format,
    terminal::{Look, Tone},
};
use crate::{
    backend::health::{Health, HealthState},
    job::{
        batches::Batch,
        expand::{ExpandError, expand_path},
        model::{Backend, Job},
        outcome::decimal,
    },
};

/// A job in numbers, as `-o json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary<'a> {
    name: &'a str,
    backend: &'static str,
    model: Option<&'a str>,
    batches: u32,
    items: u32,
    batch_size: u32,
    parallelism: u32,
    workspace: &'a Path,
    job_file: &'a Path,
    plan_hash: &'a str,
    /// Of the run, a decimal text of dollars.
    #[serde(rename = "budgetUSD")]
    budget_usd: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    worst_case: Option<String>,
}

impl<'a> Summary<'a> {
    /// Of `job`.
    pub fn of(job: &'a Job) -> Self {
        Self {
            name: job.name.as_str(),
            backend: job.backend.word(),
            model: model(job),
            batches: job.batches.total(),
            items: items(job),
            batch_size: job.batches.size.get(),
            parallelism: job.parallelism.get(),
            workspace: &job.workspace.path,
            job_file: &job.file,
            plan_hash: &job.plan_hash,
            budget_usd: job.budget.per_run_micro_usd.map(decimal),
            worst_case: worst_case(job),
        }
    }
}

/// What runs, how much of it, and where the results go.
pub fn lines(job: &Job, look: &Look) -> Vec<String> {
    let mut parts = vec![backend(job)];
    parts.extend(size(job));
    with_places(job, &parts, look)
}

/// The same, with what was found of the backend before anything starts: its version, who pays.
pub fn lines_with(job: &Job, found: &[Health], look: &Look) -> Vec<String> {
    let fine = found.iter().filter(|health| health.state == HealthState::Ok);
    let mut parts: Vec<String> = match &job.backend {
        Backend::Command(_) => vec![backend(job)],
        Backend::ClaudeCli(_) | Backend::Anthropic(_) => fine.map(said).collect(),
    };
    if let Some(model) = model(job).filter(|model| !parts.iter().any(|part| part.contains(model))) {
        parts.push(format!("model {model}"));
    }
    parts.extend(size(job));
    with_places(job, &parts, look)
}

/// `552 items in 56 batches on claude-opus-5-5`.
pub fn amount(job: &Job) -> String {
    let items = format::plural(u64::from(items(job)), "item", "items");
    let batches = format::plural(u64::from(job.batches.total()), "batch", "batches");
    let model = model(job).map(|model| format!(" on {model}")).unwrap_or_default();
    format!("{items} in {batches}{model}")
}

fn said(health: &Health) -> String {
    match health.name.as_str() {
        "Claude Code" => format!("{} {}", health.name, health.found),
        _ => health.found.clone(),
    }
}

/// What the job may come to at the worst, for those who pay by use or by their plan; `None` for a program.
pub fn worst_case(job: &Job) -> Option<String> {
    if matches!(job.backend, Backend::Command(_)) {
        return None;
    }
    let (batches, tries) = (u64::from(job.batches.total()), u64::from(job.retry.max_retries) + 1);
    let per_attempt = job.budget.per_attempt_micro_usd.map(|dollars| dollars.saturating_mul(batches * tries));
    let most = per_attempt.into_iter().chain(job.budget.per_run_micro_usd).min();
    let bound = most.map_or_else(
        || "no budget bounds what it costs".to_owned(),
        |most| format!("at most {}", format::dollars(most)),
    );
    let batches = format::plural(batches, "batch", "batches");
    let tries = format::plural(tries, "counted try", "counted tries");
    Some(format!("at the worst {batches}, {tries} each: {bound}"))
}

fn with_places(job: &Job, parts: &[String], look: &Look) -> Vec<String> {
    let mut lines = vec![format!(
        "{}{}{}",
        look.paint(Tone::Strong, &job.name),
        look.symbol(" · ", ", "),
        parts.join(look.symbol(" · ", ", "))
    )];
    lines.push(look.paint(Tone::Quiet, format!("workspace {}", job.workspace.path.display())));
    if !job.left.is_empty() {
        lines.push(
            look.paint(Tone::Quiet, format!("left, since it is for a cluster: {}", job.left.join(", "))),
        );
    }
    lines
}

fn backend(job: &Job) -> String {
    match &job.backend {
        Backend::Command(command) => {
            format!("command {}", command.command.first().map_or("", String::as_str))
        }
        Backend::ClaudeCli(_) | Backend::Anthropic(_) => match model(job) {
            Some(model) => format!("{}, model {model}", job.backend.word()),
            None => job.backend.word().to_owned(),
        },
    }
}

fn size(job: &Job) -> Vec<String> {
    let batches = format::plural(u64::from(job.batches.total()), "batch", "batches");
    let items = format::plural(u64::from(items(job)), "item", "items");
    let mut parts = vec![format!("{batches} of {items}")];
    if job.parallelism.get() > 1 {
        parts.push(format!("{} at once", job.parallelism));
    }
    if let Some(budget) = job.budget.per_run_micro_usd {
        parts.push(format!("budget {}", format::dollars(budget)));
    }
    parts
}

fn model(job: &Job) -> Option<&str> {
    match &job.backend {
        Backend::ClaudeCli(claude) => claude.model.as_deref(),
        Backend::Anthropic(anthropic) => Some(&anthropic.model),
        Backend::Command(_) => None,
    }
}

fn items(job: &Job) -> u32 {
    (job.batches.total_items + 1).saturating_sub(job.batches.start_item)
}

/// The files that the validations of a batch look at, absolute.
///
/// # Errors
/// A path does not expand; it did when the job was loaded.
pub fn checked_files(job: &Job, batch: Batch) -> Result<Vec<PathBuf>, ExpandError> {
    let paths = job.validations.iter().filter_map(|validation| validation.check.path());
    let mut files = Vec::new();
    for path in paths {
        let file = expand_path(job, batch, path)?;
        if !files.contains(&file) {
            files.push(file);
        }
    }
    Ok(files)
}
