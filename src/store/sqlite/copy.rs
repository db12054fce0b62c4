//! A copy of ledgers that are kept elsewhere, with the rows of their journals. It may miss saves, and says how many.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::json;
use sqlx::Row as _;
use uuid::Uuid;

use super::{Sqlite, save::rows};
use crate::{
    driver::ports::StoreError,
    engine::{
        event::{Event, EventKind},
        ledger::{Ledger, RunPhase},
    },
    job::identity::RunId,
    store::{fold::Changes, record::JobRecord, runs::phase_word, to_json},
};

const COPY: &str = concat!(include_str!("copy.sql"), include_str!("rows.sql"));

/// What was saved of a run since it was copied last.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The name of its job.
    pub name: String,
    /// The job's file; in a cluster what tells it from others of its name.
    pub file: PathBuf,
    /// Where the job is used: in a cluster its namespace.
    pub used_in: PathBuf,
    /// The newest ledger.
    pub ledger: Ledger,
    /// The journals of the saves, in their order.
    pub journal: Vec<Event>,
    /// How many saves.
    pub saves: u64,
}

impl Sqlite {
    /// Takes over what was saved of some runs, in one transaction.
    ///
    /// # Errors
    /// It could not be written; nothing of it was.
    pub async fn copy(&self, saved: &[Saved]) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        writer.clean().await;
        writer.unfinished = true;
        let failed = |error| self.failed("copy history to", error);
        sqlx::query("BEGIN IMMEDIATE").execute(&mut writer.connection).await.map_err(failed)?;
        for saved in saved {
            let run = saved.ledger.run.clone();
            let (job, header) = headers(saved);
            let query = sqlx::query(COPY).bind(job).bind(header).bind(saved.saves.cast_signed());
            let copied = rows(query, &run, Changes::of(&saved.journal)).fetch_all(&mut writer.connection);
            copied.await.map_err(failed)?;
        }
        sqlx::query("COMMIT").execute(&mut writer.connection).await.map_err(failed)?;
        writer.unfinished = false;
        Ok(())
    }

    /// How many saves of a run are missing in its history.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn gap(&self, run: &RunId) -> Result<u64, StoreError> {
        let mut writer = self.connection.lock().await;
        let found = sqlx::query("SELECT gap FROM job_runs WHERE job = ? AND run = ?")
            .bind(run.job.to_string())
            .bind(i64::from(run.run))
            .fetch_optional(writer.clean().await)
            .await
            .and_then(|row| row.map(|row| row.try_get::<i64, _>(0)).transpose());
        found.map(|gap| gap.unwrap_or(0).cast_unsigned()).map_err(|error| self.failed("read", error))
    }

    /// The job of that name that is used in a folder, and was used last.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn job_in(&self, used_in: &Path, name: &str) -> Result<Option<JobRecord>, StoreError> {
        let query = sqlx::query(
            "SELECT json_object('uid', uid, 'name', name, 'file', file, 'created', created, 'used', used,
                 'usedIn', used_in) FROM jobs WHERE used_in = ? AND name = ? ORDER BY used_order DESC LIMIT 1",
        );
        let found =
            self.records(query.bind(used_in.to_string_lossy().into_owned()).bind(name.to_owned())).await?;
        Ok(found.into_iter().next())
    }

    /// The folders that jobs are used in, in a cluster the namespaces.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn folders(&self) -> Result<Vec<String>, StoreError> {
        self.texts(sqlx::query("SELECT DISTINCT used_in FROM jobs")).await
    }

    /// The jobs with copies of runs that have not ended.
    ///
    /// # Errors
    /// They could not be read.
    pub async fn unended_copies(&self) -> Result<Vec<Uuid>, StoreError> {
        self.uids("SELECT DISTINCT job FROM job_runs WHERE copy AND ended IS NULL").await
    }

    /// The job is no more: what ran of it has ended.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn end_copies(&self, job: Uuid, now: Timestamp) -> Result<(), StoreError> {
        let phase = RunPhase::Failed {
            reason: "Deleted".to_owned(),
            message: "The job was deleted before the run had ended.".to_owned(),
        };
        let mut writer = self.connection.lock().await;
        sqlx::query(
            "UPDATE job_runs SET ended = ?1, phase = ?2,
                 ledger = json_set(ledger, '$.ended', ?1, '$.phase', json(?3))
             WHERE job = ?4 AND copy AND ended IS NULL",
        )
        .bind(now.to_string())
        .bind(phase_word(&phase))
        .bind(to_json(&phase))
        .bind(job.to_string())
        .execute(writer.clean().await)
        .await
        .map(drop)
        .map_err(|error| self.failed("end the runs of a deleted job in", error))
    }
}

/// What `copy.sql` takes of a job and of a run, as JSON.
fn headers(saved: &Saved) -> (String, String) {
    let ledger = &saved.ledger;
    let job = json!({
        "uid": ledger.run.job,
        "name": saved.name,
        "file": saved.file,
        "usedIn": saved.used_in,
        "now": ledger.started,
    });
    // A run that is not seen from its beginning was saved before.
    let begins = saved.journal.iter().any(|event| matches!(event.kind, EventKind::RunStarted));
    let run = json!({
        "uid": ledger.run.job,
        "run": ledger.run.run,
        "seq": ledger.seq,
        "ended": ledger.ended,
        "started": ledger.started.as_millisecond(),
        "phase": phase_word(&ledger.phase),
        "ledger": ledger,
        "missed": u8::from(!begins),
    });
    (job.to_string(), run.to_string())
}
