//! State in one SQLite file: the ledger of every run, and its history.
//!
//! One connection writes, and `save` is one transaction that is one command to it: see [`save`].

mod answers;
mod copy;
mod forget;
mod jobs;
mod list;
mod open;
mod query;
mod save;

use std::path::{Path, PathBuf};

use sqlx::{Connection as _, SqliteConnection};
use tokio::sync::Mutex;

pub use self::{answers::NewAnswer, copy::Saved};
use super::error::Trouble;
use crate::driver::ports::StoreError;

type Query<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// An open state file.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    connection: Mutex<Writer>,
}

#[derive(Debug)]
struct Writer {
    connection: SqliteConnection,
    /// A transaction was begun and not seen to end: its future was dropped, or a statement failed.
    unfinished: bool,
}

impl Writer {
    /// The connection, outside any transaction.
    async fn clean(&mut self) -> &mut SqliteConnection {
        if self.unfinished {
            // Refused when SQLite has rolled back by itself, which is as well.
            let _ = sqlx::query("ROLLBACK").execute(&mut self.connection).await;
            self.unfinished = false;
        }
        &mut self.connection
    }
}

impl Sqlite {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the connection; the last one to a file takes its side files away.
    pub async fn close(self) {
        if let Err(error) = self.connection.into_inner().connection.close().await {
            tracing::debug!(%error, path = %self.path.display(), "the state file was not closed in order");
        }
    }

    fn damaged(&self, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
        Trouble::Damaged.met("read", &self.path, error)
    }

    fn failed(&self, doing: &str, error: sqlx::Error) -> StoreError {
        Trouble::of_sqlite(&error).met(doing, &self.path, error)
    }
}
