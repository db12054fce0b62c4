//! The beginning of a run: the job is validated, what it names is there, and the ledger says that the run is.
//!
//! The ledger is saved first, with nothing claimed, then the plan is written: so a plan without a ledger is a ledger
//! that was lost, and never a crash in between.

use std::{path::Path, sync::Arc};

use super::{
    attend::{Not, Trouble},
    context::Context,
    prepare::{self, Ready},
    task::Beginning,
};
use crate::{
    api::status::Truth,
    cluster::{object::JobObject, store::StatusStore},
    driver::{
        clock::MachineClock,
        ports::{Clock as _, Store as _},
        turn::RunState,
    },
    engine::{
        ledger::{Ledger, Notice, RunStart},
        ranges::Ranges,
        rerun::rerun,
    },
    job::{identity::RunId, items::hash_of},
    launch::pod::plan,
};

/// More runs than this were never lost.
const MAX_LOST: u32 = 10_000;

/// Whether a run has begun.
#[derive(Debug)]
pub(super) enum Prepared {
    Begun,
    Not(Not),
}

/// Begins a run of `job`, if it can be.
pub(super) async fn begin(
    context: &Arc<Context>,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    beginning: Beginning,
) -> Result<Prepared, Trouble> {
    let number = match &beginning.last {
        Some(last) => last.run.run + 1,
        None => match first_number(context, job).await? {
            Ok(number) => number,
            Err(not) => return Ok(Prepared::Not(not)),
        },
    };
    let ready = match prepare::prepare(context, job).await? {
        Ok(ready) => ready,
        Err(not) => return Ok(Prepared::Not(not)),
    };
    let Ready { loaded, plan, volume, .. } = &ready;
    if let Some(volume) = volume
        && let Err(other) = context.occupy(&job.namespace, job.uid, volume)
    {
        let message = format!("another job (UID {other}) works in the workspace: it is waited for");
        return Ok(Prepared::Not(Not::Busy { message }));
    }
    let (hash, total, now) = (hash_of(plan.text()), loaded.job.batches.total(), context.clock.now());
    let run = RunId { job: job.uid, run: number };
    let ledger = match &beginning.last {
        Some(last) => match rerun(last, &beginning.select, total, hash, now) {
            Ok(mut ledger) => {
                // The store counts on, whichever run it is that is stored.
                ledger.seq = last.seq;
                carry(last, &mut ledger);
                ledger
            }
            Err(error) => {
                context.leave(&job.namespace, job.uid);
                let message = format!("spec.rerun: {error}");
                return Ok(Prepared::Not(Not::Unfit { reason: "NothingToRun", message }));
            }
        },
        None => first(run, hash, total, now),
    };
    let (ledger, journal) = RunState::new(ledger).snapshot();
    store.save(&ledger, &journal).await?;
    tracing::info!(job.namespace = job.namespace, job.name = job.name, run = number, "a run begins");
    Ok(Prepared::Begun)
}

/// What of a run is not told yet is told beside what the next one has to tell: a sink that takes nothing holds no run up.
fn carry(last: &Ledger, ledger: &mut Ledger) {
    let untold = last.outbox.iter().cloned();
    ledger.outbox =
        untold.map(|notice| Notice { run: notice.run.or(Some(last.run.run)), ..notice }).collect();
    ledger.last_notice = last.last_notice;
}

/// The ledger of a run of everything.
pub(super) fn first(run: RunId, plan_hash: String, total: u32, now: jiff::Timestamp) -> Ledger {
    let selected = Ranges::span(1, total);
    Ledger::start(RunStart { run, plan_hash, of_total: total, selected, done_before: Ranges::default() }, now)
}

/// The number of the first run of a job without a checkpoint. One that has had runs has lost it, and begins another only
/// when it is asked to.
async fn first_number(context: &Context, job: &JobObject) -> Result<Result<u32, Not>, Trouble> {
    let mut number = 1;
    while number < MAX_LOST
        && plan::find(&context.client, &job.namespace, &job.name, &RunId { job: job.uid, run: number })
            .await?
            .is_some()
    {
        number += 1;
    }
    let known = job
        .status
        .conditions
        .iter()
        .any(|one| one.kind == "Valid" && one.status == Truth::False && one.reason == LOST);
    let asked = job.spec.rerun.as_ref().is_some_and(|rerun| job.status.rerun_id.as_ref() != Some(&rerun.id));
    if number > 1 && !(known && asked) {
        let message = format!(
            "the job has had {} runs and its status has lost their checkpoint: put the status back, or set \
             spec.rerun to a new id to run everything again",
            number - 1
        );
        return Ok(Err(Not::Unfit { reason: LOST, message }));
    }
    Ok(Ok(number))
}

const LOST: &str = "CheckpointLost";

/// The folder that a job's relative paths are relative to: there is no job file.
pub(super) fn folder() -> &'static Path {
    Path::new(crate::launch::pod::spec::WORKSPACE)
}
