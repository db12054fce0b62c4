//! Whose limits a job meets: the name of its gate.

use std::env;

use secrecy::SecretString;

use crate::{
    driver::ports::StoreError,
    job::model::{Auth, Backend, ClaudeCli, Job},
    store::{
        gates::{Credential, GateName, gate_key},
        home::Home,
    },
};

/// Model families have limits of their own.
const FAMILIES: [&str; 4] = ["opus", "sonnet", "haiku", "fable"];

/// The gate of the credential and model family that `job` uses.
///
/// # Errors
/// The key of the gates' names can neither be read nor made.
pub fn gate_of(home: &Home, job: &Job) -> Result<GateName, StoreError> {
    let named = |credential: Credential<'_>, shown: String, model: Option<&str>| {
        let family = family(model);
        let key = gate_key(home, credential, family)?;
        Ok(GateName { key, credential: shown, family: family.to_owned() })
    };
    match &job.backend {
        Backend::Command(command) => {
            let program = command.command.first().map_or("", String::as_str);
            named(Credential::Program(program), format!("program {program}"), None)
        }
        Backend::Anthropic(anthropic) => {
            let key = variable(&anthropic.api_key_env).unwrap_or_default();
            let (key, endpoint) = (SecretString::from(key), anthropic.base_url.as_str());
            let shown = format!("API key from {}", anthropic.api_key_env);
            named(Credential::ApiKey { key: &key, endpoint }, shown, Some(&anthropic.model))
        }
        Backend::ClaudeCli(claude) => {
            let model = claude.model.as_deref();
            if let Some((name, key)) = key_of(claude) {
                let (key, endpoint) =
                    (SecretString::from(key), variable("ANTHROPIC_BASE_URL").unwrap_or_default());
                let credential = Credential::ApiKey { key: &key, endpoint: &endpoint };
                return named(credential, format!("API key from {name}"), model);
            }
            let folder = variable("CLAUDE_CONFIG_DIR").or_else(|| variable("HOME")).unwrap_or_default();
            named(Credential::Login(&folder), "claude.ai login".to_owned(), model)
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
