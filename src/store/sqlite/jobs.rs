//! Jobs, their runs and plans.

use std::path::Path;

use jiff::Timestamp;
use sqlx::{Connection as _, Row as _};
use uuid::Uuid;

use super::{Query, Sqlite};
use crate::{
    driver::ports::StoreError,
    engine::ledger::Ledger,
    job::identity::{JobName, RunId},
    store::{ledger_of, runs::phase_word, to_json},
};

impl Sqlite {
    /// As [`Local::register_job`](crate::store::Local::register_job).
    pub async fn register_job(&self, name: &JobName, file: &Path, cwd: &Path) -> Result<Uuid, StoreError> {
        let mut writer = self.connection.lock().await;
        let uid = sqlx::query(
            "INSERT INTO jobs (uid, name, file, created, used, used_in, used_order)
             VALUES (?1, ?2, ?3, ?4, ?4, ?5, (SELECT ifnull(max(used_order), 0) + 1 FROM jobs))
             ON CONFLICT (name, file) DO UPDATE SET
                 used = excluded.used, used_in = excluded.used_in, used_order = excluded.used_order
             RETURNING uid",
        )
        .bind(Uuid::new_v4().to_string())
        .bind(name.as_str())
        .bind(file.to_string_lossy())
        .bind(Timestamp::now().to_string())
        .bind(cwd.to_string_lossy())
        .fetch_one(writer.clean().await)
        .await
        .and_then(|row| row.try_get::<String, _>(0))
        .map_err(|error| self.failed("register the job in", error))?;
        uid.parse().map_err(|error| self.damaged(error))
    }

    /// As [`Local::begin_run`](crate::store::Local::begin_run).
    pub async fn begin_run(&self, ledger: &Ledger, plan_text: &str) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        let failed = |error| self.failed("begin the run in", error);
        let mut transaction = writer.clean().await.begin_with("BEGIN IMMEDIATE").await.map_err(failed)?;
        let job = ledger.run.job.to_string();
        sqlx::query("INSERT INTO plans (job, hash, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(&job)
            .bind(&ledger.plan_hash)
            .bind(plan_text)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        sqlx::query("INSERT INTO job_runs (job, run, seq, ended, started, phase, ledger) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(&job)
            .bind(i64::from(ledger.run.run))
            .bind(ledger.seq.cast_signed())
            .bind(ledger.ended.map(|ended| ended.to_string()))
            .bind(ledger.started.as_millisecond())
            .bind(phase_word(&ledger.phase))
            .bind(to_json(ledger))
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)
    }

    /// As [`Local::last_run`](crate::store::Local::last_run).
    pub async fn last_run(&self, job: Uuid) -> Result<Option<Ledger>, StoreError> {
        let query = sqlx::query("SELECT ledger FROM job_runs WHERE job = ? ORDER BY run DESC LIMIT 1");
        self.ledger(query.bind(job.to_string())).await
    }

    /// As [`Local::load`](crate::store::Local::load).
    pub async fn load(&self, run: &RunId) -> Result<Option<Ledger>, StoreError> {
        let query = sqlx::query("SELECT ledger FROM job_runs WHERE job = ? AND run = ?");
        self.ledger(query.bind(run.job.to_string()).bind(i64::from(run.run))).await
    }

    /// As [`Local::keep_plan`](crate::store::Local::keep_plan).
    pub async fn keep_plan(&self, run: &RunId, hash: &str, text: &str) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        sqlx::query("INSERT INTO plans (job, hash, text) VALUES (?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(run.job.to_string())
            .bind(hash)
            .bind(text)
            .execute(writer.clean().await)
            .await
            .map(|_| ())
            .map_err(|error| self.failed("keep the plan in", error))
    }

    /// As [`Local::plan_text`](crate::store::Local::plan_text).
    pub async fn plan_text(&self, run: &RunId) -> Result<Option<String>, StoreError> {
        let query = sqlx::query(
            "SELECT text FROM job_runs r JOIN plans p ON p.job = r.job AND p.hash = r.ledger ->> 'planHash'
             WHERE r.job = ? AND r.run = ?",
        );
        self.one_text(query.bind(run.job.to_string()).bind(i64::from(run.run))).await
    }

    async fn ledger(&self, query: Query<'_>) -> Result<Option<Ledger>, StoreError> {
        let text = self.one_text(query).await?;
        text.map(|text| ledger_of(text.as_bytes(), &self.path)).transpose()
    }

    pub(super) async fn one_text(&self, query: Query<'_>) -> Result<Option<String>, StoreError> {
        let mut writer = self.connection.lock().await;
        let row = query.fetch_optional(writer.clean().await).await;
        let text = row.and_then(|row| row.map(|row| row.try_get(0)).transpose());
        text.map_err(|error| self.failed("read", error))
    }
}
