//! A run whose saves are instant, for tests that go step by step.

use super::{at, succeeded};
use crate::{
    engine::{
        fixtures,
        ledger::{Ledger, RunPhase},
        policy::Policy,
        project::Action,
        step::{Step, step},
        waiting::Waiting,
        world::{AttemptState, Reached, SettledNotice, Sighting, World},
    },
    job::{
        identity::AttemptKey,
        outcome::{GateSignal, Outcome, Usage},
    },
};

/// A run whose saves are instant: each step is saved before the next.
pub(super) struct Run {
    pub(super) policy: Policy,
    pub(super) ledger: Ledger,
    pub(super) world: World,
    pub(super) now: i64,
    pub(super) step: Option<Step>,
}

impl Run {
    pub(super) fn new(batches: u32, parallelism: u32) -> Self {
        let ledger = fixtures::ledger(batches, at(0));
        let mut run = Self {
            policy: fixtures::policy(parallelism),
            ledger,
            world: World::default(),
            now: 0,
            step: None,
        };
        run.turn();
        run
    }

    /// One step, saved; what it launches runs.
    pub(super) fn turn(&mut self) -> &Step {
        self.world.seq = self.ledger.seq;
        let saved = self.ledger.clone();
        let step = step(&self.policy, &saved, saved.clone(), &self.world, at(self.now)).unwrap();
        self.ledger = Ledger { seq: saved.seq + 1, ..step.ledger.clone() };
        for action in &step.actions {
            match action {
                Action::Launch(start) => {
                    let mut sighting = running(start.key, Vec::new());
                    if let AttemptState::Running { budget_micro_usd, .. } = &mut sighting.state {
                        *budget_micro_usd = start.budget_micro_usd;
                    }
                    self.world.attempts.push(sighting);
                }
                Action::Release(key) => self.world.attempts.retain(|sighting| sighting.key != *key),
                Action::ReportGate(report) => self.world.gate = self.world.gate.after(report),
                Action::Deliver(notice) => {
                    self.world.settled.push(SettledNotice { id: notice.id, dropped: false });
                }
                Action::End { .. } => {}
            }
        }
        self.step.insert(step)
    }

    pub(super) fn running(&self) -> Vec<AttemptKey> {
        let runs = |sighting: &&Sighting| matches!(sighting.state, AttemptState::Running { .. });
        self.world.attempts.iter().filter(runs).map(|sighting| sighting.key).collect()
    }

    pub(super) fn end(&mut self, key: AttemptKey, outcome: Outcome) {
        self.show(key, AttemptState::Ended(Box::new(outcome)));
    }

    pub(super) fn answer(&mut self, key: AttemptKey) {
        let sighting = self.world.attempts.iter_mut().find(|sighting| sighting.key == key).unwrap();
        let AttemptState::Running { reached, .. } = &mut sighting.state else { unreachable!() };
        *reached = Reached::Answered;
    }

    pub(super) fn show(&mut self, key: AttemptKey, state: AttemptState) {
        let sighting = self.world.attempts.iter_mut().find(|sighting| sighting.key == key).unwrap();
        sighting.state = state;
    }

    pub(super) fn waiting(&self) -> Option<&Waiting> {
        self.step.as_ref().and_then(|step| step.waiting.as_ref())
    }

    pub(super) fn reason(&self) -> &str {
        match &self.ledger.phase {
            RunPhase::Suspended { reason, .. }
            | RunPhase::Stopping { reason, .. }
            | RunPhase::Failed { reason, .. } => reason,
            phase => phase.word(),
        }
    }
}

pub(super) fn running(key: AttemptKey, signals: Vec<GateSignal>) -> Sighting {
    Sighting {
        key,
        state: AttemptState::Running {
            reached: Reached::Begun,
            signals,
            spent: Usage::default(),
            budget_micro_usd: None,
        },
    }
}

pub(super) fn costing(micro: u64) -> Outcome {
    Outcome { usage: Usage { cost_micro_usd: micro, ..Usage::default() }, ..succeeded() }
}
