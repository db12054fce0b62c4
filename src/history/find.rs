//! Which job and run a person means.

use std::path::Path;

use super::{HistoryError, Reader};
use crate::{
    engine::ledger::Ledger,
    store::record::{JobRecord, RunRecord},
};

/// The shortest beginning of a job's UID that is taken for one.
const SHORTEST_UID: usize = 8;

/// A job, and the run of it that is meant.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The job.
    pub job: JobRecord,
    /// The run that was named, or the last one; `None` when the job never ran.
    pub ledger: Option<Ledger>,
}

impl Found {
    /// The run's summary.
    pub fn run(&self) -> Option<RunRecord> {
        self.ledger.as_ref().map(|ledger| RunRecord::of(&self.job.name, ledger))
    }
}

impl Reader {
    /// The job and run that `wanted` means: `name/3`, `name` (its last run), either with the first 8 or more digits of
    /// the job's UID instead of the name; without a word, the last run of the job last used in `cwd`.
    ///
    /// # Errors
    /// There is none, or several jobs have that name.
    pub async fn find(&self, wanted: Option<&str>, cwd: &Path) -> Result<Found, HistoryError> {
        let jobs = self.jobs().await?;
        let Some(wanted) = wanted else {
            let job = jobs.into_iter().find(|job| job.used_in == cwd).ok_or(HistoryError::NoneHere)?;
            let ledger = self.last_run(job.uid).await?;
            return Ok(Found { job, ledger });
        };
        let (name, run) = parts(wanted);
        let mut named: Vec<JobRecord> = jobs.into_iter().filter(|job| is_called(job, name)).collect();
        if named.len() > 1
            && let Some(here) = named.iter().position(|job| job.used_in == cwd)
        {
            let others_here = named.iter().filter(|job| job.used_in == cwd).count() > 1;
            if !others_here {
                named = vec![named.swap_remove(here)];
            }
        }
        if named.len() > 1 {
            return Err(HistoryError::Ambiguous { wanted: name.to_owned(), candidates: named });
        }
        let job = named.pop().ok_or_else(|| HistoryError::NoJob { wanted: wanted.to_owned() })?;
        let ledger = match run {
            None => self.last_run(job.uid).await?,
            Some(run) => {
                let id = crate::job::identity::RunId { job: job.uid, run };
                let ledger = self.ledger(&id).await?;
                Some(ledger.ok_or_else(|| HistoryError::NoRun { name: job.name.clone(), run })?)
            }
        };
        Ok(Found { job, ledger })
    }
}

/// The job and the run of `name/3`.
pub fn parts(wanted: &str) -> (&str, Option<u32>) {
    match wanted.rsplit_once('/').map(|(name, run)| (name, run.parse())) {
        Some((name, Ok(run))) => (name, Some(run)),
        _ => (wanted, None),
    }
}

fn is_called(job: &JobRecord, name: &str) -> bool {
    job.name == name || (name.len() >= SHORTEST_UID && job.uid.to_string().starts_with(name))
}
