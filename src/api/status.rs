//! What the status of a `MozartJob` shows. Written by the operator only.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the job stands. The operator writes it; nobody else should have the right to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MozartJobStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub observed_generation: Option<i64>,
    /// Where the job stands, in one word. A summary: the conditions are the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// Batches that succeeded, of those in the run: `41/56`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub progress: Option<String>,
    /// Why nothing more is happening, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub waiting: Option<String>,
    /// The number of the run that is active; absent when none is. While it is there the run's plan is pinned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = u32::MAX))]
    pub active_run: Option<u32>,
    /// The run that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
    /// The `rerun.id` that was taken last.
    #[serde(rename = "rerunID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rerun_id: Option<String>,
    /// When the run started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub start_time: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub completion_time: Option<String>,
    /// How long the run has been active, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub duration: Option<String>,
    /// Tokens of the run, in and out, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub tokens: Option<String>,
    /// What is true of the job. Each says of which generation of the spec.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub conditions: Vec<Condition>,
    /// The run's batches in numbers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batches: Option<BatchCounts>,
    /// What the run used, summed over all attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<RunUsage>,
    /// The ledger of the run, from which any crash resumes. Its form is the operator's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<serde_json::Value>,
}

/// Where a job stands, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// It is not started yet.
    Pending,
    /// Batches run.
    Running,
    /// It waits; `waiting` says for what.
    Waiting,
    /// It is suspended.
    Suspended,
    /// Running batches finish, then it ends.
    Stopping,
    /// Every batch of the last run succeeded.
    Complete,
    /// The last run ended otherwise.
    Failed,
}

impl Phase {
    /// The word in the status.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Waiting => "Waiting",
            Self::Suspended => "Suspended",
            Self::Stopping => "Stopping",
            Self::Complete => "Complete",
            Self::Failed => "Failed",
        }
    }
}

/// A run that ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Its number.
    #[schemars(range(min = 1, max = u32::MAX))]
    pub number: u32,
    /// The `rerun.id` that asked for it.
    #[serde(rename = "rerunID", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub rerun_id: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Why it failed, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub reason: Option<String>,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RunOutcome {
    /// Every batch succeeded.
    Complete,
    /// Otherwise.
    Failed,
}

/// Something that is true of an object, false, or unknown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 64))]
    pub kind: String,
    /// Whether.
    pub status: Truth,
    /// Of which generation of the spec.
    #[schemars(range(min = 0, max = 9_007_199_254_740_991_u64))]
    pub observed_generation: i64,
    /// Since when.
    #[schemars(extend("format" = "date-time", "maxLength" = 64))]
    pub last_transition_time: String,
    /// Why, in one word.
    #[schemars(length(min = 1, max = 64))]
    pub reason: String,
    /// For people.
    #[schemars(length(max = 4096))]
    pub message: String,
}

/// Whether something is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Truth {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody knows.
    Unknown,
}

/// A run's batches in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BatchCounts {
    /// Batches of this run.
    #[schemars(range(max = 100_000))]
    pub total: u32,
    /// Batches of the job; a run of some of them has fewer.
    #[schemars(range(max = 100_000))]
    pub of_total: u32,
    /// Done.
    #[schemars(range(max = 100_000))]
    pub succeeded: u32,
    /// Failed for good.
    #[schemars(range(max = 100_000))]
    pub failed: u32,
    /// Running now.
    #[schemars(range(max = 100_000))]
    pub running: u32,
    /// Tried already, and waiting for the next try.
    #[schemars(range(max = 100_000))]
    pub waiting: u32,
    /// Not begun.
    #[schemars(range(max = 100_000))]
    pub pending: u32,
}

/// What a run used.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Tokens sent that no cache held.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub input_tokens: u64,
    /// Tokens answered.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub output_tokens: u64,
    /// Tokens read from a cache.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub cache_read_tokens: u64,
    /// Tokens written to a cache.
    #[schemars(range(max = 9_007_199_254_740_991_u64))]
    pub cache_write_tokens: u64,
    /// US dollars, as text so that the amount stays exact: `"12.34"`.
    #[serde(rename = "costUSD", default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub cost_usd: Option<String>,
}
