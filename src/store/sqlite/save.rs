//! Saving: the ledger and the rows of history in one transaction, in one command to the connection's thread.
//!
//! The rows go in as JSON and are taken apart by SQLite (`json_each`): each statement is prepared once whatever the
//! number of rows, and the record's serialised form is the only list of its fields on this side. A hop to SQLite's
//! thread per statement would cost more than the statements.

use sqlx::Row as _;

use super::{Query, Sqlite};
use crate::{
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger},
    job::identity::RunId,
    store::{error::sqlite_code, fold::Changes, runs::phase_word, to_json},
};

/// What is saved for the one who keeps the ledger here.
const SAVE: &str =
    concat!("BEGIN IMMEDIATE;\n", include_str!("save.sql"), include_str!("rows.sql"), "COMMIT;");

/// What the trigger `job_runs_seq` raises: `SQLITE_CONSTRAINT_TRIGGER`.
const SEQ_CONFLICT: i32 = 1811;

impl Store for Sqlite {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        let changes = Changes::of(journal);
        let mut writer = self.connection.lock().await;
        writer.clean().await;
        writer.unfinished = true;
        // Plain `?`, in the order of the text: sqlx binds numbered parameters wrongly where a statement skips numbers.
        let query = sqlx::query(SAVE)
            .bind(ledger.seq.cast_signed())
            .bind(ledger.ended.map(|ended| ended.to_string()))
            .bind(phase_word(&ledger.phase))
            .bind(to_json(ledger))
            .bind(ledger.run.job.to_string())
            .bind(i64::from(ledger.run.run));
        let saved = rows(query, &ledger.run, changes).fetch_all(&mut writer.connection).await;
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

/// Binds the rows of history, as `rows.sql` takes them.
pub(super) fn rows<'q>(mut query: Query<'q>, run: &RunId, changes: Changes) -> Query<'q> {
    for rows in [
        to_json(&changes.batches.into_values().collect::<Vec<_>>()),
        to_json(&changes.attempts.into_values().collect::<Vec<_>>()),
        to_json(&changes.notifications.into_values().collect::<Vec<_>>()),
        to_json(&changes.settled),
    ] {
        query = query.bind(rows).bind(run.job.to_string()).bind(i64::from(run.run));
    }
    query
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
