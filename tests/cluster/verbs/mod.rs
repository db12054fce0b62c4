//! `kubectl mozart` as its users type it, on a real API server. The statuses are written here as an operator would.

mod changing;
mod completing;
#[path = "../../it/cli/mozart.rs"]
#[expect(dead_code, reason = "the tests without a cluster use the rest")]
mod mozart;
#[path = "../../it/cli/screen.rs"]
mod screen;
mod showing;
mod submitting;
mod watching;

use std::{fmt::Write as _, path::PathBuf, process::Command};

use kube::api::{Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use self::mozart::{Place, Ran, on_terminal};
use crate::support::{Namespace, object};

/// A namespace, and a person at a shell with a kubeconfig.
struct Desk {
    namespace: Namespace,
    place: Place,
    plugin: PathBuf,
}

impl Desk {
    async fn new() -> Self {
        let (namespace, place) = (Namespace::new().await, Place::new());
        let plugin = place.work().join("kubectl-mozart");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mozart"), &plugin).unwrap();
        Self { namespace, place, plugin }
    }

    /// `kubectl mozart` with these words, in the namespace.
    fn command(&self, words: &[&str]) -> Command {
        let like = self.place.mozart(&[]);
        let mut command = Command::new(&self.plugin);
        command.args(words).args(["-n", &self.namespace.name]);
        command.current_dir(self.place.work()).env_clear().stdin(std::process::Stdio::null());
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.env("KUBECONFIG", std::env::var_os("KUBECONFIG").unwrap_or_default());
        command
    }

    /// What it leaves off a terminal.
    async fn run(&self, words: &[&str]) -> Ran {
        let output = tokio::process::Command::from(self.command(words)).output().await.unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Ran { code: output.status.code().unwrap(), stdout: text(output.stdout), stderr: text(output.stderr) }
    }

    /// What a terminal shows.
    async fn on_terminal(&self, words: &[&str], typed: &str) -> (i32, String) {
        let (command, typed) = (self.command(words), typed.to_owned());
        tokio::task::spawn_blocking(move || on_terminal(command, &typed)).await.unwrap()
    }

    /// What is typed, and all that comes of it, without what is another each time.
    async fn session(&self, lines: &[&str]) -> String {
        let mut text = String::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            let Ran { code, stdout, stderr } = self.run(&words).await;
            writeln!(text, "$ kubectl mozart {line}\n{stdout}{stderr}[{code}]\n").unwrap();
        }
        self.steady(&text)
    }

    /// Without what is another each time.
    fn steady(&self, text: &str) -> String {
        let text = text.replace(&self.namespace.name, "team-a");
        let text = regex::Regex::new(r"(?m)\b\d+s +").unwrap().replace_all(&text, "[age]  ").into_owned();
        regex::Regex::new(r"(?m)\b\d+s$").unwrap().replace_all(&text, "[age]").into_owned()
    }

    /// Makes a job, and says of it what an operator would.
    async fn job(&self, name: &str, status: &Value) {
        let job = json!({
            "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob",
            "metadata": {"name": name, "labels": {"team": "a"}},
            "spec": {"workspace": {"emptyDir": {}}, "backend": {"type": "command", "command": ["cat"]},
                "batch": {"size": 10, "totalItems": 560}, "prompt": {"template": "{{ batch_num }}"}},
        });
        let made = self.namespace.jobs().create(&PostParams::default(), &object(&job)).await.unwrap();
        assert!(made.metadata.name.is_some());
        self.says(name, status).await;
    }

    /// Says of a job what an operator would.
    async fn says(&self, name: &str, status: &Value) {
        if !status.is_null() {
            let patch = Patch::Merge(json!({"status": status}));
            self.namespace.jobs().patch_status(name, &PatchParams::default(), &patch).await.unwrap();
        }
    }

    async fn spec(&self, name: &str) -> Value {
        self.namespace.jobs().get(name).await.unwrap().data["spec"].clone()
    }
}

fn condition(kind: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": kind, "status": status, "observedGeneration": 1, "reason": reason, "message": message,
        "lastTransitionTime": "2026-11-23T01:30:00Z"})
}

fn batches(succeeded: u32, failed: u32, running: u32, waiting: u32) -> Value {
    let pending = 56 - succeeded - failed - running - waiting;
    json!({"total": 56, "ofTotal": 56, "succeeded": succeeded, "failed": failed, "running": running,
        "waiting": waiting, "pending": pending})
}

fn running() -> Value {
    json!({
        "observedGeneration": 1, "phase": "Running", "progress": "41/56", "activeRun": 3,
        "startTime": "2026-11-23T01:00:00Z", "duration": "30m", "tokens": "1.2M", "batches": batches(41, 1, 3, 1),
        "usage": {"inputTokens": 1000, "outputTokens": 200, "cacheReadTokens": 0, "cacheWriteTokens": 0, "costUSD": "12.34"},
        "conditions": [condition("Valid", "True", "Validated", ""), condition("Progressing", "True", "Running", "")],
        "checkpoint": {"version": 1, "seq": 8, "open": [{"batch": 44, "attempt": 2, "until": "2026-11-23T01:31:00Z"}]},
    })
}

fn waiting() -> Value {
    let mut status = running();
    status["phase"] = json!("Waiting");
    status["waiting"] = json!("limit of credential default until 14:00Z");
    status["batches"] = batches(41, 0, 0, 0);
    status
}

fn failed() -> Value {
    let message = "2 batches have failed.";
    json!({
        "observedGeneration": 1, "phase": "Failed", "progress": "54/56", "batches": batches(54, 2, 0, 0),
        "lastRun": {"number": 1, "outcome": "Failed", "reason": "BatchesFailed"},
        "startTime": "2026-11-23T01:00:00Z", "completionTime": "2026-11-23T01:30:00Z", "duration": "30m",
        "conditions": [condition("Valid", "True", "Validated", ""), condition("Complete", "False", "BatchesFailed", message),
            condition("Failed", "True", "BatchesFailed", message)],
    })
}

fn complete() -> Value {
    json!({
        "observedGeneration": 1, "phase": "Complete", "progress": "56/56", "batches": batches(56, 0, 0, 0),
        "lastRun": {"number": 2, "outcome": "Complete"},
        "startTime": "2026-11-23T01:00:00Z", "completionTime": "2026-11-23T01:30:00Z", "duration": "30m",
        "conditions": [condition("Complete", "True", "Complete", "")],
    })
}

fn suspended() -> Value {
    json!({"observedGeneration": 1, "phase": "Suspended", "progress": "3/56", "activeRun": 1, "batches": batches(3, 0, 0, 0),
        "waiting": "suspended by its spec"})
}

fn unfit() -> Value {
    json!({"observedGeneration": 1, "phase": "Pending",
        "conditions": [condition("Valid", "False", "NotAllowed", "spec.pod.secretEnv is not allowed here")]})
}
