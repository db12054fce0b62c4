//! The pages: each a value, how it is read, and what its address takes.

pub mod act;
pub mod batch;
pub mod difference;
pub mod failures;
pub mod history;
pub mod home;
pub mod job;
pub mod log;
pub mod run;
pub mod timeline;

use super::{
    error::PageError,
    view::{JobEntry, RunEntry, View},
};

/// A field of an address that is a number; an empty one is none.
fn number<T: std::str::FromStr>(text: Option<&str>, name: &str) -> Result<Option<T>, PageError> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong =
        |_| PageError::bad_request(format!("`{name}` is {text}, which is not a number that it can be."));
    text.parse().map(Some).map_err(wrong)
}

/// The job with this key.
async fn job_of(view: &impl View, key: &str) -> Result<JobEntry, PageError> {
    let job = view.job(key).await?;
    job.ok_or_else(|| PageError::not_found(format!("No job has the address {key}.")))
}

/// The job with this key, and one of its runs.
pub async fn run_of(view: &impl View, key: &str, run: u32) -> Result<(JobEntry, RunEntry), PageError> {
    let job = job_of(view, key).await?;
    let found = view.run(&job, run).await?;
    let run = found.ok_or_else(|| PageError::not_found(format!("The job {} has no run {run}.", job.name)))?;
    Ok((job, run))
}
