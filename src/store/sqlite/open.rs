//! Opening a state file: made, migrated, or refused before anything in it is touched.

use std::{fs, io::Read, path::Path, time::Duration};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{Sqlite, Writer};
use crate::store::error::{OpenError, Trouble};

/// What turns a file of format `n` into one of `n + 1`. Only ever appended to.
const MIGRATIONS: &[&str] =
    &[include_str!("migrations/0001_history.sql"), include_str!("migrations/0002_runs.sql")];

/// Marks the file as ours, for other programs and for us: `MZRT`.
const APPLICATION_ID: i64 = 0x4d5a_5254;

/// How long another process may hold the file. Every transaction of ours takes milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

impl Sqlite {
    /// Opens the state file at `path` to read and write; makes it, and its folder, if it is not there.
    ///
    /// # Errors
    /// The file is no database, another program's, damaged, of a newer Mozart, or cannot be written.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| unavailable(folder, error))?;
        }
        refuse_what_is_no_database(path)?;
        let options = options(path).create_if_missing(true);
        let mut connection = options.connect().await.map_err(|error| of_sqlite(path, error))?;
        prepare(&mut connection, path).await?;
        Ok(Self { path: path.to_owned(), connection: Mutex::new(Writer { connection, unfinished: false }) })
    }

    /// Opens an existing state file to read only; `None` when it is not there.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub async fn open_to_read(path: &Path) -> Result<Option<Self>, OpenError> {
        if !path.try_exists().map_err(|error| unavailable(path, error))? {
            return Ok(None);
        }
        refuse_what_is_no_database(path)?;
        let options = options(path).read_only(true);
        let mut connection = options.connect().await.map_err(|error| of_sqlite(path, error))?;
        let format = format_of(&mut connection, path).await?;
        if format < known() {
            // Made by an older Mozart, or only just made: bringing it up to date needs a writer.
            let _ = connection.close().await;
            return Self::open(path).await.map(Some);
        }
        Ok(Some(Self {
            path: path.to_owned(),
            connection: Mutex::new(Writer { connection, unfinished: false }),
        }))
    }
}

fn options(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .synchronous(SqliteSynchronous::Full)
        // The ledger is rewritten often and history only appended to: half a megabyte of cached pages serves both.
        .pragma("cache_size", "-512")
        .disable_statement_logging()
}

fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).expect("there are few migrations")
}

/// SQLite itself would say so only at the first statement, and make side files before.
fn refuse_what_is_no_database(path: &Path) -> Result<(), OpenError> {
    let mut file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unavailable(path, error)),
    };
    let mut magic = Vec::new();
    Read::by_ref(&mut file).take(16).read_to_end(&mut magic).map_err(|error| unavailable(path, error))?;
    if magic.is_empty() || magic == b"SQLite format 3\0" {
        Ok(())
    } else {
        Err(OpenError::Foreign { path: path.to_owned() })
    }
}

/// The file's format: 0 for an empty one.
async fn format_of(connection: &mut SqliteConnection, path: &Path) -> Result<u32, OpenError> {
    let found = sqlx::query_as::<_, (u32, i64, i64)>(
        "SELECT (SELECT user_version FROM pragma_user_version), \
                (SELECT application_id FROM pragma_application_id), \
                (SELECT count(*) FROM sqlite_schema)",
    );
    let (format, application, tables) =
        found.fetch_one(connection).await.map_err(|error| of_sqlite(path, error))?;
    match (format, application, tables) {
        (0, 0, 0) => Ok(0),
        (_, APPLICATION_ID, _) if format > known() => {
            Err(OpenError::Newer { path: path.to_owned(), found: format, known: known() })
        }
        (_, APPLICATION_ID, _) => Ok(format),
        _ => Err(OpenError::Foreign { path: path.to_owned() }),
    }
}

async fn prepare(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    if format_of(connection, path).await? < known() {
        // Two processes may do this at once: the second finds it done when it gets the lock.
        let of_sqlite = |error| of_sqlite(path, error);
        sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await.map_err(of_sqlite)?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await.map_err(of_sqlite)?;
        let format = format_of(&mut transaction, path).await?;
        let done = usize::try_from(format).unwrap_or(0);
        for migration in &MIGRATIONS[done..] {
            sqlx::raw_sql(*migration).execute(&mut *transaction).await.map_err(of_sqlite)?;
        }
        let marks = format!("PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {}", known());
        let marks = sqlx::AssertSqlSafe(marks);
        sqlx::raw_sql(marks).execute(&mut *transaction).await.map_err(of_sqlite)?;
        transaction.commit().await.map_err(of_sqlite)?;
    }
    Ok(())
}

fn of_sqlite(path: &Path, error: sqlx::Error) -> OpenError {
    match Trouble::of_sqlite(&error) {
        Trouble::Damaged => OpenError::Damaged { path: path.to_owned(), source: error.into() },
        trouble => {
            OpenError::Unavailable { path: path.to_owned(), advice: trouble.advice(), source: error.into() }
        }
    }
}

fn unavailable(path: &Path, error: std::io::Error) -> OpenError {
    OpenError::Unavailable {
        path: path.to_owned(),
        advice: Trouble::of_io(&error).advice(),
        source: error.into(),
    }
}
