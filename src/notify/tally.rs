//! Which notices are with the sinks, and which are settled.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::driver::ports::SettledNotice;

/// Counts, for each notice, the sinks that are not done with it.
#[derive(Debug, Default)]
pub(super) struct Tally {
    state: Mutex<State>,
    /// Wakes the one that waits in `changed`.
    settled: Notify,
    /// Wakes the one that waits in `idle`.
    idle: Notify,
}

#[derive(Debug, Default)]
struct State {
    open: HashMap<u64, Open>,
    /// Settled, and not yet taken.
    settled: Vec<SettledNotice>,
    /// Ids that were ever opened: the outbox hands a notice over on every turn until its settling is saved.
    known: HashSet<u64>,
}

#[derive(Debug)]
struct Open {
    sinks: usize,
    dropped: bool,
}

impl Tally {
    /// Whether the notice is new; then so many sinks are to close it. With none it is settled at once.
    pub(super) fn open(&self, id: u64, sinks: usize) -> bool {
        let mut state = self.lock();
        if !state.known.insert(id) {
            return false;
        }
        if sinks == 0 {
            state.settled.push(SettledNotice { id, dropped: false });
            drop(state);
            self.settled.notify_one();
        } else {
            state.open.insert(id, Open { sinks, dropped: false });
        }
        true
    }

    /// One sink is done with the notice.
    pub(super) fn close(&self, id: u64, dropped: bool) {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id) else { return };
        open.sinks -= 1;
        open.dropped |= dropped;
        if open.sinks > 0 {
            return;
        }
        let dropped = open.dropped;
        state.open.remove(&id);
        state.settled.push(SettledNotice { id, dropped });
        let idle = state.open.is_empty();
        drop(state);
        self.settled.notify_one();
        if idle {
            self.idle.notify_one();
        }
    }

    /// What was settled since the last call.
    pub(super) fn take(&self) -> Vec<SettledNotice> {
        std::mem::take(&mut self.lock().settled)
    }

    /// Resolves when `take` may return something. For one waiter at a time; cancel safe.
    pub(super) async fn changed(&self) {
        while self.lock().settled.is_empty() {
            self.settled.notified().await;
        }
    }

    /// Resolves when no sink has anything left to do. For one waiter at a time; cancel safe.
    pub(super) async fn idle(&self) {
        while !self.lock().open.is_empty() {
            self.idle.notified().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
