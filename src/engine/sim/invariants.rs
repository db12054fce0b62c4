//! What must hold whatever happens, one method each.

use std::collections::{BTreeMap, BTreeSet};

use super::universe::{TURN_COST, Universe};
use crate::{
    engine::{
        apply::apply,
        event::{Counted, EventKind},
        gate::GateState,
        ledger::RunPhase,
        policy::Durability,
    },
    job::{identity::AttemptKey, start::Start},
};

/// An invariant that does not hold.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Broken(pub(super) String);

fn hold(holds: bool, what: impl FnOnce() -> String) -> Result<(), Broken> {
    if holds { Ok(()) } else { Err(Broken(what())) }
}

/// Before an action is done.
impl Universe {
    pub(super) fn may_launch(&self, start: &Start) -> Result<(), Broken> {
        self.nothing_starts_that_the_stored_ledger_does_not_claim(start)?;
        self.succeeded_is_never_started_again(start)?;
        self.no_more_run_than_the_parallelism()?;
        self.nothing_starts_while_the_gate_is_closed_but_the_canary(start)
    }

    fn nothing_starts_that_the_stored_ledger_does_not_claim(&self, start: &Start) -> Result<(), Broken> {
        let key = start.key;
        hold(
            self.stored.phase == RunPhase::Running && self.stored.present_attempt(key.batch) == Some(key),
            || format!("{key} was launched, and the stored ledger does not claim it: {:?}", self.stored),
        )
    }

    fn succeeded_is_never_started_again(&self, start: &Start) -> Result<(), Broken> {
        let mut events = self.journal.iter();
        let done = events.any(|event| event.kind == EventKind::BatchSucceeded { batch: start.key.batch });
        hold(!done, || format!("{} was launched, and its batch had succeeded", start.key))
    }

    fn no_more_run_than_the_parallelism(&self) -> Result<(), Broken> {
        let live = self.working();
        hold(live < self.policy.parallelism as usize, || {
            format!("one more was launched beside {live} at parallelism {}", self.policy.parallelism)
        })
    }

    fn nothing_starts_while_the_gate_is_closed_but_the_canary(&self, start: &Start) -> Result<(), Broken> {
        let facts = self.last_step.as_ref().unwrap();
        let gate = &facts.gate;
        let name = self.stored.name_of(start.key);
        let allowed = match &gate.state {
            GateState::Open => {
                let cap = gate.live_cap.map_or(usize::MAX, |cap| cap as usize);
                !start.canary && self.working() < cap
            }
            GateState::Canary { holder, .. } => start.canary && *holder == name && facts.launches == 1,
            GateState::Closed { .. } | GateState::Held { .. } => false,
        };
        hold(allowed, || format!("{} was launched while the gate was {gate:?}", start.key))
    }

    pub(super) fn may_end(&self, key: AttemptKey) -> Result<(), Broken> {
        let asked = match self.stored.phase {
            RunPhase::Suspended { terminate, .. } => terminate,
            RunPhase::Stopping { now, .. } => now,
            _ => false,
        };
        let stray = self.stored.present_attempt(key.batch) != Some(key);
        hold(asked || stray, || format!("{key} was ended, and the stored ledger does not say so"))
    }

    pub(super) fn may_release(&self, key: AttemptKey) -> Result<(), Broken> {
        let known = self.stored.knows_end_of(key);
        let stray = self.stored.present_attempt(key.batch) != Some(key);
        hold(known || stray, || format!("{key} was released before its end was recorded"))
    }

    pub(super) fn may_announce(&self, id: u64) -> Result<(), Broken> {
        hold(self.stored.outbox.iter().any(|notice| notice.id == id), || {
            format!("notice {id} was delivered, and the stored ledger does not have it")
        })
    }
}

/// After every event.
impl Universe {
    pub(super) fn check(&self) -> Result<(), Broken> {
        self.at_most_one_attempt_a_batch_lives()?;
        self.the_ledger_fits_itself()?;
        self.counted_tries_stay_within_the_bound()?;
        self.the_budget_is_kept()?;
        self.the_outbox_is_bounded()?;
        self.the_window_is_bounded()?;
        self.what_stands_still_says_why()
    }

    fn at_most_one_attempt_a_batch_lives(&self) -> Result<(), Broken> {
        let mut batches = BTreeSet::new();
        for key in self.running() {
            hold(batches.insert(key.batch), || format!("two attempts of batch {} live", key.batch))?;
        }
        Ok(())
    }

    fn the_ledger_fits_itself(&self) -> Result<(), Broken> {
        let ledger = self.ledger();
        let finished = ledger.finished() == ledger.succeeded.with(&ledger.failed).len();
        let claimed = ledger.claimed.iter().all(|batch| !ledger.is_finished(batch));
        let open = ledger.open.keys().all(|batch| ledger.claimed.contains(*batch));
        let seen = ledger.seen.iter().all(|batch| ledger.claimed.contains(batch));
        hold(finished && claimed && open && seen, || format!("the ledger contradicts itself: {ledger:?}"))
    }

    fn counted_tries_stay_within_the_bound(&self) -> Result<(), Broken> {
        let most = self.policy.retry.max_retries;
        let mut tries = BTreeMap::new();
        for event in &self.journal {
            if let EventKind::RetryScheduled { key, counted: Counted::Try, .. } = &event.kind {
                *tries.entry(key.batch).or_insert(0) += 1;
            }
        }
        let in_ledger = self.ledger().open.values().all(|open| open.tries <= most);
        hold(in_ledger && tries.values().all(|count| *count <= most), || {
            format!("more than {most} counted tries: {tries:?}")
        })
    }

    fn the_budget_is_kept(&self) -> Result<(), Broken> {
        let Some(budget) = self.policy.budget.per_run_micro_usd else { return Ok(()) };
        let spent = self.ledger().usage.cost_micro_usd;
        hold(spent <= budget + TURN_COST, || format!("{spent} was spent of {budget}"))
    }

    fn the_outbox_is_bounded(&self) -> Result<(), Broken> {
        let (batches, run): (Vec<_>, Vec<_>) =
            self.ledger().outbox.iter().partition(|notice| notice.occasion.is_of_a_batch());
        // At the end of a run what was joined is told, one notice for each of three kinds.
        hold(run.len() <= 16 && batches.len() <= 16 + 3, || {
            format!("the outbox holds {} and {} notices", run.len(), batches.len())
        })
    }

    fn the_window_is_bounded(&self) -> Result<(), Broken> {
        let window = (2 * self.widest).max(32);
        let claimed = self.ledger().claimed.len();
        hold(claimed <= window, || format!("{claimed} batches are unfinished, {window} may be"))
    }

    fn what_stands_still_says_why(&self) -> Result<(), Broken> {
        let Some(facts) = &self.last_step else { return Ok(()) };
        let held = matches!(facts.gate.state, GateState::Held { .. });
        hold(!facts.idle || facts.waiting && (facts.wake_at.is_some() || held), || {
            format!(
                "nothing happens, and nothing says why or until when: {:?} {:?}",
                self.ledger(),
                facts.gate
            )
        })
    }
}

/// At the end.
impl Universe {
    pub(super) fn check_end(&self) -> Result<(), Broken> {
        self.the_stored_ledger_is_the_fold_of_its_journal()?;
        self.notices_were_told_at_least_once()?;
        self.extra_starts_are_bounded()?;
        hold(self.running().next().is_none(), || "the run ended, and attempts live".to_owned())?;
        hold(self.stored.claimed.is_empty() && self.stored.open.is_empty(), || {
            format!("the ledger of a run that ended does not shrink: {:?}", self.stored)
        })
    }

    fn the_stored_ledger_is_the_fold_of_its_journal(&self) -> Result<(), Broken> {
        let mut ledger = self.beginning.clone();
        for event in &self.journal {
            apply(&mut ledger, event).map_err(|error| Broken(format!("the journal is illegal: {error}")))?;
        }
        ledger.seq = self.stored.seq;
        hold(ledger == self.stored, || format!("the journal gives {ledger:?}, stored is {:?}", self.stored))
    }

    fn notices_were_told_at_least_once(&self) -> Result<(), Broken> {
        for event in &self.journal {
            if let EventKind::NoticeSettled { id, dropped: false } = event.kind {
                hold(self.delivered.contains(&id), || format!("notice {id} is settled, and was never told"))?;
            }
        }
        let queued = self.journal.iter().filter(|event| matches!(event.kind, EventKind::NoticeQueued { .. }));
        let settled =
            self.journal.iter().filter(|event| matches!(event.kind, EventKind::NoticeSettled { .. }));
        hold(queued.count() == settled.count(), || "a notice was queued and never settled".to_owned())
    }

    fn extra_starts_are_bounded(&self) -> Result<(), Broken> {
        let ends = self.journal.iter().filter(|event| match &event.kind {
            EventKind::AttemptEnded { outcome, .. } => {
                outcome.failure.as_ref().is_none_or(|failure| failure.reason != "AttemptLost")
            }
            _ => false,
        });
        let extra = self.starts - u32::try_from(ends.count()).unwrap();
        let a_crash = match self.policy.durability {
            Durability::Durable => 0,
            Durability::InProcess => 2 * self.widest,
        };
        hold(extra <= self.crashes * a_crash + self.vanished, || {
            format!(
                "{extra} extra starts at {} crashes and {} lost attempts, parallelism at most {}",
                self.crashes, self.vanished, self.widest
            )
        })
    }
}
