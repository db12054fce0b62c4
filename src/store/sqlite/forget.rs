//! Deleting what is known of a run.

use sqlx::Row as _;
use uuid::Uuid;

use super::Sqlite;
use crate::{driver::ports::StoreError, job::identity::RunId};

/// So many batches are deleted in one transaction: some milliseconds, in which nobody else can save.
const AT_ONCE: i64 = 1_000;

impl Sqlite {
    /// Deletes the rows of a run, its ledger last.
    pub(in crate::store) async fn forget(&self, run: &RunId) -> Result<(), StoreError> {
        for rows in [
            "DELETE FROM attempts WHERE (run_id, batch, ordinal) IN (SELECT run_id, batch, ordinal FROM attempts
                 WHERE run_id = (SELECT id FROM job_runs WHERE job = ? AND run = ?) LIMIT ?)",
            "DELETE FROM batches WHERE (run_id, batch) IN (SELECT run_id, batch FROM batches
                 WHERE run_id = (SELECT id FROM job_runs WHERE job = ? AND run = ?) LIMIT ?)",
            "DELETE FROM notifications WHERE (run_id, id) IN (SELECT n.run_id, n.id FROM notifications n
                 WHERE n.run_id = (SELECT r.id FROM job_runs r WHERE r.job = ? AND r.run = ?) LIMIT ?)",
            "DELETE FROM job_runs WHERE (job, run) IN (SELECT job, run FROM job_runs
                 WHERE job = ? AND run = ? LIMIT ?)",
        ] {
            while self.delete(rows, run, AT_ONCE).await? > 0 {}
        }
        let unused = "DELETE FROM plans WHERE (job, hash) IN (SELECT job, hash FROM plans p
             WHERE job = ? AND ? > 0 AND NOT EXISTS
                 (SELECT 1 FROM job_runs r WHERE r.job = p.job AND r.ledger ->> 'planHash' = p.hash) LIMIT ?)";
        self.delete(unused, run, AT_ONCE).await?;
        Ok(())
    }

    /// Deletes a job of which no run is left, and its plans.
    pub(in crate::store) async fn forget_job(&self, job: Uuid) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        let query = sqlx::query("DELETE FROM jobs WHERE uid = ?").bind(job.to_string());
        let deleted = query.execute(writer.clean().await).await;
        deleted.map(drop).map_err(|error| self.failed("delete a job from", error))
    }

    /// How many bytes history takes in the file, about: answers are kept for another reason and do not count, nor does
    /// what was deleted and not yet used again.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn history_bytes(&self) -> Result<u64, StoreError> {
        let mut writer = self.connection.lock().await;
        let row = sqlx::query(
            "SELECT (pages.page_count - free.freelist_count) * size.page_size
                 - (SELECT coalesce(sum(octet_length(answer)), 0) FROM answers)
             FROM pragma_page_count pages, pragma_freelist_count free, pragma_page_size size",
        );
        let bytes = row.fetch_one(writer.clean().await).await.and_then(|row| row.try_get::<i64, _>(0));
        bytes.map(|bytes| u64::try_from(bytes).unwrap_or(0)).map_err(|error| self.failed("read", error))
    }

    /// The run that began first of those that are over.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn oldest_over(&self) -> Result<Option<RunId>, StoreError> {
        let mut writer = self.connection.lock().await;
        let query = "SELECT job, run FROM job_runs WHERE ended IS NOT NULL ORDER BY started, id LIMIT 1";
        let row = sqlx::query(query).fetch_optional(writer.clean().await).await;
        let run = row.and_then(|row| {
            row.map(|row| Ok((row.try_get::<String, _>(0)?, row.try_get::<u32, _>(1)?))).transpose()
        });
        let run = run.map_err(|error| self.failed("read", error))?;
        Ok(run.and_then(|(job, run)| Some(RunId { job: job.parse().ok()?, run })))
    }

    async fn delete(&self, rows: &'static str, run: &RunId, limit: i64) -> Result<u64, StoreError> {
        let mut writer = self.connection.lock().await;
        let query = sqlx::query(rows).bind(run.job.to_string()).bind(i64::from(run.run)).bind(limit);
        let deleted = query.execute(writer.clean().await).await;
        deleted.map(|done| done.rows_affected()).map_err(|error| self.failed("delete an old run from", error))
    }

    /// Sets a pragma, such as one that makes the disk full.
    #[cfg(test)]
    pub(crate) async fn pragma(&self, text: String) {
        let mut writer = self.connection.lock().await;
        sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(writer.clean().await).await.unwrap();
    }
}
