//! A night on one machine: the real program and the real Claude Code, the fake service, and a clock that the test sets
//! forward to where the gate says, so that no test waits for hours and none depends on how fast the machine is.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::{
    fake_api::{FakeApi, MODEL, Request},
    support::Sandbox,
};

/// Nothing that is waited for takes nearly as long, on the slowest machine.
const PATIENCE: Duration = Duration::from_mins(10);

/// The time of a night: the file that the programs read it from.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    path: PathBuf,
}

impl Clock {
    fn ahead(&self) -> SignedDuration {
        SignedDuration::from_secs(fs::read_to_string(&self.path).unwrap().trim().parse().unwrap())
    }

    /// What the programs take for now.
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead()
    }

    /// So many seconds from now, whole as the service writes it.
    pub(crate) fn in_seconds(&self, seconds: i64) -> Timestamp {
        Timestamp::from_second(self.now().as_second() + seconds).unwrap()
    }

    /// How many seconds have passed since `before`.
    pub(crate) fn passed(&self, before: Timestamp) -> i64 {
        self.now().duration_since(before).as_secs()
    }

    /// Sets the clock to `time` or a second after it; never back.
    pub(crate) fn set_to(&self, time: Timestamp) {
        let ahead = time.duration_since(Timestamp::now()).as_secs() + 1;
        let ahead = ahead.max(self.ahead().as_secs());
        // Renamed, so that nobody reads a half of it.
        let fresh = self.path.with_extension("new");
        fs::write(&fresh, ahead.to_string()).unwrap();
        fs::rename(&fresh, &self.path).unwrap();
    }
}

/// How Claude Code pays.
#[derive(Clone, Copy)]
pub(crate) enum Wallet {
    Key,
    /// A login's token: plan limits are told only to those.
    Login,
}

/// One machine, one user, one credential.
pub(crate) struct Night {
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: Clock,
    url: String,
    wallet: Wallet,
    /// How often Claude Code asks again by itself, where not its own 10 times.
    pub(crate) retries: Option<u32>,
}

impl Night {
    /// A clock, before there is a service.
    pub(crate) fn falls(wallet: Wallet) -> Self {
        let sandbox = Sandbox::new();
        let clock = Clock { path: sandbox.write("clock", "0") };
        for folder in ["user", "user/.claude"] {
            fs::create_dir(sandbox.path().join(folder)).unwrap();
        }
        Self { sandbox, clock, url: String::new(), wallet, retries: None }
    }

    /// With this service.
    pub(crate) fn asking(mut self, api: &FakeApi) -> Self {
        api.url().clone_into(&mut self.url);
        self
    }

    /// With the service at this address.
    pub(crate) fn asking_at(mut self, url: String) -> Self {
        self.url = url;
        self
    }

    /// Writes the file of a job of Claude Code with so many batches; `more` is YAML of the top level.
    pub(crate) fn claude_job(&self, name: &str, batches: u32, parallelism: u32, more: &str) -> PathBuf {
        self.job(name, &format!("{{type: claude_cli, model: {MODEL}}}"), batches, parallelism, more)
    }

    /// Writes the file of a job of the Messages API.
    pub(crate) fn api_job(&self, name: &str, batches: u32, parallelism: u32, more: &str) -> PathBuf {
        let backend = format!(
            "{{type: anthropic_api, model: {MODEL}, base_url: \"{}\", api_key_env: ANTHROPIC_API_KEY}}",
            self.url
        );
        self.job(name, &backend, batches, parallelism, more)
    }

    fn job(&self, name: &str, backend: &str, batches: u32, parallelism: u32, more: &str) -> PathBuf {
        let text = format!(
            "name: {name}\nworkspace: {{path: ./{name}}}\nbackend: {backend}\n\
             batch: {{size: 1, total_items: {batches}, parallelism: {parallelism}}}\n\
             prompt: {{template: \"This is {name}, batch {{{{ batch_num }}}}.\"}}\n{more}\n"
        );
        self.sandbox.write(&format!("{name}.yaml"), &text)
    }

    /// The program, as this user starts it.
    pub(crate) fn mozart<const N: usize>(&self, arguments: [&str; N]) -> Command {
        let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/claude-code/node_modules/.bin");
        assert!(
            tools.exists(),
            "the real Claude Code is not installed: run hack/install-claude (make test does)"
        );
        let path = std::env::join_paths(
            std::iter::once(tools).chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let user = self.sandbox.path().join("user");
        let mut command = self.sandbox.mozart(arguments);
        for name in ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"] {
            command.env_remove(name);
        }
        command
            .env("PATH", path.unwrap())
            .env("HOME", &user)
            .env("CLAUDE_CONFIG_DIR", user.join(".claude"))
            .env("ANTHROPIC_BASE_URL", &self.url)
            .env("MOZART_TEST_CLOCK", &self.clock.path)
            .env("TZ", "UTC");
        match self.wallet {
            Wallet::Key => command.env("ANTHROPIC_API_KEY", "sk-ant-fake"),
            Wallet::Login => command.env("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-fake"),
        };
        if let Some(retries) = self.retries {
            command.env("CLAUDE_CODE_MAX_RETRIES", retries.to_string());
        }
        command
    }

    /// Starts the program; what it says goes to a file.
    pub(crate) fn start<const N: usize>(&self, arguments: [&str; N]) -> Running {
        let log = self.sandbox.path().join(format!("{}.log", arguments.join("-").replace('/', "-")));
        let file = || fs::File::options().create(true).append(true).open(&log).unwrap();
        // These jobs are billed to a key and have no budget.
        let child = self.mozart(arguments).arg("--yes").stdout(file()).stderr(file()).spawn().unwrap();
        Running { child, log }
    }

    /// What a command prints; it succeeds.
    pub(crate) fn says<const N: usize>(&self, arguments: [&str; N]) -> String {
        let output = self.mozart(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many attempts of a job's run were started: each has a folder, and a program that ran a record in it.
    pub(crate) fn started(&self, job: &str) -> usize {
        let status = self.mozart(["status", job, "-o", "json"]).output().unwrap();
        let status: Value = serde_json::from_slice(&status.stdout).unwrap();
        let run = self.sandbox.home().join("runs").join(status["job"]["uid"].as_str().unwrap()).join("r1");
        let folders = |path: &Path| {
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            entries.filter(|path| path.is_dir()).collect::<Vec<_>>()
        };
        let attempts = folders(&run).into_iter().flat_map(|batch| folders(&batch));
        attempts.filter(|attempt| attempt.join("process.json").exists()).count()
    }

    /// The gate, if anything was ever told to it.
    pub(crate) fn gate(&self) -> Value {
        let gates = fs::read_dir(self.sandbox.home().join("gates")).into_iter().flatten();
        let mut gates = gates.filter_map(|entry| {
            let path = entry.unwrap().path();
            let json = path.extension().is_some_and(|extension| extension == "json");
            json.then(|| serde_json::from_slice::<Value>(&fs::read(path).unwrap()).unwrap())
        });
        let gate = gates.next().map_or(Value::Null, |named| named["gate"].clone());
        assert!(gates.next().is_none(), "one credential and model family has one gate");
        gate
    }

    /// Until when the gate is closed, if it is.
    pub(crate) fn closed_until(&self) -> Option<Timestamp> {
        let gate = self.gate();
        (gate["state"]["type"] == "Closed").then(|| gate["state"]["until"].as_str().unwrap().parse().unwrap())
    }

    /// Lets the night pass: whenever the gate is closed the clock is set to its end, until `run` has ended.
    pub(crate) fn pass(&self, run: &mut Running) -> ExitStatus {
        let mut status = None;
        wait_for("the end of the run", || {
            if let Some(until) = self.closed_until() {
                self.clock.set_to(until);
            }
            status = run.ended();
            status.is_some()
        });
        status.unwrap()
    }
}

/// A program that runs; it is killed when it is dropped.
pub(crate) struct Running {
    pub(crate) child: Child,
    log: PathBuf,
}

impl Running {
    /// Everything that it has said.
    pub(crate) fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }

    /// How it ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let mut status = None;
        wait_for("the end of the program", || {
            status = self.ended();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let text = format!("{}:\n{}\n", self.log.display(), self.said());
            let _ = std::io::stderr().write_all(text.as_bytes());
        }
    }
}

/// Waits until something is so.
pub(crate) fn wait_for(what: &str, mut done: impl FnMut() -> bool) {
    let since = Instant::now();
    while !done() {
        assert!(since.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// What was asked, and whether it was answered (and paid).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// `first, batch 3`.
    pub(crate) batch: String,
    /// Which turn of the batch's session it is, from 1.
    pub(crate) turn: usize,
    pub(crate) answered: bool,
}

/// Which batch a request is of, by the words of its prompt.
pub(crate) fn batch_of(request: &Request) -> String {
    let said = request.said();
    let (_, from) = said.split_once("This is ").expect("every prompt begins so");
    let (words, _) = from.split_once('.').unwrap();
    words.to_owned()
}

/// The turns that were asked for a batch, and whether each was answered.
pub(crate) fn asked_of(log: &[Asked], batch: &str) -> Vec<(usize, bool)> {
    log.iter().filter(|asked| asked.batch == batch).map(|asked| (asked.turn, asked.answered)).collect()
}

/// How often each batch was answered.
pub(crate) fn paid(log: &[Asked]) -> BTreeMap<String, usize> {
    let mut paid = BTreeMap::new();
    for asked in log.iter().filter(|asked| asked.answered) {
        *paid.entry(asked.batch.clone()).or_insert(0) += 1;
    }
    paid
}
