//! How much the copied logs take, beside what history takes: the oldest go when it is too much.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};

use tokio::sync::Mutex;

use crate::store::home::Home;

/// The logs of all runs in a folder; clones are one.
#[derive(Clone, Debug)]
pub(super) struct LogBudget {
    folder: PathBuf,
    most: u64,
    /// What of it history takes, in bytes.
    taken: Arc<AtomicU64>,
    /// In bytes; `None` until it was measured.
    total: Arc<Mutex<Option<u64>>>,
}

struct Log {
    modified: SystemTime,
    bytes: u64,
    path: PathBuf,
}

impl LogBudget {
    pub(super) fn new(home: &Home, most: u64) -> Self {
        Self { folder: home.runs(), most, taken: Arc::default(), total: Arc::default() }
    }

    /// How many bytes logs and history may take together.
    pub(super) fn most(&self) -> u64 {
        self.most
    }

    /// History takes so many bytes.
    pub(super) async fn leave(&self, taken: u64) {
        self.taken.store(taken, Ordering::Relaxed);
        self.grown(0).await;
    }

    /// So many bytes were added. Where that is too much, the oldest logs are deleted until a tenth is free.
    pub(super) async fn grown(&self, bytes: u64) {
        let mut total = self.total.lock().await;
        let most = self.most.saturating_sub(self.taken.load(Ordering::Relaxed));
        let known = total.map(|total| total + bytes);
        if known.is_some_and(|known| known <= most) {
            *total = known;
            return;
        }
        let folder = self.folder.clone();
        let left = tokio::task::spawn_blocking(move || thin(&folder, most)).await;
        // Measured anew the next time where it could not be.
        *total = left.ok().and_then(|left| {
            left.inspect_err(|error| tracing::warn!(%error, "old logs could not be deleted")).ok()
        });
    }
}

/// Deletes the oldest logs if there are more than `most` bytes of them. Returns how many are left.
fn thin(folder: &Path, most: u64) -> io::Result<u64> {
    let mut logs = Vec::new();
    collect(folder, &mut logs)?;
    let mut total: u64 = logs.iter().map(|log| log.bytes).sum();
    if total <= most {
        return Ok(total);
    }
    logs.sort_by_key(|log| log.modified);
    let (before, mut gone) = (total, 0_u32);
    for log in logs {
        if total <= most - most / 10 {
            break;
        }
        match fs::remove_file(&log.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        total -= log.bytes;
        gone += 1;
    }
    tracing::info!(gone, bytes = before - total, "the oldest logs were deleted: history.maxBytes");
    Ok(total)
}

fn collect(folder: &Path, logs: &mut Vec<Log>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let path = entry.path();
        // What is deleted meanwhile counts nothing.
        let Ok(found) = entry.metadata() else { continue };
        if found.is_dir() {
            collect(&path, logs)?;
        } else if path.extension().is_some_and(|extension| extension == "log") {
            logs.push(Log { modified: found.modified()?, bytes: found.len(), path });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn the_oldest_logs_go_when_there_are_too_many_bytes_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path().to_owned());
        let logs = LogBudget::new(&home, 10_000);
        let path = |number: u64| home.runs().join(format!("job/r1/b{number}/a1/stdout.log"));
        let answer = home.runs().join("job/r1/b0/a1/answer.md");
        fs::create_dir_all(answer.parent().unwrap()).unwrap();
        fs::write(&answer, vec![b'x'; 20_000]).unwrap();
        for number in 0..20 {
            fs::create_dir_all(path(number).parent().unwrap()).unwrap();
            fs::write(path(number), vec![b'x'; 1_000]).unwrap();
            // The numbers tell the age, the last the oldest.
            let age = SystemTime::now() - Duration::from_secs(3600 * (number + 1));
            fs::File::options().append(true).open(path(number)).unwrap().set_modified(age).unwrap();
            logs.grown(1_000).await;
        }
        let left: Vec<u64> = (0..20).filter(|number| path(*number).exists()).collect();
        assert!((9..=10).contains(&left.len()) && left.starts_with(&[0, 1, 2, 3, 4, 5, 6, 7, 8]), "{left:?}");
        assert!(answer.exists());
    }
}
