//! A job that was validated: everything resolved, nothing optional that has a default, not serialisable.

use std::{collections::BTreeMap, num::NonZeroU32, path::PathBuf, sync::Arc, time::Duration};

use super::{batches::Batches, identity::JobName, template::Templates};

/// A job as the engine, the attempts and the commands see it.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its name.
    pub name: JobName,
    /// What it is for.
    pub description: Option<String>,
    /// The job file, absolute.
    pub file: PathBuf,
    /// The folder that batches read and write.
    pub workspace: Workspace,
    /// What runs a batch.
    pub backend: Backend,
    /// Running time of one attempt; time asleep does not count.
    pub timeout: Duration,
    /// Money.
    pub budget: Budget,
    /// The items and their cut.
    pub batches: Batches,
    /// A batch's label for lists and logs: a template, rendered with the prompt's variables.
    pub label: Option<String>,
    /// How many batches run at once, 1 to 1,000.
    pub parallelism: NonZeroU32,
    /// The pause between the end of an attempt and the next start, for each of the `parallelism` lanes.
    pub pause: Duration,
    /// The prompt.
    pub prompt: Prompt,
    /// What follows a failure.
    pub retry: RetryPolicy,
    /// What follows a limit.
    pub rate_limit: RateLimitPolicy,
    /// What must be true after an attempt.
    pub validations: Vec<Validation>,
    /// Who is told.
    pub notifications: Vec<Notification>,
    /// Whether the run begins suspended.
    pub suspend: bool,
    /// The longest a run may take; suspended time does not count.
    pub active_deadline: Option<Duration>,
    /// How long a finished run is kept.
    pub ttl_after_finished: Option<Duration>,
    /// How many runs history keeps.
    pub keep_runs: u32,
    /// Where local state lives.
    pub state: StateBackend,
    /// What is pinned while a run is active, as a SHA-256 in hex: backend, batch (but parallelism and pause), prompt
    /// with the template's text, validations, workspace, execution.
    pub plan_hash: String,
    /// The pinned part in a readable, stable text form (YAML), kept with the run so that a difference can be shown.
    pub plan_text: String,
    /// Fields that belong to the other mode and were left, such as `pod`.
    pub left: Vec<String>,
}

/// The folder that batches read and write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Workspace {
    /// Absolute. Made when the run starts.
    pub path: PathBuf,
    /// Whether batches may write the same file although they run side by side.
    pub shared: bool,
}

/// What runs a batch.
#[derive(Clone, Debug)]
pub enum Backend {
    /// Claude Code, the real command line tool.
    ClaudeCli(Box<ClaudeCli>),
    /// The Messages API.
    Anthropic(Box<Anthropic>),
    /// Any program.
    Command(Command),
}

impl Backend {
    /// The word in the job file: `claude_cli`, `anthropic_api`, `command`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::ClaudeCli(_) => "claude_cli",
            Self::Anthropic(_) => "anthropic_api",
            Self::Command(_) => "command",
        }
    }
}

/// How to pay, for `claude_cli`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// The login if there is one and no key is named; both present and nothing written is refused.
    Auto,
    /// The claude.ai login; keys are taken out of the child's environment.
    Subscription,
    /// An API key from `apiKeyEnv`.
    ApiKey,
}

/// Claude Code's own permission modes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PermissionMode {
    /// Edits in the workspace are allowed.
    AcceptEdits,
    /// The tool decides.
    Auto,
    /// Everything is allowed; refused as root.
    BypassPermissions,
    /// Nothing that needs a question is allowed.
    Manual,
    /// The same, without asking.
    DontAsk,
    /// Plans only.
    Plan,
}

impl PermissionMode {
    /// The word that Claude Code takes.
    pub fn word(self) -> &'static str {
        match self {
            Self::AcceptEdits => "acceptEdits",
            Self::Auto => "auto",
            Self::BypassPermissions => "bypassPermissions",
            Self::Manual => "manual",
            Self::DontAsk => "dontAsk",
            Self::Plan => "plan",
        }
    }
}

/// Settings of `claude_cli`.
#[derive(Clone, Debug)]
pub struct ClaudeCli {
    /// The model; `None` leaves it to the tool (with a warning).
    pub model: Option<String>,
    /// How to pay.
    pub auth: Auth,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// What may be done without asking.
    pub permission_mode: PermissionMode,
    /// Where it runs, absolute; the workspace is added when it is another folder.
    pub working_directory: PathBuf,
    /// Tools that are pre-approved.
    pub allowed_tools: Vec<String>,
    /// Tools that are taken away.
    pub disallowed_tools: Vec<String>,
    /// The tools there are; `None` is all but schedulers, worktrees and background work; `["*"]` gives everything.
    pub tools: Option<Vec<String>>,
    /// The most turns of one attempt.
    pub max_turns: Option<u32>,
    /// `low`, `medium`, `high`, `xhigh`, `max`.
    pub effort: Option<String>,
    /// The model when the first is overloaded.
    pub fallback_model: Option<String>,
    /// Added to the system prompt.
    pub append_system_prompt: Option<String>,
    /// MCP servers, in the tool's own form.
    pub mcp_config: Option<serde_json::Value>,
    /// `user`, `project`, `local`: whose settings are read.
    pub setting_sources: Vec<String>,
    /// Whether hooks of those settings run.
    pub hooks: bool,
    /// Whether `@path` in a prompt reads that file.
    pub file_mentions: bool,
    /// Whether a prompt that begins with `/` is a command of the tool.
    pub slash_command: bool,
    /// Further arguments.
    pub extra_args: Vec<String>,
    /// The version that was found before the run, once it was looked for.
    pub version: Option<String>,
}

/// Settings of `anthropic_api`.
#[derive(Clone, Debug)]
pub struct Anthropic {
    /// The model.
    pub model: String,
    /// The environment variable that holds the key.
    pub api_key_env: String,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// The system prompt.
    pub system: Option<String>,
    /// Never sent unless written.
    pub temperature: Option<f64>,
    /// `https://api.anthropic.com` unless written.
    pub base_url: url::Url,
}

/// Settings of `command`.
#[derive(Clone, Debug)]
pub struct Command {
    /// Program and arguments; the prompt comes on stdin.
    pub command: Vec<String>,
    /// Where it runs, absolute.
    pub working_directory: PathBuf,
}

/// What may be spent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Budget {
    /// Of one attempt, in millionths of a dollar.
    pub per_attempt_micro_usd: Option<u64>,
    /// Of a run, in millionths of a dollar.
    pub per_run_micro_usd: Option<u64>,
    /// What happens when the run's is reached.
    pub on_reached: OnReached,
}

/// What happens when a run's budget is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnReached {
    /// The run is suspended: raise the budget and go on.
    #[default]
    Suspend,
    /// The run ends failed.
    Stop,
}

/// What a prompt is made of.
#[derive(Clone, Debug)]
pub struct Prompt {
    /// The template's text.
    pub template: String,
    /// Where the text came from, for messages: the job file or the template file.
    pub template_name: String,
    /// The same, compiled once; with the label of a batch.
    pub templates: Templates,
    /// The author's own variables.
    pub variables: BTreeMap<String, serde_json::Value>,
    /// The same as values for a template, made once.
    pub values: Arc<BTreeMap<String, minijinja::Value>>,
    /// Said to matter.
    pub stakes: Option<String>,
    /// How to think.
    pub thinking_method: Option<String>,
    /// Whether `stakes` and `thinkingMethod` are appended where the template does not name them (manifest form).
    pub append_unused: bool,
}

/// What follows a failure.
#[derive(Clone, Debug)]
pub struct RetryPolicy {
    /// Counted tries beyond the first.
    pub max_retries: u32,
    /// The first delay.
    pub base_delay: Duration,
    /// Each further delay is this many times as long.
    pub exponential_base: f64,
    /// No delay is longer.
    pub max_delay: Duration,
    /// Whether delays are spread by chance (50 % to 100 % of the computed one).
    pub jitter: bool,
    /// What a batch that failed for good does to the run.
    pub on_exhausted: OnExhausted,
    /// So many batches in a row that failed for one reason end the run; 0 never does.
    pub max_failed_in_a_row: u32,
    /// Whether a retry continues the session of the attempt before.
    pub session: SessionPolicy,
}

/// What a batch that failed for good does to the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnExhausted {
    /// The others go on; the run ends failed.
    Continue,
    /// Nothing new starts; the run ends failed.
    FailJob,
}

/// Whether a retry continues the session of the attempt before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionPolicy {
    /// Continues it, but for every third retry and where a new one is needed.
    Resume,
    /// Always a new one.
    Fresh,
}

/// What follows a limit.
#[derive(Clone, Debug)]
pub struct RateLimitPolicy {
    /// Patterns for texts that may be trusted; `None` is the tool's known messages.
    pub patterns: Option<Vec<regex::Regex>>,
    /// For a trusted limit text that names no reset.
    pub wait: Duration,
    /// What success on extra usage does.
    pub on_overage: OnOverage,
    /// The share of a window that is left to the user, 0 to 1.
    pub leave: f64,
    /// A longer wait suspends the run.
    pub max_wait: Option<Duration>,
    /// Since the last accepted request of the credential.
    pub give_up_after: Duration,
    /// So many closed gates without an accepted request between them.
    pub max_waits: Option<u32>,
}

/// What success on extra usage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnOverage {
    /// The gate closes until the window resets.
    Wait,
    /// Goes on, and says so.
    Spend,
}

/// Something that must be true after an attempt.
#[derive(Clone, Debug)]
pub struct Validation {
    /// What is looked at.
    pub check: Check,
    /// The author's words.
    pub description: Option<String>,
}

/// What a validation looks at. Paths and commands are as written; they are expanded for each batch.
#[derive(Clone, Debug)]
pub enum Check {
    /// There now, and new or changed since the baseline, or merely there with `allow_existing`.
    FileExists {
        /// Path with `{workspace}`, `{batch_num}`, …
        path: String,
        /// Whether one that was there before counts.
        allow_existing: bool,
    },
    /// Content changed since the baseline, or made.
    FileModified {
        /// Path with `{workspace}`, `{batch_num}`, …
        path: String,
    },
    /// The file holds this text.
    ContentContains {
        /// Path with `{workspace}`, `{batch_num}`, …
        path: String,
        /// Literal text.
        pattern: String,
    },
    /// The file matches.
    ContentRegex {
        /// Path with `{workspace}`, `{batch_num}`, …
        path: String,
        /// Linear time.
        pattern: regex::Regex,
    },
    /// `bash -o pipefail -c` ends with 0.
    CommandSucceeds {
        /// As written; only Mozart's names are replaced.
        command: String,
        /// Absolute; the workspace unless written.
        working_directory: Option<PathBuf>,
        /// Then it is ended.
        timeout: Duration,
    },
    /// The answer holds this text.
    OutputContains {
        /// Literal text.
        pattern: String,
    },
    /// The answer matches.
    OutputRegex {
        /// Linear time.
        pattern: regex::Regex,
    },
}

impl Check {
    /// Its type in the job file.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::FileExists { .. } => "file_exists",
            Self::FileModified { .. } => "file_modified",
            Self::ContentContains { .. } => "content_contains",
            Self::ContentRegex { .. } => "content_regex",
            Self::CommandSucceeds { .. } => "command_succeeds",
            Self::OutputContains { .. } => "output_contains",
            Self::OutputRegex { .. } => "output_regex",
        }
    }

    /// The path as written, of those that look at a file.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::FileExists { path, .. }
            | Self::FileModified { path }
            | Self::ContentContains { path, .. }
            | Self::ContentRegex { path, .. } => Some(path),
            Self::CommandSucceeds { .. } | Self::OutputContains { .. } | Self::OutputRegex { .. } => None,
        }
    }

    /// The command as written, of those that run one.
    pub fn command(&self) -> Option<&str> {
        match self {
            Self::CommandSucceeds { command, .. } => Some(command),
            _ => None,
        }
    }
}

/// Who is told what.
#[derive(Clone, Debug)]
pub struct Notification {
    /// How.
    pub sink: Sink,
    /// Of what.
    pub on: Vec<Occasion>,
}

/// How somebody is told.
#[derive(Clone, Debug)]
pub enum Sink {
    /// The desktop's notification service.
    Desktop,
    /// An HTTP POST of JSON.
    Webhook {
        /// Where to, as written or from a variable.
        url: Setting,
        /// Further headers.
        headers: BTreeMap<String, String>,
        /// Signs the body (HMAC-SHA-256).
        secret: Option<Setting>,
        /// Whether `batch_complete` carries the answer (at most 256 KiB).
        include_output: bool,
    },
    /// A Slack incoming webhook.
    Slack {
        /// Where to.
        url: Setting,
    },
}

/// A value that is written, or named and read when it is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setting {
    /// As written.
    Literal(String),
    /// The name of an environment variable, on this machine.
    Env(String),
    /// A key of a Secret of the job's namespace, in a cluster.
    Secret {
        /// The Secret's name.
        name: String,
        /// The key in it.
        key: String,
    },
}

/// What can be told, in the original's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Occasion {
    /// The run started.
    JobStart,
    /// A batch started.
    BatchStart,
    /// A batch succeeded.
    BatchComplete,
    /// A batch failed for good.
    BatchFailed,
    /// The run ended and every batch succeeded.
    JobComplete,
    /// The run ended failed.
    JobFailed,
    /// The run was suspended.
    JobPaused,
    /// The gate closed.
    RateLimited,
}

/// Where local state lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBackend {
    /// In what form.
    pub kind: StateKind,
    /// A file of its own; `None` is the user's state folder.
    pub path: Option<PathBuf>,
}

/// In what form local state is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateKind {
    /// The default.
    Sqlite,
    /// One JSON file a job.
    Json,
}
