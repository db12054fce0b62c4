//! One turn: look, step, act, save. What it acts on is allowed by the ledger that was saved before.

use jiff::{SignedDuration, Timestamp};

use super::{
    act::Acting,
    clock::Reading,
    ports::{Clock, Gates, Launcher, Notifier, Store, StoreError},
};
use crate::{
    engine::{
        apply::{IllegalEvent, apply},
        event::{Event, EventKind},
        ledger::{Ledger, RunPhase},
        policy::Policy,
        project::Action,
        step::{Save, Step, StepError, step},
        summary::Summary,
        waiting::Waiting,
        world::{Wishes, World},
    },
    job::identity::RunId,
};

/// The outside, as the driver needs it.
#[derive(Debug)]
pub struct Ports<'a, S, L, G, N, C> {
    /// The ledger's home.
    pub store: &'a S,
    /// Starts and watches attempts.
    pub launcher: &'a L,
    /// The gate of the job's credential.
    pub gates: &'a G,
    /// Tells people.
    pub notifier: &'a N,
    /// Time.
    pub clock: &'a C,
}

impl<S, L, G, N, C> Clone for Ports<'_, S, L, G, N, C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<S, L, G, N, C> Copy for Ports<'_, S, L, G, N, C> {}

/// A run in memory: the ledger as it is stored, and as it has become since.
#[derive(Clone, Debug)]
pub struct RunState {
    pub(super) saved: Ledger,
    pub(super) ledger: Ledger,
    /// What happened since the last snapshot was taken.
    pub(super) journal: Vec<Event>,
    /// `None` until the clock was read for it.
    read: Option<Read>,
}

/// The readings of the clock that a run's times go by.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    seq: u64,
    stored: Reading,
    /// Of what may be stored after that.
    offered: Reading,
    now: Reading,
}

impl Read {
    /// That of a ledger that is stored with this `seq`, and of nothing after it.
    fn new(seq: u64, reading: Reading) -> Self {
        Self { seq, stored: reading, offered: reading, now: reading }
    }

    /// The one of the stored ledger with this `seq`, if it is known here.
    pub fn of(self, seq: u64) -> Option<Reading> {
        match seq.checked_sub(self.seq)? {
            0 => Some(self.stored),
            1 => Some(self.offered),
            _ => None,
        }
    }
}

impl RunState {
    /// From a stored ledger, or from one that [`Ledger::start`] has just made.
    pub fn new(ledger: Ledger) -> Self {
        Self { saved: ledger.clone(), ledger, journal: Vec::new(), read: None }
    }

    /// Lets a suspended run go on, whatever it was suspended for. Does nothing to a run that is not suspended.
    ///
    /// # Errors
    /// Never for a ledger that [`crate::engine`] made.
    pub fn resume(&mut self, now: Timestamp) -> Result<(), IllegalEvent> {
        if !self.ledger.is_suspended() {
            return Ok(());
        }
        self.record(EventKind::Resumed, now)
    }

    /// Lets what is left of the run follow another plan, of `of_total` batches.
    ///
    /// # Errors
    /// When the run is over, or the plan has fewer batches than before.
    pub fn replan(&mut self, plan_hash: String, of_total: u32, now: Timestamp) -> Result<(), IllegalEvent> {
        self.record(EventKind::Replanned { plan_hash, of_total }, now)
    }

    /// The ledger's times go by this reading of the clock: what the clock is set by since then is made up for.
    pub fn goes_by(&mut self, reading: Reading) {
        self.read = Some(Read::new(self.saved.seq, reading));
    }

    /// Takes over how late it is. Where the clock was set since the last time, what the run waits for lasts as long as
    /// before.
    ///
    /// # Errors
    /// Never for a ledger that [`crate::engine`] made.
    pub(super) fn clock_read(&mut self, reading: Reading) -> Result<Read, IllegalEvent> {
        let read = self.read.get_or_insert(Read::new(self.saved.seq, reading));
        let set = read.now.set_until(reading);
        read.now = reading;
        let read = *read;
        if let Some(by) = set {
            self.clock_set(by, reading.wall)?;
        }
        Ok(read)
    }

    /// Does nothing to a run that has not begun, or is over.
    fn clock_set(&mut self, by: SignedDuration, now: Timestamp) -> Result<(), IllegalEvent> {
        if self.ledger.phase == RunPhase::Pending || self.ledger.is_over() {
            return Ok(());
        }
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(0);
        tracing::warn!(run = self.ledger.run.run, by_ms, "the clock of this machine was set");
        self.record(EventKind::ClockSet { by_ms }, now)
    }

    /// Ends a run at once, for `reason`, a closed word: what still runs is then ended as what no run knows. Does nothing
    /// to one that is over.
    ///
    /// # Errors
    /// Never for a ledger that [`crate::engine`] made.
    pub fn stop(&mut self, reason: &str, message: &str, now: Timestamp) -> Result<(), IllegalEvent> {
        let (reason, message) = (reason.to_owned(), message.to_owned());
        if self.ledger.phase == RunPhase::Pending {
            self.record(EventKind::RunStarted, now)?;
        }
        if matches!(self.ledger.phase, RunPhase::Running | RunPhase::Suspended { .. }) {
            let (reason, message) = (reason.clone(), message.clone());
            self.record(EventKind::Stopping { reason, message, now: true }, now)?;
        }
        if self.ledger.is_over() {
            return Ok(());
        }
        let complete = self.ledger.succeeded.len() == self.ledger.selected.len();
        let (reason, message) = ((!complete).then_some(reason), (!complete).then_some(message));
        self.record(EventKind::RunEnded { complete, reason, message }, now)
    }

    fn record(&mut self, kind: EventKind, at: Timestamp) -> Result<(), IllegalEvent> {
        let event = Event { at, kind };
        apply(&mut self.ledger, &event)?;
        self.journal.push(event);
        Ok(())
    }

    /// The ledger as it has become.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Which run of which job.
    pub fn id(&self) -> &RunId {
        &self.ledger.run
    }

    /// The ledger to store next, and the journal that goes with it.
    pub fn snapshot(&mut self) -> (Ledger, Vec<Event>) {
        let mut ledger = self.ledger.clone();
        ledger.seq = self.saved.seq + 1;
        if let Some(read) = &mut self.read {
            read.offered = read.now;
        }
        (ledger, std::mem::take(&mut self.journal))
    }

    /// Takes over that `ledger` is stored.
    pub(super) fn stored(&mut self, ledger: Ledger) {
        self.ledger.seq = ledger.seq;
        if let Some(read) = &mut self.read {
            (read.seq, read.stored) = (ledger.seq, read.offered);
        }
        self.saved = ledger;
    }
}

/// What a turn shows to whoever watches.
#[derive(Debug)]
pub struct View<'a> {
    /// When the turn was.
    pub now: Timestamp,
    /// What of the clock the ledger goes by, with what was stored before the turn.
    pub read: Read,
    /// What happened in it.
    pub events: &'a [Event],
    /// The ledger after it.
    pub ledger: &'a Ledger,
    /// What was seen.
    pub world: &'a World,
    /// The run in numbers.
    pub summary: &'a Summary,
    /// Why no more is happening.
    pub waiting: Option<&'a Waiting>,
    /// Whether everything that is known is stored.
    pub settled: bool,
}

/// Why a run cannot go on. What runs is left alone: the next process finds and judges it.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The ledger could not be stored.
    #[error(
        "the run's state could not be saved: the run stops here, and goes on from the last save with `mozart resume`"
    )]
    Store(#[from] StoreError),
    /// The engine refused.
    #[error("the run cannot go on")]
    Step(#[from] StepError),
}

/// What a turn came to.
#[derive(Debug)]
pub struct Turned {
    /// What happened in it.
    pub events: Vec<Event>,
    /// When to turn again, if nothing is heard before.
    pub wake_at: Option<Timestamp>,
    /// Why no more is happening.
    pub waiting: Option<Waiting>,
    /// The run in numbers.
    pub summary: Summary,
    /// Something changed by this turn that the next one acts on: turn again at once.
    pub again: bool,
    /// Something waits for the next paced save.
    pub unsaved: bool,
}

/// One whole turn, for who is called when something has changed and keeps no loop: look, step, act, save.
///
/// `acting` is kept by the caller between the turns of a run; `pace_over` says whether a save that is not urgent may go.
///
/// # Errors
/// When the ledger could not be stored, or is of a newer Mozart. Nothing was done then that the stored ledger does not
/// allow; load it anew and turn again.
pub async fn turn<S: Store, L: Launcher, G: Gates, N: Notifier, C: Clock>(
    policy: &Policy,
    state: &mut RunState,
    ports: Ports<'_, S, L, G, N, C>,
    acting: &mut Acting,
    wishes: Wishes,
    pace_over: bool,
) -> Result<Turned, RunError> {
    let world = look(state, &ports, acting, wishes).await;
    let now = ports.clock.now();
    let Decision { events, actions, wake_at, waiting, save } = decide(policy, state, &world, now)?;
    let mut again = acting.act(actions, &ports).await;
    let due = save == Save::Now || save == Save::Paced && pace_over;
    if due {
        let (ledger, journal) = state.snapshot();
        ports.store.save(&ledger, &journal).await?;
        state.stored(ledger);
        again = true;
    }
    let summary = Summary::new(policy, &state.ledger, &world, now);
    Ok(Turned { events, wake_at, waiting, summary, again, unsaved: save != Save::None && !due })
}

/// Everything that a step decides on.
pub(super) async fn look<S: Store, L: Launcher, G: Gates, N: Notifier, C: Clock>(
    state: &RunState,
    ports: &Ports<'_, S, L, G, N, C>,
    acting: &Acting,
    wishes: Wishes,
) -> World {
    let seq = state.saved.seq;
    let gate = acting.gate_as_told(ports.gates.look().await);
    let attempts = ports.launcher.look().await;
    let sessions = ports.launcher.sessions().await;
    let settled = ports.notifier.settled().await;
    World { seq, attempts, gate, sessions, wishes, settled }
}

/// What a step decided, beside the ledger that is in the state now.
pub(super) struct Decision {
    pub(super) events: Vec<Event>,
    pub(super) actions: Vec<Action>,
    pub(super) wake_at: Option<Timestamp>,
    pub(super) waiting: Option<Waiting>,
    pub(super) save: Save,
}

/// Steps, and takes ledger and journal into the state.
pub(super) fn decide(
    policy: &Policy,
    state: &mut RunState,
    world: &World,
    now: Timestamp,
) -> Result<Decision, StepError> {
    let Step { events, ledger, actions, wake_at, waiting, save } =
        step(policy, &state.saved, state.ledger.clone(), world, now)?;
    state.ledger = ledger;
    state.journal.extend(events.iter().cloned());
    Ok(Decision { events, actions, wake_at, waiting, save })
}
