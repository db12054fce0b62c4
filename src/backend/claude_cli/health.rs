//! Whether Claude Code is there, new enough and logged in: asked without a request to the service.

use std::{env, io, process::Stdio, time::Duration};

use tokio::process::Command;

use super::{
    invocation::OUTER_SESSION,
    wallet::{self, API_KEY, AUTH_TOKEN, AuthStatus, CLOUDS, Wallet},
};
use crate::{
    backend::health::{Health, HealthState, Preflight},
    job::model::{Auth, ClaudeCli, PermissionMode},
};

/// What is looked at first.
const TOOL: &str = "Claude Code";

/// The first version that knows everything Mozart says to it (`CLAUDE_CODE_DISABLE_FILE_MENTIONS` came last).
const OLDEST: [u32; 3] = [2, 1, 299];

/// `claude auth status` answers in 0.2 s; a tool that hangs is as good as none.
const PATIENCE: Duration = Duration::from_secs(20);

/// The tool, its version, who pays, where it starts. What the job leaves open is settled in `settings`, so that every
/// attempt is called, and judged, by what was found here.
pub async fn preflight(settings: &mut ClaudeCli) -> Preflight {
    let (version, number) = match run(&["--version"], settings).await {
        Ok(said) => version(&said),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (
            Health::fail(
                TOOL,
                "`claude` is not in PATH",
                "install it: npm install -g @anthropic-ai/claude-code",
            ),
            None,
        ),
        Err(error) => {
            let found = format!("`claude --version` fails: {error}");
            (Health::fail(TOOL, found, "reinstall Claude Code"), None)
        }
    };
    if version.state == HealthState::Fail {
        return Preflight { health: vec![version], billed: None };
    }
    settings.version = number;
    let sources = format!("--setting-sources={}", settings.setting_sources.join(","));
    let status = run(&[&sources, "auth", "status"], settings).await;
    let wallet = status.map_err(|error| failing(&error)).and_then(|said| {
        let status: AuthStatus = serde_json::from_str(&said).map_err(|error| failing(&error))?;
        wallet::settle(settings, &status, is_set)
    });
    let (login, billed) = match wallet {
        Ok(Wallet { auth, api_key_env, shown, billed }) => {
            settings.auth = auth;
            settings.api_key_env = api_key_env;
            (Health::ok("login", shown), billed)
        }
        Err(health) => (health, None),
    };
    let mut health = vec![version, login];
    if settings.model.is_none() {
        let found = "none is written: the login decides which one runs, and what it costs";
        health.push(Health::warn("model", found, "write backend.model"));
    }
    health.extend(root(settings));
    if let Err(problem) = super::settings::merged(settings, &[], false) {
        health.push(Health::fail("settings", problem, "mend backend.extraArgs"));
    }
    Preflight { health, billed }
}

fn failing(error: &dyn std::error::Error) -> Health {
    let found = format!("`claude auth status` fails: {error}");
    Health::fail("login", found, "run it by hand and see what it says")
}

fn is_set(name: &str) -> bool {
    env::var_os(name).is_some_and(|value| !value.is_empty())
}

/// Claude Code refuses to be allowed everything as root, unless it is told that it is in a sandbox.
fn root(settings: &ClaudeCli) -> Option<Health> {
    let everything = settings.permission_mode == PermissionMode::BypassPermissions;
    let refused = everything && nix::unistd::geteuid().is_root() && !is_set("IS_SANDBOX");
    refused.then(|| {
        Health::fail(
            "permissions",
            "Claude Code does not start with bypassPermissions as root",
            "run Mozart as another user, or write backend.permissionMode: acceptEdits; in a container that may be \
             thrown away, export IS_SANDBOX=1",
        )
    })
}

/// What `claude` says, asked without the keys of the environment: what else would pay is seen only so.
async fn run(args: &[&str], settings: &ClaudeCli) -> io::Result<String> {
    let mut command = Command::new("claude");
    command.args(args).stdin(Stdio::null()).stderr(Stdio::null()).kill_on_drop(true);
    command.env("DISABLE_AUTOUPDATER", "1").env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1");
    for name in OUTER_SESSION.into_iter().chain([API_KEY, AUTH_TOKEN]) {
        command.env_remove(name);
    }
    if settings.auth != Auth::Auto || settings.api_key_env.is_some() {
        for name in CLOUDS {
            command.env_remove(name);
        }
    }
    let output = tokio::time::timeout(PATIENCE, command.output())
        .await
        .map_err(|_| io::Error::other(format!("no answer in {} s", PATIENCE.as_secs())))??;
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What is said of a version, and the version itself if it can be used.
fn version(text: &str) -> (Health, Option<String>) {
    let number = text.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<u32> = number
        .split(['-', '+'])
        .next()
        .unwrap_or_default()
        .split('.')
        .map_while(|number| number.parse().ok())
        .collect();
    let [major, minor, patch] = OLDEST;
    if numbers.len() < 3 {
        let found = format!("`claude --version` says {:?}", text.trim());
        (Health::fail(TOOL, found, "is `claude` in PATH another program?"), None)
    } else if numbers < OLDEST.to_vec() {
        let advice = format!("Mozart needs {major}.{minor}.{patch} or newer: `claude update`");
        (Health::fail(TOOL, number, advice), None)
    } else {
        (Health::ok(TOOL, number), Some(number.to_owned()))
    }
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
            assert_eq!(version(text).0.state, expected, "{text:?}");
        }
    }
}
