//! Answers that are kept nowhere else.

use sqlx::Row as _;
use uuid::Uuid;

use super::Sqlite;
use crate::{
    driver::ports::StoreError,
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum, RunId},
    },
    store::to_json,
};

/// An answer to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewAnswer {
    /// Of which run.
    pub run: RunId,
    /// Of which attempt; the last one of a batch that is put counts.
    pub key: AttemptKey,
    /// Whether it stays when its job goes.
    pub stays: bool,
    /// The text.
    pub answer: String,
    /// What is known of it.
    pub facts: AnswerFacts,
}

impl Sqlite {
    /// Keeps answers, all or none. After `Ok` they survive a loss of power.
    ///
    /// # Errors
    /// They could not be written.
    pub async fn keep_answers(&self, answers: &[NewAnswer]) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        writer.clean().await;
        writer.unfinished = true;
        let failed = |error| self.failed("keep the answers in", error);
        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer.connection).await.map_err(failed)?;
        for NewAnswer { run, key, stays, answer, facts } in answers {
            sqlx::query(
                "INSERT INTO answers (job, run, batch, ordinal, stays, answer, facts) VALUES (?, ?, ?, ?, ?, ?, ?)
                 ON CONFLICT (job, run, batch) DO UPDATE SET ordinal = excluded.ordinal,
                     stays = excluded.stays, answer = excluded.answer, facts = excluded.facts",
            )
            .bind(run.job.to_string())
            .bind(i64::from(run.run))
            .bind(i64::from(key.batch.0))
            .bind(i64::from(key.ordinal))
            .bind(*stays)
            .bind(answer.as_str())
            .bind(to_json(facts))
            .execute(&mut writer.connection)
            .await
            .map_err(failed)?;
        }
        sqlx::query("COMMIT").execute(&mut writer.connection).await.map_err(failed)?;
        writer.unfinished = false;
        Ok(())
    }

    /// The attempts whose answers are kept, at most `limit` of batches with a number above `after`, by batch.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn answered(
        &self,
        run: &RunId,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<AttemptKey>, StoreError> {
        let mut writer = self.connection.lock().await;
        let rows = sqlx::query(
            "SELECT batch, ordinal FROM answers WHERE job = ? AND run = ? AND batch > ? ORDER BY batch LIMIT ?",
        )
        .bind(run.job.to_string())
        .bind(i64::from(run.run))
        .bind(i64::from(after.0))
        .bind(i64::from(limit))
        .fetch_all(writer.clean().await)
        .await;
        let keys = rows.and_then(|rows| {
            let key = |row: &sqlx::sqlite::SqliteRow| {
                Ok(AttemptKey { batch: BatchNum(row.try_get(0)?), ordinal: row.try_get(1)? })
            };
            rows.iter().map(key).collect()
        });
        keys.map_err(|error| self.failed("read", error))
    }

    /// The answer of a batch that is kept here, and what is known of it.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn kept_answer(
        &self,
        run: &RunId,
        batch: BatchNum,
    ) -> Result<Option<(String, AnswerFacts)>, StoreError> {
        let mut writer = self.connection.lock().await;
        let row = sqlx::query("SELECT answer, facts FROM answers WHERE job = ? AND run = ? AND batch = ?")
            .bind(run.job.to_string())
            .bind(i64::from(run.run))
            .bind(i64::from(batch.0))
            .fetch_optional(writer.clean().await)
            .await;
        let kept = row.and_then(|row| {
            row.map(|row| {
                let facts: String = row.try_get(1)?;
                // Facts of a newer Mozart that cannot be read are not known.
                Ok((row.try_get(0)?, serde_json::from_str(&facts).unwrap_or_default()))
            })
            .transpose()
        });
        kept.map_err(|error| self.failed("read", error))
    }

    /// The jobs with answers.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn jobs_with_answers(&self) -> Result<Vec<Uuid>, StoreError> {
        self.uids("SELECT DISTINCT job FROM answers").await
    }

    /// Deletes the answers that go with a job.
    ///
    /// # Errors
    /// They could not be deleted; what is left is deleted the next time.
    pub async fn forget_answers(&self, job: Uuid) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        sqlx::query("DELETE FROM answers WHERE job = ? AND NOT stays")
            .bind(job.to_string())
            .execute(writer.clean().await)
            .await
            .map(drop)
            .map_err(|error| self.failed("delete the answers of a job from", error))
    }
}
