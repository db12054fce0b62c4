//! The journal: what happened to a run. A ledger is the fold of its events.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ledger::Notice, ranges::Ranges};
use crate::job::{
    identity::{AttemptKey, BatchNum, SessionId},
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
    /// An attempt ended.
    AttemptEnded {
        /// Which.
        key: AttemptKey,
        /// How.
        outcome: Box<Outcome>,
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
        /// Whether the one before counted as a try.
        counted: bool,
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
    /// Nothing new starts until `Resumed`.
    Suspended {
        /// Closed word.
        reason: String,
        /// For people.
        message: String,
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
    /// It was told, or given up.
    NoticeSettled {
        /// Its number.
        id: u64,
        /// Whether a sink refused it for good.
        dropped: bool,
    },
}
