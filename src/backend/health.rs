//! What `mozart doctor` shows of a backend: found without spending tokens.

use serde::Serialize;

use crate::job::model::{Backend, Job};

/// What was found before the first batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preflight {
    /// One entry for each thing looked at.
    pub health: Vec<Health>,
    /// What is billed by use, such as the variable that holds an API key; `None` for a subscription and for programs.
    pub billed: Option<String>,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// What was looked at: `Claude Code`, `login`, `model`.
    pub name: String,
    /// Whether a run can start on it.
    pub state: HealthState,
    /// What was found.
    pub found: String,
    /// What to do about it, unless it is fine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// Whether a run can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It can.
    Ok,
    /// It can, but a person should know.
    Warn,
    /// It cannot.
    Fail,
}

impl Health {
    /// Fine.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), state: HealthState::Ok, found: found.into(), advice: None }
    }

    /// Fine, but a person should know.
    pub fn warn(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), state: HealthState::Warn, found: found.into(), advice: Some(advice.into()) }
    }

    /// A run cannot start.
    pub fn fail(name: impl Into<String>, found: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), state: HealthState::Fail, found: found.into(), advice: Some(advice.into()) }
    }
}

/// Whether the program of a batch has where to start. A batch that is to look at a repository, and starts in an empty
/// folder, finds none.
pub(super) fn working_directory(job: &Job) -> Option<Health> {
    let (folder, is_claude) = match &job.backend {
        Backend::ClaudeCli(claude) => (&claude.working_directory, true),
        Backend::Command(command) => (&command.working_directory, false),
        Backend::Anthropic(_) => return None,
    };
    let name = "working directory";
    let shown = folder.display();
    // The workspace is made when the run starts.
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries.flatten().filter(|entry| entry.file_name() != ".mozart").count(),
        Err(_) if *folder == job.workspace.path => 0,
        Err(error) => {
            return Some(Health::fail(name, format!("{shown}: {error}"), "mend backend.workingDirectory"));
        }
    };
    (is_claude && entries == 0).then(|| {
        Health::warn(
            name,
            format!("{shown} is empty, and Claude starts in it"),
            "if it is to look at a repository, write backend.workingDirectory",
        )
    })
}
