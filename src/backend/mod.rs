//! What runs a batch: Claude Code, the Messages API, any program. Each says how it is called and how its end is judged.

pub mod anthropic;
pub mod claude_cli;
pub mod command;
pub mod health;
mod limits;
pub mod prices;

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use secrecy::SecretString;

use self::health::{Health, Preflight};
use crate::job::{
    batches::Batch,
    identity::{AttemptName, SessionId},
    model::{Backend, Job},
    outcome::{Failure, FailureClass, GateSignal, Provenance, Usage},
    start::Previous,
};

/// What a backend is told of an attempt.
#[derive(Clone, Copy, Debug)]
pub struct Call<'a> {
    /// The job.
    pub job: &'a Job,
    /// The attempt's full name; a process carries it as `MOZART_ATTEMPT`.
    pub name: AttemptName<'a>,
    /// Its batch.
    pub batch: Batch,
    /// The attempt's own directory, absolute. A backend may write files of its own into it, such as settings.
    pub directory: &'a Path,
    /// Which session it works in.
    pub session: Session,
    /// What ended the attempt before, if there was one.
    pub previous: Option<&'a Previous>,
    /// What it may spend, in millionths of a dollar; `None` is without bound.
    pub budget_micro_usd: Option<u64>,
}

/// Which session an attempt works in, for backends that have sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Session {
    /// A new one of this id, which was never used before.
    New(SessionId),
    /// This one goes on.
    Continue(SessionId),
}

impl Session {
    /// Its id.
    pub fn id(self) -> SessionId {
        match self {
            Self::New(id) | Self::Continue(id) => id,
        }
    }
}

/// Where an attempt runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a process of its own: [`invocation`], then [`judge`].
    Process,
    /// As a task of Mozart.
    InProcess,
}

/// Where attempts of `backend` run.
pub fn place(backend: &Backend) -> Place {
    match backend {
        Backend::ClaudeCli(_) | Backend::Command(_) => Place::Process,
        Backend::Anthropic(_) => Place::InProcess,
    }
}

/// The process that an attempt of [`Place::Process`] is.
///
/// # Errors
/// With the failure of the attempt when its process cannot even be described.
pub fn invocation(call: &Call<'_>) -> Result<Invocation, Failure> {
    match &call.job.backend {
        Backend::Command(backend) => Ok(command::invocation(backend, call)),
        Backend::ClaudeCli(backend) => claude_cli::invocation(backend, call),
        Backend::Anthropic(_) => Err(misplaced(&call.job.backend)),
    }
}

/// What an attempt of [`Place::Process`] gets on its standard input for a rendered prompt.
pub fn input<'a>(call: &Call<'_>, prompt: &'a str) -> Cow<'a, str> {
    match &call.job.backend {
        Backend::ClaudeCli(backend) => claude_cli::input(backend, prompt),
        Backend::Command(_) | Backend::Anthropic(_) => Cow::Borrowed(prompt),
    }
}

/// What the end of an attempt of [`Place::Process`] means. Reads `material`'s files, blocking.
pub fn judge(call: &Call<'_>, material: Material<'_>) -> Judgement {
    match &call.job.backend {
        Backend::Command(_) => command::judge(material, call.job.timeout),
        Backend::ClaudeCli(backend) => claude_cli::judge(backend, call, material),
        Backend::Anthropic(_) => Judgement::failed(misplaced(&call.job.backend)),
    }
}

/// With which key, and over which connections, the model's service is asked.
#[derive(Clone, Debug, Default)]
pub enum Way {
    /// With the key in the environment variable that the job names.
    #[default]
    Environment,
    /// With a key of the installation, over connections of its own.
    Given {
        /// The key.
        key: SecretString,
        /// Where it is from, for people: `the MozartCredential default`.
        from: String,
        /// The connections.
        client: reqwest::Client,
    },
}

/// Asks the model's service, for attempts of [`Place::InProcess`]. Dropped when the attempt is ended; its time limit is
/// the caller's. `tell` hears what a [`Follower`] would say of a process.
pub async fn ask(call: &Call<'_>, way: &Way, prompt: &str, tell: impl FnMut(Told) + Send) -> Judgement {
    match &call.job.backend {
        Backend::Anthropic(backend) => anthropic::ask(backend, way, &call.job.rate_limit, prompt, tell).await,
        Backend::ClaudeCli(_) | Backend::Command(_) => Judgement::failed(misplaced(&call.job.backend)),
    }
}

/// Reads what a running process writes to its standard output. Backends whose output says nothing while it is written
/// have none, and their output is not read before they end.
#[derive(Debug)]
pub enum Follower {
    /// Of Claude Code.
    ClaudeCli(Box<claude_cli::Follower>),
}

impl Follower {
    /// The reader for an attempt of `call`.
    pub fn new(call: &Call<'_>) -> Option<Self> {
        match &call.job.backend {
            Backend::ClaudeCli(backend) => {
                Some(Self::ClaudeCli(Box::new(claude_cli::Follower::new(backend, call))))
            }
            Backend::Command(_) | Backend::Anthropic(_) => None,
        }
    }

    /// Takes the next whole line, without its end.
    pub fn line(&mut self, line: &[u8]) -> Vec<Told> {
        match self {
            Self::ClaudeCli(follower) => follower.line(line),
        }
    }
}

/// The variables of Mozart's environment that may hold a key of `job`; programs that are not its backend do not get them.
pub fn credential_variables(job: &Job) -> Vec<String> {
    let named = match &job.backend {
        Backend::ClaudeCli(backend) => backend.api_key_env.clone(),
        Backend::Anthropic(backend) => Some(backend.api_key_env.clone()),
        Backend::Command(_) => None,
    };
    let known = ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN"];
    known.map(str::to_owned).into_iter().chain(named).collect()
}

/// Whether the backend can do its work and who pays for it, found out without spending a token. What the job leaves open,
/// such as `auth: Auto`, is settled in it by what was found.
pub async fn preflight(job: &mut Job) -> Preflight {
    let mut found = match &mut job.backend {
        Backend::ClaudeCli(backend) => claude_cli::preflight(backend).await,
        Backend::Anthropic(backend) => Preflight {
            health: anthropic::health_check(backend).await,
            billed: Some(backend.api_key_env.clone()),
        },
        Backend::Command(backend) => {
            let health = match command::health_check(backend) {
                Ok(found) => Health::ok("program", found),
                Err(failure) => Health::fail("program", failure.reason, failure.message),
            };
            Preflight { health: vec![health], billed: None }
        }
    };
    found.health.extend(health::working_directory(job));
    found
}

/// The same without settling anything.
pub async fn health_check(job: &Job) -> Vec<Health> {
    preflight(&mut job.clone()).await.health
}

/// Asked for in the wrong [`Place`]: a mistake of the caller, told as the attempt's failure.
fn misplaced(backend: &Backend) -> Failure {
    let message = format!("`{}` attempts run at {:?}", backend.word(), place(backend));
    Failure::new(FailureClass::JobFatal, "Misplaced", message)
}

/// A process to start for an attempt. The prompt comes on stdin, from a file; stdout and stderr go to files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// A path or a name that is looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs, absolute.
    pub cwd: PathBuf,
    /// Variables set on top of Mozart's own environment.
    pub env_set: Vec<(String, String)>,
    /// Variables copied from Mozart's own environment when it starts: the name it gets, then the name there. So a key
    /// never becomes data that could be logged or written.
    pub env_copy: Vec<(String, String)>,
    /// Variables of Mozart's own environment that it does not get; removed before the others are set.
    pub env_remove: Vec<String>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Exit {
    /// The exit code, or 128 + signal.
    pub code: i32,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why Mozart ended it, if Mozart did.
    pub ended_by: Option<EndedBy>,
}

/// Why Mozart ended a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum EndedBy {
    /// `timeoutSeconds` of running time were over.
    Timeout,
    /// It will be resumed: suspend, shutdown.
    Interrupted,
    /// The run was stopped.
    Stopped,
    /// It had said its result and stayed without output.
    Idle,
}

/// Where an ended attempt's material lies.
#[derive(Clone, Copy, Debug)]
pub struct Material<'a> {
    /// Its standard output, whole.
    pub stdout: &'a Path,
    /// Its standard error, whole.
    pub stderr: &'a Path,
    /// How it ended.
    pub exit: Exit,
}

/// What a backend makes of an ended attempt, before the validations.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// What is wrong with it.
    pub failure: Option<Failure>,
    /// Whether at least one request was accepted.
    pub accepted: bool,
    /// What it used.
    pub usage: Usage,
    /// The session that can be continued.
    pub session: Option<SessionId>,
    /// What it learned about its credential without failing by it.
    pub signal: Option<GateSignal>,
    /// What a person should know.
    pub warnings: Vec<String>,
    /// What it means if a validation fails now, where the backend knows that a retry would fail alike.
    pub if_not_valid: Option<Failure>,
    /// What answered, and who paid.
    pub provenance: Option<Provenance>,
    /// The answer.
    pub answer: Answer,
}

impl Judgement {
    /// Nothing but a failure: no request was accepted, nothing was used, there is no answer.
    pub fn failed(failure: Failure) -> Self {
        Self {
            failure: Some(failure),
            accepted: false,
            usage: Usage::default(),
            session: None,
            signal: None,
            warnings: Vec::new(),
            if_not_valid: None,
            provenance: None,
            answer: Answer::None,
        }
    }
}

/// Where the answer of an attempt is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is the standard output as it stands.
    Stdout,
    /// It was found in the output.
    Text(String),
    /// There is none.
    None,
}

/// What a running process tells, line by line.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// About its credential.
    Signal(GateSignal),
    /// What it has used so far, in all.
    Spent(Usage),
    /// It is hopeless: end it now, it failed by this.
    GiveUp(Box<Failure>),
    /// It has said its result and nothing runs in the background: after 60 s of silence it may be ended.
    ResultSaid,
}
