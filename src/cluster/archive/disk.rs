//! The database on the volume: opened when it can be, set aside when it is damaged.

use std::{ffi::OsString, fs, io, path::Path};

use jiff::Timestamp;
use tokio::sync::watch;

use crate::{
    driver::ports::StoreError,
    job::model::{StateBackend, StateKind},
    store::{
        Local, Sqlite,
        error::{OpenError, Trouble},
        home::Home,
    },
};

/// What SQLite puts beside a database.
const SIDE_FILES: [&str; 3] = ["", "-wal", "-shm"];

pub(super) struct Disk {
    home: Home,
    store: Option<Local>,
    trouble: watch::Sender<Option<String>>,
}

impl Disk {
    pub(super) fn new(home: Home, trouble: watch::Sender<Option<String>>) -> Self {
        Self { home, store: None, trouble }
    }

    pub(super) fn home(&self) -> &Home {
        &self.home
    }

    pub(super) fn is_in_trouble(&self) -> bool {
        self.trouble.borrow().is_some()
    }

    /// The store, opened now if it is not open. What came of the work with it is for [`Disk::judge`].
    pub(super) async fn store(&mut self) -> Result<&Local, StoreError> {
        // What was taken away would be written to for nobody.
        if self.store.is_some() && !self.home.database().exists() {
            self.close().await;
        }
        if self.store.is_none() {
            self.store = Some(self.open().await?);
        }
        self.store.as_ref().ok_or_else(|| of_open("no store was opened".into(), "a bug in Mozart".into()))
    }

    /// The same, as the database that it is.
    pub(super) async fn database(&mut self) -> Result<&Sqlite, StoreError> {
        let store = self.store().await?;
        store
            .database()
            .ok_or_else(|| of_open("the volume holds no database".into(), "a bug in Mozart".into()))
    }

    async fn open(&self) -> Result<Local, StoreError> {
        let backend = StateBackend { kind: StateKind::Sqlite, path: None };
        let opened = match Local::open(&self.home, &backend).await {
            Err(error @ (OpenError::Damaged { .. } | OpenError::Foreign { .. })) => {
                self.set_aside(&error)?;
                Local::open(&self.home, &backend).await
            }
            opened => opened,
        };
        opened.map_err(|error| of_open(error.to_string(), Box::new(error)))
    }

    /// Says how the disk is, by what came of some work: whether it can be written, and whether it is damaged.
    pub(super) async fn judge<T: Send + Sync>(&mut self, result: &Result<T, StoreError>) {
        let Err(error) = result else {
            if self.trouble.send_if_modified(|trouble| trouble.take().is_some()) {
                tracing::info!(folder = %self.home.path().display(), "history and answers are kept again");
            }
            return;
        };
        if Trouble::behind(error) == Some(Trouble::Damaged) {
            self.close().await;
            match self.set_aside(error) {
                Ok(()) => return,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "it stays where it is");
                }
            }
        }
        let words = words(error);
        if !self.is_in_trouble() {
            tracing::error!(
                error = error as &dyn std::error::Error,
                "history and answers cannot be kept: batches in the operator's process wait, all others go on"
            );
        }
        self.trouble.send_if_modified(|trouble| trouble.replace(words.clone()) != Some(words));
    }

    /// Looks whether the disk can be written.
    pub(super) async fn probe(&mut self) {
        let result = match self.database().await {
            Ok(database) => database.try_to_write().await,
            Err(error) => Err(error),
        };
        self.judge(&result).await;
    }

    /// Closes the file, so that it can be moved or left.
    pub(super) async fn close(&mut self) {
        if let Some(store) = self.store.take() {
            store.close().await;
        }
    }

    /// Moves a damaged database away, whole, for who may want to save something of it.
    fn set_aside(&self, why: &(impl std::error::Error + 'static)) -> Result<(), StoreError> {
        let database = self.home.database();
        let aside = named(&database, &format!(".corrupt-{}", Timestamp::now().strftime("%Y%m%dT%H%M%SZ")));
        for side in SIDE_FILES {
            match fs::rename(named(&database, side), named(&aside, side)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(Trouble::of_io(&error).met("set aside", &database, error));
                }
                _ => {}
            }
        }
        tracing::error!(
            error = why as &dyn std::error::Error,
            aside = %aside.display(),
            "the database was damaged: it is set aside and a new one begun; what was in it is no longer shown"
        );
        Ok(())
    }
}

/// What is wrong, for the people of the cluster, who cannot do what is said to those of a machine.
pub(super) fn words(error: &StoreError) -> String {
    let words = match Trouble::behind(error) {
        Some(Trouble::Full) => "the operator's volume is full: let it grow, or lower history.maxBytes",
        Some(Trouble::ReadOnly) => "the operator's volume cannot be written",
        Some(Trouble::Damaged) => "the database on the operator's volume is damaged",
        Some(Trouble::Busy) => "another program holds the database on the operator's volume",
        Some(Trouble::Io) => "the operator's volume reports an error",
        None => "the database on the operator's volume cannot be opened",
    };
    words.to_owned()
}

fn named(path: &Path, end: &str) -> std::path::PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

fn of_open(context: String, source: Box<dyn std::error::Error + Send + Sync>) -> StoreError {
    StoreError::Failed { context, source }
}
