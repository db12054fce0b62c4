//! The ledger: the persisted state of one run, and all that a crash leaves to go on from.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ranges::Ranges;
use crate::job::{
    identity::{AttemptKey, BatchNum, RunId, SessionId},
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
    /// Where the run stands.
    pub phase: RunPhase,
    /// When the run started.
    pub started: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Batches that are done. Never started again in this run.
    pub succeeded: Ranges,
    /// Batches that failed for good.
    pub failed: Ranges,
    /// Batches that may have been started; what really runs is seen in the world.
    pub claimed: Ranges,
    /// Batches that ended at least once without success and are not given up. Always claimed too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<BatchNum, OpenBatch>,
    /// For `maxFailedInARow`: the reason of the last failed batches, and how many in a row had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streak: Option<FailureStreak>,
    /// Summed over every attempt that ended.
    #[serde(default)]
    pub usage: Usage,
    /// What must still be told, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outbox: Vec<Notice>,
    /// The number of the next notice; with the run it is the notice's idempotency key.
    #[serde(default)]
    pub next_notice: u64,
}

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum RunPhase {
    /// Batches are started.
    Running,
    /// Nothing new starts; what runs finishes. Goes on with `resume`.
    Suspended {
        /// A closed word: `Requested`, `TrialEnded`, `BudgetReached`, `LongWait`, …
        reason: String,
        /// For people.
        message: String,
    },
    /// Nothing new starts; when the last attempt has ended the run ends as failed for this reason.
    Stopping {
        /// A closed word: `Stopped`, `JobFatal`, `BatchesFailed`, `SystematicFailure`, `DeadlineExceeded`, …
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
    /// Disruptions that were not counted (at most 10).
    #[serde(default)]
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
    /// For batch-level ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<AttemptKey>,
    /// One or two sentences for people.
    pub text: String,
}
