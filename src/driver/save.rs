//! Saving in the background: one save at a time, paced, tried again for a while when the store fails.

use std::{future::Future, pin::Pin, time::Duration};

use super::{
    ports::{Clock, Store, StoreError},
    turn::RunState,
};
use crate::engine::{event::Event, ledger::Ledger, step::Save};

/// Between the beginnings of two saves that are not urgent.
const PACE: Duration = Duration::from_secs(1);
/// The first pause after a save that failed; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
/// So many failures in a row, half a minute in all, and the run stops.
const MAX_FAILURES: u32 = 6;

type Background<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A ledger and the journal that goes with it. Once tried it is not changed: a save that failed may have been stored.
struct Snapshot {
    ledger: Ledger,
    journal: Vec<Event>,
}

type Done = (Snapshot, Result<(), StoreError>);

enum Stage<'a> {
    Idle,
    Saving(Background<'a, Done>),
    Done(Done),
    Pausing(Background<'a, ()>, Snapshot),
}

/// Saves in the background. Dropping it in mid-save is a crash, and as harmless.
pub(super) struct Saver<'a, S, C> {
    store: &'a S,
    clock: &'a C,
    stage: Stage<'a>,
    /// Until it resolves, saves that are not urgent wait.
    pace: Option<Background<'a, ()>>,
    failures: u32,
}

impl<'a, S: Store, C: Clock> Saver<'a, S, C> {
    pub(super) fn new(store: &'a S, clock: &'a C) -> Self {
        Self { store, clock, stage: Stage::Idle, pace: None, failures: 0 }
    }

    /// Whether nothing is being saved.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// Begins a save, if one is asked for and none is under way.
    pub(super) fn offer(&mut self, state: &mut RunState, save: Save) {
        let due = save == Save::Now || save == Save::Paced && self.pace.is_none();
        if due && self.is_idle() {
            let (ledger, journal) = state.snapshot();
            self.begin(Snapshot { ledger, journal });
            self.pace = Some(Box::pin(self.clock.sleep(PACE)));
        }
    }

    fn begin(&mut self, snapshot: Snapshot) {
        let store = self.store;
        self.stage = Stage::Saving(Box::pin(async move {
            let result = store.save(&snapshot.ledger, &snapshot.journal).await;
            (snapshot, result)
        }));
    }

    /// Does `work` while a save goes on beside it. Whether that is done is told by [`Saver::progress`] later, so that
    /// nothing changes under a turn.
    pub(super) async fn beside<T>(&mut self, work: impl Future<Output = T>) -> T {
        let Stage::Saving(saving) = &mut self.stage else { return work.await };
        let mut work = std::pin::pin!(work);
        tokio::select! {
            biased;
            done = saving => self.stage = Stage::Done(done),
            output = &mut work => return output,
        }
        work.await
    }

    /// Resolves when a save is done, with what is stored now, or with `None` when the pace is over. Never resolves while
    /// there is nothing to wait for. Cancel safe.
    ///
    /// # Errors
    /// When somebody else saved, or saving failed again and again.
    pub(super) async fn progress(&mut self) -> Result<Option<Ledger>, StoreError> {
        loop {
            match &mut self.stage {
                Stage::Idle => {
                    let Some(pace) = &mut self.pace else { return std::future::pending().await };
                    pace.await;
                    self.pace = None;
                    return Ok(None);
                }
                Stage::Saving(saving) => self.stage = Stage::Done(saving.await),
                Stage::Pausing(pause, _) => {
                    pause.await;
                    if let Stage::Pausing(_, snapshot) = std::mem::replace(&mut self.stage, Stage::Idle) {
                        self.begin(snapshot);
                    }
                }
                Stage::Done(_) => {
                    if let Stage::Done((snapshot, result)) = std::mem::replace(&mut self.stage, Stage::Idle)
                        && let Some(ledger) = self.judge(snapshot, result)?
                    {
                        return Ok(Some(ledger));
                    }
                }
            }
        }
    }

    fn judge(
        &mut self,
        snapshot: Snapshot,
        result: Result<(), StoreError>,
    ) -> Result<Option<Ledger>, StoreError> {
        match result {
            Ok(()) => {}
            // The save before seemed to fail, and was stored.
            Err(StoreError::Conflict { found, .. }) if self.failures > 0 && found == snapshot.ledger.seq => {}
            Err(error @ StoreError::Failed { .. }) if self.failures < MAX_FAILURES => {
                let pause = FIRST_PAUSE * 2_u32.pow(self.failures);
                self.failures += 1;
                if self.failures == 1 {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the run's state could not be saved; trying again, and meanwhile nothing is done that is not saved"
                    );
                }
                self.stage = Stage::Pausing(Box::pin(self.clock.sleep(pause)), snapshot);
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        self.failures = 0;
        Ok(Some(snapshot.ledger))
    }
}
