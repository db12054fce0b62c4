//! One at a time: who drives a job, and who uses a workspace, holds a lock on a file that says so.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest text of a holder that is read, in bytes.
const MAX_HOLDER: u64 = 4096;
/// How often a lock that is held is tried again before it counts as held.
const TRIES: u32 = 5;
const BETWEEN_TRIES: Duration = Duration::from_millis(10);

/// Who holds a lock, as the lock's file says it (JSON). Believed only while the lock is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process.
    pub pid: u32,
    /// What it runs, for people: `commit-batch-review/3`.
    pub run: String,
    /// Since when.
    pub since: Timestamp,
    /// On which machine: a workspace may be shared over a network.
    pub host: String,
}

impl Holder {
    /// This process, for `run`.
    pub fn this_process(run: String, since: Timestamp) -> Self {
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
        Self { pid: std::process::id(), run, since, host }
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { pid, run, since, host } = self;
        write!(formatter, "{run}, process {pid} on {host}, since {}", since.strftime("%Y-%m-%d %H:%M:%SZ"))
    }
}

/// Whether a lock is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hold {
    /// It is free.
    Free,
    /// Somebody has it: who, if the file says so.
    Held(Option<Box<Holder>>),
}

/// Why a lock was not taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody has it.
    #[error("{what} is in use{}", .holder.as_deref().map(|holder| format!(" by {holder}")).unwrap_or_default())]
    Held {
        /// What is locked, for people.
        what: String,
        /// Who has it, if the file says so.
        holder: Option<Box<Holder>>,
    },
    /// The file could not be made, written or locked.
    #[error("the lock file {} cannot be used", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// A lock that is held until it is dropped, or its process ends in whatever way.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path`, makes file and folder where they are missing, and writes who holds it.
    ///
    /// # Errors
    /// Somebody has it, or the file cannot be used.
    pub fn take(path: &Path, what: &str, holder: &Holder) -> Result<Self, LockError> {
        let failed = |source| LockError::File { path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        // Not truncated before it is locked: its text is the present holder's.
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut tries = 0;
        let locked = loop {
            match file.try_lock() {
                // Whoever only looks holds it for a moment, too.
                Err(TryLockError::WouldBlock) if tries < TRIES => std::thread::sleep(BETWEEN_TRIES),
                other => break other,
            }
            tries += 1;
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read_holder(&mut file).map(Box::new);
                return Err(LockError::Held { what: what.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        let mut text = serde_json::to_vec(holder).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        file.set_len(0).and_then(|()| file.write_all(&text)).map_err(failed)?;
        Ok(Self { _file: file })
    }

    /// Whether somebody has the lock at `path` now, and who. A file that is missing is a lock that is free.
    ///
    /// # Errors
    /// The file cannot be opened or locked.
    pub fn held_by(path: &Path) -> Result<Hold, LockError> {
        let failed = |source| LockError::File { path: path.to_owned(), source };
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Hold::Free),
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(Hold::Free),
            Err(TryLockError::WouldBlock) => Ok(Hold::Held(read_holder(&mut file).map(Box::new))),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }
}

fn read_holder(file: &mut File) -> Option<Holder> {
    file.rewind().ok()?;
    let mut text = Vec::new();
    file.take(MAX_HOLDER).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(run: &str) -> Holder {
        Holder::this_process(run.to_owned(), "2026-11-22T20:00:00Z".parse().unwrap())
    }

    #[test]
    fn a_held_lock_names_its_holder_and_is_free_again_when_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".mozart/lock");
        assert_eq!(Lock::held_by(&path).unwrap(), Hold::Free);
        let lock = Lock::take(&path, "the workspace", &holder("review/1")).unwrap();
        let refused = Lock::take(&path, "the workspace", &holder("other/1")).unwrap_err();
        assert!(
            refused.to_string().starts_with("the workspace is in use by review/1, process "),
            "{refused}"
        );
        assert_eq!(Lock::held_by(&path).unwrap(), Hold::Held(Some(Box::new(holder("review/1")))));
        drop(lock);
        assert_eq!(Lock::held_by(&path).unwrap(), Hold::Free);
        Lock::take(&path, "the workspace", &holder("other/1")).unwrap();
    }

    #[test]
    fn a_shorter_holder_leaves_nothing_of_a_longer_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        drop(Lock::take(&path, "it", &holder("a-very-long-name-of-a-job/1000")).unwrap());
        let _lock = Lock::take(&path, "it", &holder("b/1")).unwrap();
        assert_eq!(Lock::held_by(&path).unwrap(), Hold::Held(Some(Box::new(holder("b/1")))));
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        let error = Lock::take(&folder.path().join("file/lock"), "it", &holder("b/1")).unwrap_err();
        assert!(matches!(error, LockError::File { .. }), "{error}");
    }
}
