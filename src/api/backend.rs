//! What runs a batch, and what it may cost.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs a batch. Which fields may be written depends on `type`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Backend {
    /// Default `claude_cli`.
    #[serde(rename = "type")]
    pub kind: Option<BackendType>,
    /// The model. `anthropic_api` needs one; without one Claude Code takes what the account and its settings say.
    #[schemars(length(min = 1, max = 256))]
    pub model: Option<String>,
    /// Local, `claude_cli`: how to pay. Default `Auto`.
    pub auth: Option<Auth>,
    /// Local: the environment variable that holds the API key. Default for `anthropic_api`: `ANTHROPIC_API_KEY`.
    #[schemars(length(min = 1, max = 256))]
    pub api_key_env: Option<String>,
    /// Cluster: a `MozartCredential` of the namespace. Default `default`.
    #[schemars(length(min = 1, max = 253))]
    pub credential: Option<String>,
    /// The running time of one attempt in seconds; time asleep does not count. Default 1800.
    #[schemars(range(min = 1, max = 604_800))]
    pub timeout_seconds: Option<u32>,
    /// `claude_cli`: what may be done without asking. Default `acceptEdits` locally, `bypassPermissions` in Pods.
    pub permission_mode: Option<PermissionMode>,
    /// `claude_cli`, `command`: where it runs, relative to the job file. Default: the workspace.
    #[schemars(length(min = 1, max = 4096))]
    pub working_directory: Option<String>,
    /// `claude_cli`: tools that are approved beforehand. Not a whitelist: `tools` is.
    #[schemars(length(max = 256), inner(length(min = 1, max = 1024)))]
    pub allowed_tools: Option<Vec<String>>,
    /// `claude_cli`: tools that are taken away.
    #[schemars(length(max = 256), inner(length(min = 1, max = 1024)))]
    pub disallowed_tools: Option<Vec<String>>,
    /// `claude_cli`: the tools there are. Default: all but schedulers, worktrees and background work; `["*"]` gives everything.
    #[schemars(length(min = 1, max = 256), inner(length(min = 1, max = 1024)))]
    pub tools: Option<Vec<String>>,
    /// `claude_cli`: the most turns of one attempt. No default.
    #[schemars(range(min = 1, max = 100_000))]
    pub max_turns: Option<u32>,
    /// `claude_cli`: how hard it thinks. No default.
    pub effort: Option<Effort>,
    /// `claude_cli`: the model while the first is overloaded. No default.
    #[schemars(length(min = 1, max = 256))]
    pub fallback_model: Option<String>,
    /// `claude_cli`: added to the system prompt.
    #[schemars(length(min = 1, max = 262_144))]
    pub append_system_prompt: Option<String>,
    /// `claude_cli`: MCP servers, in Claude Code's own form (`mcpServers: …`). Default: none.
    pub mcp_config: Option<BTreeMap<String, serde_json::Value>>,
    /// `claude_cli`: whose settings are read. Default none, which is the same everywhere.
    #[schemars(length(max = 3))]
    pub setting_sources: Option<Vec<SettingSource>>,
    /// `claude_cli`: whether hooks of those settings run. Default false.
    pub hooks: Option<bool>,
    /// `claude_cli`: whether `@path` in a prompt reads that file, wherever it is. Default false.
    pub file_mentions: Option<bool>,
    /// `claude_cli`: whether a prompt that begins with `/` is a command of the tool. Default false: it is text.
    pub slash_command: Option<bool>,
    /// `claude_cli`: further arguments; those that would fight Mozart's own are refused by name.
    #[schemars(length(max = 128), inner(length(max = 65_536)))]
    pub extra_args: Option<Vec<String>>,
    /// `anthropic_api`: the most tokens of an answer. Default 8192.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_tokens: Option<u32>,
    /// `anthropic_api`: the system prompt.
    #[schemars(length(min = 1, max = 1_048_576))]
    pub system: Option<String>,
    /// `anthropic_api`: never sent unless written; current models refuse it.
    #[schemars(range(min = 0, max = 2))]
    pub temperature: Option<f64>,
    /// Local, `anthropic_api`: where the API is. Default `https://api.anthropic.com`.
    #[schemars(length(min = 1, max = 2048))]
    pub base_url: Option<String>,
    /// `command`: the program and its arguments. The prompt comes on stdin, stdout is the answer; exit 0 is success, 75 a throttle, 78 ends the job.
    #[schemars(length(min = 1, max = 256), inner(length(max = 65_536)))]
    pub command: Option<Vec<String>>,
}

/// What runs a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackendType {
    /// Claude Code, the command line tool.
    #[default]
    ClaudeCli,
    /// The Messages API.
    AnthropicApi,
    /// Any program.
    Command,
}

impl BackendType {
    /// The word that a job file has for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ClaudeCli => "claude_cli",
            Self::AnthropicApi => "anthropic_api",
            Self::Command => "command",
        }
    }
}

/// How to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Auth {
    /// The login if there is one and no key is named. Both, and nothing written, is refused.
    Auto,
    /// The claude.ai login.
    Subscription,
    /// The key in `apiKeyEnv`.
    #[serde(rename = "APIKey")]
    ApiKey,
}

/// What may be done without asking, in Claude Code's own words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum PermissionMode {
    /// Edits in the workspace.
    AcceptEdits,
    /// The tool decides.
    Auto,
    /// Everything; refused as root.
    BypassPermissions,
    /// Nothing that needs a question.
    Manual,
    /// The same, without asking.
    DontAsk,
    /// Plans only.
    Plan,
}

/// How hard it thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Little.
    Low,
    /// Somewhat.
    Medium,
    /// Hard.
    High,
    /// Harder.
    Xhigh,
    /// As hard as it can.
    Max,
}

impl Effort {
    /// The word that Claude Code takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Xhigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// Whose settings Claude Code reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SettingSource {
    /// The user's own, with their environment, model and permissions.
    User,
    /// The repository's, with its CLAUDE.md; its hooks run only with `hooks: true`.
    Project,
    /// The repository's local ones.
    Local,
}

impl SettingSource {
    /// The word that Claude Code takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Project => "project",
            Self::Local => "local",
        }
    }
}

/// What may be spent. Reserved before a start, so that attempts side by side do not pass it together.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// US dollars of one attempt: `"2"`, `"0.50"`.
    #[serde(rename = "perAttemptUSD")]
    pub per_attempt_usd: Option<Dollars>,
    /// US dollars of a run.
    #[serde(rename = "perRunUSD")]
    pub per_run_usd: Option<Dollars>,
    /// What happens when the run's is reached. Default `Suspend`.
    pub on_reached: Option<OnReached>,
}

/// An amount of US dollars with at most six places, as text so that it stays exact; whole numbers need no quotes.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Dollars(
    #[schemars(with = "String", extend("type" = ["string", "integer"], "x-kubernetes-int-or-string" = true,
        "pattern" = r"^[0-9]{1,9}(\.[0-9]{1,6})?$", "minimum" = 0, "maximum" = 999_999_999))]
    pub serde_json::Value,
);

/// What happens when a run's budget is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnReached {
    /// The run is suspended: raise the budget and go on.
    Suspend,
    /// The run ends failed.
    Stop,
}
