//! What another run is of: a pure function of the run before.

use jiff::Timestamp;

use super::{
    ledger::{Ledger, RunStart},
    ranges::Ranges,
};
use crate::job::identity::RunId;

/// Which batches another run takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Select {
    /// Those that are not done: failed, or never started.
    Unfinished,
    /// Those that failed for good.
    Failed,
    /// All.
    All,
    /// These.
    Batches(Ranges),
}

/// Why there is no such run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RerunError {
    /// The run before is not over.
    #[error("run {run} is not over: wait for it, resume it or stop it first")]
    Active {
        /// Its number.
        run: u32,
    },
    /// Every batch is done, or none failed.
    #[error("there is nothing to run again: {why}")]
    Nothing {
        /// For people.
        why: &'static str,
    },
    /// The job was cut into other batches since.
    #[error(
        "run {run} had {before} batches, the job now has {now}: their numbers mean other items; run all again"
    )]
    CutOtherwise {
        /// The number of the run before.
        run: u32,
        /// How many it had.
        before: u32,
        /// How many there are.
        now: u32,
    },
    /// There is no such batch.
    #[error("there is no batch {batch}, the job has {total}")]
    NoSuchBatch {
        /// The largest number that was named.
        batch: u32,
        /// How many there are.
        total: u32,
    },
}

/// The run that follows `last`, of a job that now has `total` batches and the plan `plan_hash`.
///
/// # Errors
/// When `last` is not over, or nothing is selected.
pub fn rerun(
    last: &Ledger,
    select: &Select,
    total: u32,
    plan_hash: String,
    now: Timestamp,
) -> Result<Ledger, RerunError> {
    let run = last.run.run;
    if !last.is_over() {
        return Err(RerunError::Active { run });
    }
    if last.of_total != total && matches!(select, Select::Unfinished | Select::Failed) {
        return Err(RerunError::CutOtherwise { run, before: last.of_total, now: total });
    }
    let all = Ranges::span(1, total);
    let done =
        if last.of_total == total { last.succeeded.with(&last.done_before) } else { Ranges::default() };
    let (selected, why) = match select {
        Select::Unfinished => (all.without(&done), "every batch is done"),
        Select::Failed => (last.failed.clone(), "no batch failed"),
        Select::All => (all, "the job has no batches"),
        Select::Batches(batches) => (batches.clone(), "no batch is named"),
    };
    if selected.is_empty() {
        return Err(RerunError::Nothing { why });
    }
    if let Some(batch) = selected.last().filter(|batch| batch.0 > total) {
        return Err(RerunError::NoSuchBatch { batch: batch.0, total });
    }
    let done_before = done.without(&selected);
    let run = RunId { job: last.run.job, run: run + 1 };
    Ok(Ledger::start(RunStart { run, plan_hash, of_total: total, selected, done_before }, now))
}
