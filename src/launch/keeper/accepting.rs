//! Whether keepers of a run that an earlier Mozart started may still start programs.
//!
//! A Mozart that is killed leaves requests in the line to its keeper, which are carried out after its death. Whoever
//! takes up the run must not look at what was started before that is over. So a keeper holds a shared lock on a file of
//! the run, by its standard output, for as long as it may start anything.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io,
    path::Path,
    time::Duration,
};

/// How often the lock is tried, and how long at most: a keeper that was stopped by hand must not stop the run for ever.
const TRY_EVERY: Duration = Duration::from_millis(2);
const TRIES: u32 = 2500;

/// Waits until no earlier keeper of the run in `folder` may start anything.
///
/// # Errors
/// When the file cannot be opened or locked.
pub async fn wait_for_end(folder: &Path) -> io::Result<()> {
    let file = open(folder)?;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(TRY_EVERY).await,
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    tracing::warn!(folder = %folder.display(), "a keeper of an earlier Mozart does not come to rest; the run goes on without it");
    Ok(())
}

/// The file, locked for a keeper that is about to be started with it as its standard output.
///
/// # Errors
/// When the file cannot be opened or locked.
pub fn begin(folder: &Path) -> io::Result<File> {
    let file = open(folder)?;
    file.lock_shared()?;
    Ok(file)
}

/// In a keeper: nothing is started any more.
///
/// # Errors
/// When the system refuses.
pub fn end() -> io::Result<()> {
    rustix::stdio::dup2_stdout(File::open("/dev/null")?)?;
    Ok(())
}

fn open(folder: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(false).open(folder.join("keeper.lock"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_run_is_taken_up_only_when_no_earlier_keeper_starts_anything() {
        let folder = tempfile::tempdir().unwrap();
        let held = begin(folder.path()).unwrap();
        let waits = tokio::spawn({
            let folder = folder.path().to_owned();
            async move { wait_for_end(&folder).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(!waits.is_finished());
        drop(held);
        waits.await.unwrap().unwrap();
        begin(folder.path()).unwrap();
    }
}
