//! Runs the real Claude Code against the fake API, by the backend's own call, reader and judgement.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use jiff::Timestamp;
use mozart::{
    backend::{self, Call, EndedBy, Exit, Follower, Invocation, Judgement, Material, Session, Told},
    job::{
        batches::Batch,
        identity::{AttemptKey, AttemptName, BatchNum, RunId, SessionId},
        model::{Backend, ClaudeCli, Job},
    },
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tempfile::TempDir;
use tokio::{
    fs,
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
};
use uuid::Uuid;

use crate::{fake_api::FakeApi, jobs};

/// How the tool pays.
pub enum Wallet {
    Key(&'static str),
    /// A login's token: plan limits are told only to those.
    Login,
}

/// A home, a workspace and a fake service for sessions of Claude Code.
pub struct Bench {
    folder: TempDir,
    pub api: FakeApi,
    pub wallet: Wallet,
    pub settings: ClaudeCli,
    /// The first line that holds this text is the moment to end it: by which signal, unless the script sends one, and
    /// why.
    pub end_at: Option<(&'static str, Option<Signal>, EndedBy)>,
}

/// What one process came to.
pub struct Ran {
    pub judgement: Judgement,
    pub told: Vec<Told>,
    pub exit: Exit,
    pub invocation: Invocation,
    pub stdout: String,
}

impl Ran {
    /// `class reason` of the failure.
    pub fn failure(&self) -> String {
        let failure = self.judgement.failure.as_ref().expect("it failed");
        format!("{} {}", failure.class.word(), failure.reason)
    }
}

impl Bench {
    pub fn new(api: FakeApi) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "workspace", "attempts"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let settings = jobs::claude(&folder.path().join("workspace"));
        Self { folder, api, wallet: Wallet::Key("sk-ant-fake"), settings, end_at: None }
    }

    pub fn workspace(&self) -> PathBuf {
        self.folder.path().join("workspace")
    }

    /// A file of the workspace, and what is in it.
    pub fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.workspace().join(name)).ok()
    }

    /// One attempt in a new session.
    pub async fn run(&self, prompt: &str) -> Ran {
        self.run_in(Session::New(SessionId::random()), prompt).await
    }

    /// One attempt.
    pub async fn run_in(&self, session: Session, prompt: &str) -> Ran {
        let job = jobs::job(&self.workspace(), Backend::ClaudeCli(Box::new(self.settings.clone())));
        self.run_job(&job, session, prompt).await
    }

    /// One attempt of this job.
    pub async fn run_job(&self, job: &Job, session: Session, prompt: &str) -> Ran {
        let directory = tempfile::tempdir_in(self.folder.path().join("attempts")).unwrap();
        let run = RunId { job: Uuid::nil(), run: 1 };
        let batch = Batch { number: BatchNum(1), start_item: 1, end_item: 1 };
        let call = Call {
            job,
            name: AttemptName { run: &run, key: AttemptKey::first(batch.number) },
            batch,
            directory: directory.path(),
            session,
            previous: None,
            budget_micro_usd: job.budget.per_attempt_micro_usd,
        };
        let invocation = backend::invocation(&call).unwrap();
        let input = backend::input(&call, prompt);
        let (stdout, stderr) = (directory.path().join("stdout.log"), directory.path().join("stderr.log"));

        let mut child = self
            .command(&invocation)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let pid = Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());

        let mut follower = Follower::new(&call).unwrap();
        let (mut told, mut written, mut ended_by) = (Vec::new(), String::new(), None);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while let Some(line) = lines.next_line().await.unwrap() {
            written.push_str(&line);
            written.push('\n');
            let heard = follower.line(line.as_bytes());
            if heard.iter().any(|told| matches!(told, Told::GiveUp(_))) {
                kill(pid, Signal::SIGTERM).unwrap();
            }
            told.extend(heard);
            if let Some((moment, signal, by)) = self.end_at
                && ended_by.is_none()
                && line.contains(moment)
            {
                ended_by = Some(by);
                if let Some(signal) = signal {
                    kill(pid, signal).unwrap();
                }
            }
        }
        let status = child.wait().await.unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        let code = status.code().unwrap_or_else(|| 128 + signal.unwrap());
        let exit = Exit { code, signal, ended_by };
        fs::write(&stdout, &written).await.unwrap();
        let judgement = backend::judge(&call, Material { stdout: &stdout, stderr: &stderr, exit });
        Ran { judgement, told, exit, invocation, stdout: written }
    }

    /// The process as a launcher makes it, in an environment that knows nothing but the fake.
    fn command(&self, invocation: &Invocation) -> Command {
        let home = self.folder.path().join("home");
        let mut command = Command::new(executable());
        command.args(&invocation.args).current_dir(&invocation.cwd).env_clear().kill_on_drop(true);
        command
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("HOME", &home)
            .env("CLAUDE_CONFIG_DIR", home.join(".claude"))
            .env("ANTHROPIC_BASE_URL", self.api.url());
        match self.wallet {
            Wallet::Key(key) => command.env("ANTHROPIC_API_KEY", key),
            Wallet::Login => command.env("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-fake"),
        };
        command.envs(invocation.env_set.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// The pinned Claude Code.
fn executable() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/claude-code/node_modules/.bin/claude");
    assert!(path.exists(), "the real Claude Code is not installed: run hack/install-claude (make test does)");
    path
}

/// A moment in whole seconds from now, as the service writes it.
pub fn in_seconds(seconds: i64) -> Timestamp {
    Timestamp::from_second(Timestamp::now().as_second() + seconds).unwrap()
}
