//! Reading history. Every query follows an index; records come as JSON in the very form that they were written in.

use serde::de::DeserializeOwned;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Query, Sqlite};
use crate::{
    driver::ports::StoreError,
    engine::ledger::Ledger,
    job::identity::{BatchNum, RunId},
    store::{
        ledger_of,
        record::{AttemptRecord, BatchRecord, BatchState, JobRecord, NotificationRecord},
    },
};

/// A batch as [`BatchRecord`] is read; `$condition` narrows the batches of run `?1` of job `?2` after batch `?3`, which
/// are found by `$index`: left alone, SQLite walks through all that succeeded in search of the few that did not.
macro_rules! batches_where {
    ($index:literal, $condition:expr) => {
        concat!(
            "SELECT json_object('batch', batch, 'state', state, 'attempts', attempts, 'started', started,
                 'ended', b.ended, 'until', until, 'class', class, 'reason', reason, 'message', message,
                 'usage', json_object('inputTokens', input_tokens, 'outputTokens', output_tokens,
                     'cacheReadTokens', cache_read_tokens, 'cacheWriteTokens', cache_write_tokens,
                     'costUSD', printf('%d.%06d', cost_micro_usd / 1000000, cost_micro_usd % 1000000),
                     'partial', json(iif(usage_partial, 'true', 'false'))))
             FROM batches b",
            $index,
            " WHERE run_id = (SELECT id FROM job_runs WHERE job = ?2 AND run = ?1) AND batch > ?3",
            $condition,
            " ORDER BY batch LIMIT ?4"
        )
    };
}

impl Sqlite {
    /// Every job, the one used last first.
    pub async fn jobs(&self) -> Result<Vec<JobRecord>, StoreError> {
        self.records(sqlx::query(
            "SELECT json_object('uid', uid, 'name', name, 'file', file, 'created', created, 'used', used,
                 'usedIn', used_in) FROM jobs ORDER BY used_order DESC",
        ))
        .await
    }

    /// Every job with the ledger of its last run, the one used last first.
    pub async fn jobs_with_last_runs(&self) -> Result<Vec<(JobRecord, Option<Ledger>)>, StoreError> {
        let rows = {
            let mut writer = self.connection.lock().await;
            let query = sqlx::query(
                "SELECT json_object('uid', uid, 'name', name, 'file', file, 'created', created, 'used', used,
                     'usedIn', used_in),
                     (SELECT ledger FROM job_runs WHERE job = jobs.uid ORDER BY run DESC LIMIT 1)
                 FROM jobs ORDER BY used_order DESC",
            );
            query.fetch_all(writer.clean().await).await.map_err(|error| self.failed("read", error))?
        };
        let mut jobs = Vec::with_capacity(rows.len());
        for row in rows {
            let read = || -> Result<(String, Option<String>), sqlx::Error> {
                Ok((row.try_get(0)?, row.try_get(1)?))
            };
            let (job, ledger) = read().map_err(|error| self.failed("read", error))?;
            let job = serde_json::from_str(&job).map_err(|error| self.damaged(error))?;
            let ledger = ledger.map(|text| ledger_of(text.as_bytes(), self.path())).transpose()?;
            jobs.push((job, ledger));
        }
        Ok(jobs)
    }

    /// The jobs of this name.
    pub async fn jobs_called(&self, name: &str) -> Result<Vec<JobRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT json_object('uid', uid, 'name', name, 'file', file, 'created', created, 'used', used,
                 'usedIn', used_in) FROM jobs WHERE name = ?",
        );
        self.records(query.bind(name.to_owned())).await
    }

    /// The ledgers of every run of a job, the last one first.
    pub async fn runs(&self, job: Uuid) -> Result<Vec<Ledger>, StoreError> {
        let query = sqlx::query("SELECT ledger FROM job_runs WHERE job = ? ORDER BY run DESC");
        let texts = self.texts(query.bind(job.to_string())).await?;
        texts.iter().map(|text| ledger_of(text.as_bytes(), self.path())).collect()
    }

    /// At most `limit` batches with a number above `after`, by number; of one state, or of all.
    pub async fn batches(
        &self,
        run: &RunId,
        state: Option<BatchState>,
        after: BatchNum,
        limit: u32,
    ) -> Result<Vec<BatchRecord>, StoreError> {
        // Written out, so that SQLite can tell that the partial index serves.
        macro_rules! unfinished {
            ($state:literal) => {
                batches_where!(
                    " INDEXED BY batches_unfinished",
                    concat!(" AND state = '", $state, "' AND state <> 'succeeded'")
                )
            };
        }
        let query = sqlx::query(match state {
            None => batches_where!("", ""),
            Some(BatchState::Running) => unfinished!("running"),
            Some(BatchState::Waiting) => unfinished!("waiting"),
            Some(BatchState::Failed) => unfinished!("failed"),
            Some(BatchState::Succeeded) => batches_where!("", " AND state = 'succeeded'"),
        });
        self.records(of_run(query, run).bind(i64::from(after.0)).bind(i64::from(limit))).await
    }

    /// The attempts at the batches from `first` to `last`, by batch and ordinal.
    pub async fn attempts_between(
        &self,
        run: &RunId,
        first: BatchNum,
        last: BatchNum,
    ) -> Result<Vec<AttemptRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT json_object('batch', batch, 'ordinal', ordinal, 'state', state, 'started', started,
                 'ended', ended, 'exitCode', exit_code, 'class', class, 'reason', reason, 'message', message,
                 'accepted', CASE accepted WHEN 1 THEN json('true') WHEN 0 THEN json('false') END,
                 'session', session, 'warnings', json(warnings), 'provenance', json(provenance),
                 'usage', json_object('inputTokens', input_tokens, 'outputTokens', output_tokens,
                     'cacheReadTokens', cache_read_tokens, 'cacheWriteTokens', cache_write_tokens,
                     'costUSD', printf('%d.%06d', cost_micro_usd / 1000000, cost_micro_usd % 1000000),
                     'partial', json(iif(usage_partial, 'true', 'false'))))
             FROM attempts
             WHERE run_id = (SELECT id FROM job_runs WHERE job = ?2 AND run = ?1) AND batch BETWEEN ?3 AND ?4
             ORDER BY batch, ordinal",
        );
        self.records(of_run(query, run).bind(i64::from(first.0)).bind(i64::from(last.0))).await
    }

    /// What people were told of a run, by number.
    pub async fn notifications(&self, run: &RunId) -> Result<Vec<NotificationRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT json_object('id', id, 'occasion', occasion, 'queued', queued, 'batch', batch,
                 'ordinal', ordinal, 'text', text, 'state', state, 'settled', settled)
             FROM notifications
             WHERE run_id = (SELECT id FROM job_runs WHERE job = ?2 AND run = ?1)
             ORDER BY notifications.id",
        );
        self.records(of_run(query, run)).await
    }

    /// As [`Local::mark`](crate::store::Local::mark).
    pub async fn mark(&self) -> u64 {
        let mut writer = self.connection.lock().await;
        let row = sqlx::query("PRAGMA data_version").fetch_one(writer.clean().await).await;
        row.and_then(|row| row.try_get::<i64, _>(0)).map_or(0, i64::cast_unsigned)
    }

    pub(super) async fn records<T: DeserializeOwned>(&self, query: Query<'_>) -> Result<Vec<T>, StoreError> {
        let texts = self.texts(query).await?;
        texts.iter().map(|text| serde_json::from_str(text).map_err(|error| self.damaged(error))).collect()
    }

    pub(super) async fn uids(&self, query: &'static str) -> Result<Vec<Uuid>, StoreError> {
        let texts = self.texts(sqlx::query(query)).await?;
        texts.iter().map(|text| text.parse().map_err(|error| self.damaged(error))).collect()
    }

    pub(super) async fn texts(&self, query: Query<'_>) -> Result<Vec<String>, StoreError> {
        let mut writer = self.connection.lock().await;
        let rows = query.fetch_all(writer.clean().await).await;
        let texts = rows.and_then(|rows| rows.iter().map(|row| row.try_get(0)).collect());
        texts.map_err(|error| self.failed("read", error))
    }
}

fn of_run<'q>(query: Query<'q>, run: &RunId) -> Query<'q> {
    query.bind(i64::from(run.run)).bind(run.job.to_string())
}
