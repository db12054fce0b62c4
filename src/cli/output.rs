//! `mozart output`: the answers.

#[cfg(feature = "cluster")]
mod cluster;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

#[cfg(feature = "cluster")]
use super::reach::ReachArguments;
use super::{
    choices::{FormArgument, JobArgument},
    error::Advised,
    exit::Exit,
    format,
    printer::Printer,
    reading::{Found, Reading},
    terminal::Tone,
};
use crate::{
    engine::ranges::Ranges,
    job::{answer::AnswerFacts, identity::BatchNum},
    store::record::BatchRecord,
};

/// Arguments of `mozart output`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart output review --to answers          a file for each batch\n  \
                         mozart output review -o jsonl | jq -r .answer\n  \
                         mozart output review/3 -b 12              one answer as it is\n  \
                         mozart output review -n team-a --to answers    of a job of a cluster")]
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
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    reach: ReachArguments,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
enum OutputForm {
    /// As they are, several with a heading each
    #[default]
    Text,
    /// A JSON object a line: run, batch, attempt, items, usage, stopReason, answer
    #[value(alias = "json")]
    Jsonl,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    run: &'a str,
    batch: BatchNum,
    /// Which start of it.
    attempt: u32,
    #[serde(flatten)]
    facts: &'a AnswerFacts,
    answer: &'a str,
}

/// Gives the answers of the batches that are done, by number.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.reach.is_given() {
        return super::runtime()?.block_on(cluster::output(args, printer));
    }
    let reading = Reading::open()?;
    let found = reading.find(args.job.job.as_deref())?;
    let done = done(args, &reading, &found)?;
    let mut giving = Giving::begin(args, printer, found.run.id.clone(), done.len() > 1)?;
    let cut = if giving.wants_facts() { Some(reading.cut(&found)?) } else { None };
    let mut missing = Ranges::default();
    for batch in &done {
        match reading.answer(&found, batch)? {
            Some(answer) => {
                let facts = match &cut {
                    Some(cut) => reading.answer_facts(&found, batch, cut.as_ref())?,
                    None => AnswerFacts::default(),
                };
                giving.give(batch.batch, batch.attempts, &facts, &answer)?;
            }
            None => drop(missing.insert(batch.batch)),
        }
    }
    giving.finish(&missing);
    Ok(Exit::Done)
}

/// Gives answers back, one after the other.
struct Giving<'a> {
    args: &'a Args,
    printer: &'a Printer,
    run: String,
    headings: bool,
    written: u64,
}

impl<'a> Giving<'a> {
    fn begin(args: &'a Args, printer: &'a Printer, run: String, headings: bool) -> anyhow::Result<Self> {
        if let Some(folder) = &args.to {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        Ok(Self { args, printer, run, headings, written: 0 })
    }

    /// Whether anything but the text is shown.
    fn wants_facts(&self) -> bool {
        self.args.to.is_none() && self.args.form.get() == OutputForm::Jsonl
    }

    fn give(
        &mut self,
        batch: BatchNum,
        attempt: u32,
        facts: &AnswerFacts,
        answer: &str,
    ) -> anyhow::Result<()> {
        self.written += 1;
        if let Some(folder) = &self.args.to {
            return write(folder, batch, answer);
        }
        match self.args.form.get() {
            OutputForm::Jsonl => {
                self.printer.json_line(&Line { run: &self.run, batch, attempt, facts, answer })
            }
            OutputForm::Text => {
                if self.headings {
                    let heading = format!("==> batch {batch} <==");
                    self.printer.line(self.printer.out.paint(Tone::Strong, heading))?;
                }
                let end = if answer.ends_with('\n') { "" } else { "\n" };
                self.printer.bytes(format!("{answer}{end}").as_bytes())
            }
        }
    }

    /// Says how many were given, and which were not.
    fn finish(&self, missing: &Ranges) {
        if let Some(folder) = &self.args.to {
            let answers = format::plural(self.written, "answer", "answers");
            self.printer.note(format!("{answers} in {}", folder.display()));
        }
        if !missing.is_empty() {
            let words = format!("batches {missing} are done and gave no answer, or it is no longer kept");
            self.printer.warn(words);
        }
    }
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
