//! What users write: the `MozartJob` manifest. Its prose becomes the descriptions of the published schema.
//!
//! No behaviour lives here. Every field that may be left out is an `Option`: what it then means is decided where the
//! job is validated, since some defaults depend on the mode and on the form of the file.

pub mod backend;
pub mod batch;
pub mod credential;
pub mod notification;
pub mod pod;
pub mod prompt;
pub mod retry;
pub mod run;
pub mod status;
pub mod validation;
pub mod workspace;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    backend::{Backend, Budget},
    batch::Batch,
    notification::Notification,
    pod::Pod,
    prompt::Prompt,
    retry::{RateLimit, Retry},
    run::{Execution, History, Output, Rerun, StateKind, Stop, SuspendPolicy},
    validation::Validation,
    workspace::Workspace,
};

/// The value of `apiVersion`.
pub const API_VERSION: &str = "mozart.dev/v1alpha1";

/// The value of `kind`.
pub const KIND: &str = "MozartJob";

/// A long list of work that goes through Claude, a batch at a time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MozartJob {
    /// Always `mozart.dev/v1alpha1`.
    pub api_version: ApiVersion,
    /// Always `MozartJob`.
    pub kind: Kind,
    /// Its name, and labels and annotations of your own.
    pub metadata: Metadata,
    /// What is to be done.
    pub spec: MozartJobSpec,
}

/// The version of this format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ApiVersion {
    /// The first version.
    #[serde(rename = "mozart.dev/v1alpha1")]
    V1Alpha1,
}

/// The kind of this document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Kind {
    /// A job.
    MozartJob,
}

/// Its name, and labels and annotations of your own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The job's name: a DNS label of at most 52 characters (a-z, 0-9 and -). Locally it also names its state.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Cluster: the namespace.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Cluster: labels.
    #[schemars(extend("maxProperties" = 64))]
    pub labels: Option<BTreeMap<String, String>>,
    /// Cluster: annotations.
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// What is to be done, by what, and how.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MozartJobSpec {
    /// What the job is for, for people.
    #[schemars(length(max = 4096))]
    pub description: Option<String>,
    /// Cluster: the operator that runs this job; cannot be changed. Default `mozart.dev/operator`.
    #[schemars(length(min = 1, max = 253))]
    pub managed_by: Option<String>,
    /// Whether the job is suspended: no new attempt starts, running ones finish. Default false.
    pub suspend: Option<bool>,
    /// Cluster: what suspending does to running attempts. Default `Drain`.
    pub suspend_policy: Option<SuspendPolicy>,
    /// Cluster: ends one run and no other. Locally: `mozart stop`.
    pub stop: Option<Stop>,
    /// Cluster: asks for another run. Locally: `mozart run --rerun`.
    pub rerun: Option<Rerun>,
    /// The folder that batches read and write. Locally the default is `./workspace` beside the job file.
    pub workspace: Option<Workspace>,
    /// What runs a batch. Default: Claude Code.
    pub backend: Option<Backend>,
    /// What may be spent. No default.
    pub budget: Option<Budget>,
    /// Cluster: where a batch runs. Default `Pod` for `claude_cli` and `command`, `InProcess` for `anthropic_api`.
    pub execution: Option<Execution>,
    /// Cluster: where the answers of API batches are kept.
    pub output: Option<Output>,
    /// Cluster: the Pod of a batch.
    pub pod: Option<Pod>,
    /// The items, and how they are cut into batches.
    pub batch: Batch,
    /// What Claude is asked.
    pub prompt: Prompt,
    /// What follows a failure.
    pub retry: Option<Retry>,
    /// What follows a limit of the account.
    pub rate_limit: Option<RateLimit>,
    /// What must be true after an attempt; all of it, or the attempt has failed.
    #[schemars(length(max = 64))]
    pub validations: Option<Vec<Validation>>,
    /// Who is told what.
    #[schemars(length(max = 16))]
    pub notifications: Option<Vec<Notification>>,
    /// The longest a run may take, in seconds; suspended time does not count. No default.
    #[schemars(range(min = 1, max = 31_536_000))]
    pub active_deadline_seconds: Option<u32>,
    /// How long a finished run is kept, in seconds; the last run of a job stays. No default: it is kept.
    #[schemars(range(max = 315_360_000))]
    pub ttl_seconds_after_finished: Option<u32>,
    /// How much of the past is kept.
    pub history: Option<History>,
    /// Local: in what form state is kept. Default `sqlite`.
    pub state_backend: Option<StateKind>,
    /// Local: the file (`sqlite`) or folder (`json`) that state is kept in, instead of the user's state folder.
    #[schemars(length(min = 1, max = 4096))]
    pub state_path: Option<String>,
}
