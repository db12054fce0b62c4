//! One attempt from a plan file, by the code that runs a whole job: what a Pod does.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    driver::ports::Launcher as _,
    engine::world::AttemptState,
    job::{
        identity::RunId,
        load::{Loaded, Overrides, load, load_text},
        model::Job,
        outcome::Outcome,
        problem::Problems,
        start::{EndMode, Start},
    },
    launch::{LocalLauncher, OpenError, Place},
    sources::LocalSources,
    store::answers::Answers,
};

/// One attempt, as JSON.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AttemptPlan {
    /// The job.
    pub job: JobText,
    /// The run.
    pub run: RunId,
    /// What the engine said.
    pub start: Start,
    /// The folder of the run's attempts, absolute: this one lies in `b<batch>/a<ordinal>` below it. It is made.
    pub directory: PathBuf,
    /// Where the batch reads and writes, absolute, instead of what the job says.
    pub workspace: Option<PathBuf>,
}

/// The job of an attempt.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum JobText {
    /// The job file, absolute.
    File(PathBuf),
    /// Its text; what it names lies in the run's folder.
    Text(String),
}

/// Why there is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum AttemptError {
    /// The plan's paths are relative.
    #[error("`{field}` of the plan is {}, which is not absolute", path.display())]
    Relative {
        /// Which field.
        field: &'static str,
        /// What it says.
        path: PathBuf,
    },
    /// The job cannot be run.
    #[error("the job of the plan has errors")]
    Job(#[source] Problems),
    /// The job has no such batch.
    #[error("the job has {total} batches, and no batch {batch}")]
    NoSuchBatch {
        /// Which.
        batch: u32,
        /// How many there are.
        total: u32,
    },
    /// The workspace cannot be made.
    #[error("the workspace {} cannot be made", path.display())]
    Workspace {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Attempts cannot be run here.
    #[error(transparent)]
    Launch(#[from] OpenError),
    /// Signals cannot be heard.
    #[error("the signals that end an attempt cannot be heard")]
    Signals(#[source] io::Error),
    /// It was started, is gone, and left no result.
    #[error("the attempt was started before, is gone and left no result")]
    Lost,
}

impl AttemptPlan {
    /// The job of the plan, and what is worth a warning in it.
    ///
    /// # Errors
    /// The plan or its job cannot be run.
    pub fn load(&self) -> Result<Loaded, AttemptError> {
        let file = match &self.job {
            JobText::File(file) => file.clone(),
            JobText::Text(_) => self.directory.join("job.yaml"),
        };
        let workspace = self.workspace.as_deref().map(|path| ("workspace", path));
        let paths = [("directory", self.directory.as_path()), ("job.file", &file)];
        if let Some((field, path)) = paths.into_iter().chain(workspace).find(|(_, path)| path.is_relative()) {
            return Err(AttemptError::Relative { field, path: path.to_owned() });
        }
        let overrides = Overrides { workspace: self.workspace.clone(), ..Overrides::default() };
        let sources = LocalSources::new(file.parent().unwrap_or(Path::new("/")));
        let loaded = match &self.job {
            JobText::File(file) => load(file, &overrides, &sources),
            JobText::Text(text) => load_text(text, &file, &overrides, &sources),
        };
        let loaded = loaded.map_err(AttemptError::Job)?;
        let batch = self.start.key.batch;
        if loaded.job.batches.get(batch).is_none() {
            return Err(AttemptError::NoSuchBatch { batch: batch.0, total: loaded.job.batches.total() });
        }
        Ok(loaded)
    }
}

/// Runs the attempt `start` of `run` to its end, or takes it up where an earlier process left it; `folder` is that of the
/// run's attempts. SIGTERM, SIGINT and SIGHUP end it so that its session can go on. `program` is this program, which is
/// started again as the keeper.
///
/// # Errors
/// There is no outcome, with why.
pub async fn run(
    run: &RunId,
    start: &Start,
    folder: &Path,
    job: Job,
    program: PathBuf,
) -> Result<Outcome, AttemptError> {
    let heard = |kind| signal(kind).map_err(AttemptError::Signals);
    let mut terminate = heard(SignalKind::terminate())?;
    let mut interrupt = heard(SignalKind::interrupt())?;
    let mut hangup = heard(SignalKind::hangup())?;

    let workspace = job.workspace.path.clone();
    std::fs::create_dir_all(&workspace)
        .map_err(|source| AttemptError::Workspace { path: workspace, source })?;
    let directory = folder.to_owned();
    let answers = Answers::of_run(directory.clone());
    let place = Place {
        job: Arc::new(job),
        run: run.clone(),
        directory,
        keeper: program,
        sessions: None,
        traced: false,
    };
    let key = start.key;
    let launcher = LocalLauncher::open_one(place, key, answers).await?;
    launcher.launch(start.clone()).await;
    loop {
        let seen = launcher.look().await.into_iter().find(|seen| seen.key == key);
        match seen.map(|seen| seen.state) {
            Some(AttemptState::Ended(outcome)) => return Ok(*outcome),
            Some(AttemptState::Lost) | None => return Err(AttemptError::Lost),
            Some(AttemptState::Running { .. }) => {}
        }
        tokio::select! {
            () = launcher.changed() => continue,
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
            _ = hangup.recv() => {}
        }
        launcher.end(key, EndMode::Resumable).await;
    }
}
