//! The runs of every job in one list, by index.

use sqlx::Row as _;

use super::Sqlite;
use crate::{
    driver::ports::StoreError,
    store::{
        ledger_of,
        runs::{ListedRun, RunPlace, RunsWanted},
    },
};

impl Sqlite {
    /// As [`Local::list_runs`](crate::store::Local::list_runs).
    pub async fn list_runs(
        &self,
        wanted: &RunsWanted,
        before: RunPlace,
        limit: u32,
    ) -> Result<Vec<ListedRun>, StoreError> {
        let RunsWanted { job, name, phase, since } = wanted;
        let mut text = String::from(
            "SELECT r.started, r.id, j.name, r.ledger FROM job_runs r JOIN jobs j ON j.uid = r.job
             WHERE (r.started, r.id) < (?, ?)",
        );
        for (condition, is_asked) in [
            (" AND r.job = ?", job.is_some()),
            (" AND instr(lower(j.name), ?) > 0", name.is_some()),
            (" AND r.phase = ?", phase.is_some()),
            (" AND r.started >= ?", since.is_some()),
        ] {
            if is_asked {
                text.push_str(condition);
            }
        }
        text.push_str(" ORDER BY r.started DESC, r.id DESC LIMIT ?");
        let mut query = sqlx::query(sqlx::AssertSqlSafe(text)).bind(before.started).bind(before.id);
        if let Some(job) = job {
            query = query.bind(job.to_string());
        }
        if let Some(name) = name {
            query = query.bind(name.clone());
        }
        if let Some(phase) = phase {
            query = query.bind(*phase);
        }
        if let Some(since) = since {
            query = query.bind(since.as_millisecond());
        }
        let mut writer = self.connection.lock().await;
        let rows = query.bind(i64::from(limit)).fetch_all(writer.clean().await).await;
        drop(writer);
        let rows = rows.map_err(|error| self.failed("read", error))?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let read = || -> Result<(RunPlace, String, String), sqlx::Error> {
                Ok((
                    RunPlace { started: row.try_get(0)?, id: row.try_get(1)? },
                    row.try_get(2)?,
                    row.try_get(3)?,
                ))
            };
            let (place, job_name, ledger) = read().map_err(|error| self.failed("read", error))?;
            runs.push(ListedRun { place, job_name, ledger: ledger_of(ledger.as_bytes(), self.path())? });
        }
        Ok(runs)
    }
}
