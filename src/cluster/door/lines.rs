//! The lines that the door answers with: a JSON object each, in the order in which they are asked for again.

use serde::{Deserialize, Serialize};

pub use crate::dashboard::OutputLine;
use crate::{
    job::finding::Finding,
    store::record::{AttemptRecord, BatchRecord, RunRecord},
};

/// What an attempt wrote. Go on after `batch` and `ordinal`, as `12.1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogLine {
    /// The attempt.
    #[serde(flatten)]
    pub attempt: AttemptRecord,
    /// Standard output; `None` where it is not kept.
    pub stdout: Option<String>,
    /// Standard error; `None` where it is not kept.
    pub stderr: Option<String>,
    /// What its validations found; nothing where none were looked at, or that is not kept.
    #[serde(default)]
    pub findings: Vec<Finding>,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunLine {
    /// The run.
    #[serde(flatten)]
    pub run: RunRecord,
    /// How many saves of it history has missed: what they told of batches is not there.
    #[serde(default)]
    pub missed_saves: u64,
}

/// A line after which one can go on.
pub trait Placed {
    /// What is written as `after`.
    fn place(&self) -> String;
}

impl Placed for OutputLine {
    fn place(&self) -> String {
        self.batch.to_string()
    }
}

impl Placed for LogLine {
    fn place(&self) -> String {
        format!("{}.{}", self.attempt.batch, self.attempt.ordinal)
    }
}

impl Placed for RunLine {
    fn place(&self) -> String {
        self.run.run.to_string()
    }
}

impl Placed for BatchRecord {
    fn place(&self) -> String {
        self.batch.to_string()
    }
}
