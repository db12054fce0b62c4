//! `mozart list`: the jobs and their last runs.

use jiff::Timestamp;
use serde::Serialize;

use super::{
    choices::{FormArgument, ListForm},
    exit::Exit,
    format,
    printer::Printer,
    reading::Reading,
    summary,
    table::{Cell, Table},
    terminal::Tone,
};
use crate::store::record::{JobRecord, RunRecord};

/// Arguments of `mozart list`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart list\n  \
                         mozart list -o json | jq -r '.[] | select(.lastRun.state == \"failed\").job.name'")]
pub struct Args {
    #[command(flatten)]
    form: FormArgument<ListForm>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    job: JobRecord,
    last_run: Option<RunRecord>,
}

/// Lists every job that was run by this user, the last used first.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let reading = Reading::open()?;
    let mut rows = Vec::new();
    for job in reading.jobs()? {
        let last_run = reading.last_run(&job)?;
        rows.push(Row { job, last_run });
    }
    match args.form.get() {
        ListForm::Json => printer.json(&rows)?,
        ListForm::Name => {
            for row in &rows {
                printer.line(&row.job.name)?;
            }
        }
        ListForm::Table if rows.is_empty() => {
            printer.note("no job was run yet");
            printer.hint("mozart init writes a job file, mozart run FILE runs it");
        }
        ListForm::Table => printer.table(&table(&rows, Timestamp::now()))?,
    }
    Ok(Exit::Done)
}

fn table(rows: &[Row], now: Timestamp) -> Table {
    let mut table = Table::new(&["RUN", "STATE", "DONE", "FAILED", "COST", "USED", "FILE"]);
    for Row { job, last_run } in rows {
        let file = job.file.display().to_string();
        let used = format::ago(job.used, now);
        let Some(run) = last_run else {
            table.row(vec![
                job.name.as_str().into(),
                "-".into(),
                "-".into(),
                "-".into(),
                "-".into(),
                used.into(),
                file.into(),
            ]);
            continue;
        };
        let (state, tone) = summary::state(run.state);
        let failed_tone = if run.failed > 0 { Tone::Bad } else { Tone::Plain };
        table.row(vec![
            run.id.as_str().into(),
            Cell::toned(tone, state),
            format!("{}/{}", run.succeeded, run.total).into(),
            Cell::toned(failed_tone, run.failed.to_string()),
            format::dollars(run.usage.cost_micro_usd).into(),
            used.into(),
            file.into(),
        ]);
    }
    table
}
