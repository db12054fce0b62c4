//! The ledger: the persisted state of one run, and all that a crash leaves to go on from.

use std::{collections::BTreeMap, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    ranges::Ranges,
    time::{between, later},
};
use crate::job::{
    identity::{AttemptKey, AttemptName, BatchNum, RunId, SessionId},
    model::Occasion,
    outcome::{FailureClass, Usage},
};

/// The format that this binary writes. A ledger with a higher one is left alone.
pub const VERSION: u32 = 1;

/// The state of one run. Every change goes through [`super::apply`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ledger {
    /// The format, see [`VERSION`].
    pub version: u32,
    /// Raised by every save; an observation made against a lower one is not decided on.
    pub seq: u64,
    /// Which run of which job.
    pub run: RunId,
    /// The plan that this run follows.
    pub plan_hash: String,
    /// How many batches the job has.
    pub of_total: u32,
    /// The batches of this run: all, or those a `rerun` selected.
    pub selected: Ranges,
    /// Batches outside of `selected` that earlier runs of the same plan have done.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub done_before: Ranges,
    /// Where the run stands.
    pub phase: RunPhase,
    /// When the run started.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Milliseconds spent suspended, up to the last resume.
    #[serde(default)]
    pub suspended_ms: u64,
    /// Batches that are done. Never started again in this run.
    pub succeeded: Ranges,
    /// Batches that failed for good.
    pub failed: Ranges,
    /// Unfinished batches that may have been started; what really runs is seen in the world.
    pub claimed: Ranges,
    /// Of the claimed batches those whose present attempt was seen: if it is gone it is lost, not to be started.
    #[serde(default, skip_serializing_if = "Ranges::is_empty")]
    pub seen: Ranges,
    /// Batches that ended at least once without success and are not given up. Always claimed too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<BatchNum, OpenBatch>,
    /// For `maxFailedInARow`: the reason of the last failed batches, and how many in a row had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streak: Option<FailureStreak>,
    /// With `pauseSeconds`: when each resting lane may start again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resting: Vec<Timestamp>,
    /// Summed over every attempt that ended.
    #[serde(default)]
    pub usage: Usage,
    /// The dearest attempt so far, in millionths of a dollar; `None` before any request was accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dearest_micro_usd: Option<u64>,
    /// Milliseconds that ended attempts took, in all.
    #[serde(default)]
    pub worked_ms: u64,
    /// Whether the gate was closed when it was last seen.
    #[serde(default)]
    pub limited: bool,
    /// What must still be told, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
    /// The number of the last notice; with the run it is a notice's idempotency key.
    #[serde(default)]
    pub last_notice: u64,
    /// How much was told of batches lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<NoticeTally>,
    /// The attempt whose end is being judged; between the events of one step only.
    #[serde(skip)]
    pub(super) judging: Option<Judging>,
}

/// An attempt whose end is being judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Judging {
    pub(super) key: AttemptKey,
    /// What it cost, in millionths of a dollar.
    pub(super) micro_usd: u64,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum RunPhase {
    /// Made, and nothing of it saved.
    Pending,
    /// Batches are started.
    Running,
    /// Nothing new starts; what runs finishes. Goes on with `resume`.
    Suspended {
        /// A closed word: `Requested`, `TrialEnded`, `BudgetReached`, `LongWait`.
        reason: String,
        /// For people.
        message: String,
        /// Since when.
        since: Timestamp,
        /// Whether running attempts are ended, to be resumed later.
        #[serde(default)]
        terminate: bool,
    },
    /// Nothing new starts; when the last attempt has ended the run ends as failed for this reason.
    Stopping {
        /// A closed word: `Stopped`, `BatchesFailed`, `SystematicFailure`, `DeadlineExceeded`, `BudgetReached`,
        /// `RateLimitExhausted`, or that of the failure that was fatal for the job.
        reason: String,
        /// For people.
        message: String,
        /// Whether running attempts are ended too.
        now: bool,
    },
    /// Every batch of the run succeeded.
    Complete,
    /// Ended otherwise.
    Failed {
        /// As in `Stopping`.
        reason: String,
        /// For people.
        message: String,
    },
}

/// A batch that ended at least once without success and goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenBatch {
    /// The attempt that is next, or running.
    pub ordinal: u32,
    /// Counted tries that failed.
    pub tries: u32,
    /// Disruptions, which are not counted as tries.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub disruptions: u32,
    /// Not before; `None` when only the gate holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What ended the attempt before.
    pub cause: FailureClass,
    /// Its closed word.
    pub reason: String,
    /// The session to continue; `None` starts a new one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// What earlier attempts of the present try have cost, in millionths of a dollar: those that did not count.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub try_micro_usd: u64,
}

/// Batches that failed one after the other for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureStreak {
    /// The closed word.
    pub reason: String,
    /// How many.
    pub count: u32,
}

/// Something that must be told, at least once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Notice {
    /// Its number in the run, from 1.
    pub id: u64,
    /// What happened.
    pub occasion: Occasion,
    /// When.
    pub at: Timestamp,
    /// For a single batch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptKey>,
    /// The run that it is about, if that is an earlier one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<u32>,
    /// One or two sentences for people.
    pub text: String,
}

/// How much was told of batches in the present minute, and what waits to be told in one notice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NoticeTally {
    /// When the minute began.
    pub since: Timestamp,
    /// Notices of batches queued in it.
    pub told: u32,
    /// What was not told singly, and how often it happened.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub joined: BTreeMap<Occasion, u32>,
}

/// What makes a run.
#[derive(Clone, Debug)]
pub struct RunStart {
    /// Which run of which job.
    pub run: RunId,
    /// The plan that it follows.
    pub plan_hash: String,
    /// How many batches the job has.
    pub of_total: u32,
    /// The batches of this run.
    pub selected: Ranges,
    /// Batches outside of `selected` that earlier runs of the same plan have done.
    pub done_before: Ranges,
}

impl Ledger {
    /// The ledger of a run of which nothing has happened or been saved.
    pub fn start(start: RunStart, now: Timestamp) -> Self {
        let RunStart { run, plan_hash, of_total, selected, done_before } = start;
        Self {
            version: VERSION,
            seq: 0,
            run,
            plan_hash,
            of_total,
            selected,
            done_before,
            phase: RunPhase::Pending,
            started: now,
            ended: None,
            suspended_ms: 0,
            succeeded: Ranges::default(),
            failed: Ranges::default(),
            claimed: Ranges::default(),
            seen: Ranges::default(),
            open: BTreeMap::new(),
            streak: None,
            resting: Vec::new(),
            usage: Usage::default(),
            dearest_micro_usd: None,
            worked_ms: 0,
            limited: false,
            outbox: Vec::new(),
            last_notice: 0,
            tally: None,
            judging: None,
        }
    }

    /// How many batches of the run are done or failed for good.
    pub fn finished(&self) -> u32 {
        self.succeeded.len() + self.failed.len()
    }

    /// Whether `batch` is done or failed for good.
    pub fn is_finished(&self, batch: BatchNum) -> bool {
        self.succeeded.contains(batch) || self.failed.contains(batch)
    }

    /// How many attempts ended since the ledger was `saved`: at most one a batch, since the next one waits for the save.
    pub fn ends_since(&self, saved: &Self) -> u32 {
        let retried = self
            .open
            .iter()
            .filter(|(batch, open)| saved.open.get(batch).is_none_or(|known| known.ordinal != open.ordinal));
        let retried = u32::try_from(retried.count()).unwrap_or(u32::MAX);
        self.finished().saturating_sub(saved.finished()).saturating_add(retried)
    }

    /// The attempt at `batch` that runs, or is to be started next; `None` unless it is claimed and unfinished.
    pub fn present_attempt(&self, batch: BatchNum) -> Option<AttemptKey> {
        let ordinal = self.open.get(&batch).map_or(1, |open| open.ordinal);
        self.claimed.contains(batch).then_some(AttemptKey { batch, ordinal })
    }

    /// Whether the end of `key` is recorded.
    pub fn knows_end_of(&self, key: AttemptKey) -> bool {
        self.is_finished(key.batch)
            || self.open.get(&key.batch).is_some_and(|open| open.ordinal > key.ordinal)
    }

    /// The first batch of the run that was never claimed.
    pub fn next_unclaimed(&self) -> Option<BatchNum> {
        // Batches are claimed in order and a claim is never taken back, so the last one is the mark.
        let mark = self.claimed.last().max(self.succeeded.last()).max(self.failed.last());
        self.selected.next_after(mark.unwrap_or(BatchNum(0)))
    }

    /// An attempt's full name.
    pub fn name_of(&self, key: AttemptKey) -> String {
        AttemptName { run: &self.run, key }.to_string()
    }

    /// The attempt of this run that a full name means, if it is of this run.
    pub fn attempt_named(&self, name: &str) -> Option<AttemptKey> {
        let rest = name.strip_prefix(&format!("{}/r{}/b", self.run.job, self.run.run))?;
        let (batch, ordinal) = rest.split_once("-a")?;
        Some(AttemptKey { batch: BatchNum(batch.parse().ok()?), ordinal: ordinal.parse().ok()? })
    }

    /// Whether the run is complete or failed.
    pub fn is_over(&self) -> bool {
        matches!(self.phase, RunPhase::Complete | RunPhase::Failed { .. })
    }

    /// Whether the run is suspended.
    pub fn is_suspended(&self) -> bool {
        matches!(self.phase, RunPhase::Suspended { .. })
    }

    /// The start, moved by the time spent suspended: what deadlines count from.
    pub fn counted_start(&self) -> Timestamp {
        later(self.started, Duration::from_millis(self.suspended_ms))
    }

    /// How long the run has been active: suspended time is left out.
    pub fn active_time(&self, now: Timestamp) -> Duration {
        let end = match &self.phase {
            RunPhase::Suspended { since, .. } => *since,
            _ => self.ended.unwrap_or(now),
        };
        between(self.counted_start(), end)
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_nothing(micro_usd: &u64) -> bool {
    *micro_usd == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}
