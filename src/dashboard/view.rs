//! What the dashboard reads, whatever keeps it: the state folder of a user, or a cluster.

use std::{collections::BTreeMap, future::Future, sync::Arc};

use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;

pub use super::{
    conditions::Condition,
    text::{Piece, Text, TextKind},
};
use crate::{
    engine::{
        ledger::{Ledger, RunPhase},
        ranges::Ranges,
        waiting::Waiting,
    },
    history::OutputPage,
    job::{
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::record::{AttemptRecord, BatchRecord, BatchState, RunRecord},
};

/// Why the view gave no answer.
#[derive(Debug, thiserror::Error)]
#[error("{context}")]
pub struct ViewError {
    /// What could not be read.
    pub context: &'static str,
    /// Why.
    #[source]
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

/// Who asks may not read it: the source of a [`ViewError`] that is no failure.
#[derive(Debug, thiserror::Error)]
#[error("{who} may not {what}")]
pub struct Forbidden {
    /// Whom the cluster knows the visitor as.
    pub who: String,
    /// What: `get the MozartJob night of the namespace team`.
    pub what: String,
}

/// Reads jobs, runs, batches and attempts.
///
/// # Guarantees
/// It changes nothing. What it says is as old as the last [`View::revision`] at most.
pub trait View: Send + Sync + 'static {
    /// A number that is raised when anything that pages show may have changed.
    fn revision(&self) -> watch::Receiver<u64>;
    /// Every job with its last run, the one used last first. The very same list as before means that nothing of it has
    /// changed, and for whom it is neither.
    fn jobs(&self) -> impl Future<Output = Result<Arc<Vec<JobEntry>>, ViewError>> + Send;
    /// The job with this key.
    fn job(&self, key: &str) -> impl Future<Output = Result<Option<JobEntry>, ViewError>> + Send;
    /// One run of a job.
    fn run(
        &self,
        job: &JobEntry,
        run: u32,
    ) -> impl Future<Output = Result<Option<RunEntry>, ViewError>> + Send;
    /// At most `limit` batches of a run above `after`, by number; of one state, or all that were started.
    fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> impl Future<Output = Result<Vec<BatchRecord>, ViewError>> + Send;
    /// At most `limit` runs of all jobs, the newest first, after the page that said `after`; `None` when no page says so.
    fn history(
        &self,
        wanted: &HistoryWanted,
        after: Option<String>,
        limit: u32,
    ) -> impl Future<Output = Result<Option<HistoryList>, ViewError>> + Send;
    /// Whether [`View::history`] has anything: runs that are over are kept.
    fn keeps_history(&self) -> bool {
        true
    }
    /// The attempts at the batches from `first` to `last`, by batch and ordinal.
    fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> impl Future<Output = Result<Vec<AttemptRecord>, ViewError>> + Send;
    /// What the batches from `first` to `last` are called; nothing where the job does not say so, or nobody kept it.
    fn labels(
        &self,
        _run: &RunId,
        _first: BatchNum,
        _last: BatchNum,
    ) -> impl Future<Output = Result<BTreeMap<BatchNum, String>, ViewError>> + Send {
        async { Ok(BTreeMap::new()) }
    }
    /// The attempts at a batch, by ordinal.
    fn attempts(
        &self,
        run: &RunId,
        batch: BatchNum,
    ) -> impl Future<Output = Result<Vec<AttemptRecord>, ViewError>> + Send;
    /// What the validations of an attempt found; nothing where none were looked at, or its files are gone.
    fn findings(
        &self,
        run: &RunId,
        key: AttemptKey,
    ) -> impl Future<Output = Result<Vec<Finding>, ViewError>> + Send;
    /// A piece of a text of an attempt; `None` when it was not written or is gone.
    fn text(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
        piece: Piece,
    ) -> impl Future<Output = Result<Option<Text>, ViewError>> + Send;
    /// Why such a text of an attempt is not there, in a sentence for people; `None` where it may still come, or nothing
    /// more is known than that nothing was written or its files are gone.
    fn absence(
        &self,
        run: &RunId,
        key: AttemptKey,
        text: TextKind,
    ) -> impl Future<Output = Result<Option<String>, ViewError>> + Send {
        let _ = (run, key, text);
        async { Ok(None) }
    }
    /// The Pod of an attempt; `None` where it has none.
    fn pod(
        &self,
        run: &RunId,
        key: AttemptKey,
    ) -> impl Future<Output = Result<Option<PodEntry>, ViewError>> + Send {
        let _ = (run, key);
        async { Ok(None) }
    }
    /// When a text of an attempt was written: how long it was, in bytes, at which time in milliseconds since 1970, the
    /// shortest first; nothing where nobody noted it.
    fn times(
        &self,
        _run: &RunId,
        _key: AttemptKey,
        _text: TextKind,
    ) -> impl Future<Output = Vec<(u64, i64)>> + Send {
        async { Vec::new() }
    }
    /// The answers of the batches above `after` that are done, by number: looked for in `limit` batches.
    fn outputs(
        &self,
        run: &RunId,
        after: BatchNum,
        limit: u32,
    ) -> impl Future<Output = Result<OutputPage, ViewError>> + Send;
    /// What a job says: its file as it is now, and the plan that a run follows.
    fn spec(&self, job: &JobEntry, run: Option<u32>) -> impl Future<Output = Result<Spec, ViewError>> + Send;
}

/// A job.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobEntry {
    /// What addresses call it: unique, and the same for ever.
    pub key: String,
    /// Its UID.
    pub uid: uuid::Uuid,
    /// Its name.
    pub name: String,
    /// Where it is written: a file, or a namespace.
    pub origin: String,
    /// The namespace that it is in; `None` on a machine.
    pub namespace: Option<String>,
    /// The labels that people gave it; in a cluster.
    pub labels: BTreeMap<String, String>,
    /// What holds of it, as `kubectl describe` says it.
    pub conditions: Vec<Condition>,
    /// What the command line calls it.
    pub command_name: String,
    /// When it was first seen.
    pub created: Timestamp,
    /// When it was last run or resumed.
    pub used: Timestamp,
    /// Its last run; `None` when it never ran.
    pub last: Option<RunEntry>,
    /// What who asks may do to it.
    pub rights: Rights,
}

/// Why who asks may not do something to a job; nothing where he may.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rights {
    /// Change what it says: every verb but one does.
    pub change: Option<String>,
    /// Delete it.
    pub delete: Option<String>,
}

/// A run.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunEntry {
    /// The run in short, as `mozart history -o json` has it.
    #[serde(flatten)]
    pub record: RunRecord,
    /// Where it stands, in one word for people.
    pub standing: Standing,
    /// Which batches are where.
    pub cells: Cells,
    /// Who drives it, if anybody does.
    pub driven_by: Option<Driver>,
    /// Why no batch starts, if it waits for something.
    pub waiting: Option<Waiting>,
    /// The same in words.
    pub waiting_words: Option<String>,
    /// When the wait ends, where that is known.
    pub waiting_until: Option<Timestamp>,
    /// How many seconds it was active: suspended time is left out.
    pub active_seconds: u64,
    /// How many seconds are left at this pace; `None` where nothing tells.
    pub left_seconds: Option<u64>,
    /// How many attempts ran at once, on the average.
    pub parallelism: Option<f64>,
    /// The run's identity in the store.
    #[serde(skip)]
    pub id: RunId,
}

/// Which runs of all jobs.
#[derive(Clone, Debug, Default)]
pub struct HistoryWanted {
    /// Only of this job.
    pub job: Option<JobEntry>,
    /// Only of jobs whose name has this in it, in lower case.
    pub name: Option<String>,
    /// Only those in this phase, as [`crate::store::runs::phase_word`] calls it.
    pub phase: Option<&'static str>,
    /// Only those that started then or later.
    pub since: Option<Timestamp>,
}

/// A page of runs.
#[derive(Clone, Debug, Default)]
pub struct HistoryList {
    /// The newest first.
    pub runs: Vec<HistoryRun>,
    /// What to ask for the next page with, if there is one.
    pub next: Option<String>,
}

/// A run beside its job.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryRun {
    /// The key of its job.
    pub job_key: String,
    /// The name of its job.
    pub job_name: String,
    /// It.
    pub run: RunEntry,
}

/// The Pod of an attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodEntry {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Which of its containers the attempt is.
    pub container: String,
    /// Whether it is there still.
    pub is_there: bool,
}

/// Who drives a run.
#[derive(Clone, Debug, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Driver {
    /// For people: `process 4711 on myhost`.
    pub name: String,
    /// Since when.
    pub since: Timestamp,
}

/// Where a run stands, for people.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Standing {
    /// Batches run.
    Running,
    /// It is driven, and waits for a limit or a person.
    Waiting,
    /// It is about to begin.
    Pending,
    /// It ends when its last attempt has.
    Stopping,
    /// It goes on when it is resumed.
    Suspended,
    /// Nobody drives it though it was not suspended.
    Interrupted,
    /// It ended without success.
    Failed,
    /// Every batch is done.
    Complete,
}

impl Standing {
    /// All of them, the ones that want attention first.
    pub const ALL: [Self; 8] = [
        Self::Running,
        Self::Waiting,
        Self::Pending,
        Self::Stopping,
        Self::Suspended,
        Self::Interrupted,
        Self::Failed,
        Self::Complete,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Pending => "Pending",
            Self::Stopping => "Stopping",
            Self::Suspended => "Suspended",
            Self::Interrupted => "Interrupted",
            Self::Failed => "Failed",
            Self::Complete => "Complete",
        }
    }

    /// Of a run in this phase.
    fn of(phase: &RunPhase, driven: bool, waits: bool) -> Self {
        match phase {
            RunPhase::Complete => Self::Complete,
            RunPhase::Failed { .. } => Self::Failed,
            RunPhase::Suspended { .. } if !driven => Self::Suspended,
            _ if !driven => Self::Interrupted,
            RunPhase::Suspended { .. } | RunPhase::Stopping { .. } => Self::Stopping,
            RunPhase::Pending => Self::Pending,
            RunPhase::Running if waits => Self::Waiting,
            RunPhase::Running => Self::Running,
        }
    }
}

/// Which batches of a run are where; what is in none of them is to be started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cells {
    /// How many batches the job has.
    pub of_total: u32,
    /// Those of this run.
    pub selected: Ranges,
    /// Done.
    pub succeeded: Ranges,
    /// Given up.
    pub failed: Ranges,
    /// An attempt was seen to run.
    pub running: Ranges,
    /// Failed at least once, and to be tried again.
    pub waiting: Ranges,
}

impl Cells {
    /// Those of a run that is driven or not.
    pub fn of(ledger: &Ledger, driven: bool) -> Self {
        let running: Ranges =
            ledger.seen.iter().filter(|batch| driven && !ledger.is_finished(*batch)).collect();
        let waiting = ledger.open.keys().copied().filter(|batch| !running.contains(*batch)).collect();
        Self {
            of_total: ledger.of_total,
            selected: ledger.selected.clone(),
            succeeded: ledger.succeeded.clone(),
            failed: ledger.failed.clone(),
            running,
            waiting,
        }
    }

    /// How many of the run are neither finished, nor running, nor to be tried again.
    pub fn pending(&self) -> u32 {
        let begun = self.succeeded.len() + self.failed.len() + self.running.len() + self.waiting.len();
        self.selected.len().saturating_sub(begun)
    }

    /// Those: what was never started.
    pub fn to_be_started(&self) -> Ranges {
        let finished = self.succeeded.with(&self.failed);
        self.selected.without(&finished.with(&self.running).with(&self.waiting))
    }
}

impl RunEntry {
    /// The batch of this number, if the job has it.
    pub fn batch(&self, number: u32) -> Option<BatchNum> {
        (1..=self.cells.of_total).contains(&number).then_some(BatchNum(number))
    }

    /// The run of `ledger`, of the job `job_name`, as it is at `now`.
    pub fn of(
        job_name: &str,
        ledger: &Ledger,
        driven_by: Option<Driver>,
        waiting: Option<Waiting>,
        now: Timestamp,
    ) -> Self {
        let driven = driven_by.is_some();
        let waiting = waiting.filter(|_| driven);
        let standing = Standing::of(&ledger.phase, driven, waiting.is_some());
        let active = ledger.active_time(now);
        let finished = ledger.finished();
        let rest = ledger.selected.len().saturating_sub(finished);
        let left =
            (driven && finished > 0 && rest > 0 && waiting.is_none()).then(|| active / finished * rest);
        let parallelism = (!active.is_zero() && ledger.worked_ms > 0)
            .then(|| std::time::Duration::from_millis(ledger.worked_ms).as_secs_f64() / active.as_secs_f64());
        Self {
            record: RunRecord::of(job_name, ledger),
            standing,
            cells: Cells::of(ledger, driven),
            driven_by,
            waiting_words: waiting.as_ref().map(ToString::to_string),
            waiting_until: waiting.as_ref().and_then(Waiting::until),
            waiting,
            active_seconds: active.as_secs(),
            left_seconds: left.map(|left| left.as_secs()),
            parallelism,
            id: ledger.run.clone(),
        }
    }
}

/// What a job says.
#[derive(Clone, Debug, Default, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Spec {
    /// As a person wrote it, as it is now; `None` when it is gone.
    pub written: Option<String>,
    /// As the run follows it.
    pub resolved: Option<String>,
    /// Why that is not shown, where who asks may not read it.
    pub withheld: Option<String>,
}
