//! The runs of every job in one list, by index.

use std::fmt::Write as _;

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
        // Few jobs are found by their names at once; among the runs of all those of one would be far apart.
        let only = match (job, name) {
            (Some(job), _) => Some(job.to_string()),
            (None, None) => None,
            (None, Some(name)) => {
                let called = "SELECT uid FROM jobs WHERE instr(lower(name), ?) > 0 LIMIT 2";
                let mut jobs = self.texts(sqlx::query(called).bind(name.clone())).await?;
                match jobs.len() {
                    0 => return Ok(Vec::new()),
                    1 => jobs.pop(),
                    _ => None,
                }
            }
        };
        let mut text = String::from(
            "SELECT r.started, r.id, j.name, j.used_in, r.ledger FROM job_runs r JOIN jobs j ON j.uid = r.job WHERE ",
        );
        text.push_str(match only {
            // The runs of a job begin one after the other, so that their numbers are their order.
            Some(_) => {
                "r.job = ?1 AND r.id < ?2
                 AND r.run < ifnull((SELECT run FROM job_runs WHERE job = ?1 AND id = ?2), 9223372036854775807)"
            }
            None => "(r.started, r.id) < (?1, ?2)",
        });
        // Numbered, since those above are used twice: sqlx counts parameters without a number by themselves.
        let mut parameter = 2;
        for (condition, end, is_asked) in [
            (" AND instr(lower(j.name), ?", ") > 0", name.is_some()),
            (" AND r.phase = ?", "", phase.is_some()),
            (" AND r.started >= ?", "", since.is_some()),
            (" AND j.used_in IN (SELECT value FROM json_each(?", "))", folders.is_some()),
        ] {
            if is_asked {
                parameter += 1;
                let _ = write!(text, "{condition}{parameter}{end}");
            }
        }
        text.push_str(match only {
            Some(_) => " ORDER BY r.run DESC LIMIT ?",
            None => " ORDER BY r.started DESC, r.id DESC LIMIT ?",
        });
        let _ = write!(text, "{}", parameter + 1);
        let query = sqlx::query(sqlx::AssertSqlSafe(text));
        let mut query = match only {
            Some(job) => query.bind(job),
            None => query.bind(before.started),
        };
        query = query.bind(before.id);
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
