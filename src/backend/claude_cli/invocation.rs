//! The call: arguments, environment and settings of one attempt.

use std::{borrow::Cow, env, fs, io, path::Path};

use super::{
    settings,
    wallet::{API_KEY, AUTH_TOKEN, CLOUDS},
};
use crate::{
    backend::{Call, Invocation, Session, command},
    job::{
        model::{Auth, ClaudeCli},
        outcome::{Failure, FailureClass},
    },
};

/// What a Claude Code around this Mozart leaves in the environment.
pub(super) const OUTER_SESSION: [&str; 3] = ["CLAUDECODE", "CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SSE_PORT"];

/// Tools that outlive an attempt or leave its folder.
const TOOLS_NOT_FOR_BATCHES: [&str; 11] = [
    "ScheduleWakeup",
    "CronCreate",
    "CronDelete",
    "CronList",
    "EnterWorktree",
    "ExitWorktree",
    "Monitor",
    "SendMessage",
    "ListAgents",
    "RemoteTrigger",
    "Workflow",
];

/// The process of an attempt. Writes `settings.json`, and where the job has them `system-prompt.md` and `mcp.json`, into
/// the attempt's directory; no key is in them nor in the arguments.
///
/// # Errors
/// `job_fatal` without the variable that holds the key, `transient` when a file cannot be written.
pub fn invocation(settings: &ClaudeCli, call: &Call<'_>) -> Result<Invocation, Failure> {
    let mut env_remove: Vec<String> = OUTER_SESSION.map(str::to_owned).to_vec();
    env_remove.extend(
        env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("CLAUDE_CODE_RESUME_")),
    );
    let mut env_copy = Vec::new();
    match (settings.auth, &settings.api_key_env) {
        (Auth::Subscription, _) => {
            env_remove.push(API_KEY.to_owned());
            env_remove.extend(before_api_key());
        }
        (Auth::Auto, None) => {}
        (Auth::ApiKey, None) => named_key(API_KEY, &mut env_copy, &mut env_remove)?,
        (Auth::ApiKey | Auth::Auto, Some(name)) => named_key(name, &mut env_copy, &mut env_remove)?,
    }

    let own = own_variables(settings, call);
    let mut env_set = command::environment(call);
    env_set.extend(own.iter().map(|&name| (name.to_owned(), "1".to_owned())));
    Ok(Invocation {
        program: "claude".to_owned(),
        args: arguments(settings, call, &own)?,
        cwd: settings.working_directory.clone(),
        env_set,
        env_copy,
        env_remove,
    })
}

/// The prompt as Claude Code takes it for text: one that begins with `/` would be a command of its own, which sends
/// nothing and reports success.
pub fn input<'a>(settings: &ClaudeCli, prompt: &'a str) -> Cow<'a, str> {
    if prompt.starts_with('/') && !settings.slash_command {
        Cow::Owned(format!("\n{prompt}"))
    } else {
        Cow::Borrowed(prompt)
    }
}

fn named_key(
    name: &str,
    env_copy: &mut Vec<(String, String)>,
    env_remove: &mut Vec<String>,
) -> Result<(), Failure> {
    if env::var_os(name).is_none_or(|value| value.is_empty()) {
        return Err(Failure::new(
            FailureClass::JobFatal,
            "KeyMissing",
            format!(
                "the environment variable {name} (backend.apiKeyEnv) is not set: export the API key in it"
            ),
        ));
    }
    if name != API_KEY {
        env_copy.push((API_KEY.to_owned(), name.to_owned()));
    }
    env_remove.extend(before_api_key());
    Ok(())
}

/// What would pay instead of the API key that was named.
fn before_api_key() -> impl Iterator<Item = String> {
    [AUTH_TOKEN].into_iter().chain(CLOUDS).map(str::to_owned)
}

/// Variables that are `1` in the environment and, since a user's settings beat the environment, in the settings too.
fn own_variables(settings: &ClaudeCli, call: &Call<'_>) -> Vec<&'static str> {
    let mut names = vec![
        "DISABLE_AUTOUPDATER",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY",
    ];
    if !settings.file_mentions {
        names.push("CLAUDE_CODE_DISABLE_FILE_MENTIONS");
    }
    if !all_tools(settings) {
        names.push("CLAUDE_CODE_DISABLE_BACKGROUND_TASKS");
    }
    if call.budget_micro_usd.is_some() {
        // Each that runs has a request under way when the budget is reached, and may start more of them.
        names.push("CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS");
    }
    names
}

fn all_tools(settings: &ClaudeCli) -> bool {
    settings.tools.as_deref().is_some_and(|tools| tools == ["*"])
}

fn arguments(claude: &ClaudeCli, call: &Call<'_>, own: &[&str]) -> Result<Vec<String>, Failure> {
    let mut args: Vec<String> =
        ["-p", "--output-format", "stream-json", "--verbose"].map(str::to_owned).to_vec();
    // What a sub-agent says passes the loop that looks at the budget: without it a sub-agent spends until it ends.
    args.push("--forward-subagent-text".to_owned());
    let mut option = |name: &str, value: &str| args.extend([name.to_owned(), value.to_owned()]);
    match call.session {
        Session::New(id) => option("--session-id", &id.to_string()),
        Session::Continue(id) => option("--resume", &id.to_string()),
    }
    option("--name", &format!("{} {}/{}", call.job.name, call.batch.number, call.job.batches.total()));
    if let Some(model) = &claude.model {
        option("--model", model);
    }
    if let Some(model) = &claude.fallback_model {
        option("--fallback-model", model);
    }
    if let Some(effort) = &claude.effort {
        option("--effort", effort);
    }
    option("--permission-mode", claude.permission_mode.word());
    option("--permission-prompts", "none");
    if claude.working_directory != call.job.workspace.path {
        option("--add-dir", &call.job.workspace.path.display().to_string());
    }
    let merged = settings::merged(claude, own, call.budget_micro_usd.is_some())
        .map_err(|problem| Failure::new(FailureClass::JobFatal, "SettingsRefused", problem))?;
    option("--settings", &write(call.directory, "settings.json", &merged.to_string())?);
    if let Some(text) = &claude.append_system_prompt {
        option("--append-system-prompt-file", &write(call.directory, "system-prompt.md", text)?);
    }
    if let Some(servers) = &claude.mcp_config {
        option("--mcp-config", &write(call.directory, "mcp.json", &servers.to_string())?);
    }

    let mut taken: Vec<&str> = claude.disallowed_tools.iter().map(String::as_str).collect();
    match claude.tools.as_deref() {
        None => taken.extend(TOOLS_NOT_FOR_BATCHES),
        Some(_) if all_tools(claude) => {}
        Some(tools) => option("--tools", &tools.join(",")),
    }
    if !taken.is_empty() {
        option("--disallowedTools", &taken.join(","));
    }
    if !claude.allowed_tools.is_empty() {
        option("--allowedTools", &claude.allowed_tools.join(","));
    }
    if let Some(turns) = claude.max_turns {
        option("--max-turns", &turns.to_string());
    }
    if let Some(budget) = call.budget_micro_usd {
        // Claude Code counts what its process spends, not what the session it continues has cost. Nothing is no budget.
        option("--max-budget-usd", &dollars(budget.max(1)));
    }
    args.push("--strict-mcp-config".to_owned());
    args.push(format!("--setting-sources={}", claude.setting_sources.join(",")));
    args.extend(settings::arguments_without(claude));
    Ok(args)
}

fn dollars(micro_usd: u64) -> String {
    format!("{}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000)
}

/// Writes a file of the attempt's directory and says its path.
fn write(directory: &Path, name: &str, content: &str) -> Result<String, Failure> {
    let path = directory.join(name);
    let failed = |error: io::Error| {
        Failure::new(
            FailureClass::Transient,
            "StateNotWritable",
            format!("{} cannot be written: {error}", path.display()),
        )
    };
    fs::write(&path, content).map_err(failed)?;
    Ok(path.display().to_string())
}
