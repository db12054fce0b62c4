//! Saving: the ledger and the rows of history in one transaction, in one command to the connection's thread.
//!
//! The rows go in as JSON and are taken apart by SQLite (`json_each`): each statement is prepared once whatever the
//! number of rows, and the record's serialised form is the only list of its fields on this side. A hop to SQLite's
//! thread per statement would cost more than the statements.

use sqlx::Row as _;

use super::Sqlite;
use crate::{
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger},
    store::{error::sqlite_code, fold::Changes, runs::phase_word, to_json},
};

const SAVE: &str = include_str!("save.sql");

/// What the trigger `job_runs_seq` raises: `SQLITE_CONSTRAINT_TRIGGER`.
const SEQ_CONFLICT: i32 = 1811;

impl Store for Sqlite {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        let changes = Changes::of(journal);
        let mut writer = self.connection.lock().await;
        writer.clean().await;
        writer.unfinished = true;
        // Plain `?`, in the order of the text: sqlx binds numbered parameters wrongly where a statement skips numbers.
        let (job, run) = (ledger.run.job.to_string(), i64::from(ledger.run.run));
        let mut query = sqlx::query(SAVE)
            .bind(ledger.seq.cast_signed())
            .bind(ledger.ended.map(|ended| ended.to_string()))
            .bind(phase_word(&ledger.phase))
            .bind(to_json(ledger))
            .bind(job.clone())
            .bind(run);
        for rows in [
            to_json(&changes.batches.into_values().collect::<Vec<_>>()),
            to_json(&changes.attempts.into_values().collect::<Vec<_>>()),
            to_json(&changes.notifications.into_values().collect::<Vec<_>>()),
            to_json(&changes.settled),
        ] {
            query = query.bind(rows).bind(job.clone()).bind(run);
        }
        let saved = query.fetch_all(&mut writer.connection).await;
        match saved {
            Ok(rows) => {
                writer.unfinished = false;
                if rows.is_empty() { Err(self.no_such_run(ledger)) } else { Ok(()) }
            }
            Err(error) if sqlite_code(&error) == Some(SEQ_CONFLICT) => {
                let connection = writer.clean().await;
                let stored = sqlx::query("SELECT seq FROM job_runs WHERE job = ? AND run = ?")
                    .bind(ledger.run.job.to_string())
                    .bind(i64::from(ledger.run.run))
                    .fetch_one(connection)
                    .await
                    .and_then(|row| row.try_get::<i64, _>(0));
                let found = stored.map_err(|error| self.failed("read", error))?.cast_unsigned();
                Err(StoreError::Conflict { expected: ledger.seq.saturating_sub(1), found })
            }
            Err(error) => {
                writer.clean().await;
                Err(self.failed("save the checkpoint to", error))
            }
        }
    }
}

impl Sqlite {
    fn no_such_run(&self, ledger: &Ledger) -> StoreError {
        StoreError::Failed {
            context: format!(
                "cannot save the checkpoint to {}: it no longer knows this run; start it again with `mozart run`",
                self.path.display()
            ),
            source: format!("no run {} of job {}", ledger.run.run, ledger.run.job).into(),
        }
    }
}
