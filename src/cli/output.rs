//! `mozart output`: the answers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    choices::JobArgument,
    error::Advised,
    exit::Exit,
    format,
    printer::Printer,
    reading::{Found, Reading},
    terminal::Tone,
};
use crate::{
    engine::ranges::Ranges,
    job::identity::BatchNum,
};

/// Arguments of `mozart output`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart output review --to answers          a file for each batch\n  \
                         mozart output review -o jsonl | jq -r .answer\n  \
                         mozart output review/3 -b 12              one answer as it is")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// Only these batches, such as 3,7-9
    #[arg(short, long, value_name = "LIST")]
    batch: Option<Ranges>,
    /// Write batch12.md and so on into this folder
    #[arg(long, value_name = "DIR", conflicts_with = "form")]
    to: Option<PathBuf>,
    /// The form: text, or jsonl for a JSON object a line
    #[arg(short, long = "output", value_name = "FORM", value_enum, default_value_t, hide_possible_values = true, hide_default_value = true)]
    form: OutputForm,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum OutputForm {
    /// As they are, several with a heading each
    #[default]
    Text,
    /// A JSON object a line: batch, answer
    #[value(alias = "json")]
    Jsonl,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    run: &'a str,
    batch: BatchNum,
    answer: String,
}

/// Gives the answers of the batches that are done, by number.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let reading = Reading::open()?;
    let found = reading.find(args.job.job.as_deref())?;
    let done = done(args, &reading, &found)?;
    if let Some(folder) = &args.to {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    let mut missing = Ranges::default();
    let mut written = 0;
    for batch in &done {
        let Some(answer) = reading.answer(&found, *batch)? else {
            missing.insert(*batch);
            continue;
        };
        written += 1;
        if let Some(folder) = &args.to {
            write(folder, *batch, &answer)?;
            continue;
        }
        match args.form {
            OutputForm::Jsonl => printer.json_line(&Line { run: &found.run.id, batch: *batch, answer })?,
            OutputForm::Text => {
                if done.len() > 1 {
                    printer.line(printer.out.paint(Tone::Strong, format!("==> batch {batch} <==")))?;
                }
                let end = if answer.ends_with('\n') { "" } else { "\n" };
                printer.bytes(format!("{answer}{end}").as_bytes())?;
            }
        }
    }
    if let Some(folder) = &args.to {
        printer.note(format!("{} in {}", format::plural(written, "answer", "answers"), folder.display()));
    }
    if !missing.is_empty() {
        printer.warn(format!("batches {missing} are done and gave no answer, or it is no longer kept"));
    }
    Ok(Exit::Done)
}

/// The batches that are done, of those that were asked for.
fn done(args: &Args, reading: &Reading, found: &Found) -> anyhow::Result<Vec<BatchNum>> {
    let succeeded = reading.succeeded(found)?;
    let done: Vec<BatchNum> = match &args.batch {
        None => succeeded.iter().collect(),
        Some(wanted) => {
            if let Some(other) = wanted.iter().find(|batch| !succeeded.contains(*batch)) {
                return Err(Advised::new(
                    format!("batch {other} of {} is not done", found.run.id),
                    format!("mozart history {} --batches shows the state of each", found.run.id),
                )
                .into());
            }
            wanted.iter().collect()
        }
    };
    if done.is_empty() {
        return Err(Advised::new(
            format!("no batch of {} is done yet", found.run.id),
            format!("mozart status {} shows where it stands", found.run.id),
        )
        .into());
    }
    Ok(done)
}

fn write(folder: &Path, batch: BatchNum, answer: &str) -> anyhow::Result<()> {
    let path = folder.join(format!("batch{batch}.md"));
    std::fs::write(&path, answer).with_context(|| format!("cannot write {}", path.display()))
}
