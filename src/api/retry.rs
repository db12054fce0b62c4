//! What follows a failure, and what follows a limit.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What follows a failure.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Retry {
    /// Tries beyond the first; only transient and validation failures count. Default 3.
    #[schemars(range(max = 100))]
    pub max_retries: Option<u32>,
    /// The first delay in seconds; fractions are allowed. Default 10.
    #[schemars(range(min = 0, max = 86_400))]
    pub base_delay_seconds: Option<f64>,
    /// Each further delay is this many times as long. Default 2.
    #[schemars(range(min = 1, max = 10))]
    pub exponential_base: Option<f64>,
    /// No delay is longer, in seconds. Default 3600.
    #[schemars(range(min = 0, max = 86_400))]
    pub max_delay_seconds: Option<f64>,
    /// Whether delays are spread by chance. Default true.
    pub jitter: Option<bool>,
    /// What a batch that failed for good does to the run, which ends failed either way. Default `Continue`.
    pub on_exhausted: Option<OnExhausted>,
    /// So many batches in a row that failed for one reason end the run; 0 never does. Default 3.
    #[schemars(range(max = 100_000))]
    pub max_failed_in_a_row: Option<u32>,
    /// `claude_cli`: whether a retry goes on in the session of the attempt before. Default `Resume`.
    pub session: Option<Session>,
}

/// What a batch that failed for good does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnExhausted {
    /// The other batches go on.
    Continue,
    /// Nothing new starts.
    FailJob,
}

/// Whether a retry goes on in the session of the attempt before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Session {
    /// It does, but for every third retry and where a new one is needed.
    Resume,
    /// It never does.
    Fresh,
}

/// What follows a limit of the account.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RateLimit {
    /// Regular expressions (any case) that mean a limit, looked for only in texts that may be trusted: error results and stderr. Default: the messages that are known of the tool.
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024)))]
    pub patterns: Option<Vec<String>>,
    /// How long to wait, in seconds, after a trusted text that names no reset. Default 3600.
    #[schemars(range(min = 1, max = 691_200))]
    pub wait_seconds: Option<u32>,
    /// What success on extra usage does. Default `Wait`.
    pub on_overage: Option<OnOverage>,
    /// The share of a window that is left for you: 0.1 waits at 90 %. Default 0.
    #[schemars(range(min = 0, max = 1))]
    pub leave: Option<f64>,
    /// Local: a longer wait, in seconds, suspends the run. Default 43200.
    #[schemars(range(max = 691_200))]
    pub max_wait_seconds: Option<u32>,
    /// When to give up, in seconds since the credential's last accepted request. Default 604800.
    #[schemars(range(min = 1, max = 31_536_000))]
    pub give_up_after_seconds: Option<u32>,
    /// So many waits without one accepted request between them end the run. No default.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_waits: Option<u32>,
}

/// What success on extra usage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnOverage {
    /// Waits until the window resets.
    Wait,
    /// Goes on, and says so.
    Spend,
}
