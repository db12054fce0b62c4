//! What an attempt was sent and what it said: files, read where they were written.

use std::{fs, io, path::PathBuf};

use serde::Serialize;

use super::{HistoryError, Reader};
use crate::{
    job::identity::{AttemptKey, BatchNum, RunId},
    store::{answers::ANSWER_FILE, record::BatchState},
};

/// The files of an attempt. One that is missing was not written, or was pruned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AttemptFiles {
    /// The attempt's directory.
    pub directory: PathBuf,
    /// What was asked.
    pub prompt: PathBuf,
    /// Standard output, whole; written while the attempt runs.
    pub stdout: PathBuf,
    /// Standard error, whole; written while the attempt runs.
    pub stderr: PathBuf,
    /// The answer, where it is not standard output.
    pub answer: PathBuf,
    /// What its validations expected and found, as JSON.
    pub checks: PathBuf,
    /// How it ended and what it used, as JSON.
    pub result: PathBuf,
}

/// The answer of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRecord {
    /// The batch.
    pub batch: BatchNum,
    /// The attempt that gave it.
    pub ordinal: u32,
    /// The answer. Bytes that are no UTF-8 are replaced.
    pub answer: String,
}

impl Reader {
    /// Where the files of an attempt are.
    pub fn files(&self, run: &RunId, key: AttemptKey) -> AttemptFiles {
        let directory = self.home.attempt(run, key);
        let file = |name: &str| directory.join(name);
        AttemptFiles {
            prompt: file("prompt.md"),
            stdout: file("stdout.log"),
            stderr: file("stderr.log"),
            answer: file(ANSWER_FILE),
            checks: file("checks.json"),
            result: file("result.json"),
            directory,
        }
    }

    /// The answers of the succeeded batches with a number above `after` (0 for the first page), by number; looked for
    /// in `limit` batches. A batch whose files were pruned has no answer.
    ///
    /// # Errors
    /// The state or an answer could not be read.
    pub async fn outputs(
        &self,
        run: &RunId,
        after: BatchNum,
        limit: u32,
    ) -> Result<OutputPage, HistoryError> {
        let batches = self.batches(run, Some(BatchState::Succeeded), after, limit).await?;
        let next = (batches.len() == limit as usize).then(|| batches.last().map(|batch| batch.batch));
        let mut outputs = Vec::new();
        for batch in batches {
            let key = AttemptKey { batch: batch.batch, ordinal: batch.attempts };
            if let Some(answer) = self.answer(run, key)? {
                outputs.push(OutputRecord { batch: key.batch, ordinal: key.ordinal, answer });
            }
        }
        Ok(OutputPage { outputs, next: next.flatten() })
    }

    /// The answer of an attempt that succeeded; `None` when its files are gone.
    ///
    /// # Errors
    /// It could not be read.
    pub fn answer(&self, run: &RunId, key: AttemptKey) -> Result<Option<String>, HistoryError> {
        let files = self.files(run, key);
        for path in [files.answer, files.stdout] {
            match fs::read(&path) {
                Ok(bytes) => return Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => {
                    return Err(HistoryError::Answer { path, source });
                }
            }
        }
        Ok(None)
    }
}

/// Some answers, and where the rest begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutputPage {
    /// By batch.
    pub outputs: Vec<OutputRecord>,
    /// What to ask for the next page with; `None` when this was the last.
    pub next: Option<BatchNum>,
}
