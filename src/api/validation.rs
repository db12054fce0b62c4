//! What must be true after an attempt.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One thing that must be true after an attempt. Which fields may be written depends on `type`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Validation {
    /// What is looked at.
    #[serde(rename = "type")]
    pub kind: ValidationType,
    /// A file in the workspace: `{workspace}/batch{batch_num}.md`. Names in braces are `workspace`, `batch_num`, `total_batches`, `start_item`, `end_item`, `job_name`.
    #[schemars(length(min = 1, max = 4096))]
    pub path: Option<String>,
    /// Literal text, or a regular expression (Rust's, linear time) for the types that end in `_regex`.
    #[schemars(length(min = 1, max = 65_536))]
    pub pattern: Option<String>,
    /// What bash runs, with pipefail. The names in braces are replaced, quoted for the shell, and are in the environment as `MOZART_…`.
    #[schemars(length(min = 1, max = 65_536))]
    pub command: Option<String>,
    /// `command_succeeds`: where it runs, relative to the job file. Default: the workspace.
    #[schemars(length(min = 1, max = 4096))]
    pub working_directory: Option<String>,
    /// `command_succeeds`: when it is ended, in seconds. Default 600.
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: Option<u32>,
    /// `file_exists`: whether a file counts that was there before the batch began. Default false.
    pub allow_existing: Option<bool>,
    /// What it means, for people and for the retry's prompt.
    #[schemars(length(min = 1, max = 4096))]
    pub description: Option<String>,
}

/// What a validation looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ValidationType {
    /// The file is there, and new or changed since the batch began.
    FileExists,
    /// The file's content changed since the batch began, or it was made.
    FileModified,
    /// The file holds the text.
    ContentContains,
    /// The file matches.
    ContentRegex,
    /// The command ends with 0.
    CommandSucceeds,
    /// The answer holds the text.
    OutputContains,
    /// The answer matches.
    OutputRegex,
}
