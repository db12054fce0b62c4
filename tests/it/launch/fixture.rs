//! A run of a job whose program is a shell script, in a folder of its own.

#![expect(clippy::unwrap_used, reason = "a fixture that cannot be built fails the test that wants it")]

use std::{
    collections::BTreeMap,
    fs,
    num::NonZeroU32,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use mozart::{
    driver::ports::{Launcher, Outputs, StoreError},
    engine::world::AttemptState,
    job::{
        answer::AnswerFacts,
        batches::Batches,
        identity::{AttemptKey, BatchNum, RunId},
        model::{
            Backend, Budget, Check, Command, Job, OnExhausted, OnOverage, Prompt, RateLimitPolicy,
            RetryPolicy, SessionPolicy, StateBackend, StateKind, Validation, Workspace,
        },
        outcome::Outcome,
        start::Start,
        template::Templates,
    },
    launch::{LocalLauncher, Place},
};
use uuid::Uuid;

/// A run in a folder that is removed at the end.
pub struct Run {
    folder: tempfile::TempDir,
    pub job: Job,
    pub id: RunId,
}

pub type Local = LocalLauncher<KeptOutputs>;

impl Run {
    /// Of a job that runs `script` with bash for every batch.
    pub fn of(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let workspace = folder.path().join("workspace");
        fs::create_dir(&workspace).unwrap();
        let command = ["bash", "-c", script].map(str::to_owned).to_vec();
        let job = job(&workspace, command);
        Self { folder, job, id: RunId { job: Uuid::new_v4(), run: 1 } }
    }

    pub fn validated_by(mut self, check: Check) -> Self {
        self.job.validations.push(Validation { check, description: None });
        self
    }

    pub fn workspace(&self) -> &Path {
        &self.job.workspace.path
    }

    pub fn attempts(&self) -> PathBuf {
        self.folder.path().join("attempts")
    }

    pub fn directory(&self, key: AttemptKey) -> PathBuf {
        self.attempts().join(format!("b{}/a{}", key.batch, key.ordinal))
    }

    pub fn place(&self) -> Place {
        Place {
            sessions: None,
            traced: false,
            job: Arc::new(self.job.clone()),
            run: self.id.clone(),
            directory: self.attempts(),
            keeper: PathBuf::from(env!("CARGO_BIN_EXE_mozart")),
        }
    }

    /// A launcher that takes up `window`.
    pub async fn open(&self, window: &[AttemptKey]) -> Local {
        let outputs = KeptOutputs::default();
        LocalLauncher::open(self.place(), window.iter().copied(), outputs).await.unwrap()
    }
}

/// The first attempt at a batch.
pub fn first(batch: u32) -> AttemptKey {
    AttemptKey::first(BatchNum(batch))
}

/// What the engine says for a first try.
pub fn start(key: AttemptKey) -> Start {
    Start { key, attempt: 1, previous: None, canary: false, budget_micro_usd: None }
}

/// Waits until the attempt has ended in one way or the other.
pub async fn ended(launcher: &Local, key: AttemptKey) -> AttemptState {
    loop {
        let seen = launcher.look().await;
        let sighting = seen.into_iter().find(|sighting| sighting.key == key).expect("the attempt is shown");
        if !matches!(sighting.state, AttemptState::Running { .. }) {
            return sighting.state;
        }
        launcher.changed().await;
    }
}

/// The outcome of an attempt that was started before.
pub async fn outcome(launcher: &Local, key: AttemptKey) -> Outcome {
    match ended(launcher, key).await {
        AttemptState::Ended(outcome) => *outcome,
        other => panic!("{key} is {other:?}"),
    }
}

/// Launches and waits for the outcome.
pub async fn run(launcher: &Local, key: AttemptKey) -> Outcome {
    launcher.launch(start(key)).await;
    outcome(launcher, key).await
}

/// Answers that were put.
#[derive(Debug, Default)]
pub struct KeptOutputs(pub Mutex<Vec<(AttemptKey, String)>>);

impl Outputs for KeptOutputs {
    async fn put(&self, _: &RunId, key: AttemptKey, answer: &str, _: &AnswerFacts) -> Result<(), StoreError> {
        self.0.lock().unwrap().push((key, answer.to_owned()));
        Ok(())
    }
}

const TEMPLATE: &str = "batch {{ batch_num }}";

fn job(workspace: &Path, command: Vec<String>) -> Job {
    Job {
        name: "sweeper".parse().unwrap(),
        description: None,
        file: workspace.join("job.yaml"),
        workspace: Workspace { path: workspace.to_owned(), shared: false },
        backend: Backend::Command(Command { command, working_directory: workspace.to_owned() }),
        timeout: Duration::from_mins(1),
        budget: Budget::default(),
        batches: Batches { size: NonZeroU32::MIN, start_item: 1, total_items: 100_000, items: None },
        label: None,
        parallelism: NonZeroU32::MIN,
        pause: Duration::ZERO,
        prompt: Prompt {
            template: TEMPLATE.to_owned(),
            template_name: "job.yaml".to_owned(),
            templates: Templates::compile(TEMPLATE).unwrap(),
            variables: BTreeMap::new(),
            values: Arc::default(),
            stakes: None,
            thinking_method: None,
            append_unused: false,
        },
        retry: RetryPolicy {
            max_retries: 3,
            base_delay: Duration::ZERO,
            exponential_base: 2.0,
            max_delay: Duration::ZERO,
            jitter: false,
            on_exhausted: OnExhausted::Continue,
            max_failed_in_a_row: 3,
            session: SessionPolicy::Resume,
        },
        rate_limit: RateLimitPolicy {
            patterns: None,
            wait: Duration::ZERO,
            on_overage: OnOverage::Wait,
            leave: 0.0,
            max_wait: None,
            give_up_after: Duration::ZERO,
            max_waits: None,
        },
        validations: Vec::new(),
        notifications: Vec::new(),
        suspend: false,
        active_deadline: None,
        ttl_after_finished: None,
        keep_runs: 10,
        state: StateBackend { kind: StateKind::Sqlite, path: None },
        plan_hash: String::new(),
        plan_text: String::new(),
        left: Vec::new(),
    }
}

/// Waits until a file is there, with something in it.
pub async fn appears(path: &Path) {
    // A record is made and then written: until then it is empty, and for its readers not there.
    while !fs::metadata(path).is_ok_and(|file| file.len() > 0) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// How many processes carry the mark of a run.
#[cfg(target_os = "linux")]
pub fn marked(run: &RunId) -> usize {
    let mark = format!("MOZART_ATTEMPT={}/r{}/", run.job, run.run);
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let environments = processes.filter_map(|process| fs::read(process.path().join("environ")).ok());
    environments.filter(|environment| String::from_utf8_lossy(environment).contains(&mark)).count()
}

/// `kill -9` of the keeper that started an attempt.
#[cfg(target_os = "linux")]
pub fn kill_keeper(attempt: &Path) {
    let record: serde_json::Value =
        serde_json::from_slice(&fs::read(attempt.join("process.json")).unwrap()).unwrap();
    let keeper = i32::try_from(record["keeper"]["pid"].as_i64().unwrap()).unwrap();
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(keeper), nix::sys::signal::Signal::SIGKILL).unwrap();
}
