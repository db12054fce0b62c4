//! Runs: how they are stopped, asked for, kept.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What suspending does to running attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SuspendPolicy {
    /// They finish.
    Drain,
    /// They are ended, and resumed later.
    Terminate,
}

/// Ends one run and no other.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Stop {
    /// The run's number.
    #[schemars(range(min = 1))]
    pub run: u32,
    /// What happens to running attempts. Default `Drain`.
    pub mode: Option<StopMode>,
}

/// What stopping does to running attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StopMode {
    /// They finish.
    Drain,
    /// They are ended.
    Now,
}

/// Asks for another run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rerun {
    /// Any text of yours; a new one asks for a new run.
    #[schemars(length(min = 1, max = 253))]
    pub id: String,
    /// Which batches. Default `Unfinished`.
    pub select: Option<Select>,
    /// With `select: Batches`: which, as `3,7-9`.
    #[schemars(length(min = 1, max = 65_536))]
    pub batches: Option<String>,
}

/// Which batches another run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Select {
    /// Those that did not succeed, also those that never started.
    Unfinished,
    /// Those that failed.
    Failed,
    /// All.
    All,
    /// Those in `batches`.
    Batches,
}

/// Where a batch runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Execution {
    /// In a Pod of its own.
    Pod,
    /// In the operator's process; `anthropic_api` only.
    InProcess,
}

/// Where the answers of API batches are kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Output {
    /// Default `Operator`.
    pub store: Option<OutputStore>,
    /// How long. Default `Job`.
    pub retain: Option<Retain>,
}

/// Where answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OutputStore {
    /// On the operator's volume.
    Operator,
    /// In `ConfigMaps` of the job's namespace.
    ConfigMaps,
    /// Nowhere: the workspace holds the product.
    None,
}

/// How long answers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Retain {
    /// They go with the job.
    Job,
    /// They stay.
    Forever,
}

/// How much of the past is kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct History {
    /// How many runs. Default 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub keep_runs: Option<u32>,
}

/// In what form local state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum StateKind {
    /// An SQLite database.
    Sqlite,
    /// A JSON file a job.
    Json,
}
