//! Why nothing more is happening: the one answer that the command line, a condition and the dashboard all show.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    gate::{Gate, GateState},
    ledger::{Ledger, RunPhase},
};
use crate::job::identity::AttemptKey;

/// Why no more attempts start than do. `Display` is for people, with times in UTC; who knows the reader's zone takes
/// [`Waiting::until`] and says it better.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub enum Waiting {
    /// The gate is closed.
    Limit {
        /// For people.
        cause: String,
        /// Then a canary goes.
        until: Timestamp,
        /// Since when the credential is limited.
        since: Option<Timestamp>,
    },
    /// One attempt tries whether the limit is over.
    Canary {
        /// For people.
        cause: String,
        /// The attempt, if it is one of this run; else another run's.
        ours: Option<AttemptKey>,
    },
    /// A person must act.
    Attention {
        /// For people.
        cause: String,
        /// Since when.
        since: Timestamp,
    },
    /// After a limit attempts start a few at a time.
    SlowStart {
        /// How many may run.
        cap: u32,
    },
    /// As many sessions of the credential run as may, over every Mozart of the user.
    Sessions {
        /// So many.
        cap: u32,
    },
    /// One more attempt does not fit into the budget while others run.
    Budget {
        /// For people.
        sentence: String,
    },
    /// A trial begins no more batches.
    Trial {
        /// So many.
        limit: u32,
    },
    /// Every batch that is left waits for its next try.
    Backoff {
        /// Then the first of them goes.
        until: Timestamp,
    },
    /// As many batches are unfinished as may be.
    Window {
        /// So many.
        unfinished: u32,
        /// Then the first of them is tried again.
        until: Timestamp,
    },
    /// The pause between two batches.
    Pause {
        /// Then a lane is free.
        until: Timestamp,
    },
    /// The ledger is being saved.
    Save,
    /// Nothing is left to start; the last attempts run.
    LastRunning {
        /// How many.
        running: u32,
    },
    /// The run is suspended.
    Suspended {
        /// For people.
        message: String,
        /// What still runs, to its end.
        running: u32,
    },
    /// The run ends.
    Stopping {
        /// For people.
        message: String,
        /// What still runs.
        running: u32,
    },
    /// What was seen is older than the ledger; it is looked at again.
    StaleLook,
}

impl Waiting {
    /// Until when, where that is known.
    pub fn until(&self) -> Option<Timestamp> {
        match self {
            Self::Limit { until, .. }
            | Self::Backoff { until }
            | Self::Window { until, .. }
            | Self::Pause { until } => Some(*until),
            _ => None,
        }
    }

    /// Whether it is the credential that is waited for.
    pub fn is_for_the_gate(&self) -> bool {
        matches!(self, Self::Limit { .. } | Self::Canary { .. } | Self::Attention { .. })
    }

    pub(super) fn of_phase(phase: &RunPhase, running: u32) -> Option<Self> {
        match phase {
            RunPhase::Suspended { message, .. } => {
                Some(Self::Suspended { message: message.clone(), running })
            }
            RunPhase::Stopping { message, .. } => Some(Self::Stopping { message: message.clone(), running }),
            RunPhase::Pending | RunPhase::Running | RunPhase::Complete | RunPhase::Failed { .. } => None,
        }
    }

    /// What `gate` makes the run of `ledger` wait for; `None` when it is open.
    pub fn of_gate(gate: &Gate, ledger: &Ledger) -> Option<Self> {
        match &gate.state {
            GateState::Open => None,
            GateState::Closed { until, cause, .. } => {
                Some(Self::Limit { cause: cause.clone(), until: *until, since: gate.waiting_since })
            }
            GateState::Canary { holder, cause, .. } => {
                Some(Self::Canary { cause: cause.clone(), ours: ledger.attempt_named(holder) })
            }
            GateState::Held { cause, since } => Some(Self::Attention { cause: cause.clone(), since: *since }),
        }
    }
}

impl fmt::Display for Waiting {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let minute = |at: &Timestamp| at.strftime("%Y-%m-%d %H:%MZ").to_string();
        let second = |at: &Timestamp| at.strftime("%H:%M:%SZ").to_string();
        match self {
            Self::Limit { cause, until, .. } => write!(formatter, "{cause}, until {}", minute(until)),
            Self::Canary { cause, ours: Some(key) } => {
                write!(formatter, "batch {} tries whether it is over: {cause}", key.batch)
            }
            Self::Canary { cause, ours: None } => {
                write!(formatter, "another run tries whether it is over: {cause}")
            }
            Self::Attention { cause, since } => {
                write!(formatter, "{cause}, since {}: needs a person", minute(since))
            }
            Self::SlowStart { cap: 1 } => formatter.write_str("one batch at a time for now, after a limit"),
            Self::SlowStart { cap } => write!(formatter, "{cap} batches at a time for now, after a limit"),
            Self::Sessions { cap: 1 } => {
                formatter.write_str("one session of this credential runs, as --max-sessions bounds it")
            }
            Self::Sessions { cap } => write!(
                formatter,
                "{cap} sessions of this credential run, in all jobs together, as --max-sessions bounds them"
            ),
            Self::Budget { sentence } => formatter.write_str(sentence),
            Self::Trial { limit: 1 } => formatter.write_str("a trial of one batch"),
            Self::Trial { limit } => write!(formatter, "a trial of {limit} batches"),
            Self::Backoff { until } => write!(formatter, "the next try is at {}", second(until)),
            Self::Window { unfinished, until } => write!(
                formatter,
                "{unfinished} batches have failed and wait for their next try, the first at {}",
                second(until)
            ),
            Self::Pause { until } => write!(formatter, "the pause between batches, until {}", second(until)),
            Self::Save => formatter.write_str("the state is being saved"),
            Self::LastRunning { running: 1 } => formatter.write_str("the last batch runs"),
            Self::LastRunning { running } => write!(formatter, "the last {running} batches run"),
            Self::Suspended { message, running: 0 } | Self::Stopping { message, running: 0 } => {
                formatter.write_str(message)
            }
            Self::Suspended { message, running } => {
                write!(formatter, "{message} Still running: {running}, to be finished first.")
            }
            Self::Stopping { message, running } => write!(formatter, "{message} Still running: {running}."),
            Self::StaleLook => formatter.write_str("what was seen is out of date, looking again"),
        }
    }
}
