//! What is seen of the world before a step.

use super::gate::Gate;
use crate::job::{
    identity::AttemptKey,
    outcome::{GateSignal, Outcome},
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
        /// In order.
        signals: Vec<GateSignal>,
        /// What it is known to have used so far.
        spent: crate::job::outcome::Usage,
    },
    /// It ended and left a result.
    Ended(Box<Outcome>),
    /// It was started once, is gone and left no result.
    Lost,
}

/// What a step decides on.
#[derive(Clone, Debug)]
pub struct World {
    /// The `seq` of the ledger that was stored when this was seen.
    pub seq: u64,
    /// Every attempt that is not released.
    pub attempts: Vec<Sighting>,
    /// The credential's gate.
    pub gate: Gate,
    /// What people ask for.
    pub wishes: Wishes,
}

/// What people ask of a run that is active.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// Nothing new starts.
    pub suspend: bool,
    /// Running attempts are ended too, to be resumed later (`suspendPolicy: Terminate`, Ctrl-C twice).
    pub terminate: bool,
    /// The run is ended: `Some(true)` at once, `Some(false)` when what runs has finished.
    pub stop: Option<bool>,
    /// A trial: suspend once so many batches of this invocation have finished.
    pub limit: Option<u32>,
}
