//! What is seen of the world before a step.

use super::gate::Gate;
use crate::job::{
    identity::AttemptKey,
    outcome::{GateSignal, Outcome, Usage},
};

/// An attempt as it is seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Sighting {
    /// Which.
    pub key: AttemptKey,
    /// How it is.
    pub state: AttemptState,
}

/// How an attempt is.
#[derive(Clone, Debug, PartialEq)]
pub enum AttemptState {
    /// It runs; `signals` are what it has told about its credential since the last look.
    Running {
        /// How far it has come.
        reached: Reached,
        /// In order.
        signals: Vec<GateSignal>,
        /// What it is known to have used so far.
        spent: Usage,
        /// What it was started with: what it may spend, in millionths of a dollar.
        budget_micro_usd: Option<u64>,
    },
    /// It ended and left a result.
    Ended(Box<Outcome>),
    /// It was started once, is gone and left no result.
    Lost,
}

impl AttemptState {
    /// Whether it runs and needs its lane.
    pub fn works(&self) -> bool {
        matches!(self, Self::Running { reached, .. } if *reached != Reached::Answered)
    }
}

/// How far an attempt has come that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It is only being asked for: it may yet be refused, and has never begun then.
    Asked,
    /// It is known to be there.
    Begun,
    /// It has its answer, and only that is still being kept: its lane is free.
    Answered,
}

/// What a step decides on.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The `seq` of the ledger that was stored when this was seen.
    pub seq: u64,
    /// Every attempt that is not released.
    pub attempts: Vec<Sighting>,
    /// The credential's gate.
    pub gate: Gate,
    /// The sessions of the credential, where they are bounded.
    pub sessions: Option<Sessions>,
    /// What people ask for.
    pub wishes: Wishes,
    /// Notices that were delivered or given up since the last look.
    pub settled: Vec<SettledNotice>,
}

/// The sessions of a credential, over everything that uses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sessions {
    /// How many may run.
    pub cap: u32,
    /// How many run, this run's among them.
    pub taken: u32,
}

impl Sessions {
    /// How many more may start.
    pub fn free(self) -> u32 {
        self.cap.saturating_sub(self.taken)
    }
}

/// A notice that needs no more delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SettledNotice {
    /// Its number.
    pub id: u64,
    /// Whether it was given up.
    pub dropped: bool,
}

/// What people ask of a run that is active. Each is a state, not a command: it holds as long as it is set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Nothing new starts. A run that was suspended for this alone goes on when it is taken back.
    pub suspend: bool,
    /// With `suspend`: running attempts are ended too, to be resumed later (`suspendPolicy: Terminate`, Ctrl-C twice).
    pub terminate: bool,
    /// The run is ended: `Some(true)` at once, `Some(false)` when what runs has finished.
    pub stop: Option<bool>,
    /// A trial: suspend once so many batches of the run have finished, and begin no more than that. Counted from the
    /// run's beginning: for "two more" add what [`super::ledger::Ledger::finished`] says when the trial begins.
    pub limit: Option<u32>,
}
