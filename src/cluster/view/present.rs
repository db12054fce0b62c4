//! What the checkpoint of a run and its Pods tell of batches and attempts: all that is known where the operator has no
//! volume, and what history does not have yet where it has. Pure.

use std::collections::BTreeMap;

use crate::{
    dashboard::view::Cells,
    engine::{ledger::Ledger, ranges::Ranges},
    job::{
        identity::{AttemptKey, BatchNum},
        outcome::Usage,
    },
    store::record::{AttemptRecord, AttemptState, BatchRecord, BatchState},
};

/// Attempts as their Pods tell of them.
pub(super) type OfPods = BTreeMap<AttemptKey, AttemptRecord>;

/// The run of a checkpoint.
pub(super) struct Present<'a> {
    ledger: &'a Ledger,
    cells: Cells,
}

impl<'a> Present<'a> {
    pub(super) fn of(ledger: &'a Ledger) -> Self {
        Self { ledger, cells: Cells::of(ledger, !ledger.is_over()) }
    }

    fn state(&self, batch: BatchNum) -> Option<BatchState> {
        BatchState::ALL.into_iter().find(|state| self.in_state(*state).contains(batch))
    }

    fn in_state(&self, state: BatchState) -> &Ranges {
        match state {
            BatchState::Failed => &self.cells.failed,
            BatchState::Running => &self.cells.running,
            BatchState::Waiting => &self.cells.waiting,
            BatchState::Succeeded => &self.cells.succeeded,
        }
    }

    fn begun(&self, state: Option<BatchState>) -> Ranges {
        match state {
            Some(state) => self.in_state(state).clone(),
            None => BatchState::ALL
                .into_iter()
                .fold(Ranges::default(), |all, state| all.with(self.in_state(state))),
        }
    }

    /// The page of batches in `state`, or of all that were begun, above `after`; `known` is that page as history has it,
    /// which may lag behind.
    pub(super) fn batches(
        &self,
        state: Option<BatchState>,
        (after, limit): (BatchNum, u32),
        known: Vec<BatchRecord>,
        pods: &OfPods,
    ) -> Vec<BatchRecord> {
        let limit = limit as usize;
        // Of a run that is over the checkpoint has only what was finished.
        let mut known: BTreeMap<BatchNum, BatchRecord> = known
            .into_iter()
            .filter(|record| self.state(record.batch).is_none_or(|is| state.is_none_or(|state| is == state)))
            .map(|record| (record.batch, record))
            .collect();
        let begun = self.begun(state);
        let mut next = after;
        for _ in 0..limit {
            let Some(batch) = begun.next_after(next) else { break };
            let record = self.batch(batch, known.get(&batch), pods);
            known.insert(batch, record);
            next = batch;
        }
        known.into_values().take(limit).collect()
    }

    fn batch(&self, batch: BatchNum, known: Option<&BatchRecord>, pods: &OfPods) -> BatchRecord {
        let state = self.state(batch).unwrap_or(BatchState::Running);
        if let Some(known) = known.filter(|known| known.state == state) {
            return known.clone();
        }
        let attempts = self.attempts(batch, Vec::new(), pods);
        let last = attempts.last();
        let ordinal = match last {
            // That it succeeded is all that is left of its last one.
            Some(last) if state == BatchState::Succeeded && last.state != AttemptState::Succeeded => {
                last.ordinal + 1
            }
            Some(last) => last.ordinal,
            None => 1,
        };
        let told = match state {
            BatchState::Succeeded => None,
            BatchState::Running => last.filter(|last| last.state == AttemptState::Running),
            BatchState::Waiting | BatchState::Failed => {
                attempts.iter().rev().find(|attempt| attempt.state == AttemptState::Failed)
            }
        };
        let open = self.ledger.open.get(&batch);
        let mut usage = Usage::default();
        for attempt in &attempts {
            usage += attempt.usage;
        }
        BatchRecord {
            batch,
            state,
            attempts: known.map_or(ordinal, |known| known.attempts.max(ordinal)),
            started: known
                .and_then(|known| known.started)
                .or_else(|| attempts.iter().find_map(|attempt| attempt.started)),
            ended: attempts.iter().filter_map(|attempt| attempt.ended).max(),
            until: open.filter(|_| state == BatchState::Waiting).and_then(|open| open.until),
            class: told.and_then(|told| told.class),
            reason: told.and_then(|told| told.reason.clone()),
            message: told.and_then(|told| told.message.clone()),
            usage: known.map_or(usage, |known| known.usage),
        }
    }

    /// The attempts at the batches from `first` to `last`, by batch and ordinal; `known` are those that history has.
    pub(super) fn attempts_between(
        &self,
        first: BatchNum,
        last: BatchNum,
        known: Vec<AttemptRecord>,
        pods: &OfPods,
    ) -> Vec<AttemptRecord> {
        let mut by_batch: BTreeMap<BatchNum, Vec<AttemptRecord>> = BTreeMap::new();
        for attempt in known {
            by_batch.entry(attempt.batch).or_default().push(attempt);
        }
        let begun = self.begun(None);
        let mut next = BatchNum(first.0.saturating_sub(1));
        while let Some(batch) = begun.next_after(next).filter(|batch| *batch <= last) {
            by_batch.entry(batch).or_default();
            next = batch;
        }
        by_batch.into_iter().flat_map(|(batch, known)| self.attempts(batch, known, pods)).collect()
    }

    fn attempts(&self, batch: BatchNum, known: Vec<AttemptRecord>, pods: &OfPods) -> Vec<AttemptRecord> {
        let mut all: BTreeMap<u32, AttemptRecord> =
            self.told(batch).into_iter().map(|attempt| (attempt.ordinal, attempt)).collect();
        let is_over = |attempt: Option<&AttemptRecord>| {
            attempt.is_some_and(|attempt| attempt.state != AttemptState::Running)
        };
        let of_batch = AttemptKey { batch, ordinal: 0 }..=AttemptKey { batch, ordinal: u32::MAX };
        for (key, attempt) in pods.range(of_batch) {
            if is_over(Some(attempt)) || !is_over(all.get(&key.ordinal)) {
                all.insert(key.ordinal, attempt.clone());
            }
        }
        for attempt in known {
            match all.get_mut(&attempt.ordinal).filter(|_| !is_over(Some(&attempt))) {
                Some(told) => told.started = attempt.started.or(told.started),
                None => drop(all.insert(attempt.ordinal, attempt)),
            }
        }
        all.into_values().collect()
    }

    /// What the checkpoint alone has: the present attempt, and that those before it failed.
    fn told(&self, batch: BatchNum) -> Vec<AttemptRecord> {
        let runs = self.cells.running.contains(batch);
        let Some(open) = self.ledger.open.get(&batch) else {
            let first = AttemptRecord::begun(AttemptKey::first(batch), None);
            return if runs { vec![first] } else { Vec::new() };
        };
        let mut told: Vec<AttemptRecord> = (1..open.ordinal)
            .map(|ordinal| AttemptRecord {
                state: AttemptState::Failed,
                ..AttemptRecord::begun(AttemptKey { batch, ordinal }, None)
            })
            .collect();
        if let Some(last) = told.last_mut() {
            (last.class, last.reason) = (Some(open.cause), Some(open.reason.clone()));
        }
        if runs {
            told.push(AttemptRecord::begun(AttemptKey { batch, ordinal: open.ordinal }, None));
        }
        told
    }
}

#[cfg(test)]
mod tests;
