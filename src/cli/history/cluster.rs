//! The history of a job of a cluster: from the operator's volume, or the little that its status has.

use super::{Args, show_batches, show_runs};
use crate::{
    cli::{
        exit::Exit,
        printer::Printer,
        reach::{Asked, missing, nothing},
    },
    cluster::{
        door::{Placed, RunLine},
        reach::{Door, Unreached},
    },
    store::record::{BatchRecord, RunRecord},
};

/// Lists the runs, or the batches of one.
pub(super) async fn history(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let asked = args.reach.open(args.job.job.as_deref()).await?;
    let found = match asked.door().await {
        Ok(door) => told(args, &asked, &door, printer).await,
        Err(why) => Err(why),
    };
    let why = match found {
        Ok(shown) => return shown,
        Err(why) => why,
    };
    if args.batches {
        return nothing(why, "the batches are told by the operator's history, which was not reached");
    }
    let Some(ledger) = asked.ledger() else {
        return nothing(why, "the runs are told by the operator's history, which was not reached");
    };
    missing(&why, "earlier runs are left out", printer);
    show_runs(&[RunRecord::of(&asked.name, &ledger)], args.form.get(), printer)?;
    Ok(Exit::Done)
}

async fn told(
    args: &Args,
    asked: &Asked,
    door: &Door,
    printer: &Printer,
) -> Result<anyhow::Result<Exit>, Unreached> {
    let shown = if args.batches {
        let run = match asked.run.or_else(|| asked.run_id().map(|run| run.run)) {
            Some(run) => run,
            // Of a job that is no more: its last run.
            None => {
                all::<RunLine>(asked, door, Vec::new(), printer).await?.first().map_or(1, |line| line.run.run)
            }
        };
        let batches = all::<BatchRecord>(asked, door, vec![("run", run.to_string())], printer).await?;
        show_batches(&batches, args.form.get(), printer)
    } else {
        let lines = all::<RunLine>(asked, door, Vec::new(), printer).await?;
        for line in lines.iter().filter(|line| line.missed_saves > 0) {
            printer.warn(format!(
                "history of {} has missed {} saves: batches that they told of are not in it",
                line.run.id, line.missed_saves
            ));
        }
        let runs: Vec<RunRecord> = lines.into_iter().map(|line| line.run).collect();
        show_runs(&runs, args.form.get(), printer)
    };
    Ok(shown.map(|()| Exit::Done))
}

async fn all<T: serde::de::DeserializeOwned + Placed>(
    asked: &Asked,
    door: &Door,
    query: Vec<(&'static str, String)>,
    printer: &Printer,
) -> Result<Vec<T>, Unreached> {
    let mut lines = door.lines::<T>(&asked.namespace, &asked.name, "history", query).await?;
    if let Some(trouble) = lines.trouble() {
        printer.warn(trouble);
    }
    let mut found = Vec::new();
    while let Some(line) = lines.next().await? {
        found.push(line);
    }
    Ok(found)
}
