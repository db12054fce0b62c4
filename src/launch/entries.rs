//! What is seen of the attempts that this process runs, wherever they run.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard},
};

use tokio::sync::{Notify, watch};

use super::client::lock;
use crate::{
    engine::world::{AttemptState, Reached, Sighting},
    job::{
        identity::AttemptKey,
        outcome::{GateSignal, Usage},
        start::EndMode,
    },
};

/// Every attempt that is not released.
#[derive(Debug, Default)]
pub struct Entries {
    all: Mutex<HashMap<AttemptKey, Entry>>,
    /// Told after every change of an entry.
    pub changed: Notify,
}

impl Entries {
    /// All of them, and nobody else changes any meanwhile.
    pub fn hold(&self) -> MutexGuard<'_, HashMap<AttemptKey, Entry>> {
        lock(&self.all)
    }

    /// How each is now.
    pub fn look(&self) -> Vec<Sighting> {
        self.hold().iter_mut().map(|(key, entry)| Sighting { key: *key, state: entry.look() }).collect()
    }

    /// Shows how an attempt is now. One that was released meanwhile stays forgotten.
    pub fn show(&self, key: AttemptKey, state: AttemptState) {
        if let Some(entry) = self.hold().get_mut(&key) {
            entry.show(state);
        }
        self.changed.notify_one();
    }

    /// Shows what a running attempt has told.
    pub fn tell(&self, key: AttemptKey, signal: Option<GateSignal>, usage: Option<Usage>) {
        if let Some(entry) = self.hold().get_mut(&key) {
            entry.tell(signal, usage);
        }
        self.changed.notify_one();
    }

    /// Shows that a running attempt has its answer, which is still to be kept; what came with it about the credential is
    /// to be known before its lane is taken.
    pub fn answered(&self, key: AttemptKey, signal: Option<GateSignal>) {
        if let Some(Entry { state: AttemptState::Running { reached, signals, .. }, .. }) =
            self.hold().get_mut(&key)
        {
            *reached = Reached::Answered;
            signals.extend(signal);
        }
        self.changed.notify_one();
    }

    /// Tells an attempt to end; the first way stays.
    pub fn end(&self, key: AttemptKey, mode: EndMode) {
        if let Some(entry) = self.hold().get(&key) {
            entry.end(mode);
        }
    }

    /// Forgets an attempt. One that runs is not forgotten: it would go on unseen. It is ended, and released when asked
    /// again.
    pub fn release(&self, key: AttemptKey) {
        let mut entries = self.hold();
        if let Some(entry) = entries.get(&key) {
            if matches!(entry.state, AttemptState::Running { .. }) {
                entry.end(EndMode::GiveUp);
            } else {
                entries.remove(&key);
            }
        }
    }
}

/// What is seen of one attempt.
#[derive(Debug)]
pub struct Entry {
    state: AttemptState,
    ending: watch::Sender<Option<EndMode>>,
}

impl Entry {
    /// One that runs and may spend so much, and what tells it to end.
    pub fn running(budget_micro_usd: Option<u64>) -> (Self, watch::Receiver<Option<EndMode>>) {
        let (ending, receiver) = watch::channel(None);
        let spent = Usage::default();
        let state =
            AttemptState::Running { reached: Reached::Begun, signals: Vec::new(), spent, budget_micro_usd };
        (Self { state, ending }, receiver)
    }

    /// How it is; its signals are told once.
    fn look(&mut self) -> AttemptState {
        let seen = self.state.clone();
        if let AttemptState::Running { signals, .. } = &mut self.state {
            signals.clear();
        }
        seen
    }

    /// Shows how it is now.
    fn show(&mut self, state: AttemptState) {
        self.state = state;
    }

    /// Shows what it has told, while it runs.
    fn tell(&mut self, signal: Option<GateSignal>, usage: Option<Usage>) {
        if let AttemptState::Running { signals, spent, .. } = &mut self.state {
            signals.extend(signal);
            *spent = usage.unwrap_or(*spent);
        }
    }

    /// Tells it to end; the first way stays.
    fn end(&self, mode: EndMode) {
        self.ending.send_if_modified(|ending| {
            let first = ending.is_none();
            ending.get_or_insert(mode);
            first
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::identity::BatchNum;

    #[test]
    fn what_came_with_an_answer_about_the_credential_is_seen_when_its_lane_is() {
        let (entries, key) = (Entries::default(), AttemptKey::first(BatchNum(1)));
        entries.hold().insert(key, Entry::running(None).0);
        let signal = GateSignal::Utilization { share: 0.93, resets_at: None };
        entries.answered(key, Some(signal.clone()));
        let seen = entries.look().remove(0).state;
        let AttemptState::Running { reached, signals, .. } = seen else { unreachable!() };
        assert_eq!((reached, signals), (Reached::Answered, vec![signal]));
    }
}
