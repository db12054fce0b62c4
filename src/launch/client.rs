//! Mozart's end of the line to its keeper.

use std::{
    collections::HashMap,
    fs::OpenOptions,
    io,
    os::fd::OwnedFd,
    path::Path,
    process::Stdio,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    net::{
        UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    process::{Child, Command},
    sync::oneshot,
};

use super::keeper::{
    accepting,
    message::{Report, Request},
};
use crate::backend::Exit;

/// How a program came to its end.
#[derive(Debug)]
pub enum End {
    /// It ended, and so did all that descended from it.
    Exited(Exit),
    /// It was not started.
    NotStarted {
        /// The system's error.
        error: io::Error,
        /// The file that could not be opened; `None` when it is the program itself.
        file: Option<std::path::PathBuf>,
    },
    /// An adopted program is gone, and nobody saw how.
    Vanished,
    /// The keeper died before it could tell.
    KeeperGone,
}

/// A keeper that was started by this process. When the last handle is dropped, it goes once its programs have ended.
#[derive(Debug)]
pub struct Keeper {
    writer: OwnedWriteHalf,
    unsent: Mutex<Unsent>,
    waiting: Mutex<HashMap<u64, oneshot::Sender<End>>>,
    next_id: AtomicU64,
    gone: AtomicBool,
}

#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// Whether a task waits for the line to take more.
    waited_for: bool,
}

impl Keeper {
    /// Starts `program keeper` for the run in `folder`; what it says in distress goes to `keeper.log` there.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(program: &Path, folder: &Path) -> io::Result<Arc<Self>> {
        let (ours, theirs) = std::os::unix::net::UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let child = Command::new(program)
            .arg("keeper")
            .current_dir("/")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(accepting::begin(folder)?)
            .stderr(OpenOptions::new().create(true).append(true).open(folder.join("keeper.log"))?)
            .spawn()?;
        let (reader, writer) = UnixStream::from_std(ours)?.into_split();
        let keeper = Arc::new(Self {
            writer,
            unsent: Mutex::default(),
            waiting: Mutex::default(),
            next_id: AtomicU64::new(1),
            gone: AtomicBool::new(false),
        });
        // The listener holds it weakly: the line closes with the last user.
        tokio::spawn(listen(BufReader::new(reader), Arc::downgrade(&keeper), child));
        Ok(keeper)
    }

    /// Whether it still answers.
    pub fn lives(&self) -> bool {
        !self.gone.load(Ordering::Acquire)
    }

    /// A number for the next program.
    pub fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// Sends a request about a program of this `id` and returns what will tell of its end.
    pub fn watch(self: &Arc<Self>, id: u64, request: &Request) -> oneshot::Receiver<End> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.waiting).insert(id, sender);
        self.send(request);
        if !self.lives() {
            lock(&self.waiting).remove(&id);
        }
        receiver
    }

    /// Sends a request; nothing happens when the keeper is gone.
    pub fn send(self: &Arc<Self>, request: &Request) {
        let mut unsent = lock(&self.unsent);
        if serde_json::to_writer(&mut unsent.bytes, request).is_ok() {
            unsent.bytes.push(b'\n');
        }
        // Most requests fit at once, which saves the way through a task.
        if !unsent.waited_for && !self.try_send(&mut unsent.bytes) {
            unsent.waited_for = true;
            let keeper = Arc::clone(self);
            tokio::spawn(async move { keeper.send_the_rest().await });
        }
    }

    async fn send_the_rest(&self) {
        loop {
            let writable = self.writer.writable().await.is_ok();
            let mut unsent = lock(&self.unsent);
            if !writable || self.try_send(&mut unsent.bytes) {
                unsent.waited_for = false;
                return;
            }
        }
    }

    /// Whether everything is sent, or cannot be sent any more.
    fn try_send(&self, unsent: &mut Vec<u8>) -> bool {
        while !unsent.is_empty() {
            match self.writer.try_write(unsent) {
                Ok(count) => drop(unsent.drain(..count)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => unsent.clear(),
            }
        }
        true
    }

    fn take(&self, report: Report) {
        let (id, end) = match report {
            Report::Ended { id, exit } => (id, End::Exited(exit)),
            Report::NotStarted { id, errno, file } => {
                (id, End::NotStarted { error: io::Error::from_raw_os_error(errno), file })
            }
            Report::Vanished { id } => (id, End::Vanished),
            Report::Warning { text } => {
                tracing::warn!("the keeper says: {text}");
                return;
            }
        };
        if let Some(waiting) = lock(&self.waiting).remove(&id) {
            // Whoever waited may have been dropped with the run.
            let _ = waiting.send(end);
        }
    }
}

async fn listen(mut reader: BufReader<OwnedReadHalf>, keeper: std::sync::Weak<Keeper>, mut child: Child) {
    let mut line = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut line).await {
        let Some(keeper) = keeper.upgrade() else { break };
        match serde_json::from_slice(&line) {
            Ok(report) => keeper.take(report),
            Err(error) => tracing::error!(%error, "the keeper said what cannot be read"),
        }
        line.clear();
    }
    if let Some(keeper) = keeper.upgrade() {
        keeper.gone.store(true, Ordering::Release);
        for (_, waiting) in lock(&keeper.waiting).drain() {
            let _ = waiting.send(End::KeeperGone);
        }
    }
    // So that it does not stay as a zombie; how it ended is nobody's matter any more.
    let _ = child.wait().await;
}

/// Nothing that is done under these locks can panic half-way.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
