//! Runs attempts on this machine: a directory for each, and a keeper that is the parent of their programs.
//!
//! Linux tells everything that is needed to adopt and to sweep. On another Unix orphans in a session of their own are
//! not found, and a process is known by its number alone.

mod ask;
mod client;
mod entries;
mod follow;
pub mod keeper;
mod logs;
#[cfg(feature = "cluster")]
pub mod pod;
mod process;
mod programs;
mod run;
pub mod sessions;
mod shared;
mod stage;
pub mod task;
pub mod times;

use std::{path::PathBuf, sync::Arc};

use self::{sessions::SessionFolder, shared::Shared};
use crate::{
    driver::ports::{Launcher, Outputs},
    engine::world::{Sessions, Sighting},
    job::{
        identity::{AttemptKey, RunId},
        model::Job,
        start::{EndMode, Start},
    },
};

/// Where and for what attempts are run.
#[derive(Clone, Debug)]
pub struct Place {
    /// The job.
    pub job: Arc<Job>,
    /// The run.
    pub run: RunId,
    /// The folder of the run's attempts, absolute: `<state>/runs/<job-uid>/r<run>`. It is made.
    pub directory: PathBuf,
    /// The program that is started as `… keeper`: this one.
    pub keeper: PathBuf,
    /// What bounds the sessions of the credential, over every run of it.
    pub sessions: Option<SessionFolder>,
    /// Whether programs are told whose span they work under.
    pub traced: bool,
}

/// The launcher of this machine.
#[derive(Debug)]
pub struct LocalLauncher<O> {
    shared: Arc<Shared<O>>,
}

/// Why attempts cannot be run here.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The run's folder cannot be made.
    #[error("cannot make {path}")]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The keeper cannot be started.
    #[error("cannot start {program} as the keeper of the batches' programs")]
    Keeper {
        /// Which program.
        program: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Ends every process that attempts of `run` have left, and waits until they are gone. For a run that is taken up no more.
pub async fn end_processes_of(run: &RunId) {
    let run = format!("{}/r{}/", run.job, run.run);
    shared::end_marked(|mark| mark.starts_with(&run)).await;
}

impl<O: Outputs + 'static> LocalLauncher<O> {
    /// Takes up the run. `window` are the attempts that the ledger says may have been started and are not finished:
    /// what still runs of them is adopted, what has ended is judged, and processes of this run that belong to none of
    /// them are ended.
    ///
    /// # Errors
    /// When the run's folder or the keeper cannot be had.
    pub async fn open(
        place: Place,
        window: impl IntoIterator<Item = AttemptKey>,
        outputs: O,
    ) -> Result<Self, OpenError> {
        shared::outwait_keepers(&place).await?;
        let shared = Arc::new(Shared::open(place, outputs)?);
        let mut found = Vec::new();
        let mut adopted = Vec::new();
        for key in window {
            if let Some(attempt) = stage::find(&shared.place, key) {
                let stage = stage::of(&attempt.directory);
                if stage.may_have_processes() {
                    adopted.push(attempt.record.name.clone());
                }
                found.push((attempt, stage));
            }
        }
        // Before anything goes on, or what it starts would be taken for a stray.
        shared.end_strays(&adopted).await;
        for (attempt, stage) in found.into_iter().filter(|(_, stage)| stage.was_started()) {
            run::go_on(&shared, attempt, stage);
        }
        Ok(Self { shared })
    }

    /// Takes up one attempt of a run whose others are in other hands: only what is left of this one is adopted or
    /// ended.
    ///
    /// # Errors
    /// As [`LocalLauncher::open`].
    pub async fn open_one(place: Place, key: AttemptKey, outputs: O) -> Result<Self, OpenError> {
        let shared = Arc::new(Shared::open(place, outputs)?);
        if let Some(attempt) = stage::find(&shared.place, key) {
            let stage = stage::of(&attempt.directory);
            if !stage.may_have_processes() {
                shared.end_strays_of(&attempt.record.name).await;
            }
            if stage.was_started() {
                run::go_on(&shared, attempt, stage);
            }
        }
        Ok(Self { shared })
    }
}

impl<O: Outputs + 'static> Launcher for LocalLauncher<O> {
    async fn look(&self) -> Vec<Sighting> {
        self.shared.entries.look()
    }

    async fn sessions(&self) -> Option<Sessions> {
        self.shared.sessions()
    }

    async fn launch(&self, start: Start) {
        run::launch(&self.shared, start);
    }

    async fn end(&self, key: AttemptKey, mode: EndMode) {
        self.shared.entries.end(key, mode);
    }

    async fn release(&self, key: AttemptKey) {
        self.shared.entries.release(key);
    }

    async fn changed(&self) {
        tokio::select! {
            () = self.shared.entries.changed.notified() => {}
            () = self.shared.session_freed() => {}
        }
    }
}
