//! Whose limits a job meets: the name of its gate.

use std::{
    env, fs,
    io::{self, Write as _},
    path::Path,
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    driver::ports::StoreError,
    job::model::{Auth, Backend, ClaudeCli, Job},
    launch::sessions::SessionFolder,
    store::{
        gates::{Credential, GateName, gate_key},
        home::Home,
    },
};

/// So many sessions of Claude Code run at once on one credential, over every Mozart of the user.
const MAX_SESSIONS: u32 = 4;

/// The file in a run's folder that says whose limits it meets.
const REMEMBERED: &str = "credential.json";

/// Model families have limits of their own.
const FAMILIES: [&str; 4] = ["opus", "sonnet", "haiku", "fable"];

/// What bounds a run beside its own job file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Meets {
    /// Whose limits it meets.
    pub gate: GateName,
    /// The sessions that it shares, where they are bounded.
    pub sessions: Option<SessionFolder>,
}

/// The gate of the credential and model family that `job` uses.
///
/// # Errors
/// The key of the gates' names can neither be read nor made.
pub fn gate_of(home: &Home, job: &Job) -> Result<GateName, StoreError> {
    let model = match &job.backend {
        Backend::Command(_) => None,
        Backend::Anthropic(anthropic) => Some(anthropic.model.as_str()),
        Backend::ClaudeCli(claude) => claude.model.as_deref(),
    };
    name_of(home, job, family(model))
}

/// What bounds the sessions of the credential that `job` uses: `asked`, else 4 for sessions of Claude Code, which each
/// are a program of hundreds of megabytes. A credential has one bound for all its model families.
///
/// # Errors
/// The key of the gates' names can neither be read nor made.
pub fn sessions_of(home: &Home, job: &Job, asked: Option<u32>) -> Result<Option<SessionFolder>, StoreError> {
    let cap = asked.or(matches!(job.backend, Backend::ClaudeCli(_)).then_some(MAX_SESSIONS));
    let Some(cap) = cap else { return Ok(None) };
    let GateName { key, .. } = name_of(home, job, "sessions")?;
    Ok(Some(SessionFolder::new(home.sessions().join(key), cap)))
}

/// Keeps with a run what bounds it, for who looks at it from outside.
///
/// # Errors
/// The file cannot be written.
pub fn remember(run_folder: &Path, meets: &Meets) -> io::Result<()> {
    let text = serde_json::to_vec(meets)?;
    fs::create_dir_all(run_folder)?;
    let mut file = tempfile::NamedTempFile::new_in(run_folder)?;
    file.write_all(&text)?;
    file.persist(run_folder.join(REMEMBERED))?;
    Ok(())
}

/// What bounds a run, if it was kept.
pub fn remembered(run_folder: &Path) -> Option<Meets> {
    serde_json::from_slice(&fs::read(run_folder.join(REMEMBERED)).ok()?).ok()
}

fn name_of(home: &Home, job: &Job, family: &str) -> Result<GateName, StoreError> {
    let named = |credential: Credential<'_>, shown: String| {
        let key = gate_key(home, credential, family)?;
        Ok(GateName { key, credential: shown, family: family.to_owned() })
    };
    match &job.backend {
        Backend::Command(command) => {
            let program = command.command.first().map_or("", String::as_str);
            named(Credential::Program(program), format!("program {program}"))
        }
        Backend::Anthropic(anthropic) => {
            let key = variable(&anthropic.api_key_env).unwrap_or_default();
            let (key, endpoint) = (SecretString::from(key), anthropic.base_url.as_str());
            let shown = format!("API key from {}", anthropic.api_key_env);
            named(Credential::ApiKey { key: &key, endpoint }, shown)
        }
        Backend::ClaudeCli(claude) => {
            if let Some((name, key)) = key_of(claude) {
                let (key, endpoint) =
                    (SecretString::from(key), variable("ANTHROPIC_BASE_URL").unwrap_or_default());
                let credential = Credential::ApiKey { key: &key, endpoint: &endpoint };
                return named(credential, format!("API key from {name}"));
            }
            let folder = variable("CLAUDE_CONFIG_DIR").or_else(|| variable("HOME")).unwrap_or_default();
            named(Credential::Login(&folder), "claude.ai login".to_owned())
        }
    }
}

/// The variable and the key that Claude Code will pay with, if it is a key.
fn key_of(claude: &ClaudeCli) -> Option<(&str, String)> {
    let name = match (claude.auth, claude.api_key_env.as_deref()) {
        (Auth::Subscription, _) => return None,
        (_, Some(name)) => name,
        (Auth::Auto | Auth::ApiKey, None) => "ANTHROPIC_API_KEY",
    };
    Some((name, variable(name)?))
}

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn family(model: Option<&str>) -> &'static str {
    let model = model.unwrap_or_default();
    FAMILIES.into_iter().find(|family| model.contains(family)).unwrap_or("any")
}
