//! How many sessions of a credential run, over every Mozart of the user.
//!
//! Each has a file that whoever runs it keeps locked: the Mozart that started it, and the keeper, which outlives that
//! Mozart. The system lets go of a lock when its process ends in whatever way, so that no count is ever left behind.

use std::{
    fs::{self, File, TryLockError},
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::engine::world::Sessions;

/// The sessions of one credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SessionFolder {
    folder: PathBuf,
    cap: u32,
}

/// A session that counts until this is dropped, and for as long as the keeper holds it.
#[derive(Debug)]
pub struct Session {
    _lock: File,
    path: PathBuf,
}

impl Session {
    /// The file that a keeper holds, too.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl SessionFolder {
    /// The sessions that `folder` counts, of which at most `cap` are to run. Every process of a credential names the
    /// same folder; it is made.
    pub fn new(folder: PathBuf, cap: u32) -> Self {
        Self { folder, cap }
    }

    /// How many run now, and how many may.
    pub fn look(&self) -> Sessions {
        let taken = self.exclusively(|| self.count()).unwrap_or_else(|error| self.unknown(&error));
        Sessions { cap: self.cap, taken }
    }

    /// Counts one more, called `name`; `None` if as many run as may.
    pub fn take(&self, name: &str) -> Option<Session> {
        let taken = self.exclusively(|| {
            let path = self.path(name);
            if self.count()? >= self.cap && !is_held(&path)? { Ok(None) } else { hold(path).map(Some) }
        });
        taken.unwrap_or_else(|error| {
            self.unknown(&error);
            None
        })
    }

    /// Counts one that runs already, also where it is one too many.
    pub fn adopt(&self, name: &str) -> Option<Session> {
        let adopted = self.exclusively(|| hold(self.path(name)));
        adopted.map_err(|error| self.unknown(&error)).ok()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name.replace('/', "-"))
    }

    /// The sessions that are held; the files of the others are removed.
    fn count(&self) -> io::Result<u32> {
        let mut count = 0;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name() == Some(LOCK.as_ref()) {
                continue;
            }
            if is_held(&path)? {
                count += 1;
            } else {
                fs::remove_file(&path)?;
            }
        }
        Ok(count)
    }

    /// Nobody else counts meanwhile.
    fn exclusively<T>(&self, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        fs::create_dir_all(&self.folder)?;
        let lock = File::options().append(true).create(true).open(self.folder.join(LOCK))?;
        lock.lock()?;
        work()
    }

    /// What cannot be counted may be full: nothing starts on a guess.
    fn unknown(&self, error: &io::Error) -> u32 {
        tracing::warn!(%error, folder = %self.folder.display(), "the sessions of the credential cannot be counted; none is started");
        self.cap
    }
}

/// The file that is locked while somebody counts.
const LOCK: &str = "lock";

/// Keeps the session of this file counted until the file is dropped.
///
/// # Errors
/// Those of the system.
pub fn hold_too(path: &Path) -> io::Result<File> {
    let file = File::options().append(true).create(true).open(path)?;
    file.lock_shared()?;
    Ok(file)
}

fn hold(path: PathBuf) -> io::Result<Session> {
    Ok(Session { _lock: hold_too(&path)?, path })
}

fn is_held(path: &Path) -> io::Result<bool> {
    match File::open(path) {
        Ok(file) => match file.try_lock() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_as_may_run_and_each_is_free_again_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) =
            (SessionFolder::new(folder.path().join("s"), 2), SessionFolder::new(folder.path().join("s"), 2));
        let first = ours.take("job/r1/b1-a1").unwrap();
        let second = theirs.take("job/r1/b2-a1").unwrap();
        assert_eq!(ours.look(), Sessions { cap: 2, taken: 2 });
        assert!(ours.take("job/r1/b3-a1").is_none() && theirs.take("job/r1/b3-a1").is_none());
        drop(first);
        let third = theirs.take("job/r1/b3-a1").unwrap();
        assert!(ours.take("job/r1/b1-a1").is_none());
        drop((second, third));
        assert_eq!(theirs.look().taken, 0);
    }

    #[test]
    fn a_session_that_its_keeper_holds_counts_on_and_counts_once() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = SessionFolder::new(folder.path().to_owned(), 1);
        let session = sessions.take("a").unwrap();
        let keeper = hold_too(session.path()).unwrap();
        drop(session);
        assert!(sessions.take("b").is_none());
        let adopted = sessions.adopt("a").unwrap();
        assert_eq!(sessions.look().taken, 1);
        drop((adopted, keeper));
        assert!(sessions.take("b").is_some());
    }

    #[test]
    fn a_smaller_cap_counts_what_a_larger_one_let_run() {
        let folder = tempfile::tempdir().unwrap();
        let wide = SessionFolder::new(folder.path().to_owned(), 3);
        let narrow = SessionFolder::new(folder.path().to_owned(), 2);
        let held = ["a", "b", "c"].map(|name| wide.take(name).unwrap());
        assert!(narrow.take("d").is_none());
        assert_eq!((narrow.look().taken, held.len()), (3, 3));
    }
}
