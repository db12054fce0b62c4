//! The pages: each a value, how it is read, and what its address takes.

pub mod act;
pub mod batch;
pub mod difference;
pub mod edit;
pub mod failures;
pub mod history;
pub mod home;
pub mod job;
pub mod log;
pub mod run;
pub mod timeline;

use super::{
    error::PageError,
    view::{HistoryRun, JobEntry, RunEntry, View},
};
use crate::job::identity::BatchNum;

/// A field of an address that is a number; an empty one is none.
pub fn number<T: std::str::FromStr>(text: Option<&str>, name: &str) -> Result<Option<T>, PageError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong =
        |_| PageError::bad_request(format!("`{name}` is {text}, which is not a number that it can be."));
    text.parse().map(Some).map_err(wrong)
}

/// The job with this key.
pub async fn job_of(view: &impl View, key: &str) -> Result<JobEntry, PageError> {
    let job = view.job(key).await?;
    job.ok_or_else(|| PageError::not_found(format!("No job has the address {key}.")))
}

/// The first page of the runs of `job`, with its last one, which history may not have yet.
pub fn with_last(job: &JobEntry, runs: Vec<HistoryRun>) -> Vec<RunEntry> {
    let mut runs: Vec<RunEntry> = runs.into_iter().map(|run| run.run).collect();
    let first = runs.first().map_or(0, |run| run.record.run);
    if let Some(last) = job.last.as_ref().filter(|last| last.record.run > first) {
        runs.insert(0, last.clone());
    }
    runs
}

/// The batch of this number.
pub fn numbered(job: &JobEntry, run: &RunEntry, batch: u32) -> Result<BatchNum, PageError> {
    run.batch(batch).ok_or_else(|| {
        let total = run.cells.of_total;
        PageError::not_found(format!("The job {} has {total} batches, and no batch {batch}.", job.name))
    })
}

/// The job with this key, and one of its runs.
pub async fn run_of(view: &impl View, key: &str, run: u32) -> Result<(JobEntry, RunEntry), PageError> {
    let job = job_of(view, key).await?;
    let found = view.run(&job, run).await?;
    let run = found.ok_or_else(|| PageError::not_found(format!("The job {} has no run {run}.", job.name)))?;
    Ok((job, run))
}
