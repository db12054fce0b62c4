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
    /// What the attempts of this try have cost before this one, in millionths of a dollar. Not 0 only where this one
    /// goes on with a try that was interrupted.
    #[serde(default)]
    pub try_micro_usd: u64,
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
