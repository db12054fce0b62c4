//! The journal: what happened to a run. A ledger is the fold of its events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ledger::Notice, ranges::Ranges};
use crate::job::{
    identity::{AttemptKey, BatchNum, SessionId},
    model::Occasion,
    outcome::{FailureClass, Outcome},
};

/// One entry of the journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// When it was decided.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum EventKind {
    /// The run began.
    RunStarted,
    /// These batches may now be started.
    Claimed {
        /// The batches that were added.
        batches: Ranges,
    },
    /// An attempt was seen to run, for the first time.
    AttemptStarted {
        /// Which.
        key: AttemptKey,
    },
    /// An attempt ended. What follows from it is the next event: `BatchSucceeded`, `RetryScheduled` or `BatchFailed`.
    AttemptEnded {
        /// Which.
        key: AttemptKey,
        /// How.
        outcome: Box<Outcome>,
        /// When its lane may start again, with `pauseSeconds`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lane_free: Option<Timestamp>,
    },
    /// A batch is done.
    BatchSucceeded {
        /// Which.
        batch: BatchNum,
    },
    /// A batch is started again.
    RetryScheduled {
        /// The attempt to come.
        key: AttemptKey,
        /// What ended the one before.
        cause: FailureClass,
        /// Its closed word.
        reason: String,
        /// What the one before counts as.
        counted: Counted,
        /// Not before.
        until: Option<Timestamp>,
        /// The session to continue.
        session: Option<SessionId>,
    },
    /// A batch failed for good.
    BatchFailed {
        /// Which.
        batch: BatchNum,
        /// The last attempt's class.
        class: FailureClass,
        /// Its closed word.
        reason: String,
        /// Its sentence.
        message: String,
    },
    /// The gate of the credential was seen closed.
    GateClosed {
        /// Until when; `None` until a person opens it.
        until: Option<Timestamp>,
        /// For people.
        cause: String,
    },
    /// The gate was seen open again.
    GateOpened,
    /// What is left of the run follows another plan, in which a batch's number means the same items.
    Replanned {
        /// The plan.
        plan_hash: String,
        /// How many batches the job has now: not fewer than before. A run of all takes the further ones too.
        of_total: u32,
    },
    /// Nothing new starts until `Resumed`.
    Suspended {
        /// Closed word.
        reason: String,
        /// For people.
        message: String,
        /// Whether running attempts are ended, to be resumed later.
        terminate: bool,
    },
    /// Batches start again.
    Resumed,
    /// Nothing new starts; the run ends when the last attempt has.
    Stopping {
        /// Closed word.
        reason: String,
        /// For people.
        message: String,
        /// Whether running attempts are ended too.
        now: bool,
    },
    /// The machine's clock was set: every time of the run that was read from it is meant so much later.
    ClockSet {
        /// In milliseconds; less than zero where it was set back.
        by_ms: i64,
    },
    /// The run ended.
    RunEnded {
        /// Whether every batch succeeded.
        complete: bool,
        /// Closed word when not.
        reason: Option<String>,
        /// For people, when not.
        message: Option<String>,
    },
    /// Something must be told.
    NoticeQueued {
        /// What.
        notice: Notice,
    },
    /// Something is told together with others of its kind, later.
    NoticeJoined {
        /// What kind.
        occasion: Occasion,
    },
    /// It was told, or given up.
    NoticeSettled {
        /// Its number.
        id: u64,
        /// Whether it was given up.
        dropped: bool,
    },
}

/// What a failed attempt counts as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Counted {
    /// A try: `retry.maxRetries` bounds them.
    Try,
    /// A disruption: a bound of their own.
    Disruption,
    /// Nothing.
    Nothing,
}

impl EventKind {
    /// The word of its kind: `AttemptEnded`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::RunStarted => "RunStarted",
            Self::Replanned { .. } => "Replanned",
            Self::Claimed { .. } => "Claimed",
            Self::AttemptStarted { .. } => "AttemptStarted",
            Self::AttemptEnded { .. } => "AttemptEnded",
            Self::BatchSucceeded { .. } => "BatchSucceeded",
            Self::RetryScheduled { .. } => "RetryScheduled",
            Self::BatchFailed { .. } => "BatchFailed",
            Self::GateClosed { .. } => "GateClosed",
            Self::GateOpened => "GateOpened",
            Self::Suspended { .. } => "Suspended",
            Self::Resumed => "Resumed",
            Self::Stopping { .. } => "Stopping",
            Self::ClockSet { .. } => "ClockSet",
            Self::RunEnded { .. } => "RunEnded",
            Self::NoticeQueued { .. } => "NoticeQueued",
            Self::NoticeJoined { .. } => "NoticeJoined",
            Self::NoticeSettled { .. } => "NoticeSettled",
        }
    }
}
