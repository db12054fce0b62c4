//! One step: what was seen, what the run means to do, and what is to be done now.

use jiff::Timestamp;

use super::{
    apply::IllegalEvent,
    draft::Draft,
    event::Event,
    ledger::{Ledger, VERSION},
    observe::observe,
    plan::plan,
    policy::Policy,
    project::{Action, project},
    waiting::Waiting,
    world::World,
};

/// What a step decided.
#[derive(Debug)]
pub struct Step {
    /// What happened: the journal's new entries, all of them in `ledger`.
    pub events: Vec<Event>,
    /// The ledger now. Its `seq` is the caller's to raise when it is saved.
    pub ledger: Ledger,
    /// What is to be done now, in this order. All of it is allowed by the ledger that was saved before the step.
    pub actions: Vec<Action>,
    /// When time alone makes a difference: step again then, if nothing else happens before.
    pub wake_at: Option<Timestamp>,
    /// Why no more is happening.
    pub waiting: Option<Waiting>,
    /// Whether the ledger is to be saved.
    pub save: Save,
}

/// Whether the ledger is to be saved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Save {
    /// At once: something waits for it, or must not be forgotten.
    Now,
    /// With the next paced save.
    Paced,
    /// There is nothing to save.
    None,
}

/// Why a step was not made.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum StepError {
    /// The ledger was written by a newer Mozart.
    #[error(
        "the run's state has format {found}, this Mozart reads up to {VERSION}: use the newer Mozart that wrote it"
    )]
    Newer {
        /// Its format.
        found: u32,
    },
    /// A mistake in Mozart: it decided on what its own rules forbid.
    #[error("the engine decided on an event that cannot be; please report it")]
    Illegal(#[from] IllegalEvent),
}

/// Decides what happens next. `saved` is the ledger as it is stored, `current` the one with every later step in it.
///
/// The same ledgers, world and time give the same step; nothing else goes into it. Its cost depends on how many batches
/// are unfinished at a time, not on how many there are.
///
/// # Errors
/// When the ledger is of a newer Mozart, or an event is illegal.
pub fn step(
    policy: &Policy,
    saved: &Ledger,
    current: Ledger,
    world: &World,
    now: Timestamp,
) -> Result<Step, StepError> {
    if let Some(found) = [saved.version, current.version].into_iter().find(|version| *version > VERSION) {
        return Err(StepError::Newer { found });
    }
    if world.seq < saved.seq {
        let save = if current == *saved { Save::None } else { Save::Paced };
        let waiting = Some(Waiting::StaleLook);
        return Ok(Step {
            events: Vec::new(),
            ledger: current,
            actions: Vec::new(),
            wake_at: None,
            waiting,
            save,
        });
    }
    // Whole milliseconds: what is stored stays short, and is the same when it is read again.
    let now = Timestamp::from_millisecond(now.as_millisecond()).unwrap_or(now);
    let mut draft = Draft::new(policy, world, current, now);
    observe(&mut draft)?;
    plan(&mut draft)?;
    let projection = project(&mut draft, saved);
    let save = save(policy, saved, &draft.ledger, projection.held_by_save);
    let Draft { ledger, events, .. } = draft;
    let (actions, wake_at, waiting) = (projection.actions, projection.wake_at, projection.waiting);
    Ok(Step { events, ledger, actions, wake_at, waiting, save })
}

fn save(policy: &Policy, saved: &Ledger, ledger: &Ledger, held_by_save: bool) -> Save {
    if ledger == saved {
        return Save::None;
    }
    let retry = ledger
        .open
        .iter()
        .any(|(batch, open)| saved.open.get(batch).is_none_or(|known| known.ordinal != open.ordinal));
    let told =
        ledger.outbox.iter().any(|notice| !notice.occasion.is_of_a_batch() && !saved.outbox.contains(notice));
    let results = ledger.ends_since(saved) >= policy.unsaved_results();
    let now = held_by_save
        || saved.phase != ledger.phase
        || ledger.limited != saved.limited
        || retry
        || told
        || results;
    if now { Save::Now } else { Save::Paced }
}
