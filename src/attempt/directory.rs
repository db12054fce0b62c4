//! The directory of an attempt: one file for every step it has taken.

use std::{fs, io, path::Path};

use serde::{Serialize, de::DeserializeOwned};

use super::{BeginError, Record};
use crate::{
    backend::Exit,
    job::{files::AttemptFiles, finding::Finding, identity::AttemptKey, outcome::Outcome},
};

/// The directory of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directory {
    /// Where it and its files lie.
    pub files: AttemptFiles,
}

impl Directory {
    /// That of the attempt `key`, whether it is there or not.
    pub fn of(run_directory: &Path, key: AttemptKey) -> Self {
        Self { files: AttemptFiles::of(run_directory, key) }
    }

    /// What the attempt was started with, if it was begun.
    pub fn read_record(&self) -> Option<Record> {
        read(&self.files.record())
    }

    /// How its process ended, if that was recorded.
    pub fn read_exit(&self) -> Option<Exit> {
        read(&self.files.exit())
    }

    /// Which process it is, in the keeper's words, if one was recorded.
    pub fn read_process<T: DeserializeOwned>(&self) -> Option<T> {
        read(&self.files.process())
    }

    /// Its result, if it has one.
    pub fn read_result(&self) -> Option<Outcome> {
        read(&self.files.result())
    }

    /// Makes the directory; says whether it is new.
    pub(super) fn make(&self) -> Result<bool, BeginError> {
        let folder = self.files.folder();
        let error = match fs::create_dir(folder) {
            Ok(()) => return Ok(true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(false),
            Err(error) => error,
        };
        if error.kind() == io::ErrorKind::NotFound {
            return fs::create_dir_all(folder).map(|()| true).map_err(|source| failed(folder, source));
        }
        Err(failed(folder, error))
    }

    pub(super) fn write_record(&self, record: &Record) -> Result<(), BeginError> {
        write_json(&self.files.record(), record)
    }

    pub(super) fn write_prompt(&self, prompt: &str) -> Result<(), BeginError> {
        write(&self.files.prompt(), prompt.as_bytes())
    }

    /// Writes what the validations found.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_findings(&self, findings: &[Finding]) -> Result<(), BeginError> {
        write_json(&self.files.findings(), &findings)
    }

    /// Writes the answer.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_answer(&self, answer: &str) -> Result<(), BeginError> {
        write(&self.files.answer(), answer.as_bytes())
    }

    /// Writes the result: the attempt's last step.
    ///
    /// # Errors
    /// When the file cannot be written; the attempt has no result then.
    pub fn write_result(&self, outcome: &Outcome) -> Result<(), BeginError> {
        write_json(&self.files.result(), outcome)
    }
}

/// One small write; a reader takes a file that is not whole for one that is not there.
fn write_json(path: &Path, content: &impl Serialize) -> Result<(), BeginError> {
    let bytes = serde_json::to_vec(content).map_err(|error| failed(path, error.into()))?;
    write(path, &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BeginError> {
    fs::write(path, bytes).map_err(|source| failed(path, source))
}

fn failed(path: &Path, source: io::Error) -> BeginError {
    BeginError::Files { path: path.display().to_string(), source }
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
