//! What an attempt that runs elsewhere is told: one text, as the argument of `mozart attempt --pod`.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::{identity::RunId, start::Start};

/// Everything that is not in the plan. Nothing of it is secret: it can be read in the Pod's spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RemoteCall {
    /// The run.
    pub run: RunId,
    /// What the engine said.
    pub start: Start,
    /// The hash of the run's plan.
    pub plan_hash: String,
    /// The files that are the plan, in order.
    pub plan: Vec<PathBuf>,
    /// Where the batch reads and writes.
    pub workspace: PathBuf,
    /// A folder of this attempt alone: its files, the home folder of its programs.
    pub folder: PathBuf,
    /// Where its outcome is written, by [`super::message`].
    pub message: PathBuf,
    /// The environment variables whose values are shown nowhere.
    pub secrets: Vec<String>,
}
