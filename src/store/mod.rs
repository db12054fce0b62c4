//! Where state is kept: the ledger, which must not be lost, and history, which tells the story.

pub mod answers;
pub mod elsewhere;
pub mod error;
mod files;
mod fold;
pub mod gates;
pub mod home;
pub mod items;
mod json;
pub mod labels;
pub mod prune;
pub mod record;
pub mod runs;
mod sqlite;
#[cfg(test)]
pub(crate) mod tests;

use std::path::Path;

use serde::Serialize;
use uuid::Uuid;

use self::{
    error::{OpenError, Trouble},
    home::Home,
    record::{AttemptRecord, BatchRecord, BatchState, JobRecord, NotificationRecord},
    runs::{ListedRun, RunPlace, RunsWanted},
};
pub use self::{
    json::Json,
    sqlite::{NewAnswer, Saved, Sqlite},
};
use crate::{
    driver::ports::{Store, StoreError},
    engine::{
        event::Event,
        ledger::{self, Ledger},
    },
    job::{
        identity::{BatchNum, JobName, RunId},
        model::{StateBackend, StateKind},
    },
};

/// The state of local jobs, in the form that the job file asks for.
#[derive(Debug)]
pub enum Local {
    /// The default.
    Sqlite(Sqlite),
    /// `state_backend: json`.
    Json(Json),
}

impl Local {
    /// Opens the state that `backend` names; makes it if it is not there.
    ///
    /// # Errors
    /// It is damaged, not Mozart's, of a newer Mozart, or cannot be written; nothing was changed then.
    pub async fn open(home: &Home, backend: &StateBackend) -> Result<Self, OpenError> {
        let store = match (backend.kind, &backend.path) {
            (StateKind::Sqlite, None) => Self::Sqlite(Sqlite::open(&home.database()).await?),
            (StateKind::Sqlite, Some(path)) => Self::Sqlite(Sqlite::open(path).await?),
            (StateKind::Json, None) => Self::Json(Json::in_folder(home.jobs())?),
            (StateKind::Json, Some(path)) => Self::Json(Json::in_file(path.clone())?),
        };
        if let Some(path) = &backend.path {
            elsewhere::note(home, backend.kind, path)?;
        }
        Ok(store)
    }

    /// Opens what [`Local::open`] would, to read only; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Local::open`].
    pub async fn open_to_read(home: &Home, backend: &StateBackend) -> Result<Option<Self>, OpenError> {
        let path = backend.path.clone();
        match backend.kind {
            StateKind::Sqlite => {
                let path = path.unwrap_or_else(|| home.database());
                Ok(Sqlite::open_to_read(&path).await?.map(Self::Sqlite))
            }
            StateKind::Json if !path.clone().unwrap_or_else(|| home.jobs()).exists() => Ok(None),
            StateKind::Json => {
                let store = path.map_or_else(|| Json::in_folder(home.jobs()), Json::in_file)?;
                Ok(Some(Self::Json(store)))
            }
        }
    }

    /// The database, where it is one.
    pub fn database(&self) -> Option<&Sqlite> {
        match self {
            Self::Sqlite(store) => Some(store),
            Self::Json(_) => None,
        }
    }

    /// Leaves the state in order: SQLite's side files go. A crash instead of it loses nothing.
    pub async fn close(self) {
        match self {
            Self::Sqlite(store) => store.close().await,
            Self::Json(_) => {}
        }
    }

    /// The UID of the job `name` of the job file `file` (absolute): made when it is first seen, the same ever after.
    /// Notes that it was used now, in `cwd`.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn register_job(&self, name: &JobName, file: &Path, cwd: &Path) -> Result<Uuid, StoreError> {
        match self {
            Self::Sqlite(store) => store.register_job(name, file, cwd).await,
            Self::Json(store) => store.register_job(name, file, cwd).await,
        }
    }

    /// Stores the first ledger of a new run, and the plan it follows. The run's number must be above every other's.
    ///
    /// # Errors
    /// The run is there already, or it could not be written; nothing was stored then.
    pub async fn begin_run(&self, ledger: &Ledger, plan_text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.begin_run(ledger, plan_text).await,
            Self::Json(store) => store.begin_run(ledger, plan_text).await,
        }
    }

    /// The ledger of the job's last run, ended or not; `None` when it never ran.
    ///
    /// # Errors
    /// It could not be read, or a newer Mozart wrote it.
    pub async fn last_run(&self, job: Uuid) -> Result<Option<Ledger>, StoreError> {
        match self {
            Self::Sqlite(store) => store.last_run(job).await,
            Self::Json(store) => store.last_run(job).await,
        }
    }

    /// The ledger of a run, as it was last saved.
    ///
    /// # Errors
    /// As [`Local::last_run`].
    pub async fn load(&self, run: &RunId) -> Result<Option<Ledger>, StoreError> {
        match self {
            Self::Sqlite(store) => store.load(run).await,
            Self::Json(store) => store.load(run).await,
        }
    }

    /// Keeps the text of a plan that `run` is about to follow from here on.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn keep_plan(&self, run: &RunId, hash: &str, text: &str) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.keep_plan(run, hash, text).await,
            Self::Json(store) => store.keep_plan(run, text).await,
        }
    }

    /// The plan that a run follows, as it was given to [`Local::begin_run`] or [`Local::keep_plan`].
    ///
    /// # Errors
    /// It could not be read.
    pub async fn plan_text(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        match self {
            Self::Sqlite(store) => store.plan_text(run).await,
            Self::Json(store) => store.plan_text(run).await,
        }
    }
}

impl Local {
    /// A number that is another one when somebody else has changed the state since it was opened, or since this was
    /// last asked. What cannot be looked at counts as unchanged: reading it says why.
    pub async fn mark(&self) -> u64 {
        match self {
            Self::Sqlite(store) => store.mark().await,
            Self::Json(store) => store.mark().await,
        }
    }
}

/// What history asks. Records of one run come in the order of their numbers.
impl Local {
    /// Every job.
    ///
    /// # Errors
    /// It could not be read; so it is with all that follow.
    pub async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.jobs().await,
            Self::Json(store) => store.jobs().await,
        }
    }

    /// Every job with the ledger of its last run.
    pub async fn jobs_with_last_runs(&self) -> Result<Vec<(JobRecord, Option<Ledger>)>, StoreError> {
        match self {
            Self::Sqlite(store) => store.jobs_with_last_runs().await,
            Self::Json(store) => store.jobs_with_last_runs().await,
        }
    }

    /// The jobs of this name.
    pub async fn jobs_called(&self, name: &str) -> Result<Vec<JobRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.jobs_called(name).await,
            Self::Json(store) => {
                let all = store.jobs().await?.into_iter();
                Ok(all.filter(|job| job.name == name).collect())
            }
        }
    }

    /// The ledgers of every run of a job, the last one first.
    pub async fn runs(&self, job: Uuid) -> Result<Vec<Ledger>, StoreError> {
        match self {
            Self::Sqlite(store) => store.runs(job).await,
            Self::Json(store) => store.runs(job).await,
        }
    }

    /// At most `limit` batches with a number above `after`; of one state, or of all that were started.
    pub async fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.batches(run, state, after, limit).await,
            Self::Json(store) => {
                let all = store.changes(run).await?.batches.into_values();
                let wanted = |batch: &BatchRecord| {
                    batch.batch > after && state.is_none_or(|state| batch.state == state)
                };
                Ok(all.filter(wanted).take(limit as usize).collect())
            }
        }
    }

    /// At most `limit` of the runs of all jobs that are wanted, the newest first, after the place `before`.
    pub async fn list_runs(
        &self,
        wanted: &RunsWanted,
        before: RunPlace,
        limit: u32,
    ) -> Result<Vec<ListedRun>, StoreError> {
        match self {
            Self::Sqlite(store) => store.list_runs(wanted, before, limit).await,
            Self::Json(store) => store.list_runs(wanted, before, limit).await,
        }
    }

    /// The attempts at the batches from `first` to `last`, by batch and ordinal.
    pub async fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.attempts_between(run, first, last).await,
            Self::Json(store) => {
                let all = store.changes(run).await?.attempts.into_values();
                Ok(all.filter(|attempt| (first..=last).contains(&attempt.batch)).collect())
            }
        }
    }

    /// The attempts at a batch.
    pub async fn attempts(&self, run: &RunId, batch: BatchNum) -> Result<Vec<AttemptRecord>, StoreError> {
        self.attempts_between(run, batch, batch).await
    }

    /// What people were told of a run.
    pub async fn notifications(&self, run: &RunId) -> Result<Vec<NotificationRecord>, StoreError> {
        match self {
            Self::Sqlite(store) => store.notifications(run).await,
            Self::Json(store) => Ok(store.changes(run).await?.notifications.into_values().collect()),
        }
    }
}

impl Store for Local {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        match self {
            Self::Sqlite(store) => store.save(ledger, journal).await,
            Self::Json(store) => store.save(ledger, journal).await,
        }
    }
}

/// The ledger in `text`, read from `path`.
fn ledger_of(text: &[u8], path: &Path) -> Result<Ledger, StoreError> {
    #[derive(serde::Deserialize)]
    struct Head {
        version: u32,
    }
    let damaged = |error: serde_json::Error| Trouble::Damaged.met("read the checkpoint in", path, error);
    let head: Head = serde_json::from_slice(text).map_err(damaged)?;
    if head.version > ledger::VERSION {
        return Err(StoreError::Newer { found: head.version, known: ledger::VERSION });
    }
    serde_json::from_slice(text).map_err(damaged)
}

fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("ledgers, events and records have no keys and values that JSON lacks")
}
