//! What the driver needs of the outside, each with its guarantees.

use std::{future::Future, time::Duration};

use jiff::Timestamp;

use super::clock::Reading;
use crate::{
    engine::{
        event::Event,
        gate::{Gate, GateReport},
        ledger::{Ledger, Notice},
        world::{Sessions, SettledNotice, Sighting},
    },
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, RunId},
        start::{EndMode, Start},
    },
};

/// Why the store did not save or load.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody else saved in between: look again.
    #[error("the ledger was saved by somebody else (it is at {found}, {expected} was expected)")]
    Conflict {
        /// The `seq` that was expected to be stored.
        expected: u64,
        /// The `seq` that is stored.
        found: u64,
    },
    /// The ledger is of a newer Mozart.
    #[error("the ledger has format {found}, this Mozart reads up to {known}: use a newer Mozart")]
    Newer {
        /// What was found.
        found: u32,
        /// What is known.
        known: u32,
    },
    /// There is room for no more, and never will be.
    #[error("{context}")]
    Full {
        /// What is full, and what to do.
        context: String,
    },
    /// Nothing was written; disk full, I/O error, corrupt file.
    #[error("{context}")]
    Failed {
        /// What was tried, on which file, what to do.
        context: String,
        /// The cause.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// The ledger's home.
///
/// # Guarantees
/// When `save` returns `Ok`, the ledger and the journal survive a crash and a loss of power. When it returns an error,
/// either nothing or all of it is stored, never a part. A save costs the same at batch 10 and at batch 10,000.
pub trait Store: Send + Sync {
    /// Stores `ledger` (whose `seq` is one more than the stored one) and appends `journal` to the history.
    fn save(&self, ledger: &Ledger, journal: &[Event])
    -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// Starts, watches, ends and releases attempts.
///
/// # Guarantees
/// `launch` of an attempt that exists already is success and starts nothing. `look` shows every attempt of the run that
/// is not released, also those of an earlier process, and what was launched before it was called: an attempt that is not
/// shown has not been started, or was lost without a result. `end` and `release` of what is not there are success.
pub trait Launcher: Send + Sync {
    /// Every attempt of the run that is not released.
    fn look(&self) -> impl Future<Output = Vec<Sighting>> + Send;
    /// The sessions of the credential, where they are bounded: looked at after the attempts.
    fn sessions(&self) -> impl Future<Output = Option<Sessions>> + Send {
        async { None }
    }
    /// Starts an attempt, or leaves it where no session is free. Failures of the attempt itself come back as its outcome, by `look`.
    fn launch(&self, start: Start) -> impl Future<Output = ()> + Send;
    /// Ends a running attempt; its outcome comes back by `look`.
    fn end(&self, key: AttemptKey, mode: EndMode) -> impl Future<Output = ()> + Send;
    /// Forgets an attempt whose result the saved ledger has, or that the run does not know; it is shown no more.
    fn release(&self, key: AttemptKey) -> impl Future<Output = ()> + Send;
    /// Resolves when `look` may show something new. Cancel safe; never misses a change.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// The home of answers that exist nowhere else (those of API batches).
pub trait Outputs: Send + Sync {
    /// Keeps an answer and what is known of it. When it returns `Ok`, the answer survives a crash and a loss of power;
    /// the same attempt's answer may be put again.
    fn put(
        &self,
        run: &RunId,
        key: AttemptKey,
        answer: &str,
        facts: &AnswerFacts,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// The gate of the job's credential, shared with every other user of it.
pub trait Gates: Send + Sync {
    /// The gate now.
    fn look(&self) -> impl Future<Output = Gate> + Send;
    /// Tells it what was learned; atomic, durable. The new gate is what [`Gate::after`] says.
    fn report(&self, report: GateReport) -> impl Future<Output = Result<Gate, StoreError>> + Send;
    /// Resolves when `look` may show something new (another process opened or closed it). Cancel safe.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// How long the end of a run waits for notices to be delivered, where nobody says otherwise.
const LAST_NOTICES: Duration = Duration::from_secs(15);

/// Tells people. A sink that is slow or dead delays nothing else.
///
/// # Guarantees
/// `deliver` of a notice that is in delivery is nothing new. Every notice that was handed over is settled in the end.
pub trait Notifier: Send + Sync {
    /// How long a run that is at rest is driven on for what was handed over; what is not settled then stays in its
    /// outbox. `None` is until everything is settled.
    fn last_wait(&self) -> Option<Duration> {
        Some(LAST_NOTICES)
    }
    /// Hands a notice over; delivery goes on by itself.
    fn deliver(&self, notice: &Notice) -> impl Future<Output = ()> + Send;
    /// The notices that were delivered or given up since the last call.
    fn settled(&self) -> impl Future<Output = Vec<SettledNotice>> + Send;
    /// Resolves when `settled` may return something. Cancel safe.
    fn changed(&self) -> impl Future<Output = ()> + Send;
}

/// Time: the wall clock that people and limits mean.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Timestamp;
    /// Now, beside a clock that nobody can set.
    fn reading(&self) -> Reading;
    /// Resolves when the wall clock has passed `until`, also across sleep of the machine (looked at once a minute), or
    /// was set meanwhile.
    fn sleep_until(&self, until: Timestamp) -> impl Future<Output = ()> + Send;
    /// Resolves after so much running time.
    fn sleep(&self, duration: Duration) -> impl Future<Output = ()> + Send;
}
