//! What a validation of an attempt found.

use serde::{Deserialize, Serialize};

use super::model::Validation;

/// What one validation found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// The validation's type in the job file: `file_exists`, …
    #[serde(rename = "type")]
    pub kind: String,
    /// The path that was looked at, relative to the workspace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The command that was run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The author's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Whether it passed.
    pub passed: bool,
    /// What should have been.
    pub expected: String,
    /// What was found; at most 2 KiB. It may hold text that a model wrote.
    pub actual: String,
}

impl Finding {
    /// That of a validation whose path and command are as written, and which did not pass.
    pub fn failed(validation: &Validation, expected: impl Into<String>, actual: impl Into<String>) -> Self {
        let Validation { check, description } = validation;
        Self {
            kind: check.kind().to_owned(),
            path: check.path().map(str::to_owned),
            command: check.command().map(str::to_owned),
            description: description.clone(),
            passed: false,
            expected: expected.into(),
            actual: actual.into(),
        }
    }

    /// What was looked at: a path, a command, or the answer.
    pub fn subject(&self) -> &str {
        self.path.as_deref().or(self.command.as_deref()).unwrap_or("the answer")
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        let actual = self.actual.lines().next_back().unwrap_or_default();
        format!("{}: expected {}, found {actual}", self.subject(), self.expected)
    }
}
