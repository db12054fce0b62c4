//! What Mozart and its keeper say to each other: JSON, a line each, over a socket.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::super::process::Process;
use crate::backend::{EndedBy, Exit};

/// From Mozart to the keeper.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Start a program.
    Spawn(Box<Spawn>),
    /// Watch a program that an earlier keeper started.
    Adopt(Box<Adopt>),
    /// End a program, in steps.
    End {
        /// Which.
        id: u64,
        /// Why; it decides on the first signal.
        why: EndedBy,
    },
}

/// A program to start.
#[derive(Debug, Serialize, Deserialize)]
pub struct Spawn {
    /// Names it in all that follows.
    pub id: u64,
    /// The value of `MOZART_ATTEMPT` by which its descendants are known.
    pub mark: String,
    /// A path or a name that is looked up in `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Where it runs.
    pub cwd: PathBuf,
    /// Variables that it gets beside Mozart's own.
    pub env_set: Vec<(String, String)>,
    /// Variables that it gets with a value of Mozart's environment: its name, and the name there.
    pub env_copy: Vec<(String, String)>,
    /// Variables of Mozart's that it does not get; removed before the others are set.
    pub env_remove: Vec<String>,
    /// Its standard input; `None` is empty.
    pub stdin: Option<PathBuf>,
    /// Its standard output, which is made, and added to if it is there.
    pub stdout: PathBuf,
    /// Its standard error; may be the same file.
    pub stderr: PathBuf,
    /// Where `process.json` and `exit.json` are kept; `None` for programs that are not adopted.
    pub record: Option<PathBuf>,
    /// A file to keep locked until it and all that descended from it have ended: its place among the sessions.
    pub hold: Option<PathBuf>,
    /// Running time after which it is ended, in milliseconds.
    pub timeout_ms: u64,
}

/// A program that an earlier keeper started.
#[derive(Debug, Serialize, Deserialize)]
pub struct Adopt {
    /// Names it in all that follows.
    pub id: u64,
    /// As in [`Spawn`].
    pub mark: String,
    /// Where its `exit.json` will be.
    pub record: PathBuf,
    /// Its standard output and standard error.
    pub streams: Vec<PathBuf>,
    /// What the earlier keeper wrote of it.
    pub process: ProcessRecord,
}

/// `process.json`: which process an attempt is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessRecord {
    /// The program.
    pub program: Process,
    /// The keeper that started it.
    pub keeper: Process,
    /// The reading of the clock that stands still in sleep, in milliseconds, after which it is ended.
    pub deadline_ms: u64,
}

/// From the keeper to Mozart.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// A program and all that descended from it have ended.
    Ended {
        /// Which.
        id: u64,
        /// How.
        exit: Exit,
    },
    /// It could not be started.
    NotStarted {
        /// Which.
        id: u64,
        /// The error's number in the system.
        errno: i32,
        /// The file that could not be opened; `None` when it is the program itself.
        file: Option<PathBuf>,
    },
    /// An adopted program has ended, and nobody saw how.
    Vanished {
        /// Which.
        id: u64,
    },
    /// Something that a person should know.
    Warning {
        /// What.
        text: String,
    },
}
