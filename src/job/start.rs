//! What an attempt is started with, beyond the job.

use serde::{Deserialize, Serialize};

use super::{
    identity::{AttemptKey, SessionId},
    outcome::FailureClass,
};

/// What an attempt is started with, beyond the job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Start {
    /// Its key.
    pub key: AttemptKey,
    /// Tries of this batch, this one included; what a prompt sees as `attempt`. Waits for a limit do not count.
    pub attempt: u32,
    /// What ended the attempt before, if there was one.
    pub previous: Option<Previous>,
    /// Whether its first accepted request opens the gate.
    pub canary: bool,
    /// What it may spend, in millionths of a dollar: what its try has left of `budget.perAttemptUSD`, or its share of
    /// what the run has left of `budget.perRunUSD`. `None` is without bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micro_usd: Option<u64>,
}

/// What ended the attempt before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Previous {
    /// Its class.
    pub class: FailureClass,
    /// Its closed word.
    pub reason: String,
    /// The session to continue; `None` starts a new one over what the earlier one left.
    pub session: Option<SessionId>,
}

/// How an attempt is to be ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndMode {
    /// It will be resumed (suspend, shutdown): SIGTERM first.
    Resumable,
    /// It is given up (stop now): SIGINT first, so that it says what it cost.
    GiveUp,
    /// Nobody expects it to run, and nobody waits for what it says: no longer than it must be asked.
    AtOnce,
}
