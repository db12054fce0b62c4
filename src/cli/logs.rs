//! `mozart logs`: what attempts wrote.

#[cfg(feature = "cluster")]
mod cluster;
mod follow;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde::Serialize;

#[cfg(feature = "cluster")]
use super::reach::ReachArguments;
use super::{
    choices::{Form, FormArgument, JobArgument},
    error::Advised,
    exit::Exit,
    findings,
    printer::Printer,
    reading::{Found, Reading},
    terminal::{Look, Tone},
};
use crate::{
    engine::ranges::Ranges,
    job::{files::AttemptFiles, finding::Finding},
    show::said,
    store::record::{AttemptRecord, AttemptState, BatchState},
};

/// Arguments of `mozart logs`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart logs --failed              the last attempt of every failed batch\n  \
                         mozart logs review -b 12          one batch\n  \
                         mozart logs review/3 -b 12 -a 2 --prompt\n  \
                         mozart logs -f                    what runs now, as it is written\n  \
                         mozart logs review -n team-a --failed    of a job of a cluster")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// Only these batches, such as 3,7-9
    #[arg(short, long, value_name = "LIST")]
    batch: Option<Ranges>,
    /// The attempt at a batch, from 1; by default the last one
    #[arg(short, long, value_name = "N")]
    attempt: Option<u32>,
    /// Only batches that failed
    #[arg(long)]
    failed: bool,
    /// Standard error instead of standard output; after a failure both are shown
    #[arg(long, conflicts_with = "prompt")]
    stderr: bool,
    /// The prompt as it was sent instead
    #[arg(long)]
    prompt: bool,
    /// What was written as it is: of Claude Code a JSON object a line instead of what it says, and to a terminal also
    /// control sequences, of which it otherwise gets colours only
    #[arg(long)]
    raw: bool,
    /// Only the last lines of each
    #[arg(long, value_name = "N")]
    tail: Option<usize>,
    /// Go on with what is written until the run ends
    #[arg(short, long, conflicts_with_all = ["prompt", "tail", "failed", "attempt", "form"])]
    follow: bool,
    #[command(flatten)]
    form: FormArgument,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    reach: ReachArguments,
}

impl Args {
    fn stream(&self) -> Stream {
        match (self.prompt, self.stderr) {
            (true, _) => Stream::Prompt,
            (false, true) => Stream::Stderr,
            (false, false) => Stream::Stdout,
        }
    }
}

impl Stream {
    /// The file that has it.
    fn of(self, files: &AttemptFiles) -> PathBuf {
        match self {
            Self::Prompt => files.prompt(),
            Self::Stdout => files.stdout(),
            Self::Stderr => files.stderr(),
        }
    }
}

/// A text of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// What was asked.
    Prompt,
    /// What the program said.
    Stdout,
    /// What it said beside.
    Stderr,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Log {
    #[serde(flatten)]
    attempt: AttemptRecord,
    text: String,
    /// What its validations expected and found.
    findings: Vec<Finding>,
}

/// Shows the texts of the attempts that were asked for; several get a heading each.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.reach.is_given() {
        return super::runtime()?.block_on(cluster::logs(args, printer));
    }
    let reading = Reading::open()?;
    let found = reading.find(args.job.job.as_deref())?;
    if args.follow {
        return follow::follow(&reading, &found, args.batch.as_ref(), args.stream(), args.raw, printer);
    }
    let attempts = chosen(args, &reading, &found)?;
    if attempts.is_empty() {
        return Err(nothing(args, &found).into());
    }
    let several = attempts.len() > 1;
    let session = attempts.first().and_then(|attempt| attempt.session).filter(|_| !several);
    for attempt in attempts {
        let files = reading.files(&found, attempt.key());
        let texts = Texts {
            wanted: read(&args.stream().of(&files))?,
            stderr: read(&Stream::Stderr.of(&files))?,
            findings: reading.findings(&found, attempt.key()),
        };
        show(args, attempt, texts, several || args.failed, printer)?;
    }
    if let Some(session) = session {
        printer.hint(format!("claude --resume {session} takes you into its session"));
    }
    Ok(Exit::Done)
}

/// What an attempt left.
struct Texts {
    /// The one that was asked for.
    wanted: String,
    stderr: String,
    /// What its validations expected and found.
    findings: Vec<Finding>,
}

/// Shows an attempt as it was asked for.
fn show(
    args: &Args,
    attempt: AttemptRecord,
    texts: Texts,
    headed: bool,
    printer: &Printer,
) -> anyhow::Result<()> {
    let Texts { wanted, stderr, findings } = texts;
    if args.form.get() == Form::Json {
        return printer.json_line(&Log { text: tail(&wanted, args.tail), attempt, findings });
    }
    if headed {
        printer.line(printer.out.paint(Tone::Strong, heading(&attempt)))?;
    }
    let readable = args.stream() == Stream::Stdout && !args.raw;
    let text = if readable { as_read(&wanted, &printer.out) } else { wanted };
    write(&tail(&text, args.tail), args.raw, printer)?;
    if readable && attempt.state == AttemptState::Failed {
        if !stderr.is_empty() {
            printer.line(printer.out.paint(Tone::Quiet, "standard error:"))?;
            write(&tail(&stderr, args.tail), args.raw, printer)?;
        }
        if !findings.is_empty() {
            printer.line(printer.out.paint(Tone::Quiet, "validations:"))?;
            printer.line(findings::lines(&findings, &printer.out).join("\n"))?;
        }
    }
    Ok(())
}

/// A text of an attempt; one that was not written is empty.
fn read(path: &Path) -> anyhow::Result<String> {
    match std::fs::read(path) {
        Ok(text) => Ok(String::from_utf8_lossy(&text).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn write(text: &str, raw: bool, printer: &Printer) -> anyhow::Result<()> {
    let end = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
    let text = format!("{text}{end}");
    if raw { printer.raw(text.as_bytes()) } else { printer.bytes(text.as_bytes()) }
}

/// What Claude Code wrote, as people read it; other text as it is.
fn as_read(text: &str, look: &Look) -> String {
    text.lines()
        .flat_map(|line| said::lines(line, look))
        .fold(String::new(), |text, line| text + &line + "\n")
}

/// The attempts that were asked for, by batch.
fn chosen(args: &Args, reading: &Reading, found: &Found) -> anyhow::Result<Vec<AttemptRecord>> {
    let batches = reading.batches(found)?;
    let batches = batches.iter().filter(|batch| {
        args.batch.as_ref().is_none_or(|wanted| wanted.contains(batch.batch))
            && (!args.failed || batch.state == BatchState::Failed)
    });
    let mut attempts = Vec::new();
    for batch in batches {
        let of_batch = reading.attempts(found, batch.batch)?;
        attempts.extend(match args.attempt {
            Some(ordinal) => of_batch.into_iter().find(|attempt| attempt.ordinal == ordinal),
            None => of_batch.into_iter().max_by_key(|attempt| attempt.ordinal),
        });
    }
    Ok(attempts)
}

fn nothing(args: &Args, found: &Found) -> Advised {
    let id = &found.run.id;
    match (args.failed, &args.batch, args.attempt) {
        (_, Some(batches), Some(ordinal)) => Advised::new(
            format!("{id} has no attempt {ordinal} at batch {batches}"),
            format!("mozart history {id} --batches lists batches and how many attempts they had"),
        ),
        (true, ..) => Advised::new(
            format!("no batch of {id} has failed, of those that were asked for"),
            format!("mozart logs {id} shows them all"),
        ),
        _ => Advised::new(
            format!("nothing of {id} was started, of what was asked for"),
            format!("mozart history {id} --batches lists what was"),
        ),
    }
}

/// `==> batch 12, attempt 2: failed, ValidationFailed: no report <==`
fn heading(attempt: &AttemptRecord) -> String {
    let state = match attempt.state {
        AttemptState::Running => "running",
        AttemptState::Succeeded => "succeeded",
        AttemptState::Failed => "failed",
    };
    let why =
        [&attempt.reason, &attempt.message].into_iter().flatten().cloned().collect::<Vec<_>>().join(": ");
    let why = if why.is_empty() { why } else { format!(", {}", why.replace('\n', " ")) };
    format!("==> batch {}, attempt {}: {state}{why} <==", attempt.batch, attempt.ordinal)
}

/// The last `lines` lines.
fn tail(text: &str, lines: Option<usize>) -> String {
    let Some(lines) = lines else { return text.to_owned() };
    let all: Vec<&str> = text.split_inclusive('\n').collect();
    all[all.len().saturating_sub(lines)..].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_has_whole_lines_and_no_more_than_there_are() {
        assert_eq!(tail("a\nb\nc", Some(2)), "b\nc");
        assert_eq!(tail("a\nb\n", Some(9)), "a\nb\n");
        assert_eq!(tail("a\nb\n", Some(0)), "");
        assert_eq!(tail("a\nb\n", None), "a\nb\n");
    }
}
