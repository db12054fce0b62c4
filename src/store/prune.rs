//! Forgetting runs that are over: their rows, texts and answers.

use std::{fs, io, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

use super::{Local, error::Trouble, home::Home};
use crate::{driver::ports::StoreError, engine::ledger::Ledger, job::identity::RunId};

/// Which runs of a job are kept. One that is not over always is.
#[derive(Clone, Copy, Debug)]
pub struct Keep {
    /// So many, the newest.
    pub runs: u32,
    /// So long after they ended (`ttlSecondsAfterFinished`).
    pub after_end: Option<Duration>,
}

impl Local {
    /// Forgets the oldest run of `job` that need not be kept; `None` when there is none. Call it again for the next: one
    /// run is what one call costs. Of the job's last run the ledger stays, since the next run's number follows from it.
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
        let mut outlived = runs.iter().enumerate().filter(|(age, ledger)| {
            let last = *age == 0;
            let left = !last || home.run(&ledger.run).exists();
            left && ledger.is_over()
                && (*age >= keep.runs as usize && !last || is_outlived(ledger, keep, now))
        });
        let Some((age, ledger)) = outlived.next_back() else { return Ok(None) };
        let run = ledger.run.clone();
        // Rows first: the directory is what tells that the last run has something to forget.
        self.forget(&run, age == 0).await?;
        let folder = home.run(&run);
        let deleted = tokio::task::spawn_blocking(move || fs::remove_dir_all(folder)).await;
        match deleted.unwrap_or_else(|error| Err(error.into())) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Trouble::of_io(&error).met("delete the files of a run in", &home.run(&run), error))
            }
            _ => Ok(Some(run)),
        }
    }

    async fn forget(&self, run: &RunId, keep_ledger: bool) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.forget(run, keep_ledger).await,
            Self::Json(store) => store.forget(run, keep_ledger).await,
        }
    }
}

fn is_outlived(ledger: &Ledger, keep: Keep, now: Timestamp) -> bool {
    let Some((ended, after_end)) = ledger.ended.zip(keep.after_end) else { return false };
    Duration::try_from(now.duration_since(ended)).is_ok_and(|age| age >= after_end)
}
