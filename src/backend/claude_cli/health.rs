//! Whether Claude Code is there, new enough and logged in: asked without a request to the service.

use std::{env, io, process::Stdio, time::Duration};

use serde::Deserialize;
use tokio::process::Command;

use crate::{
    backend::health::{Health, HealthState},
    job::model::{Auth, ClaudeCli},
};

/// The first version that knows everything Mozart says to it (`CLAUDE_CODE_DISABLE_FILE_MENTIONS` came last).
const OLDEST: [u32; 3] = [2, 1, 299];

/// `claude auth status` answers in 0.2 s; a tool that hangs is as good as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tool, its version, and what would pay.
pub async fn health_check(settings: &ClaudeCli) -> Vec<Health> {
    let version = match run(&["--version"], settings).await {
        Ok(said) => version(&said),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Health::fail(
            "Claude Code",
            "`claude` is not in PATH",
            "install it: npm install -g @anthropic-ai/claude-code",
        ),
        Err(error) => {
            Health::fail("Claude Code", format!("`claude --version` fails: {error}"), "reinstall Claude Code")
        }
    };
    if version.state == HealthState::Fail {
        return vec![version];
    }
    let login = match run(&["auth", "status"], settings).await {
        Ok(said) => login(&said, settings),
        Err(error) => Health::fail(
            "login",
            format!("`claude auth status` fails: {error}"),
            "run it by hand and see what it says",
        ),
    };
    let model = if settings.model.is_some() {
        None
    } else {
        Some(Health::warn(
            "model",
            "none is written: the login decides which one runs",
            "write backend.model",
        ))
    };
    [version, login].into_iter().chain(model).collect()
}

async fn run(args: &[&str], settings: &ClaudeCli) -> io::Result<String> {
    let mut command = Command::new("claude");
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.env("DISABLE_AUTOUPDATER", "1").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    if let Some(name) = settings.api_key_env.as_deref().filter(|_| settings.auth != Auth::Subscription)
        && let Some(key) = env::var_os(name)
    {
        command.env("ANTHROPIC_API_KEY", key);
    }
    if settings.auth == Auth::Subscription {
        command.env_remove("ANTHROPIC_API_KEY").env_remove("ANTHROPIC_AUTH_TOKEN");
    }
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| io::Error::other(format!("no answer in {} s", PATIENCE.as_secs())))??;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn version(text: &str) -> Health {
    let found = text.trim();
    let numbers: Vec<u32> = found
        .split([' ', '-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect();
    let [major, minor, patch] = OLDEST;
    if numbers.len() < 3 {
        let found = format!("`claude --version` says {found:?}");
        Health::fail("Claude Code", found, "is `claude` in PATH another program?")
    } else if numbers < OLDEST.to_vec() {
        let advice = format!("Mozart needs {major}.{minor}.{patch} or newer: `claude update`");
        Health::fail("Claude Code", found, advice)
    } else {
        Health::ok("Claude Code", found)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct AuthStatus {
    #[serde(default)]
    logged_in: bool,
    #[serde(default)]
    auth_method: Option<String>,
    #[serde(default)]
    api_key_source: Option<String>,
    #[serde(default)]
    subscription_type: Option<String>,
}

fn login(text: &str, settings: &ClaudeCli) -> Health {
    let Ok(status) = serde_json::from_str::<AuthStatus>(text) else {
        return Health::warn(
            "login",
            "`claude auth status` says nothing that Mozart can read",
            "run it by hand",
        );
    };
    if !status.logged_in {
        let advice = match settings.auth {
            Auth::ApiKey => "export the key in the variable that backend.apiKeyEnv names",
            Auth::Subscription | Auth::Auto => {
                "run `claude` and `/login`, or name a key with backend.apiKeyEnv"
            }
        };
        return Health::fail("login", "Claude Code is not logged in", advice);
    }
    let method = status.auth_method.as_deref().unwrap_or("unknown");
    let plan = status.subscription_type.map(|plan| format!(" ({plan})")).unwrap_or_default();
    let source = status.api_key_source.map(|source| format!(" from {source}")).unwrap_or_default();
    Health::ok("login", format!("{method}{plan}{source}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_compared_by_its_numbers() {
        let cases = [
            ("2.1.330 (Claude Code)\n", HealthState::Ok),
            ("2.1.299 (Claude Code)", HealthState::Ok),
            ("2.2.0-beta.1 (Claude Code)", HealthState::Ok),
            ("10.0.0", HealthState::Ok),
            ("2.1.298 (Claude Code)", HealthState::Fail),
            ("1.9.400 (Claude Code)", HealthState::Fail),
            ("claude the cat", HealthState::Fail),
            ("", HealthState::Fail),
        ];
        for (text, expected) in cases {
            assert_eq!(version(text).state, expected, "{text:?}");
        }
    }
}
