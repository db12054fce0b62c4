//! Opening a state file: made, migrated, or refused before anything in it is touched.

use std::{
    fs,
    io::Read as _,
    path::Path,
    time::{Duration, Instant},
};

use sqlx::{
    ConnectOptions as _, Connection as _, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteSynchronous},
};
use tokio::sync::Mutex;

use super::{Sqlite, Writer};
use crate::{
    driver::ports::StoreError,
    store::error::{OpenError, Trouble, sqlite_code},
};

/// What turns a file of format `n` into one of `n + 1`. Only ever appended to.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_history.sql"),
    include_str!("migrations/0002_runs.sql"),
    include_str!("migrations/0003_cluster.sql"),
    include_str!("migrations/0004_answers.sql"),
];

/// Marks the file as ours, for other programs and for us: `MZRT`.
const APPLICATION_ID: i64 = 0x4d5a_5254;

/// SQLite's code for a file that it cannot make sense of: `SQLITE_NOTADB`, <https://www.sqlite.org/rescode.html#notadb>.
const NO_DATABASE: i32 = 26;

/// How long another process may hold the file. Every transaction of ours takes milliseconds.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// How long until a file that another process is just making is asked again.
const BUSY_RETRY: Duration = Duration::from_millis(5);

impl Sqlite {
    /// Opens the state file at `path` to read and write; makes it, and its folder, if it is not there.
    ///
    /// # Errors
    /// The file is no database, another program's, damaged, of a newer Mozart, or cannot be written.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| unavailable(folder, error))?;
        }
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

    /// Writes what is there already: whether it can be written.
    ///
    /// # Errors
    /// It cannot.
    pub async fn try_to_write(&self) -> Result<(), StoreError> {
        let mut writer = self.connection.lock().await;
        let same = sqlx::AssertSqlSafe(format!("PRAGMA user_version = {}", known()));
        let written = sqlx::raw_sql(same).execute(writer.clean().await).await;
        written.map(drop).map_err(|error| self.failed("write to", error))
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
        write_ahead(connection).await.map_err(of_sqlite)?;
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

/// Turns the write-ahead log on. For this one statement SQLite does not wait for other processes that open the file
/// (each would wait for the other), so that the waiting is done here.
async fn write_ahead(connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    let patience = Instant::now() + BUSY_TIMEOUT;
    loop {
        match sqlx::query("PRAGMA journal_mode = WAL").execute(&mut *connection).await {
            Err(error)
                if matches!(Trouble::of_sqlite(&error), Trouble::Busy) && Instant::now() < patience =>
            {
                tokio::time::sleep(BUSY_RETRY).await;
            }
            done => return done.map(drop),
        }
    }
}

/// Whether SQLite ever wrote the file. Never asked of a file that is open: closing it here would drop every lock that
/// this process has on it, <https://www.sqlite.org/howtocorrupt.html#_posix_advisory_locks_canceled_by_a_separate_thread_doing_close_>.
fn begins_as_a_database(path: &Path) -> bool {
    let mut magic = [0; 16];
    fs::File::open(path).and_then(|mut file| file.read_exact(&mut magic)).is_ok()
        && magic == *b"SQLite format 3\0"
}

fn of_sqlite(path: &Path, error: sqlx::Error) -> OpenError {
    if sqlite_code(&error) == Some(NO_DATABASE) && !begins_as_a_database(path) {
        return OpenError::Foreign { path: path.to_owned() };
    }
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
