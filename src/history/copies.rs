//! What only databases have: history of runs whose ledgers are kept elsewhere, and answers.

use std::{collections::BTreeSet, path::Path};

use super::{HistoryError, Reader};
use crate::{
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::{Local, Sqlite, record::JobRecord},
};

impl Reader {
    fn databases(&self) -> impl Iterator<Item = &Sqlite> {
        self.stores().filter_map(Local::database)
    }

    /// The job of that name that is used in a folder, in a cluster in a namespace; of several the last one.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn job_in(&self, folder: &Path, name: &str) -> Result<Option<JobRecord>, HistoryError> {
        for database in self.databases() {
            if let Some(job) = database.job_in(folder, name).await? {
                return Ok(Some(job));
            }
        }
        Ok(None)
    }

    /// The folders that jobs are used in, in a cluster the namespaces.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn folders(&self) -> Result<BTreeSet<String>, HistoryError> {
        let mut folders = BTreeSet::new();
        for database in self.databases() {
            folders.extend(database.folders().await?);
        }
        Ok(folders)
    }

    /// How many saves of a run history has missed.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn gap(&self, run: &RunId) -> Result<u64, HistoryError> {
        let mut gap = 0;
        for database in self.databases() {
            gap += database.gap(run).await?;
        }
        Ok(gap)
    }

    /// The attempts whose answers the database keeps: at most `limit` of batches with a number above `after`, by batch.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn answered(
        &self,
        run: &RunId,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<AttemptKey>, HistoryError> {
        for database in self.databases() {
            let keys = database.answered(run, after, limit).await?;
            if !keys.is_empty() {
                return Ok(keys);
            }
        }
        Ok(Vec::new())
    }

    /// The answer of a batch that the database keeps, and what is known of it.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn kept_answer(
        &self,
        run: &RunId,
        batch: BatchNum,
    ) -> Result<Option<(String, AnswerFacts)>, HistoryError> {
        for database in self.databases() {
            if let Some(answer) = database.kept_answer(run, batch).await? {
                return Ok(Some(answer));
            }
        }
        Ok(None)
    }
}
