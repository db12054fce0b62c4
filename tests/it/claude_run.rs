//! `mozart local-run` with the real Claude Code against the fake API, in a home of its own.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::{Duration, Instant},
};

use mozart::job::outcome::Usage;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::{
    fake_api::{FakeApi, MODEL, Reply, Request},
    support::Sandbox,
};

/// Nothing that is waited for takes nearly as long.
const PATIENCE: Duration = Duration::from_mins(2);

/// A place in which jobs are run.
pub struct ClaudeRun {
    pub sandbox: Sandbox,
    pub api: FakeApi,
}

impl ClaudeRun {
    /// A place whose service answers each request as `script` says.
    pub async fn new(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let sandbox = Sandbox::new();
        for name in ["person", "workspace"] {
            fs::create_dir(sandbox.path().join(name)).unwrap();
        }
        Self { sandbox, api: FakeApi::start(script).await }
    }

    /// Writes `job.yaml`: one item a batch, whose prompt is `This is batch N.`, all tools of the shell allowed, retries
    /// without a pause; `changes` are laid over it.
    pub fn job(&self, batches: u32, changes: &Value) {
        let mut job = json!({
            "name": "review",
            "workspace": "workspace",
            "backend": {
                "type": "claude_cli", "model": MODEL, "auth": "APIKey", "api_key_env": "ANTHROPIC_API_KEY",
                "allowed_tools": ["Bash"],
            },
            "batch": { "size": 1, "total_items": batches },
            "prompt": { "template": "This is batch {{ batch_num }}." },
            "retry": { "base_delay_seconds": 0, "max_failed_in_a_row": 0 },
        });
        lay_over(&mut job, changes);
        self.sandbox.write("job.yaml", &job.to_string());
    }

    /// The folder of the batches.
    pub fn workspace(&self) -> PathBuf {
        self.sandbox.path().join("workspace")
    }

    /// A file of the workspace, and what is in it.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.workspace().join(name)).unwrap_or_default()
    }

    /// The program, with nothing of the person's own.
    pub fn mozart<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let mut command = self.sandbox.mozart(arguments);
        let person = self.sandbox.path().join("person");
        command
            .env("PATH", path_with_claude())
            .env("CLAUDE_CONFIG_DIR", person.join(".claude"))
            .env("HOME", person)
            .env("ANTHROPIC_BASE_URL", self.api.url())
            .env("ANTHROPIC_API_KEY", "sk-ant-fake")
            .env_remove("ANTHROPIC_AUTH_TOKEN")
            .env_remove("CLAUDE_CODE_OAUTH_TOKEN");
        command.into()
    }

    /// Runs the program to its end.
    pub async fn run<const N: usize>(&self, arguments: [&str; N]) -> Output {
        self.mozart(arguments).output().await.unwrap()
    }

    /// Runs it beside the test.
    pub fn start<const N: usize>(&self, arguments: [&str; N]) -> Child {
        let log = fs::File::create(self.sandbox.path().join("log")).unwrap();
        self.mozart(arguments).stdout(Stdio::null()).stderr(Stdio::from(log)).spawn().unwrap()
    }

    /// The last run, as `status` says it.
    pub fn status(&self) -> Value {
        self.sandbox.json(["status", "review"])["run"].clone()
    }

    /// What the last run has used by now.
    pub fn usage(&self) -> Usage {
        serde_json::from_value(self.status()["usage"].clone()).unwrap()
    }

    /// How many requests each batch has made, from batch 1.
    pub fn requests(&self) -> Vec<usize> {
        let mut requests = Vec::new();
        for request in self.api.requests() {
            let batch = batch(&request);
            requests.resize(requests.len().max(batch), 0);
            requests[batch - 1] += 1;
        }
        requests
    }

    /// What Claude Code has written of its sessions.
    pub fn transcript(&self) -> String {
        let projects = self.sandbox.path().join("person/.claude/projects");
        let Ok(folders) = fs::read_dir(projects) else { return String::new() };
        let files = folders.flat_map(|folder| fs::read_dir(folder.unwrap().path()).unwrap());
        files.filter_map(|file| fs::read_to_string(file.unwrap().path()).ok()).collect()
    }

    /// Waits until a file of the workspace has something in it.
    pub async fn until_written(&self, name: &str) {
        self.until(name, || !self.file(name).is_empty()).await;
    }

    /// Waits until something is so.
    pub async fn until(&self, what: &str, mut so: impl FnMut() -> bool) {
        let since = Instant::now();
        while !so() {
            let log = fs::read_to_string(self.sandbox.path().join("log")).unwrap_or_default();
            assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}; {log}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The batch that a request is of, by its prompt.
pub fn batch(request: &Request) -> usize {
    let said = request.said();
    let (_, rest) = said.split_once("This is batch ").expect("every session begins with its prompt");
    rest.split('.').next().unwrap().parse().unwrap()
}

/// How often the model has spoken in the session before this request.
pub fn turns(request: &Request) -> usize {
    let messages = request.body["messages"].as_array().unwrap();
    // What Claude Code itself says in the model's name when it takes up a session that was broken off.
    let made_up = |message: &&Value| message["content"].to_string().contains("No response requested.");
    messages
        .iter()
        .filter(|message| message["role"] == "assistant")
        .filter(|message| !made_up(message))
        .count()
}

/// A turn that runs a command in the workspace.
pub fn shell(command: &str) -> Reply {
    Reply::tool("Bash", &json!({ "command": command }))
}

/// The text of what a program said, for a failing test.
pub fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn lay_over(below: &mut Value, above: &Value) {
    match (below, above) {
        (Value::Object(below), Value::Object(above)) => {
            for (name, value) in above {
                lay_over(below.entry(name).or_insert(Value::Null), value);
            }
        }
        (below, above) => *below = above.clone(),
    }
}

/// The pinned Claude Code goes before any other.
fn path_with_claude() -> OsString {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/claude-code/node_modules/.bin");
    assert!(
        folder.join("claude").exists(),
        "the real Claude Code is not installed: run hack/install-claude (make test does)"
    );
    let before = std::env::var_os("PATH").unwrap_or_default();
    std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&before))).unwrap()
}
