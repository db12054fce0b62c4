//! The runs of every job in one list, by index.

use sqlx::Row as _;

use super::Sqlite;
use crate::{
    driver::ports::StoreError,
    store::{
        ledger_of,
        runs::{ListedRun, RunPlace, RunsWanted},
        to_json,
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
        let RunsWanted { job, name, phase, since, folders } = wanted;
        let mut text = String::from(
            "SELECT r.started, r.id, j.name, j.used_in, r.ledger FROM job_runs r JOIN jobs j ON j.uid = r.job
             WHERE (r.started, r.id) < (?, ?)",
        );
        for (condition, is_asked) in [
            (" AND r.job = ?", job.is_some()),
            (" AND instr(lower(j.name), ?) > 0", name.is_some()),
            (" AND r.phase = ?", phase.is_some()),
            (" AND r.started >= ?", since.is_some()),
            (" AND j.used_in IN (SELECT value FROM json_each(?))", folders.is_some()),
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
        if let Some(folders) = folders {
            query = query.bind(to_json(folders));
        }
        let mut writer = self.connection.lock().await;
        let rows = query.bind(i64::from(limit)).fetch_all(writer.clean().await).await;
        drop(writer);
        let rows = rows.map_err(|error| self.failed("read", error))?;
        let mut runs = Vec::with_capacity(rows.len());
        for row in rows {
            let read = || -> Result<(RunPlace, String, String, String), sqlx::Error> {
                Ok((
                    RunPlace { started: row.try_get(0)?, id: row.try_get(1)? },
                    row.try_get(2)?,
                    row.try_get(3)?,
                    row.try_get(4)?,
                ))
            };
            let (place, job_name, folder, ledger) = read().map_err(|error| self.failed("read", error))?;
            let ledger = ledger_of(ledger.as_bytes(), self.path())?;
            runs.push(ListedRun { place, job_name, folder: folder.into(), ledger });
        }
        Ok(runs)
    }
}
