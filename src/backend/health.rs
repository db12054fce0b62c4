//! What `mozart doctor` shows of a backend: found without spending tokens.

use serde::Serialize;

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
