//! What runs a batch.

use super::{context::Context, is_plain};
use crate::{
    api::{
        self,
        backend::BackendType::{self, AnthropicApi, ClaudeCli, Command},
    },
    job::model::{self, Auth, PermissionMode, Workspace},
};

/// Which backends use a field of `backend`; the others refuse it.
pub const BACKEND_FIELDS: &[(&str, &[BackendType])] = &[
    ("model", &[ClaudeCli, AnthropicApi]),
    ("auth", &[ClaudeCli]),
    ("apiKeyEnv", &[ClaudeCli, AnthropicApi]),
    ("credential", &[ClaudeCli, AnthropicApi]),
    ("permissionMode", &[ClaudeCli]),
    ("workingDirectory", &[ClaudeCli, Command]),
    ("allowedTools", &[ClaudeCli]),
    ("disallowedTools", &[ClaudeCli]),
    ("tools", &[ClaudeCli]),
    ("maxTurns", &[ClaudeCli]),
    ("effort", &[ClaudeCli]),
    ("fallbackModel", &[ClaudeCli]),
    ("appendSystemPrompt", &[ClaudeCli]),
    ("mcpConfig", &[ClaudeCli]),
    ("settingSources", &[ClaudeCli]),
    ("hooks", &[ClaudeCli]),
    ("fileMentions", &[ClaudeCli]),
    ("slashCommand", &[ClaudeCli]),
    ("extraArgs", &[ClaudeCli]),
    ("maxTokens", &[AnthropicApi]),
    ("system", &[AnthropicApi]),
    ("temperature", &[AnthropicApi]),
    ("baseUrl", &[AnthropicApi]),
    ("command", &[Command]),
];

/// Arguments of Claude Code that would fight Mozart's own, and what to write instead.
const REFUSED: &[(&[&str], &str)] = &[
    (
        &[
            "-p",
            "--print",
            "--output-format",
            "--input-format",
            "--verbose",
            "--include-partial-messages",
            "--replay-user-messages",
            "--json-schema",
        ],
        "Mozart reads Claude Code's output itself",
    ),
    (
        &[
            "--session-id",
            "-r",
            "--resume",
            "-c",
            "--continue",
            "--fork-session",
            "--no-session-persistence",
            "--from-pr",
            "--teleport",
        ],
        "sessions are Mozart's: see retry.session",
    ),
    (&["-n", "--name"], "Mozart names the sessions"),
    (&["--model"], "write backend.model"),
    (
        &[
            "--permission-mode",
            "--dangerously-skip-permissions",
            "--allow-dangerously-skip-permissions",
            "--permission-prompts",
            "--permission-prompt-tool",
        ],
        "write backend.permissionMode",
    ),
    (&["--allowedTools", "--allowed-tools"], "write backend.allowedTools"),
    (&["--disallowedTools", "--disallowed-tools"], "write backend.disallowedTools"),
    (&["--tools"], "write backend.tools"),
    (&["--max-turns"], "write backend.maxTurns"),
    (&["--max-budget-usd"], "write budget.perAttemptUSD"),
    (&["--append-system-prompt", "--append-system-prompt-file"], "write backend.appendSystemPrompt"),
    (&["--setting-sources"], "write backend.settingSources"),
    (&["--strict-mcp-config"], "Mozart passes it always; servers go under backend.mcpConfig"),
    (
        &["-w", "--worktree", "--tmux", "--bg", "--background", "--ide"],
        "batches run in the working directory and in the foreground",
    ),
    (
        &["-h", "--help", "-v", "--version", "--init-only", "--maintenance"],
        "it would answer that instead of the prompt",
    ),
];

pub fn backend(
    api: Option<&api::backend::Backend>,
    workspace: &Workspace,
    context: &mut Context<'_>,
) -> Option<model::Backend> {
    let default = api::backend::Backend::default();
    let api = api.unwrap_or(&default);
    let kind = api.kind.unwrap_or_default();
    foreign_fields(kind, context);
    let working_directory = match &api.working_directory {
        Some(path) => context.resolve(path),
        None => workspace.path.clone(),
    };
    match kind {
        ClaudeCli => Some(model::Backend::ClaudeCli(Box::new(claude(api, working_directory, context)))),
        AnthropicApi => anthropic(api, context).map(|api| model::Backend::Anthropic(Box::new(api))),
        Command => match api.command.as_deref() {
            Some([program, ..]) if !program.trim().is_empty() => {
                let command = api.command.clone().unwrap_or_default();
                Some(model::Backend::Command(model::Command { command, working_directory }))
            }
            _ => {
                let message = format!("`{}` lacks the program to run", context.name("backend.command"));
                context.error("backend.command", message, "add `command: [program, argument]`");
                None
            }
        },
    }
}

fn foreign_fields(kind: BackendType, context: &mut Context<'_>) {
    for (field, kinds) in BACKEND_FIELDS {
        let path = format!("backend.{field}");
        if kinds.contains(&kind) || !context.has(&path) {
            continue;
        }
        let of: Vec<&str> = kinds.iter().map(|kind| kind.word()).collect();
        let (of, is) = (of.join(" and "), kind.word());
        let message = format!("`{}` is of {of}, and the backend is {is}", context.name(&path));
        // The original had one settings block for every backend, so its files carry fields that never acted.
        if is_plain(context) && matches!(*field, "model" | "maxTokens" | "temperature" | "apiKeyEnv") {
            context.warning(&path, format!("{message}: it does nothing"), "take it out");
        } else {
            context.error(&path, message, format!("take it out, or write `type: {}`", kinds[0].word()));
        }
    }
}

fn claude(
    api: &api::backend::Backend,
    working_directory: std::path::PathBuf,
    context: &mut Context<'_>,
) -> model::ClaudeCli {
    use api::backend::{Effort, SettingSource};
    if api.model.is_none() {
        context.warning(
            "backend",
            "no model is named: which one runs, and what it costs, depends on the account and its settings",
            "add `model: …` under backend",
        );
    }
    let auth = match api.auth {
        Some(api::backend::Auth::Subscription) => Auth::Subscription,
        Some(api::backend::Auth::ApiKey) => Auth::ApiKey,
        Some(api::backend::Auth::Auto) | None => Auth::Auto,
    };
    if auth == Auth::ApiKey && api.api_key_env.is_none() {
        let message =
            format!("`{}` is APIKey, and no variable is named that holds it", context.name("backend.auth"));
        let help = format!("add `{}: ANTHROPIC_API_KEY`", context.spell("apiKeyEnv"));
        context.error("backend.auth", message, help);
    }
    if auth == Auth::Subscription && api.api_key_env.is_some() {
        let message =
            format!("`{}` names a key, and `auth` is Subscription", context.name("backend.apiKeyEnv"));
        context.error("backend.apiKeyEnv", message, "two ways to pay: keep one");
    }
    let extra_args = api.extra_args.clone().unwrap_or_default();
    for (index, argument) in extra_args.iter().enumerate() {
        let flag = argument.split('=').next().unwrap_or_default();
        if let Some((_, help)) = REFUSED.iter().find(|(flags, _)| flags.contains(&flag)) {
            let path = format!("backend.extraArgs.{index}");
            context.error(
                &path,
                format!("`{flag}` may not be passed on: it fights Mozart's own arguments"),
                *help,
            );
        }
    }
    model::ClaudeCli {
        model: api.model.clone(),
        auth,
        api_key_env: api.api_key_env.clone(),
        permission_mode: permission_mode(api.permission_mode),
        working_directory,
        allowed_tools: api.allowed_tools.clone().unwrap_or_default(),
        disallowed_tools: api.disallowed_tools.clone().unwrap_or_default(),
        tools: api.tools.clone(),
        max_turns: api.max_turns,
        effort: api.effort.map(|effort| Effort::word(effort).to_owned()),
        fallback_model: api.fallback_model.clone(),
        append_system_prompt: api.append_system_prompt.clone(),
        mcp_config: api.mcp_config.as_ref().map(|map| map.clone().into_iter().collect()),
        setting_sources: api
            .setting_sources
            .iter()
            .flatten()
            .map(|source| SettingSource::word(*source).to_owned())
            .collect(),
        hooks: api.hooks.unwrap_or(false),
        file_mentions: api.file_mentions.unwrap_or(false),
        slash_command: api.slash_command.unwrap_or(false),
        extra_args,
        version: None,
    }
}

fn permission_mode(api: Option<api::backend::PermissionMode>) -> PermissionMode {
    use api::backend::PermissionMode as Api;
    match api {
        Some(Api::AcceptEdits) | None => PermissionMode::AcceptEdits,
        Some(Api::Auto) => PermissionMode::Auto,
        Some(Api::BypassPermissions) => PermissionMode::BypassPermissions,
        Some(Api::Manual) => PermissionMode::Manual,
        Some(Api::DontAsk) => PermissionMode::DontAsk,
        Some(Api::Plan) => PermissionMode::Plan,
    }
}

fn anthropic(api: &api::backend::Backend, context: &mut Context<'_>) -> Option<model::Anthropic> {
    if api.temperature.is_some() {
        let message =
            format!("`{}` is sent, and current models refuse it", context.name("backend.temperature"));
        context.warning("backend.temperature", message, "take it out, unless the model is known to take it");
    }
    let url = api.base_url.as_deref().unwrap_or("https://api.anthropic.com");
    let base_url = super::notify::http_url(url, "backend.baseUrl", context);
    let Some(model) = api.model.clone() else {
        context.error("backend", "anthropic_api needs a model", "add `model: …` under backend");
        return None;
    };
    Some(model::Anthropic {
        model,
        api_key_env: api.api_key_env.clone().unwrap_or_else(|| "ANTHROPIC_API_KEY".to_owned()),
        max_tokens: api.max_tokens.unwrap_or(8192),
        system: api.system.clone(),
        temperature: api.temperature,
        base_url: base_url?,
    })
}
