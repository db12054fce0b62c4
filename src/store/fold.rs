//! From the journal to the records of history. SQLite applies the changes of one save; the JSON reader folds all.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::record::{AttemptRecord, BatchRecord, BatchState, NotificationRecord, NotificationState};
use crate::{
    engine::event::{Event, EventKind},
    job::{
        identity::{AttemptKey, BatchNum},
        outcome::{Outcome, Usage},
    },
};

/// The records that some events touch. What the events do not tell is `None` (usage: zero) and stays as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// By number.
    pub batches: BTreeMap<BatchNum, BatchRecord>,
    /// By batch and ordinal.
    pub attempts: BTreeMap<AttemptKey, AttemptRecord>,
    /// By number.
    pub notifications: BTreeMap<u64, NotificationRecord>,
    /// Notices that were queued by an earlier save, and what became of them.
    pub settled: Vec<(u64, NotificationState, Timestamp)>,
}

impl Changes {
    /// What `events` change.
    pub fn of(events: &[Event]) -> Self {
        let mut changes = Self::default();
        for event in events {
            changes.apply(event);
        }
        changes
    }

    /// Adds one event.
    pub fn apply(&mut self, event: &Event) {
        match &event.kind {
            EventKind::AttemptStarted { key } => self.attempt_started(*key, event.at),
            EventKind::AttemptEnded { key, outcome, lane_free: _ } => self.attempt_ended(*key, outcome),
            EventKind::BatchSucceeded { batch } => {
                let record = self.batch(*batch, BatchState::Succeeded);
                record.ended = Some(event.at);
                record.until = None;
                (record.class, record.reason, record.message) = (None, None, None);
            }
            EventKind::RetryScheduled { key, cause, reason, until, counted: _, session: _ } => {
                let record = self.batch(key.batch, BatchState::Waiting);
                record.until = *until;
                record.class = Some(*cause);
                record.reason = Some(reason.clone());
            }
            EventKind::BatchFailed { batch, class, reason, message } => {
                let record = self.batch(*batch, BatchState::Failed);
                record.ended = Some(event.at);
                record.until = None;
                record.class = Some(*class);
                record.reason = Some(reason.clone());
                record.message = Some(message.clone());
            }
            EventKind::NoticeQueued { notice } => {
                self.notifications.insert(notice.id, NotificationRecord::from(notice));
            }
            EventKind::NoticeSettled { id, dropped } => {
                let state = if *dropped { NotificationState::Dropped } else { NotificationState::Delivered };
                if let Some(record) = self.notifications.get_mut(id) {
                    record.state = state;
                    record.settled = Some(event.at);
                } else {
                    self.settled.push((*id, state, event.at));
                }
            }
            // The ledger, which is saved with them, says these.
            EventKind::RunStarted
            | EventKind::Replanned { .. }
            | EventKind::Claimed { .. }
            | EventKind::GateClosed { .. }
            | EventKind::GateOpened
            | EventKind::NoticeJoined { .. }
            | EventKind::Suspended { .. }
            | EventKind::Resumed
            | EventKind::Stopping { .. }
            | EventKind::ClockSet { .. }
            | EventKind::RunEnded { .. } => {}
        }
    }

    fn attempt_started(&mut self, key: AttemptKey, at: Timestamp) {
        let batch = self.batch(key.batch, BatchState::Running);
        batch.attempts = batch.attempts.max(key.ordinal);
        batch.started.get_or_insert(at);
        batch.until = None;
        self.attempts.entry(key).or_insert_with(|| AttemptRecord::begun(key, Some(at)));
    }

    fn attempt_ended(&mut self, key: AttemptKey, outcome: &Outcome) {
        let batch = self.batch(key.batch, BatchState::Waiting);
        batch.attempts = batch.attempts.max(key.ordinal);
        batch.started.get_or_insert(outcome.started);
        batch.ended = Some(outcome.ended);
        batch.usage += outcome.usage;
        let failure = outcome.failure.as_ref();
        batch.class = failure.map(|failure| failure.class);
        batch.reason = failure.map(|failure| failure.reason.clone());
        batch.message = failure.map(|failure| failure.message.clone());
        self.attempts.insert(key, AttemptRecord::ended(key, outcome));
    }

    fn batch(&mut self, number: BatchNum, state: BatchState) -> &mut BatchRecord {
        let record = self.batches.entry(number).or_insert_with(|| BatchRecord {
            batch: number,
            state,
            attempts: 0,
            started: None,
            ended: None,
            until: None,
            class: None,
            reason: None,
            message: None,
            usage: Usage::default(),
        });
        record.state = state;
        record
    }
}
