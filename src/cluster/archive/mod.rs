//! What an operator keeps on its volume: the history of its jobs, which may be lost, and answers, which may not.
//!
//! One task has the disk. Whoever drives a job tells it what was saved and goes on: a disk that is slow, full or gone
//! holds up nothing but the answers of batches that are kept nowhere else.

mod budget;
mod copied;
mod disk;
mod logs;
mod pending;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    collections::HashSet,
    os::unix::fs::MetadataExt as _,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, mpsc, oneshot, watch};
use uuid::Uuid;

pub use self::logs::copy_logs;
use self::{budget::LogBudget, copied::Copied, disk::Disk, pending::Pending, writer::Writer};
use crate::{
    driver::ports::StoreError,
    engine::{event::Event, ledger::Ledger},
    history::{HistoryError, Reader},
    job::identity::{AttemptKey, BatchNum, RunId},
    store::{NewAnswer, home::Home},
};

/// So many bytes of logs and history are kept if nothing else is said.
pub const LOG_BYTES: u64 = 5 << 30;

/// The folder of an operator. Clones are one; when the last goes, what is pending is written.
#[derive(Clone, Debug)]
pub struct Archive {
    home: Home,
    logs: LogBudget,
    shared: Arc<Shared>,
    commands: mpsc::UnboundedSender<Command>,
    trouble: watch::Receiver<Option<String>>,
    /// With the file that it reads: one that was set aside is another.
    reader: Arc<tokio::sync::Mutex<Option<Opened>>>,
}

/// The device and the number of a file, `None` where there is none, and what reads it.
type Opened = (Option<(u64, u64)>, Arc<Reader>);

/// What the writer's task shares with those that tell it something.
#[derive(Debug, Default)]
struct Shared {
    pending: Mutex<Pending>,
    copied: Mutex<Copied>,
    told: Notify,
}

impl Shared {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn copied(&self) -> MutexGuard<'_, Copied> {
        self.copied.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job of the cluster, as history knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArchivedJob {
    /// Its UID.
    pub uid: Uuid,
    /// Its namespace: what a folder is to a job of this machine.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl ArchivedJob {
    /// What stands where a job of this machine has its file: it tells apart jobs that had one name after each other.
    fn file(&self) -> PathBuf {
        PathBuf::from(format!("{}/{}", self.namespace, self.uid))
    }
}

#[derive(Debug)]
enum Command {
    Keep {
        answer: NewAnswer,
        done: oneshot::Sender<Result<(), StoreError>>,
    },
    Answer {
        run: RunId,
        batch: BatchNum,
        found: oneshot::Sender<Result<Option<String>, StoreError>>,
    },
    Deleted {
        job: Uuid,
    },
    Prune {
        job: Uuid,
        runs: u32,
    },
    KeepOnly {
        jobs: HashSet<Uuid>,
        namespaces: Option<Vec<String>>,
    },
    Close {
        done: oneshot::Sender<()>,
    },
    /// Sets something of the database, such as what makes the disk full.
    #[cfg(test)]
    Pragma {
        text: &'static str,
        done: oneshot::Sender<()>,
    },
}

impl Archive {
    /// Opens the folder, and makes it where it is not there. What is damaged is set aside; what cannot be opened is
    /// tried again, and [`Archive::trouble`] says so. Logs and history may take so many bytes: the oldest logs go first.
    pub async fn open(folder: PathBuf, log_bytes: u64) -> Self {
        let home = Home::new(folder);
        let logs = LogBudget::new(&home, log_bytes);
        let (commands, queue) = mpsc::unbounded_channel();
        let (told, trouble) = watch::channel(None);
        let shared = Arc::new(Shared::default());
        let mut disk = Disk::new(home.clone(), told);
        disk.probe().await;
        tokio::spawn(Writer::new(disk, Arc::clone(&shared), queue, logs.clone()).run());
        Self { home, logs, shared, commands, trouble, reader: Arc::default() }
    }

    /// The folder, to be read by others.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// What is in the folder now, to be read by many at once. A database that is set aside is left behind by the next call.
    ///
    /// # Errors
    /// It cannot be opened.
    pub async fn reader(&self) -> Result<Arc<Reader>, HistoryError> {
        let file = tokio::fs::metadata(self.home.database()).await.ok();
        let file = file.map(|file| (file.dev(), file.ino()));
        let mut opened = self.reader.lock().await;
        if let Some((of, reader)) = &*opened
            && *of == file
        {
            return Ok(Arc::clone(reader));
        }
        let reader = Arc::new(Reader::open(&self.home).await?);
        *opened = Some((file, Arc::clone(&reader)));
        Ok(reader)
    }

    /// Why nothing can be kept now, in a sentence.
    pub fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// Tells of a save. It is written soon; where too much waits already, it is missing, and the run's history says so.
    pub fn record(&self, job: &ArchivedJob, ledger: &Ledger, journal: &[Event]) {
        if !self.shared.pending().add(job, ledger, journal) {
            tracing::debug!(
                job.namespace = job.namespace,
                job.name = job.name,
                "a save is missing in history"
            );
        }
        self.shared.told.notify_one();
    }

    /// Keeps an answer. After `Ok` it survives a loss of power.
    ///
    /// # Errors
    /// It could not be written.
    pub async fn keep(&self, answer: NewAnswer) -> Result<(), StoreError> {
        let (done, written) = oneshot::channel();
        self.tell(Command::Keep { answer, done });
        let ended = || StoreError::Failed {
            context: "the answer could not be kept".to_owned(),
            source: "what writes to the volume has ended".into(),
        };
        written.await.unwrap_or_else(|_| Err(ended()))
    }

    /// The answer of a batch that is kept.
    ///
    /// # Errors
    /// It could not be read.
    pub async fn answer(&self, run: &RunId, batch: BatchNum) -> Result<Option<String>, StoreError> {
        let (found, answer) = oneshot::channel();
        self.tell(Command::Answer { run: run.clone(), batch, found });
        let ended = || StoreError::Failed {
            context: "the answer could not be read".to_owned(),
            source: "what writes to the volume has ended".into(),
        };
        answer.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Whether the log of an attempt was copied a moment ago, or could not be: its answer is kept, or it gave none.
    pub fn is_copied(&self, run: &RunId, key: AttemptKey) -> bool {
        self.shared.copied().has(run, key)
    }

    /// A job is no more: its runs have ended, its answers go unless they were to stay.
    pub fn deleted(&self, job: Uuid) {
        self.tell(Command::Deleted { job });
    }

    /// Forgets the runs of a job but for so many, the newest. Their answers stay.
    pub fn prune(&self, job: Uuid, runs: u32) {
        self.tell(Command::Prune { job, runs });
    }

    /// These jobs are all that there are in the namespaces, or in all: others were deleted while nobody looked.
    pub fn keep_only(&self, jobs: HashSet<Uuid>, namespaces: Option<Vec<String>>) {
        self.tell(Command::KeepOnly { jobs, namespaces });
    }

    /// Writes what is pending, as far as it can be written, and leaves the files in order.
    pub async fn close(&self) {
        let (done, closed) = oneshot::channel();
        self.tell(Command::Close { done });
        // Its task ends by this and never before.
        let _ = closed.await;
    }

    #[cfg(test)]
    async fn pragma(&self, text: &'static str) {
        let (done, set) = oneshot::channel();
        self.tell(Command::Pragma { text, done });
        set.await.unwrap();
    }

    fn tell(&self, command: Command) {
        // Fails once the archive was closed: then nothing is begun any more either.
        let _ = self.commands.send(command);
    }
}
