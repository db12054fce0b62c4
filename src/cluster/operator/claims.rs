//! What is claimed of a run, as it was saved here and as the API server has it.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use kube::{Api, ResourceExt as _};
use tokio::time::Instant;

use crate::{
    cluster::{fence, lean::LeanObject, lease, store},
    driver::ports::{Store, StoreError},
    engine::{event::Event, ledger::Ledger, ranges::Ranges},
    job::identity::{AttemptKey, RunId},
    launch::pod::Claims,
};

/// For so long after the beginning of a save nobody else can have acted: the fence let it through, and another leads only
/// when a whole lease has passed since the renewal that opened the fence.
const NOBODY_ELSE: Duration = lease::DURATION.saturating_sub(fence::OPEN_FOR);

/// The claims of one run.
pub(super) struct SavedClaims {
    jobs: Api<LeanObject>,
    name: String,
    uid: String,
    /// What was claimed by saves, each with the moment before it; of those that are not new the last alone.
    saved: Mutex<VecDeque<(Option<Instant>, Ranges)>>,
    /// Counts what is asked, so that what was seen before can be told from what was seen after.
    asked: AtomicU64,
    looked: tokio::sync::Mutex<Option<Looked>>,
}

/// The ledger as the API server has shown it.
struct Looked {
    /// It was asked for after this many questions.
    after: u64,
    ledger: Result<Option<Ledger>, Arc<kube::Error>>,
}

impl SavedClaims {
    /// Those of the run of `ledger`, which the API server has shown.
    pub(super) fn new(jobs: Api<LeanObject>, name: &str, ledger: &Ledger) -> Self {
        Self {
            jobs,
            name: name.to_owned(),
            uid: ledger.run.job.to_string(),
            saved: Mutex::new(VecDeque::from([(None, ledger.claimed.clone())])),
            asked: AtomicU64::new(0),
            looked: tokio::sync::Mutex::default(),
        }
    }

    /// A save that began then has succeeded.
    fn saved(&self, ledger: &Ledger, began: Instant) {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        saved.push_back((Some(began), ledger.claimed.clone()));
        while saved.get(1).is_some_and(|(began, _)| !is_recent(*began)) {
            saved.pop_front();
        }
    }

    /// The ledger, if the job is still the same.
    async fn look(&self) -> Result<Option<Ledger>, kube::Error> {
        let Some(job) = self.jobs.get_opt(&self.name).await? else { return Ok(None) };
        let same = job.uid().as_ref() == Some(&self.uid);
        // One that cannot be read expects nothing; whoever reads the job says so.
        let ledger = store::ledger(&job.0).ok().flatten();
        Ok(ledger.filter(|_| same))
    }
}

fn is_recent(began: Option<Instant>) -> bool {
    began.is_some_and(|began| began.elapsed() < NOBODY_ELSE)
}

impl Claims for SavedClaims {
    fn is_new(&self, key: AttemptKey) -> bool {
        let saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let before = saved.iter().rev().find(|(began, _)| !is_recent(*began));
        key.ordinal == 1 && before.is_none_or(|(_, claimed)| !claimed.contains(key.batch))
    }

    async fn expect(&self, run: &RunId, key: AttemptKey) -> Result<bool, Arc<kube::Error>> {
        let question = self.asked.fetch_add(1, Ordering::AcqRel);
        let mut looked = self.looked.lock().await;
        // One look answers everybody who asked before it.
        let looked = match looked.take() {
            Some(one) if one.after > question => looked.insert(one),
            _ => {
                let after = self.asked.load(Ordering::Acquire);
                looked.insert(Looked { after, ledger: self.look().await.map_err(Arc::new) })
            }
        };
        let ledger = looked.ledger.as_ref().map_err(Arc::clone)?;
        let expects = |ledger: &Ledger| ledger.run == *run && ledger.present_attempt(key.batch) == Some(key);
        Ok(ledger.as_ref().is_some_and(expects))
    }
}

/// A store that notes what was claimed by its saves.
pub(super) struct Noted<'a, S> {
    pub(super) store: S,
    pub(super) claims: &'a SavedClaims,
}

impl<S: Store> Store for Noted<'_, S> {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        let began = Instant::now();
        self.store.save(ledger, journal).await?;
        self.claims.saved(ledger, began);
        Ok(())
    }
}
