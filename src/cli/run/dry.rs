//! `mozart run --dry-run`: the plan and the prompts.

use std::path::PathBuf;

use serde::Serialize;

use crate::{
    cli::{choices::Form, describe, error::Advised, exit::Exit, printer::Printer, terminal::Tone},
    engine::ranges::Ranges,
    job::{
        batches::Batch,
        identity::BatchNum,
        model::Job,
        prompt::{PromptContext, render_label, render_prompt},
    },
};

/// A job's plan, as `-o json` shows it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Plan<'a> {
    #[serde(flatten)]
    summary: describe::Summary<'a>,
    prompts: Vec<PlannedBatch>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PlannedBatch {
    batch: BatchNum,
    start_item: u32,
    end_item: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    prompt: String,
    /// The files that its validations look at, absolute.
    files: Vec<PathBuf>,
}

/// Shows the plan, and the first prompt of every batch or of those in `only`.
pub fn show(job: &Job, only: Option<&Ranges>, form: Form, printer: &Printer) -> anyhow::Result<Exit> {
    let total = job.batches.total();
    let numbers: Vec<BatchNum> = match only {
        Some(only) => only.iter().collect(),
        None => Ranges::span(1, total).iter().collect(),
    };
    let mut prompts = Vec::with_capacity(numbers.len());
    for number in numbers {
        let batch = job.batches.get(number).ok_or_else(|| {
            Advised::new(
                format!("there is no batch {number}, the job has {total}"),
                "leave it out of --batches",
            )
        })?;
        prompts.push(planned(job, batch)?);
    }
    match form {
        Form::Json => printer.json(&Plan { summary: describe::Summary::of(job), prompts })?,
        Form::Text => {
            for line in describe::lines(job, &printer.err).into_iter().chain(describe::worst_case(job)) {
                printer.note(line);
            }
            for planned in &prompts {
                printer.bytes(text(planned, total, printer).as_bytes())?;
            }
        }
    }
    Ok(Exit::Done)
}

fn planned(job: &Job, batch: Batch) -> anyhow::Result<PlannedBatch> {
    let Batch { number, start_item, end_item } = batch;
    let prompt = render_prompt(job, batch, &PromptContext::first())?;
    let label = render_label(job, batch)?;
    let files = describe::checked_files(job, batch)?;
    Ok(PlannedBatch { batch: number, start_item, end_item, label, prompt, files })
}

fn text(planned: &PlannedBatch, total: u32, printer: &Printer) -> String {
    let PlannedBatch { batch, start_item, end_item, label, prompt, files } = planned;
    let label = label.as_deref().map(|label| format!(", {label}")).unwrap_or_default();
    let items = if start_item == end_item {
        format!("item {start_item}")
    } else {
        format!("items {start_item}-{end_item}")
    };
    let heading = format!("==> batch {batch} of {total}, {items}{label} <==");
    let mut text = format!("{}\n{}\n", printer.out.paint(Tone::Strong, heading), prompt.trim_end());
    for file in files {
        text.push_str(&printer.out.paint(Tone::Quiet, format!("checked: {}", file.display())));
        text.push('\n');
    }
    text.push('\n');
    text
}
