//! What every attempt of a run shares: its place, what is seen of the attempts, the keeper.

use std::{
    fs, io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    OpenError, Place,
    client::{Keeper, lock},
    entries::Entries,
    keeper::accepting,
    process,
    sessions::Session,
};
use crate::engine::world::Sessions;

/// What every attempt of a run shares.
#[derive(Debug)]
pub struct Shared<O> {
    /// Where and for what.
    pub place: Place,
    /// The home of answers.
    pub outputs: O,
    /// Every attempt that is not released.
    pub entries: Entries,
    /// Whether the last look saw no free session.
    pub crowded: AtomicBool,
    keeper: Mutex<Arc<Keeper>>,
}

/// As many sessions of the credential run as may.
#[derive(Debug)]
pub struct NoSession;

/// How often a free session is looked for where there is none.
const SESSIONS_LOOK: Duration = Duration::from_millis(250);

impl<O> Shared<O> {
    /// Makes the run's folder and starts a keeper.
    pub fn open(place: Place, outputs: O) -> Result<Self, OpenError> {
        make_folder(&place)?;
        let failed = |source| OpenError::Keeper { program: place.keeper.clone(), source };
        let keeper = start_keeper(&place).map_err(failed)?;
        Ok(Self {
            place,
            outputs,
            entries: Entries::default(),
            crowded: AtomicBool::new(false),
            keeper: Mutex::new(keeper),
        })
    }

    /// The keeper; a new one when the last is gone.
    pub fn keeper(&self) -> io::Result<Arc<Keeper>> {
        let mut keeper = lock(&self.keeper);
        if !keeper.lives() {
            tracing::warn!("the keeper of the batches' programs is gone; a new one is started");
            *keeper = start_keeper(&self.place)?;
        }
        Ok(Arc::clone(&keeper))
    }

    /// Counts the session of an attempt that is to start.
    ///
    /// # Errors
    /// None is free.
    pub fn take_session(&self, name: &str) -> Result<Option<Session>, NoSession> {
        match &self.place.sessions {
            Some(sessions) => sessions.take(name).map(Some).ok_or(NoSession),
            None => Ok(None),
        }
    }

    /// The credential's sessions, where they are bounded.
    pub fn sessions(&self) -> Option<Sessions> {
        let sessions = self.place.sessions.as_ref()?.look();
        self.crowded.store(sessions.free() == 0, Ordering::Relaxed);
        Some(sessions)
    }

    /// Resolves when another process may have freed a session, if there was none.
    pub async fn session_freed(&self) {
        let Some(sessions) = &self.place.sessions else { return std::future::pending().await };
        loop {
            tokio::time::sleep(SESSIONS_LOOK).await;
            if self.crowded.load(Ordering::Relaxed) && sessions.look().free() > 0 {
                return;
            }
        }
    }

    /// Ends every process of this run that belongs to none of `adopted`, and waits until they are gone.
    pub async fn end_strays(&self, adopted: &[String]) {
        let run = format!("{}/r{}/", self.place.run.job, self.place.run.run);
        end_marked(|mark| mark.starts_with(&run) && !adopted.iter().any(|name| name == mark)).await;
    }

    /// Ends every process of one attempt, and waits until they are gone.
    pub async fn end_strays_of(&self, name: &str) {
        end_marked(|mark| mark == name).await;
    }
}

/// Ends every process whose `MOZART_ATTEMPT` is one of `ours`, and waits until they are gone.
pub async fn end_marked(ours: impl Fn(&str) -> bool) {
    for _ in 0..STRAY_LOOKS {
        let strays = process::marked(&ours);
        if strays.is_empty() {
            return;
        }
        tracing::info!("ending {} processes that an earlier Mozart or keeper left", strays.len());
        strays.into_iter().for_each(process::kill_tree);
        tokio::time::sleep(STRAY_PAUSE).await;
    }
    tracing::warn!("processes of an earlier Mozart do not end; they may disturb the batches");
}

/// A killed process is gone within a moment; one that hangs in the kernel holds the start no longer than these say.
const STRAY_LOOKS: u32 = 200;
const STRAY_PAUSE: Duration = Duration::from_millis(10);

/// Waits until keepers of an earlier Mozart start nothing any more.
///
/// # Errors
/// When the run's folder cannot be made or used.
pub async fn outwait_keepers(place: &Place) -> Result<(), OpenError> {
    make_folder(place)?;
    let waited = accepting::wait_for_end(&place.directory).await;
    waited.map_err(|source| OpenError::Keeper { program: place.keeper.clone(), source })
}

fn make_folder(place: &Place) -> Result<(), OpenError> {
    let made = fs::create_dir_all(&place.directory);
    made.map_err(|source| OpenError::Directory { path: place.directory.clone(), source })
}

fn start_keeper(place: &Place) -> io::Result<Arc<Keeper>> {
    Keeper::start(&place.keeper, &place.directory)
}
