//! What was saved of runs and is not written yet. Bounded: what does not fit is missing.

use std::collections::BTreeMap;

use super::ArchivedJob;
use crate::{
    engine::{event::Event, ledger::Ledger},
    job::identity::RunId,
    store::Saved,
};

/// So many events wait at most, some hundred bytes each.
const MOST_EVENTS: usize = 20_000;

/// What waits, by run: of each the newest ledger alone.
#[derive(Debug, Default)]
pub(super) struct Pending {
    runs: BTreeMap<RunId, Saved>,
    events: usize,
}

impl Pending {
    /// Takes a save, if there is room.
    pub(super) fn add(&mut self, job: &ArchivedJob, ledger: &Ledger, journal: &[Event]) -> bool {
        if self.events + journal.len() > MOST_EVENTS && self.events > 0 {
            return false;
        }
        self.put(Saved {
            name: job.name.clone(),
            file: job.file(),
            used_in: job.namespace.clone().into(),
            ledger: ledger.clone(),
            journal: journal.to_vec(),
            saves: 1,
        });
        true
    }

    fn put(&mut self, saved: Saved) {
        self.events += saved.journal.len();
        match self.runs.get_mut(&saved.ledger.run) {
            None => drop(self.runs.insert(saved.ledger.run.clone(), saved)),
            Some(before) => {
                before.ledger = saved.ledger;
                before.journal.extend(saved.journal);
                before.saves += saved.saves;
            }
        }
    }

    /// Takes back what could not be written, before what came since.
    pub(super) fn take_back(&mut self, saved: Vec<Saved>) {
        let newer = std::mem::take(self);
        for saved in saved {
            self.put(saved);
        }
        for saved in newer.runs.into_values() {
            self.put(saved);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Hands over what waits, about `events` at most.
    pub(super) fn take(&mut self, events: usize) -> Vec<Saved> {
        let mut taken: Vec<Saved> = Vec::new();
        let mut count = 0;
        while count < events
            && let Some((_, saved)) = self.runs.pop_first()
        {
            count += saved.journal.len().max(1);
            self.events -= saved.journal.len();
            taken.push(saved);
        }
        taken
    }
}
