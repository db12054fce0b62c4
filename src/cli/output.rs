//! `mozart output`: the answers.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

use super::{
    choices::{FormArgument, JobArgument},
    error::Advised,
    exit::Exit,
    format,
    printer::Printer,
    reading::{Found, Reading},
    terminal::Tone,
};
use crate::{engine::ranges::Ranges, job::identity::BatchNum, store::record::BatchRecord};

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
    #[command(flatten)]
    form: FormArgument<OutputForm>,
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
        let Some(answer) = reading.answer(&found, batch)? else {
            missing.insert(batch.batch);
            continue;
        };
        written += 1;
        if let Some(folder) = &args.to {
            write(folder, batch.batch, &answer)?;
            continue;
        }
        match args.form.get() {
            OutputForm::Jsonl => {
                printer.json_line(&Line { run: &found.run.id, batch: batch.batch, answer })?;
            }
            OutputForm::Text => {
                if done.len() > 1 {
                    printer
                        .line(printer.out.paint(Tone::Strong, format!("==> batch {} <==", batch.batch)))?;
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
fn done(args: &Args, reading: &Reading, found: &Found) -> anyhow::Result<Vec<BatchRecord>> {
    let mut done = reading.done(found)?;
    let id = &found.run.id;
    if let Some(wanted) = &args.batch {
        done.retain(|batch| wanted.contains(batch.batch));
        let there: Ranges = done.iter().map(|batch| batch.batch).collect();
        if let Some(other) = wanted.iter().find(|batch| !there.contains(*batch)) {
            let hint = format!("mozart history {id} --batches shows the state of each");
            return Err(Advised::new(format!("batch {other} of {id} is not done"), hint).into());
        }
    }
    if done.is_empty() {
        let hint = format!("mozart status {id} shows where it stands");
        return Err(Advised::new(format!("no batch of {id} is done yet"), hint).into());
    }
    Ok(done)
}

fn write(folder: &Path, batch: BatchNum, answer: &str) -> anyhow::Result<()> {
    let path = folder.join(format!("batch{batch}.md"));
    std::fs::write(&path, answer).with_context(|| format!("cannot write {}", path.display()))
}
