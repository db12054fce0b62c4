//! Where a job's template, items and keys may come from: a capability that whoever loads a job is given.
//!
//! A laptop reads files and the environment and may run a command; an operator may do neither. What a mode cannot
//! serve it refuses, so that no job can name its way to what its author may not read.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

/// Which mode a job is loaded for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// On this machine.
    Local,
    /// By the operator.
    Cluster,
}

/// Where a job's template and items may come from.
///
/// # Guarantees
/// Nothing is read but what is asked for by name, and at most [`MAX_BYTES`] of it.
pub trait Sources {
    /// Which of a job's fields are used.
    fn mode(&self) -> Mode;

    /// The text of a file, relative to the job file.
    ///
    /// # Errors
    /// It cannot be read, is too large or no UTF-8, or this mode reads no files.
    fn file(&self, path: &str) -> Result<String, SourceError>;

    /// What a command prints, run in the job file's folder.
    ///
    /// # Errors
    /// It fails, takes too long, prints too much or no UTF-8, or this mode runs no commands.
    fn command(&self, command: &str) -> Result<String, SourceError>;

    /// The text under a key of a `ConfigMap` of the job's namespace.
    ///
    /// # Errors
    /// It is not there, or this mode reads no `ConfigMap`.
    fn config_map(&self, name: &str, key: &str) -> Result<String, SourceError>;
}

/// The most bytes of one source.
pub const MAX_BYTES: u64 = 32 * 1024 * 1024;

/// Why a source gives nothing.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Read {
        /// The file, absolute.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A source is larger than [`MAX_BYTES`].
    #[error("{what} is larger than {} MiB", MAX_BYTES >> 20)]
    TooLarge {
        /// The file or the command.
        what: String,
    },
    /// A source is not UTF-8.
    #[error("{what} is not UTF-8: byte {at} begins no character")]
    NotUtf8 {
        /// The file or the command.
        what: String,
        /// The first bad byte, from 0.
        at: usize,
    },
    /// A command could not be started.
    #[error("bash cannot be started")]
    Start(#[source] io::Error),
    /// A command ended badly.
    #[error("the command ended with {status}{}", said(stderr))]
    Failed {
        /// `exit status: 1`.
        status: String,
        /// The end of what it said.
        stderr: String,
    },
    /// A command took too long and was ended.
    #[error("the command was ended after {} s", after.as_secs())]
    Timeout {
        /// How long it had.
        after: Duration,
    },
    /// What is named is not there.
    #[error("there is no {0}")]
    Missing(String),
    /// This mode has no such source.
    #[error("this mode reads no {0}")]
    NotHere(&'static str),
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(" and said: {stderr}") }
}

/// The text of a file of at most [`MAX_BYTES`].
///
/// # Errors
/// It cannot be read, is too large or no UTF-8.
pub fn read_text(path: &Path) -> Result<String, SourceError> {
    let read = |source| SourceError::Read { path: path.to_owned(), source };
    // Asked before it is opened: opening a named pipe would wait for its writer.
    if !fs::metadata(path).map_err(read)?.is_file() {
        return Err(read(io::Error::new(io::ErrorKind::InvalidInput, "it is not a file")));
    }
    let file = File::open(path).map_err(read)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(read)?;
    let what = || path.display().to_string();
    if bytes.len() as u64 > MAX_BYTES {
        return Err(SourceError::TooLarge { what: what() });
    }
    String::from_utf8(bytes)
        .map_err(|error| SourceError::NotUtf8 { what: what(), at: error.utf8_error().valid_up_to() })
}
