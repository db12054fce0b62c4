//! A person's machine: a home with Claude Code's own settings and login, a job, and the fake service in place of the real.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    fake_api::{FakeApi, MODEL},
    support::Sandbox,
};

/// A machine on which `mozart` and the real Claude Code are installed.
pub struct Laptop {
    sandbox: Sandbox,
    url: String,
    variables: Vec<(&'static str, &'static str)>,
}

/// What a command left behind.
pub struct Ran {
    pub code: i32,
    pub stderr: String,
}

impl Laptop {
    /// With an API key in its environment and nobody logged in.
    pub fn with_key(api: &FakeApi) -> Self {
        Self::new(api, vec![("ANTHROPIC_API_KEY", "sk-ant-of-the-environment")])
    }

    /// With a login to a subscription, and an API key in its environment.
    pub fn with_login_and_key(api: &FakeApi) -> Self {
        let laptop = Self::with_key(api);
        let login = json!({ "claudeAiOauth": {
            "accessToken": "sk-ant-oat01-of-the-login",
            "refreshToken": "sk-ant-ort01-of-the-login",
            "expiresAt": 4_102_444_800_000_u64,
            "scopes": ["user:inference", "user:profile"],
            "subscriptionType": "max",
        }});
        fs::write(laptop.config().join(".credentials.json"), login.to_string()).unwrap();
        laptop
    }

    fn new(api: &FakeApi, variables: Vec<(&'static str, &'static str)>) -> Self {
        let sandbox = Sandbox::new();
        let laptop = Self { sandbox, url: api.url().to_owned(), variables };
        fs::create_dir_all(laptop.config()).unwrap();
        laptop
    }

    /// Claude Code's own folder.
    pub fn config(&self) -> PathBuf {
        self.path().join("user/.claude")
    }

    /// Where the job is; its batches write into `workspace` below it.
    pub fn path(&self) -> &Path {
        self.sandbox.path()
    }

    /// A file of the workspace, and what is in it.
    pub fn file(&self, name: &str) -> Option<String> {
        fs::read_to_string(self.path().join("workspace").join(name)).ok()
    }

    /// Sets a variable of the environment.
    pub fn export(&mut self, name: &'static str, value: &'static str) {
        self.variables.push((name, value));
    }

    /// Writes the job: these fields of its spec over a model, a budget and one try.
    pub fn job(&self, fields: &Value) {
        let mut spec = json!({
            "workspace": { "path": "workspace" },
            "backend": { "model": MODEL },
            "budget": { "perRunUSD": "100" },
            "batch": { "size": 1, "totalItems": 1 },
            "prompt": { "template": "Do it." },
            "retry": { "maxRetries": 0, "baseDelaySeconds": 0 },
        });
        merge(&mut spec, fields);
        let job = json!({
            "apiVersion": "mozart.dev/v1alpha1",
            "kind": "MozartJob",
            "metadata": { "name": "review" },
            "spec": spec,
        });
        self.sandbox.write("job.yaml", &job.to_string());
    }

    /// `mozart local-run` of the job, off a terminal, to its end.
    pub async fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.mozart().args(["local-run", "job.yaml"]).args(arguments).output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        Ran { code: output.status.code().expect("an exit code"), stderr }
    }

    /// What `mozart` says as JSON.
    pub async fn json(&self, arguments: &[&str]) -> Value {
        let output = self.mozart().args(arguments).args(["-o", "json"]).output().await.unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    /// The program, in an environment that knows this machine and nothing else.
    pub fn mozart(&self) -> Command {
        let mut path = std::ffi::OsString::from(installed());
        path.push(":");
        path.push(std::env::var_os("PATH").unwrap());
        let mut command = Command::from(self.sandbox.mozart([]));
        command
            .env_clear()
            .env("PATH", path)
            .env("HOME", self.path().join("user"))
            .env("CLAUDE_CONFIG_DIR", self.config())
            .env("MOZART_HOME", self.sandbox.home())
            .env("ANTHROPIC_BASE_URL", &self.url)
            .env("LANG", "C.UTF-8")
            // Claude Code refuses some modes to root elsewhere than in a sandbox.
            .env("IS_SANDBOX", "1")
            .envs(self.variables.iter().copied());
        command
    }
}

/// The folder of the pinned Claude Code.
fn installed() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/claude-code/node_modules/.bin");
    let found = folder.join("claude").exists();
    assert!(found, "the real Claude Code is not installed: run hack/install-claude (make test does)");
    folder
}

/// Puts `over` over `under`, object by object.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}
