//! A step in the making: the ledger as it becomes, and what was decided on the way.

use jiff::Timestamp;

use super::{
    apply::{IllegalEvent, apply},
    event::{Event, EventKind},
    gate::{Gate, GateReport},
    ledger::Ledger,
    policy::Policy,
    world::{AttemptState, World},
};
use crate::job::identity::AttemptKey;

/// A step in the making.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    pub(super) policy: &'a Policy,
    pub(super) world: &'a World,
    pub(super) now: Timestamp,
    /// The ledger, with every event of this step in it.
    pub(super) ledger: Ledger,
    pub(super) events: Vec<Event>,
    /// The gate, with every report of this step in it.
    pub(super) gate: Gate,
    pub(super) reports: Vec<GateReport>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(policy: &'a Policy, world: &'a World, ledger: Ledger, now: Timestamp) -> Self {
        let gate = world.gate.clone();
        Self { policy, world, now, ledger, events: Vec::new(), gate, reports: Vec::new() }
    }

    /// Adds an event to the journal and to the ledger.
    pub(super) fn record(&mut self, kind: EventKind) -> Result<(), IllegalEvent> {
        let event = Event { at: self.now, kind };
        apply(&mut self.ledger, &event)?;
        self.events.push(event);
        Ok(())
    }

    /// Tells the gate something; the rest of the step already goes by it.
    pub(super) fn report(&mut self, report: GateReport) {
        self.gate = self.gate.after(&report);
        self.reports.push(report);
    }

    /// How many attempts need their lane.
    pub(super) fn working(&self) -> u32 {
        let working = self.world.attempts.iter().filter(|sighting| sighting.state.works()).count();
        u32::try_from(working).unwrap_or(u32::MAX)
    }

    /// The attempts that run.
    pub(super) fn live(&self) -> impl Iterator<Item = AttemptKey> + '_ {
        self.world
            .attempts
            .iter()
            .filter(|sighting| matches!(sighting.state, AttemptState::Running { .. }))
            .map(|sighting| sighting.key)
    }
}

/// Whether `ledger` neither claims `key` nor knows its end.
pub(super) fn is_unexpected(ledger: &Ledger, key: AttemptKey) -> bool {
    ledger.present_attempt(key.batch) != Some(key) && !ledger.knows_end_of(key)
}
