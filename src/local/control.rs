//! What other processes ask of a run: `mozart suspend` and `mozart stop` write a small file, the run's process reads it.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use serde::{Deserialize, Serialize};

/// How often the file is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// What is asked of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    /// Nothing new starts.
    Suspend,
    /// Nothing new starts, and what runs is ended, to be resumed later.
    SuspendNow,
    /// The run ends when what runs has finished.
    Stop,
    /// The run ends at once.
    StopNow,
}

/// A wish and who had it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// What is asked.
    pub ask: Ask,
    /// The process that asked.
    pub pid: u32,
}

/// A wish could not be written.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be written, so the run was not told", path.display())]
pub struct ControlError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

/// Asks the run whose folder is `run_folder`. It is answered within a second if somebody drives the run.
///
/// # Errors
/// The file could not be written; nothing was asked then.
pub fn ask(run_folder: &Path, ask: Ask) -> Result<(), ControlError> {
    let path = file(run_folder);
    let failed = |source| ControlError { path: path.clone(), source };
    let control = Control { ask, pid: std::process::id() };
    let text = serde_json::to_vec(&control).map_err(|error| failed(error.into()))?;
    fs::create_dir_all(run_folder).map_err(failed)?;
    let mut new = tempfile::NamedTempFile::new_in(run_folder).map_err(failed)?;
    new.write_all(&text).map_err(failed)?;
    new.persist(&path).map_err(|error| failed(error.error))?;
    Ok(())
}

/// Forgets what was asked: a process that begins to drive a run follows its own user's wish.
///
/// # Errors
/// The file is there and cannot be removed.
pub fn clear(run_folder: &Path) -> Result<(), ControlError> {
    let path = file(run_folder);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(ControlError { path, source }),
        _ => Ok(()),
    }
}

/// Watches the file of a run.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    seen: Option<(SystemTime, u64)>,
}

impl Watch {
    /// Of the run whose folder is `run_folder`.
    pub fn new(run_folder: &Path) -> Self {
        Self { path: file(run_folder), seen: None }
    }

    /// The next wish. Cancel safe.
    pub async fn next(&mut self) -> Control {
        use std::os::unix::fs::MetadataExt;
        loop {
            if let Ok(metadata) = fs::metadata(&self.path)
                && let Ok(modified) = metadata.modified()
                && self.seen != Some((modified, metadata.ino()))
            {
                self.seen = Some((modified, metadata.ino()));
                match fs::read(&self.path).map(|text| serde_json::from_slice(&text)) {
                    Ok(Ok(control)) => return control,
                    Ok(Err(error)) => {
                        tracing::warn!(file = %self.path.display(), %error, "a wish for this run cannot be read, it is left");
                    }
                    // Taken back between the two looks.
                    Err(_) => {}
                }
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

fn file(run_folder: &Path) -> PathBuf {
    run_folder.join("control.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_wish_is_heard_once_and_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(folder.path());
        for wish in [Ask::Suspend, Ask::Stop, Ask::StopNow] {
            ask(folder.path(), wish).unwrap();
            assert_eq!(watch.next().await.ask, wish);
        }
        assert!(tokio::time::timeout(LOOK * 2, watch.next()).await.is_err());
    }

    #[tokio::test]
    async fn a_wish_that_was_cleared_is_not_heard() {
        let folder = tempfile::tempdir().unwrap();
        clear(folder.path()).unwrap();
        ask(folder.path(), Ask::Stop).unwrap();
        clear(folder.path()).unwrap();
        let mut watch = Watch::new(folder.path());
        assert!(tokio::time::timeout(LOOK * 2, watch.next()).await.is_err());
    }
}
