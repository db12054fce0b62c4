//! Forgetting runs that are over: their rows, texts and answers.

use std::{fs, io, path::PathBuf, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Local, error::Trouble, home::Home};
use crate::{driver::ports::StoreError, engine::ledger::Ledger, job::identity::RunId};

/// Which runs of a job are kept. The last one always is, and one that is not over.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// So many, the newest.
    pub runs: u32,
    /// So long after they ended (`ttlSecondsAfterFinished`).
    pub after_end: Option<Duration>,
}

impl Local {
    /// Forgets the oldest run of `job` that need not be kept; `None` when there is none. Call it again for the next: one
    /// run is what one call costs.
    ///
    /// # Errors
    /// A file or row could not be deleted. Then the run is still there, with less of it, and the next call goes on.
    pub async fn prune(
        &self,
        home: &Home,
        job: Uuid,
        keep: Keep,
        now: Timestamp,
    ) -> Result<Option<RunId>, StoreError> {
        let runs = self.runs(job).await?;
        let mut outlived = runs.iter().enumerate().skip(1).filter(|(age, ledger)| {
            ledger.is_over() && (*age >= keep.runs as usize || is_outlived(ledger, keep, now))
        });
        let Some((_, ledger)) = outlived.next_back() else { return Ok(None) };
        self.delete_run(home, &ledger.run).await?;
        Ok(Some(ledger.run.clone()))
    }

    /// Forgets a run, with its texts and answers.
    ///
    /// # Errors
    /// As [`Local::prune`].
    pub async fn delete_run(&self, home: &Home, run: &RunId) -> Result<(), StoreError> {
        delete_folder(home.run(run), "delete the files of a run in").await?;
        // Last, since the run is found by them.
        self.forget(run).await
    }

    /// Forgets a job: its runs, the oldest first, then itself. Whoever calls this holds the job's lock.
    ///
    /// # Errors
    /// As [`Local::prune`].
    pub async fn delete_job(&self, home: &Home, job: Uuid) -> Result<(), StoreError> {
        for ledger in self.runs(job).await?.iter().rev() {
            self.delete_run(home, &ledger.run).await?;
        }
        match self {
            Self::Sqlite(store) => store.forget_job(job).await?,
            Self::Json(store) => store.forget_job(job).await?,
        }
        // Last, since the lock is in it.
        delete_folder(home.job(job), "delete the files of a job in").await
    }

    async fn forget(&self, run: &RunId) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.forget(run).await,
            Self::Json(store) => store.forget(run).await,
        }
    }
}

async fn delete_folder(folder: PathBuf, doing: &str) -> Result<(), StoreError> {
    let deleted = {
        let folder = folder.clone();
        tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await
    };
    match deleted.unwrap_or_else(|error| Err(error.into())) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Trouble::of_io(&error).met(doing, &folder, error))
        }
        _ => Ok(()),
    }
}

fn is_outlived(ledger: &Ledger, keep: Keep, now: Timestamp) -> bool {
    let Some((ended, after_end)) = ledger.ended.zip(keep.after_end) else { return false };
    Duration::try_from(now.duration_since(ended)).is_ok_and(|age| age >= after_end)
}
