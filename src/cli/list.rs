//! `mozart list`: the jobs and their last runs.

#[cfg(feature = "cluster")]
mod cluster;

use jiff::Timestamp;
use serde::Serialize;

#[cfg(feature = "cluster")]
use super::kubernetes::KubernetesArguments;
use super::{
    choices::{FormArgument, JobsForm},
    exit::Exit,
    format,
    printer::Printer,
    reading::Reading,
    summary,
    table::{Cell, Table},
    terminal::Tone,
};
use crate::store::record::{JobRecord, RunRecord, RunState};

/// Arguments of `mozart list`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart list\n  \
                         mozart list -o json | jq -r '.[] | select(.lastRun.state == \"failed\").job.name'\n  \
                         mozart list -n team-a --failed    those of a namespace of a cluster")]
pub struct Args {
    /// Only jobs whose last run failed
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    form: FormArgument<JobsForm>,
    /// Those of every namespace
    #[cfg(feature = "cluster")]
    #[arg(short = 'A', long, help_heading = "In a cluster")]
    all_namespaces: bool,
    /// Only those with these labels, such as team=a
    #[cfg(feature = "cluster")]
    #[arg(short = 'l', long, value_name = "LABELS", help_heading = "In a cluster")]
    selector: Option<String>,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    cluster: KubernetesArguments,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    job: JobRecord,
    last_run: Option<RunRecord>,
}

/// Lists every job that was run by this user, the last used first.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.cluster.is_given() || args.all_namespaces {
        super::runtime()?.block_on(cluster::list(args, printer))?;
        return Ok(Exit::Done);
    }
    let reading = Reading::open()?;
    let mut rows = Vec::new();
    for job in reading.jobs()? {
        let last_run = reading.last_run(&job)?;
        if args.failed && last_run.as_ref().is_none_or(|run| run.state != RunState::Failed) {
            continue;
        }
        rows.push(Row { job, last_run });
    }
    match args.form.get() {
        JobsForm::Json => printer.json(&rows)?,
        JobsForm::Yaml => printer.yaml(&rows)?,
        JobsForm::Name => {
            for row in &rows {
                printer.line(&row.job.name)?;
            }
        }
        JobsForm::Table | JobsForm::Wide if rows.is_empty() => {
            printer.note(if args.failed { "no job's last run failed" } else { "no job was run yet" });
            printer.hint("mozart init writes a job file, mozart run FILE runs it");
        }
        JobsForm::Table => printer.table(&table(&rows, false, Timestamp::now()))?,
        JobsForm::Wide => printer.table(&table(&rows, true, Timestamp::now()))?,
    }
    Ok(Exit::Done)
}

fn table(rows: &[Row], wide: bool, now: Timestamp) -> Table {
    let headings = ["RUN", "STATE", "DONE", "FAILED", "COST", "USED"].into_iter();
    let more = ["TOKENS", "TOOK"].into_iter().filter(|_| wide);
    let headings: Vec<&str> = headings.chain(more).chain(["FILE"]).collect();
    let mut table = Table::new(&headings);
    for Row { job, last_run } in rows {
        let mut cells: Vec<Cell> = match last_run {
            Some(run) => of_run(run).into(),
            None => std::iter::once(job.name.as_str().into()).chain((0..4).map(|_| "-".into())).collect(),
        };
        cells.push(format::ago(job.used, now).into());
        if wide {
            let run = last_run.as_ref();
            let tokens = run.map(|run| format::count(run.usage.tokens()));
            cells.push(tokens.unwrap_or_else(|| "-".to_owned()).into());
            cells.push(run.map_or_else(|| "-".to_owned(), |run| summary::took(run, now)).into());
        }
        cells.push(job.file.display().to_string().into());
        table.row(cells);
    }
    table
}

fn of_run(run: &RunRecord) -> [Cell; 5] {
    let (state, tone) = summary::state(run.state);
    let failed_tone = if run.failed > 0 { Tone::Bad } else { Tone::Plain };
    [
        run.id.as_str().into(),
        Cell::toned(tone, state),
        format!("{}/{}", run.succeeded, run.total).into(),
        Cell::toned(failed_tone, run.failed.to_string()),
        format::dollars(run.usage.cost_micro_usd).into(),
    ]
}
