//! The state folder: what lies where in it.

use std::{
    env,
    path::{Path, PathBuf},
};

use uuid::Uuid;

use crate::job::{
    files::{AttemptFiles, batch_folder},
    identity::{AttemptKey, BatchNum, RunId},
};

/// The state folder of a user: `$MOZART_HOME`, else `$XDG_STATE_HOME/mozart`, else `~/.local/state/mozart`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home(PathBuf);

/// There is no folder for state.
#[derive(Debug, thiserror::Error)]
#[error("there is no place for Mozart's state: set MOZART_HOME (or HOME) to a folder's absolute path")]
pub struct NoHome;

impl Home {
    /// The folder `path`, absolute.
    pub fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The folder that the environment names.
    ///
    /// # Errors
    /// It names none, or not by an absolute path.
    pub fn of_environment() -> Result<Self, NoHome> {
        Self::of(|name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from))
    }

    fn of(variable: impl Fn(&str) -> Option<PathBuf>) -> Result<Self, NoHome> {
        let path = variable("MOZART_HOME")
            .or_else(|| {
                // A relative one is to be ignored, says the specification of XDG_STATE_HOME.
                variable("XDG_STATE_HOME").filter(|path| path.is_absolute()).map(|path| path.join("mozart"))
            })
            .or_else(|| variable("HOME").map(|home| home.join(".local/state/mozart")))
            .ok_or(NoHome)?;
        if path.is_absolute() { Ok(Self(path)) } else { Err(NoHome) }
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The SQLite file.
    pub fn database(&self) -> PathBuf {
        self.0.join("mozart.db")
    }

    /// The files of jobs with `state_backend: json`.
    pub fn jobs(&self) -> PathBuf {
        self.0.join("jobs")
    }

    /// The state files that job files name themselves.
    pub fn elsewhere(&self) -> PathBuf {
        self.0.join("elsewhere.json")
    }

    /// The gates of credentials.
    pub fn gates(&self) -> PathBuf {
        self.0.join("gates")
    }

    /// The sessions of credentials that run now.
    pub fn sessions(&self) -> PathBuf {
        self.0.join("sessions")
    }

    /// All that runs leave.
    pub fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// All that the runs of a job leave.
    pub fn job(&self, job: Uuid) -> PathBuf {
        self.runs().join(job.to_string())
    }

    /// What `batch.itemsFrom` gave when the job's last run began, by its hash.
    pub fn items(&self, job: Uuid, hash: &str) -> PathBuf {
        self.job(job).join("items").join(format!("{hash}.json"))
    }

    /// All that a run leaves.
    pub fn run(&self, run: &RunId) -> PathBuf {
        self.job(run.job).join(format!("r{}", run.run))
    }

    /// What the batches of a run are called.
    pub fn labels(&self, run: &RunId) -> PathBuf {
        self.run(run).join("labels.txt")
    }

    /// All that a batch of a run leaves.
    pub fn batch(&self, run: &RunId, batch: BatchNum) -> PathBuf {
        batch_folder(&self.run(run), batch)
    }

    /// The files of an attempt.
    pub fn attempt(&self, run: &RunId, key: AttemptKey) -> AttemptFiles {
        AttemptFiles::of(&self.run(run), key)
    }
}
