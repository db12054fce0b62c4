//! One attempt at one batch, from its directory: what it starts with, what came out, what its validations say.
//!
//! Every step leaves its file before the next begins, so that a crash between any two is continued by the next Mozart.

pub mod baseline;
pub mod checks;
mod conclusion;
mod directory;
pub mod message;
pub mod remote;

pub use self::{
    conclusion::{conclude, interrupted_while_checked},
    directory::Directory,
};

use std::{io, path::Path, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::baseline::Baseline;
use crate::{
    backend::{self, Call, Session},
    job::{
        batches::Batch,
        identity::{AttemptName, RunId, SessionId},
        model::{Check, Job},
        outcome::{Failure, FailureClass},
        prompt::{After, PromptContext, RenderError, render_prompt},
        start::Start,
    },
};

/// One attempt that has a directory.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The job.
    pub job: Arc<Job>,
    /// The run.
    pub run: RunId,
    /// The batch's slice of the items.
    pub batch: Batch,
    /// What it was started with.
    pub record: Record,
    /// Its files.
    pub directory: Directory,
}

/// `attempt.json`: what an attempt was started with, written before anything starts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Its full name.
    pub name: String,
    /// What the engine said.
    pub start: Start,
    /// The session it works in.
    pub session: Session,
    /// When it began.
    pub began: Timestamp,
}

/// Why an attempt could not be begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The job has no such batch.
    #[error("the job has no batch {0}")]
    NoSuchBatch(u32),
    /// Its files cannot be written.
    #[error("cannot write {path}")]
    Files {
        /// Which.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl Attempt {
    /// Takes up the attempt that has a directory below `run_directory`, or makes one.
    ///
    /// # Errors
    /// When the job has no such batch, or the directory cannot be written.
    pub fn begin(job: Arc<Job>, run: &RunId, run_directory: &Path, start: Start) -> Result<Self, BeginError> {
        let key = start.key;
        let batch = job.batches.get(key.batch).ok_or(BeginError::NoSuchBatch(key.batch.0))?;
        let directory = Directory::of(run_directory, key);
        let name = AttemptName { run, key }.to_string();
        let known = if directory.make()? { None } else { directory.read_record() };
        let record = match known {
            Some(record) if record.name == name => record,
            _ => {
                let session = start.previous.as_ref().and_then(|previous| previous.session);
                let session = session.map_or_else(|| Session::New(SessionId::random()), Session::Continue);
                let record = Record { name, start, session, began: Timestamp::now() };
                directory.write_record(&record)?;
                record
            }
        };
        Ok(Self { job, run: run.clone(), batch, record, directory })
    }

    /// What its backend is told.
    pub fn call(&self) -> Call<'_> {
        Call {
            job: &self.job,
            name: AttemptName { run: &self.run, key: self.record.start.key },
            batch: self.batch,
            directory: self.directory.files.folder(),
            session: self.record.session,
            previous: self.record.start.previous.as_ref(),
            budget_micro_usd: self.record.start.budget_micro_usd,
        }
    }

    /// Whether preparing or judging it may read much: then it belongs on a thread that may block.
    pub fn reads_files(&self) -> bool {
        let validations = &self.job.validations;
        validations.iter().any(|validation| !matches!(validation.check, Check::CommandSucceeds { .. }))
            || !validations.is_empty() && self.record.start.key.ordinal > 1
    }

    /// Takes the batch's baseline if it has none, renders the prompt and writes it; returns what the backend gets.
    ///
    /// # Errors
    /// With the failure of the attempt.
    pub fn prepare(&self) -> Result<String, Failure> {
        let baseline = self.baseline()?;
        let start = &self.record.start;
        let after = match &start.previous {
            None => After::Nothing,
            Some(previous) if previous.session.is_some() => After::InItsSession(previous.reason.clone()),
            Some(previous) => After::OverItsFiles(previous.reason.clone()),
        };
        // An interrupted session has not been checked: what it had not yet done is no failure to tell it about.
        let checked = start
            .previous
            .as_ref()
            .is_some_and(|previous| previous.class == FailureClass::Validation || previous.session.is_none());
        let previous_failures = if checked {
            checks::look_again(self, &baseline).into_iter().filter(|finding| !finding.passed).collect()
        } else {
            Vec::new()
        };
        let context = PromptContext { attempt: start.attempt, previous_failures, after };
        let prompt = render_prompt(&self.job, self.batch, &context).map_err(|error| not_rendered(&error))?;
        let prompt = backend::input(&self.call(), &prompt).into_owned();
        self.directory.write_prompt(&prompt).map_err(|error| not_written(&error))?;
        Ok(prompt)
    }

    /// What the batch's files were before its first attempt; taken now if this is the first.
    ///
    /// # Errors
    /// With the failure of the attempt: it cannot be written.
    pub fn baseline(&self) -> Result<Baseline, Failure> {
        Baseline::load_or_take(self).map_err(|error| not_written(&error))
    }
}

/// The failure of an attempt whose prompt cannot be rendered.
pub fn not_rendered(error: &RenderError) -> Failure {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    Failure::new(FailureClass::JobFatal, "PromptNotRendered", format!("{error}{cause}"))
}

/// The failure of an attempt whose files cannot be written: disk full, no permission.
pub fn not_written(error: &BeginError) -> Failure {
    let cause = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    let class = match error {
        BeginError::NoSuchBatch(_) => FailureClass::BatchFatal,
        BeginError::Files { .. } => FailureClass::Transient,
    };
    Failure::new(class, "AttemptNotWritten", format!("{error}{cause}"))
}
