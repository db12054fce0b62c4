//! The directory of an attempt: one file for every step it has taken.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Serialize, de::DeserializeOwned};

use super::{BeginError, Record, checks::Finding};
use crate::{
    backend::Exit,
    job::{identity::AttemptKey, outcome::Outcome},
};

/// The directory of an attempt, below its run's and its batch's: `<run>/b12/a1`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    path: PathBuf,
}

impl Directory {
    /// Where the attempt `key` lies, whether it is there or not.
    pub fn of(run_directory: &Path, key: AttemptKey) -> Self {
        Self { path: run_directory.join(format!("b{}/a{}", key.batch, key.ordinal)) }
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The rendered prompt.
    pub fn prompt(&self) -> PathBuf {
        self.path.join("prompt.md")
    }

    /// The standard output.
    pub fn stdout(&self) -> PathBuf {
        self.path.join("stdout.log")
    }

    /// The standard error.
    pub fn stderr(&self) -> PathBuf {
        self.path.join("stderr.log")
    }

    /// The answer, where it is not the standard output.
    pub fn answer(&self) -> PathBuf {
        self.path.join("answer.md")
    }

    /// The output of the validation command at this place in the job's list, from 0.
    pub fn check_output(&self, index: usize) -> PathBuf {
        self.path.join(format!("check{}.log", index + 1))
    }

    /// What the batch's files were before its first attempt; shared by the batch's attempts.
    pub fn baseline(&self) -> PathBuf {
        self.path.parent().unwrap_or(&self.path).join("baseline.json")
    }

    /// What the attempt was started with, if it was begun.
    pub fn read_record(&self) -> Option<Record> {
        read(&self.path.join("attempt.json"))
    }

    /// How its process ended, if that was recorded.
    pub fn read_exit(&self) -> Option<Exit> {
        read(&self.path.join("exit.json"))
    }

    /// Which process it is, in the keeper's words, if one was recorded.
    pub fn read_process<T: DeserializeOwned>(&self) -> Option<T> {
        read(&self.path.join("process.json"))
    }

    /// Its result, if it has one.
    pub fn read_result(&self) -> Option<Outcome> {
        read(&self.path.join("result.json"))
    }

    /// What its validations found, if they have been looked at.
    pub fn read_findings(&self) -> Option<Vec<Finding>> {
        read(&self.path.join("checks.json"))
    }

    /// Makes the directory; says whether it is new.
    pub(super) fn make(&self) -> Result<bool, BeginError> {
        let error = match fs::create_dir(&self.path) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::NotFound {
            return fs::create_dir_all(&self.path).map(|()| true).map_err(|source| self.failed("", source));
        }
        Err(self.failed("", error))
    }

    pub(super) fn write_record(&self, record: &Record) -> Result<(), BeginError> {
        self.write("attempt.json", record)
    }

    pub(super) fn write_prompt(&self, prompt: &str) -> Result<(), BeginError> {
        fs::write(self.prompt(), prompt).map_err(|source| self.failed("prompt.md", source))
    }

    /// Writes what the validations found.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_findings(&self, findings: &[Finding]) -> Result<(), BeginError> {
        self.write("checks.json", &findings)
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_answer(&self, answer: &str) -> Result<(), BeginError> {
        fs::write(self.answer(), answer).map_err(|source| self.failed("answer.md", source))
    }

    /// Writes the result: the attempt's last step.
    ///
    /// # Errors
    /// When the file cannot be written; the attempt has no result then.
    pub fn write_result(&self, outcome: &Outcome) -> Result<(), BeginError> {
        self.write("result.json", outcome)
    }

    /// One small write; a reader takes a file that is not whole for one that is not there.
    fn write(&self, name: &str, content: &impl Serialize) -> Result<(), BeginError> {
        let written = serde_json::to_vec(content).map_err(io::Error::from);
        let written = written.and_then(|bytes| fs::write(self.path.join(name), bytes));
        written.map_err(|source| self.failed(name, source))
    }

    fn failed(&self, name: &str, source: io::Error) -> BeginError {
        BeginError::Files { path: self.path.join(name).display().to_string(), source }
    }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
