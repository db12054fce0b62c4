//! What happened: jobs, runs, batches, attempts, what they said and what people were told. Read only.

mod copies;
mod find;
mod runs;
#[cfg(test)]
mod tests;
mod texts;

use uuid::Uuid;

pub use self::{
    find::{Found, parts},
    runs::{RunsCursor, RunsPage},
    texts::{OutputPage, OutputRecord},
};
use crate::{
    driver::ports::StoreError,
    engine::ledger::Ledger,
    job::{
        identity::{BatchNum, RunId},
        model::{StateBackend, StateKind},
    },
    store::{
        Local, elsewhere,
        error::OpenError,
        home::Home,
        record::{AttemptRecord, BatchRecord, BatchState, JobRecord, NotificationRecord, RunRecord},
    },
};

/// Why history gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A state file could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A state file could not be read.
    #[error(transparent)]
    Read(#[from] StoreError),
    /// An answer could not be read.
    #[error("cannot read the answer in {}", path.display())]
    Answer {
        /// Its file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// No job is called so.
    #[error("there is no job `{wanted}`; `mozart list` shows those that there are")]
    NoJob {
        /// What was asked for.
        wanted: String,
    },
    /// The job has no such run.
    #[error("job `{name}` has no run {run}; `mozart history {name}` shows those that it has")]
    NoRun {
        /// The job's name.
        name: String,
        /// What was asked for.
        run: u32,
    },
    /// No job was run here.
    #[error("no job was run in this directory")]
    NoneHere,
    /// Several jobs are called so.
    #[error("several jobs are called `{wanted}`; say which by its id:{}", listed(candidates))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Those that are called so, the one used last first.
        candidates: Vec<JobRecord>,
    },
}

fn listed(candidates: &[JobRecord]) -> String {
    let line = |job: &JobRecord| format!("\n  {}  {}", &job.uid.to_string()[..8], job.file.display());
    candidates.iter().map(line).collect()
}

/// Reads the state of all jobs of a user, in whatever form each has it.
#[derive(Debug)]
pub struct Reader {
    home: Home,
    stores: Vec<(StateBackend, Local)>,
}

impl Reader {
    /// Opens what there is. Nothing is made where nothing is.
    ///
    /// # Errors
    /// The state folder's own files cannot be opened. One that a job file named elsewhere and that cannot be opened is
    /// left out with a warning.
    pub async fn open(home: &Home) -> Result<Self, HistoryError> {
        let mut stores = Vec::new();
        for kind in [StateKind::Sqlite, StateKind::Json] {
            let backend = StateBackend { kind, path: None };
            stores.extend(Local::open_to_read(home, &backend).await?.map(|store| (backend, store)));
        }
        for noted in elsewhere::list(home)? {
            let backend = StateBackend { kind: noted.kind(), path: Some(noted.path().to_owned()) };
            match Local::open_to_read(home, &backend).await {
                Ok(store) => stores.extend(store.map(|store| (backend, store))),
                Err(error) => tracing::warn!(%error, "a state file of a job is left out"),
            }
        }
        Ok(Self { home: home.clone(), stores })
    }

    fn stores(&self) -> impl Iterator<Item = &Local> {
        self.stores.iter().map(|(_, store)| store)
    }

    /// Where the state of a job is kept.
    ///
    /// # Errors
    /// A state file could not be read.
    pub async fn state_of(&self, job: Uuid) -> Result<Option<StateBackend>, HistoryError> {
        for (backend, store) in &self.stores {
            if store.jobs().await?.iter().any(|record| record.uid == job) {
                return Ok(Some(backend.clone()));
            }
        }
        Ok(None)
    }

    /// Every job, the one used last first.
    ///
    /// # Errors
    /// A state file could not be read; so it is with all that follow.
    pub async fn jobs(&self) -> Result<Vec<JobRecord>, HistoryError> {
        let mut jobs = Vec::new();
        for store in self.stores() {
            jobs.extend(store.jobs().await?);
        }
        jobs.sort_by_key(|job| std::cmp::Reverse(job.used));
        Ok(jobs)
    }

    /// Every job with the ledger of its last run, the one used last first.
    pub async fn jobs_with_last_runs(&self) -> Result<Vec<(JobRecord, Option<Ledger>)>, HistoryError> {
        let mut jobs = Vec::new();
        for store in self.stores() {
            jobs.extend(store.jobs_with_last_runs().await?);
        }
        jobs.sort_by_key(|(job, _)| std::cmp::Reverse(job.used));
        Ok(jobs)
    }

    /// The jobs of this name.
    pub async fn jobs_called(&self, name: &str) -> Result<Vec<JobRecord>, HistoryError> {
        let mut jobs = Vec::new();
        for store in self.stores() {
            jobs.extend(store.jobs_called(name).await?);
        }
        Ok(jobs)
    }

    /// The runs of a job, the last one first.
    pub async fn runs(&self, job: &JobRecord) -> Result<Vec<RunRecord>, HistoryError> {
        let ledgers = self.ledgers(job.uid).await?;
        Ok(ledgers.iter().map(|ledger| RunRecord::of(&job.name, ledger)).collect())
    }

    /// The ledgers of the runs of a job, the last one first.
    pub async fn ledgers(&self, job: Uuid) -> Result<Vec<Ledger>, HistoryError> {
        for store in self.stores() {
            let ledgers = store.runs(job).await?;
            if !ledgers.is_empty() {
                return Ok(ledgers);
            }
        }
        Ok(Vec::new())
    }

    /// Marks of all state files: other ones when anything in them was changed.
    pub async fn marks(&self) -> Vec<u64> {
        let mut marks = Vec::new();
        for store in self.stores() {
            marks.push(store.mark().await);
        }
        marks
    }

    /// The last run of a job; `None` when it never ran.
    pub async fn last_run(&self, job: Uuid) -> Result<Option<Ledger>, HistoryError> {
        for store in self.stores() {
            if let Some(ledger) = store.last_run(job).await? {
                return Ok(Some(ledger));
            }
        }
        Ok(None)
    }

    /// A run's ledger, of which [`RunRecord::of`] makes the summary.
    pub async fn ledger(&self, run: &RunId) -> Result<Option<Ledger>, HistoryError> {
        for store in self.stores() {
            if let Some(ledger) = store.load(run).await? {
                return Ok(Some(ledger));
            }
        }
        Ok(None)
    }

    /// The plan that a run follows.
    pub async fn plan_text(&self, run: &RunId) -> Result<Option<String>, HistoryError> {
        for store in self.stores() {
            if let Some(text) = store.plan_text(run).await? {
                return Ok(Some(text));
            }
        }
        Ok(None)
    }

    /// At most `limit` batches of a run with a number above `after` (0 for the first page), by number; those of one
    /// state, or all that were started.
    pub async fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, HistoryError> {
        for store in self.stores() {
            let batches = store.batches(run, state, after, limit).await?;
            if !batches.is_empty() {
                return Ok(batches);
            }
        }
        Ok(Vec::new())
    }

    /// The attempts at the batches from `first` to `last`, by batch and ordinal.
    pub async fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<Vec<AttemptRecord>, HistoryError> {
        for store in self.stores() {
            let attempts = store.attempts_between(run, first, last).await?;
            if !attempts.is_empty() {
                return Ok(attempts);
            }
        }
        Ok(Vec::new())
    }

    /// The attempts at a batch, by ordinal.
    pub async fn attempts(&self, run: &RunId, batch: BatchNum) -> Result<Vec<AttemptRecord>, HistoryError> {
        for store in self.stores() {
            let attempts = store.attempts(run, batch).await?;
            if !attempts.is_empty() {
                return Ok(attempts);
            }
        }
        Ok(Vec::new())
    }

    /// What people were told of a run, and what was not delivered yet.
    pub async fn notifications(&self, run: &RunId) -> Result<Vec<NotificationRecord>, HistoryError> {
        for store in self.stores() {
            let notifications = store.notifications(run).await?;
            if !notifications.is_empty() {
                return Ok(notifications);
            }
        }
        Ok(Vec::new())
    }
}
