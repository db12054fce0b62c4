//! What an attempt was sent and what it said: files, read where they were written.

use std::{fs, io};

use serde::Serialize;

use super::{HistoryError, Reader};
use crate::{
    job::{
        answer::AnswerFacts,
        files::AttemptFiles,
        finding::Finding,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::record::BatchState,
};

/// The answer of a batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct OutputRecord {
    /// The batch.
    pub batch: BatchNum,
    /// The attempt that gave it.
    pub ordinal: u32,
    /// What is kept with it; of a file nothing is, its attempt has it.
    #[serde(flatten)]
    pub facts: AnswerFacts,
    /// The answer. Bytes that are no UTF-8 are replaced.
    pub answer: String,
}

impl Reader {
    /// Where the files of an attempt are.
    pub fn files(&self, run: &RunId, key: AttemptKey) -> AttemptFiles {
        self.home.attempt(run, key)
    }

    /// What the validations of an attempt found; `None` where they were not looked at, or that is no longer kept.
    pub fn findings(&self, run: &RunId, key: AttemptKey) -> Option<Vec<Finding>> {
        serde_json::from_slice(&fs::read(self.files(run, key).findings()).ok()?).ok()
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
                outputs.push(OutputRecord {
                    batch: key.batch,
                    ordinal: key.ordinal,
                    facts: AnswerFacts::default(),
                    answer,
                });
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
        for path in [files.answer(), files.stdout()] {
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
