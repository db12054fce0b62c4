//! What runs a batch: Claude Code, the Messages API, any program. Each says how it is called and how its end is judged.

use std::path::{Path, PathBuf};

use crate::job::identity::SessionId;
use crate::job::outcome::{Failure, GateSignal, Usage};

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
    /// Variables of Mozart's own environment that it does not get.
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
    /// The answer.
    pub answer: Answer,
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
