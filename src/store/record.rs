//! What history keeps of jobs, runs, batches and attempts, in the form that is stored and that `-o json` prints.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    engine::ledger::{Ledger, Notice, RunPhase},
    job::{
        identity::{AttemptKey, BatchNum, SessionId},
        model::Occasion,
        outcome::{FailureClass, Outcome, Provenance, Usage},
    },
};

/// A job that was run at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JobRecord {
    /// Made when the job was first seen.
    pub uid: Uuid,
    /// Its name.
    pub name: String,
    /// Its job file, absolute.
    pub file: PathBuf,
    /// When it was first seen.
    pub created: Timestamp,
    /// When it was last run or resumed.
    pub used: Timestamp,
    /// In which directory that was.
    pub used_in: PathBuf,
}

/// A run of a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunRecord {
    /// `<job name>/<run>`, as every command takes it.
    pub id: String,
    /// The job's UID.
    pub job: Uuid,
    /// The run's number.
    pub run: u32,
    /// Where it stands.
    pub state: RunState,
    /// Why, as a closed word.
    pub reason: Option<String>,
    /// Why, for people.
    pub message: Option<String>,
    /// When it started.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// How many batches the job has.
    pub of_total: u32,
    /// How many of them this run is for.
    pub total: u32,
    /// How many are done.
    pub succeeded: u32,
    /// How many failed for good.
    pub failed: u32,
    /// Tokens and cost of every ended attempt.
    pub usage: Usage,
    /// The plan it follows.
    pub plan_hash: String,
}

impl RunRecord {
    /// The summary of `ledger`, whose job is called `job_name`.
    pub fn of(job_name: &str, ledger: &Ledger) -> Self {
        let (state, reason, message) = match ledger.phase.clone() {
            RunPhase::Pending => (RunState::Pending, None, None),
            RunPhase::Running => (RunState::Running, None, None),
            RunPhase::Suspended { reason, message, since: _, terminate: _ } => {
                (RunState::Suspended, Some(reason), Some(message))
            }
            RunPhase::Stopping { reason, message, now: _ } => {
                (RunState::Stopping, Some(reason), Some(message))
            }
            RunPhase::Complete => (RunState::Complete, None, None),
            RunPhase::Failed { reason, message } => (RunState::Failed, Some(reason), Some(message)),
        };
        Self {
            id: format!("{job_name}/{}", ledger.run.run),
            job: ledger.run.job,
            run: ledger.run.run,
            state,
            reason,
            message,
            started: ledger.started,
            ended: ledger.ended,
            of_total: ledger.of_total,
            total: ledger.selected.len(),
            succeeded: ledger.succeeded.len(),
            failed: ledger.failed.len(),
            usage: ledger.usage,
            plan_hash: ledger.plan_hash.clone(),
        }
    }
}

/// Where a run stands, as its last save says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum RunState {
    /// Nothing of it was saved yet.
    Pending,
    /// Not ended; whether a process drives it is told by its lock.
    Running,
    /// Goes on with `resume`.
    Suspended,
    /// Ends when its last attempt has.
    Stopping,
    /// Every batch succeeded.
    Complete,
    /// Ended otherwise.
    Failed,
}

/// A batch that was started at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchRecord {
    /// Its number.
    pub batch: BatchNum,
    /// Where it stands.
    pub state: BatchState,
    /// How many attempts were started, as far as is known.
    pub attempts: u32,
    /// When the first one started.
    pub started: Option<Timestamp>,
    /// When the last one ended.
    pub ended: Option<Timestamp>,
    /// While it waits: not before.
    pub until: Option<Timestamp>,
    /// What ended the last attempt, unless that succeeded.
    pub class: Option<FailureClass>,
    /// Its closed word.
    pub reason: Option<String>,
    /// Its sentence.
    pub message: Option<String>,
    /// Summed over its attempts.
    pub usage: Usage,
}

/// Where a batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BatchState {
    /// An attempt runs.
    Running,
    /// The last attempt failed, another one comes.
    Waiting,
    /// Done.
    Succeeded,
    /// Given up.
    Failed,
}

impl BatchState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Failed, Self::Running, Self::Waiting, Self::Succeeded];

    /// The one with this word.
    pub fn called(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The stored and printed word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }
}

/// One attempt at a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AttemptRecord {
    /// The batch.
    pub batch: BatchNum,
    /// Which start of it.
    pub ordinal: u32,
    /// Where it stands.
    pub state: AttemptState,
    /// When it started.
    pub started: Option<Timestamp>,
    /// When it was judged.
    pub ended: Option<Timestamp>,
    /// The exit code, or 128 + signal.
    pub exit_code: Option<i32>,
    /// What was wrong with it.
    pub class: Option<FailureClass>,
    /// Its closed word.
    pub reason: Option<String>,
    /// Its sentence.
    pub message: Option<String>,
    /// Whether the service accepted a request of it.
    pub accepted: Option<bool>,
    /// The session it ran in.
    pub session: Option<SessionId>,
    /// What a person should know though it succeeded.
    pub warnings: Vec<String>,
    /// What answered, and who paid.
    #[serde(default)]
    pub provenance: Option<Provenance>,
    /// Its own tokens and cost.
    pub usage: Usage,
}

impl AttemptRecord {
    /// One of which no more is known than that it was begun.
    pub fn begun(key: AttemptKey, started: Option<Timestamp>) -> Self {
        Self {
            batch: key.batch,
            ordinal: key.ordinal,
            state: AttemptState::Running,
            started,
            ended: None,
            exit_code: None,
            class: None,
            reason: None,
            message: None,
            accepted: None,
            session: None,
            warnings: Vec::new(),
            provenance: None,
            usage: Usage::default(),
        }
    }

    /// One that has ended so.
    pub fn ended(key: AttemptKey, outcome: &Outcome) -> Self {
        let failure = outcome.failure.as_ref();
        Self {
            batch: key.batch,
            ordinal: key.ordinal,
            state: if outcome.succeeded() { AttemptState::Succeeded } else { AttemptState::Failed },
            started: Some(outcome.started),
            ended: Some(outcome.ended),
            exit_code: outcome.exit_code,
            class: failure.map(|failure| failure.class),
            reason: failure.map(|failure| failure.reason.clone()),
            message: failure.map(|failure| failure.message.clone()),
            accepted: Some(outcome.accepted),
            session: outcome.session,
            warnings: outcome.warnings.clone(),
            provenance: outcome.provenance.clone(),
            usage: outcome.usage,
        }
    }

    /// Its key.
    pub fn key(&self) -> AttemptKey {
        AttemptKey { batch: self.batch, ordinal: self.ordinal }
    }
}

/// Where an attempt stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AttemptState {
    /// It runs.
    Running,
    /// It ended and its batch is done by it.
    Succeeded,
    /// It ended otherwise.
    Failed,
}

/// Something that people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NotificationRecord {
    /// Its number in the run.
    pub id: u64,
    /// What happened.
    pub occasion: Occasion,
    /// When.
    pub queued: Timestamp,
    /// For batch-level ones.
    pub batch: Option<BatchNum>,
    /// For batch-level ones.
    pub ordinal: Option<u32>,
    /// What is said.
    pub text: String,
    /// What became of it.
    pub state: NotificationState,
    /// When that was known.
    pub settled: Option<Timestamp>,
}

impl From<&Notice> for NotificationRecord {
    fn from(notice: &Notice) -> Self {
        Self {
            id: notice.id,
            occasion: notice.occasion,
            queued: notice.at,
            batch: notice.attempt.map(|key| key.batch),
            ordinal: notice.attempt.map(|key| key.ordinal),
            text: notice.text.clone(),
            state: NotificationState::Queued,
            settled: None,
        }
    }
}

/// What became of a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum NotificationState {
    /// It is still to be told.
    Queued,
    /// Every sink has it.
    Delivered,
    /// A sink refused it for good.
    Dropped,
}
