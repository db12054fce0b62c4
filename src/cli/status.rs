//! `mozart status`: where a run stands, or one batch of it.

mod batch;
#[cfg(feature = "cluster")]
pub mod cluster;

use jiff::{Timestamp, tz::TimeZone};
use serde::Serialize;

use super::{
    choices::{FormArgument, JobArgument, ObjectForm},
    exit::Exit,
    format,
    printer::Printer,
    progress::{snapshot::waiting_line, used},
    reading::{Found, Reading},
    summary::{self, FailureGroup, Failures},
    terminal::{Look, Tone},
};
#[cfg(feature = "cluster")]
use super::{error::Advised, kubernetes::KubernetesArguments};
use crate::{
    engine::waiting::Waiting,
    job::{identity::BatchNum, outcome::Usage},
    local::lock::Holder,
    store::record::{BatchRecord, BatchState, JobRecord, RunRecord, RunState},
};

/// Arguments of `mozart status`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart status                 the run that was last used here\n  \
                         mozart status review          the last run of a job\n  \
                         mozart status review/3 -b 12    one batch: its attempts, what was checked\n  \
                         mozart status review/3 -o json\n  \
                         mozart status review -n team-a    a job of a cluster")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// One batch instead: its attempts, and what their validations expected and found
    #[arg(short, long, value_name = "N", value_parser = batch_number)]
    batch: Option<BatchNum>,
    #[command(flatten)]
    form: FormArgument<ObjectForm>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

fn batch_number(text: &str) -> Result<BatchNum, String> {
    text.parse().map(BatchNum).map_err(|_| "write a batch's number, such as 12".to_owned())
}

/// What is known of a run.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    run: RunRecord,
    job: JobRecord,
    /// Which process drives it, if one does.
    held_by: Option<Holder>,
    failures: Vec<FailureGroup>,
    /// Why no batch starts, where it is the credential.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting: Option<Waiting>,
    /// Batches that run, or wait for another try.
    open: Vec<BatchRecord>,
}

/// Shows the run; where it failed, why, and what to type next.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() {
        if args.batch.is_some() {
            let hint = format!("{} shows what its attempts wrote", args.cluster.typed("logs JOB --batch N"));
            return Err(Advised::new("a cluster's status says nothing of single batches", hint).into());
        }
        let (job, form) = (args.job.job.as_deref(), args.form.get());
        super::runtime()?.block_on(cluster::show(job, form, &args.cluster, printer))?;
        return Ok(Exit::Done);
    }
    let reading = Reading::open()?;
    let found = reading.find(args.job.job.as_deref())?;
    if let Some(number) = args.batch {
        return batch::show(&reading, &found, number, args.form.get(), printer);
    }
    let batches = reading.unfinished(&found)?;
    let failures = Failures::of(&batches).groups();
    let held_by = reading.holder(&found)?;
    let waiting = held_by.as_ref().and_then(|_| reading.waits_for(&found));
    let Found { job, run, ledger: _ } = found;
    let open = batches.into_iter().filter(|batch| batch.state != BatchState::Failed).collect();
    let status = Status { run, job, held_by, failures, waiting, open };
    match args.form.get() {
        ObjectForm::Json => printer.json(&status)?,
        ObjectForm::Yaml => printer.yaml(&status)?,
        ObjectForm::Name => printer.line(&status.run.id)?,
        form @ (ObjectForm::Text | ObjectForm::Wide) => {
            let mut lines = text(&status, &printer.out, Timestamp::now(), &TimeZone::system());
            if form == ObjectForm::Wide {
                lines.extend(tokens(&status.run.usage, &printer.out));
            }
            printer.line(lines.join("\n"))?;
            for step in summary::next_steps(&status.run) {
                printer.hint(step);
            }
        }
    }
    Ok(Exit::Done)
}

/// What the tokens were, by kind.
fn tokens(usage: &Usage, look: &Look) -> Vec<String> {
    let kinds = [
        ("input", usage.input_tokens),
        ("output", usage.output_tokens),
        ("from cache", usage.cache_read_tokens),
        ("to cache", usage.cache_write_tokens),
    ];
    let line = |(name, tokens): (&str, u64)| {
        format!("  {} {} tokens", look.paint(Tone::Quiet, format!("{name:<10}")), format::count(tokens))
    };
    kinds.into_iter().map(line).collect()
}

fn text(status: &Status, look: &Look, now: Timestamp, zone: &TimeZone) -> Vec<String> {
    let Status { run, job, held_by, failures, waiting, open } = status;
    let (word, tone) = summary::state(run.state);
    let driven = match (held_by, run.state) {
        (Some(holder), _) => {
            let since = format::local(holder.since, zone);
            format!("  process {} on {}, since {since}", holder.pid, holder.host)
        }
        (None, RunState::Running | RunState::Stopping | RunState::Pending) => {
            "  interrupted: no process drives it, mozart resume goes on".to_owned()
        }
        (None, _) => String::new(),
    };
    let mut lines =
        vec![format!("{}  {}{driven}", look.paint(Tone::Strong, &run.id), look.paint(tone, word))];
    let mut field = |name: &str, value: String| {
        lines.push(format!("  {} {value}", look.paint(Tone::Quiet, format!("{name:<9}"))));
    };
    field("batches", summary::counts(run));
    if let Some(why) = summary::why(run) {
        field("why", why.to_owned());
    }
    if let Some(waiting) = waiting {
        field("waiting", waiting_line(waiting, now, zone));
    }
    let mut took = vec![summary::took(run, now)];
    took.extend(used(&run.usage, summary::expected(run)));
    field("took", took.join(look.symbol(" · ", ", ")));
    field("started", format::local(run.started, zone));
    field("job file", job.file.display().to_string());
    for batch in open {
        let what = match (batch.state, batch.until) {
            (BatchState::Running, _) => format!("runs, attempt {}", batch.attempts),
            (_, Some(until)) => format!("again at {}", format::until(until, now, zone)),
            (_, None) => "to be tried again".to_owned(),
        };
        let reason = batch.reason.as_deref().map(|reason| format!(", after {reason}")).unwrap_or_default();
        lines.push(format!("  batch {} {what}{reason}", batch.batch));
    }
    lines.extend(summary::failure_lines(failures, look).into_iter().map(|line| format!("  {line}")));
    lines
}
