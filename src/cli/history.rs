//! `mozart history`: the runs of a job, or the batches of a run.

#[cfg(feature = "cluster")]
mod cluster;

use jiff::{Timestamp, tz::TimeZone};

#[cfg(feature = "cluster")]
use super::reach::ReachArguments;
use super::{
    choices::{FormArgument, JobArgument, ListForm},
    exit::Exit,
    format,
    printer::Printer,
    reading::Reading,
    summary,
    table::{Cell, Table},
    terminal::Tone,
};
use crate::store::record::{BatchRecord, BatchState, RunRecord};

/// Arguments of `mozart history`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart history review                 the runs of a job\n  \
                         mozart history review/3 --batches     the batches of a run\n  \
                         mozart history review -o json\n  \
                         mozart history review -n team-a       of a job of a cluster")]
pub struct Args {
    #[command(flatten)]
    job: JobArgument,
    /// List the batches of the run instead
    #[arg(short, long)]
    batches: bool,
    #[command(flatten)]
    form: FormArgument<ListForm>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    reach: ReachArguments,
}

/// Lists the runs of the job, the last first; with `--batches` those batches of the run that were started.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.reach.is_given() {
        return super::runtime()?.block_on(cluster::history(args, printer));
    }
    let reading = Reading::open()?;
    let found = reading.find(args.job.job.as_deref())?;
    if args.batches {
        show_batches(&reading.batches(&found)?, args.form.get(), printer)?;
    } else {
        show_runs(&reading.runs(&found.job)?, args.form.get(), printer)?;
    }
    Ok(Exit::Done)
}

fn show_batches(batches: &[BatchRecord], form: ListForm, printer: &Printer) -> anyhow::Result<()> {
    match form {
        ListForm::Json => printer.json(&batches),
        ListForm::Name => batches.iter().try_for_each(|batch| printer.line(batch.batch)),
        ListForm::Table => printer.table(&batch_table(batches, Timestamp::now())),
    }
}

fn show_runs(runs: &[RunRecord], form: ListForm, printer: &Printer) -> anyhow::Result<()> {
    match form {
        ListForm::Json => printer.json(&runs),
        ListForm::Name => runs.iter().try_for_each(|run| printer.line(&run.id)),
        ListForm::Table => printer.table(&run_table(runs, Timestamp::now(), &TimeZone::system())),
    }
}

fn run_table(runs: &[RunRecord], now: Timestamp, zone: &TimeZone) -> Table {
    let mut table =
        Table::new(&["RUN", "STATE", "DONE", "FAILED", "STARTED", "TOOK", "COST", "TOKENS", "REASON"]);
    for run in runs {
        let (state, tone) = summary::state(run.state);
        let failed_tone = if run.failed > 0 { Tone::Bad } else { Tone::Plain };
        table.row(vec![
            run.id.as_str().into(),
            Cell::toned(tone, state),
            format!("{}/{}", run.succeeded, run.total).into(),
            Cell::toned(failed_tone, run.failed.to_string()),
            format::local(run.started, zone).into(),
            summary::took(run, now).into(),
            format::dollars(run.usage.cost_micro_usd).into(),
            format::count(run.usage.tokens()).into(),
            run.reason.clone().unwrap_or_default().into(),
        ]);
    }
    table
}

fn batch_table(batches: &[BatchRecord], now: Timestamp) -> Table {
    let mut table = Table::new(&["BATCH", "STATE", "ATTEMPTS", "TOOK", "COST", "TOKENS", "MESSAGE"]);
    for batch in batches {
        let tone = match batch.state {
            BatchState::Running => Tone::Name,
            BatchState::Waiting => Tone::Warning,
            BatchState::Succeeded => Tone::Good,
            BatchState::Failed => Tone::Bad,
        };
        let took = batch
            .started
            .map(|started| format::duration(format::between(started, batch.ended.unwrap_or(now))));
        table.row(vec![
            batch.batch.to_string().into(),
            Cell::toned(tone, batch.state.word()),
            batch.attempts.to_string().into(),
            took.unwrap_or_default().into(),
            format::dollars(batch.usage.cost_micro_usd).into(),
            format::count(batch.usage.tokens()).into(),
            message(batch).into(),
        ]);
    }
    table
}

/// What a batch that is not done says; what a done one had before is no news.
fn message(batch: &BatchRecord) -> String {
    match (batch.state, &batch.reason, &batch.message) {
        (BatchState::Succeeded, ..) => String::new(),
        (_, Some(reason), Some(message)) => format!("{reason}: {message}"),
        (_, reason, message) => reason.clone().or_else(|| message.clone()).unwrap_or_default(),
    }
}
