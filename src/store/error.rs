//! Why the state could not be opened, and how a failed write is told.

use std::{io, path::Path, path::PathBuf};

use crate::driver::ports::StoreError;

/// Why the state could not be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another program's file, or no database at all.
    #[error(
        "{} is not a state file of Mozart: name another one with `state_path`, or move it away", path.display()
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer Mozart made it.
    #[error(
        "{} was written by a newer Mozart (its format is {found}, this Mozart knows up to {known}): \
         use the newer Mozart", path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format that is known.
        known: u32,
    },
    /// It is damaged.
    #[error(
        "{} is damaged: put back a copy of it, or move it away to start anew (the workspaces are untouched)",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was met.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The state of another job is in it.
    #[error(
        "{} holds the state of another job, `{name}` of {}: give each job a `state_path` of its own",
        path.display(), file.display()
    )]
    Taken {
        /// The file.
        path: PathBuf,
        /// The name of the job whose it is.
        name: String,
        /// Its job file.
        file: PathBuf,
    },
    /// It could not be opened or made.
    #[error("cannot open the state in {}: {advice}", path.display())]
    Unavailable {
        /// The file or folder.
        path: PathBuf,
        /// What to do.
        advice: &'static str,
        /// What was met.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What went wrong with a file, as far as a person can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// No space, or a quota.
    Full,
    /// No right to write.
    ReadOnly,
    /// What is in it makes no sense.
    Damaged,
    /// Another process has it for longer than we wait.
    Busy,
    /// The device or anything else.
    Io,
}

impl Trouble {
    /// What to do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Full => "the disk is full: make room, then run `mozart resume`",
            Self::ReadOnly => {
                "it cannot be written: check its owner, its rights and whether its disk is mounted read-only"
            }
            Self::Damaged => "it is damaged: put back a copy of it, or move it away to start anew",
            Self::Busy => {
                "another program holds it for longer than 10 s: end that program, then run `mozart resume`"
            }
            Self::Io => {
                "the disk or its file system reports an error: see the cause, then run `mozart resume`"
            }
        }
    }

    /// The trouble behind an error of the system.
    pub fn of_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::InvalidData => Self::Damaged,
            _ => Self::Io,
        }
    }

    /// The trouble behind an error of SQLite.
    pub fn of_sqlite(error: &sqlx::Error) -> Self {
        // The low byte of SQLite's extended result codes.
        match sqlite_code(error).map(|code| code & 0xff) {
            Some(13) => Self::Full,
            Some(8 | 3 | 14) => Self::ReadOnly,
            Some(11 | 26) => Self::Damaged,
            Some(5 | 6) => Self::Busy,
            _ => Self::Io,
        }
    }

    /// The trouble behind an error of the store; `None` when none of its files is to blame.
    pub fn behind(error: &StoreError) -> Option<Self> {
        let StoreError::Failed { source, .. } = error else { return None };
        let of_sqlite = source.downcast_ref::<sqlx::Error>().map(Self::of_sqlite);
        of_sqlite.or_else(|| source.downcast_ref::<io::Error>().map(Self::of_io))
    }

    /// The error of a read or write that met this trouble.
    pub fn met(
        self,
        doing: &str,
        path: &Path,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> StoreError {
        StoreError::Failed {
            context: format!("cannot {doing} {}: {}", path.display(), self.advice()),
            source: source.into(),
        }
    }
}

/// SQLite's extended result code.
pub fn sqlite_code(error: &sqlx::Error) -> Option<i32> {
    error.as_database_error()?.code()?.parse().ok()
}
