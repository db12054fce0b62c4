//! Which notices are with the sinks, and which are settled.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::engine::world::SettledNotice;

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
    /// What was ever settled, and whether it was dropped: when the ledger could not be saved, its outbox hands a
    /// notice over again that needs no more delivery.
    done: HashMap<u64, bool>,
}

impl State {
    fn settle(&mut self, id: u64, dropped: bool) {
        self.done.insert(id, dropped);
        if self.settled.iter().all(|notice| notice.id != id) {
            self.settled.push(SettledNotice { id, dropped });
        }
    }
}

#[derive(Debug)]
struct Open {
    sinks: usize,
    dropped: bool,
}

impl Tally {
    /// Whether the notice is to be delivered; then so many sinks are to close it. With none it is settled at once.
    pub(super) fn open(&self, id: u64, sinks: usize) -> bool {
        let mut state = self.lock();
        if state.open.contains_key(&id) {
            return false;
        }
        if let Some(dropped) = state.done.get(&id).copied() {
            state.settle(id, dropped);
        } else if sinks == 0 {
            state.settle(id, false);
        } else {
            state.open.insert(id, Open { sinks, dropped: false });
            return true;
        }
        drop(state);
        self.settled.notify_one();
        false
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
        state.settle(id, dropped);
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
