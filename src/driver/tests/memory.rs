//! The outside in memory, in paused time: what is stored or runs outlives a crash, which may strike before and after
//! every call.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use tokio::{sync::Notify, time::Instant};

use crate::{
    driver::{
        clock::Reading,
        ports::{Clock, Gates, Launcher, Notifier, Store, StoreError},
    },
    engine::{
        event::Event,
        gate::{Gate, GateReport},
        ledger::{Ledger, Notice},
        world::{AttemptState, Reached, SettledNotice, Sighting},
    },
    job::{
        identity::AttemptKey,
        outcome::{Failure, FailureClass, Outcome, Usage},
        start::{EndMode, Start},
    },
};

/// How an attempt goes: how long it takes, and what is wrong with it then.
pub(super) type Script = fn(&Start) -> (Duration, Option<Failure>);

#[derive(Debug)]
pub(super) struct Running {
    pub(super) started: Instant,
    pub(super) ends: Instant,
    failure: Option<Failure>,
}

/// All that outlives a crash.
#[derive(Debug, Default)]
pub(super) struct Outside {
    pub(super) stored: Option<Ledger>,
    pub(super) journal: Vec<Event>,
    pub(super) saves: u32,
    pub(super) attempts: BTreeMap<AttemptKey, Running>,
    pub(super) gate: Gate,
    pub(super) launched: Vec<Start>,
    pub(super) ended: Vec<AttemptKey>,
    pub(super) told: Vec<Notice>,
    unsettled: Vec<u64>,
    shown: BTreeSet<AttemptKey>,
    /// Saves to refuse: by their number, from 1.
    pub(super) failing_saves: BTreeSet<u32>,
    /// Whether a save that is refused is stored all the same.
    pub(super) lying: bool,
    calls: u32,
    pub(super) crash_at: Option<u32>,
}

/// The five ports over one outside.
#[derive(Clone, Debug)]
pub(super) struct Memory {
    pub(super) outside: Arc<Mutex<Outside>>,
    pub(super) crashed: Arc<Notify>,
    changed: Arc<Notify>,
    script: Script,
    epoch: Instant,
}

impl Memory {
    pub(super) fn new(script: Script) -> Self {
        Self {
            outside: Arc::default(),
            crashed: Arc::default(),
            changed: Arc::default(),
            script,
            epoch: Instant::now(),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Outside> {
        self.outside.lock().unwrap()
    }

    /// Never resolves once the crash has struck.
    async fn step(&self) {
        let crash = {
            let mut outside = self.lock();
            outside.calls += 1;
            outside.crash_at.is_some_and(|at| outside.calls >= at)
        };
        if crash {
            self.crashed.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

impl Store for Memory {
    async fn save(&self, ledger: &Ledger, journal: &[Event]) -> Result<(), StoreError> {
        self.step().await;
        tokio::time::sleep(Duration::from_millis(3)).await;
        let result = {
            let mut outside = self.lock();
            outside.saves += 1;
            let number = outside.saves;
            let stored = outside.stored.as_ref().map_or(0, |stored| stored.seq);
            let fails = outside.failing_saves.contains(&number);
            if ledger.seq == stored + 1 {
                if !fails || outside.lying {
                    outside.stored = Some(ledger.clone());
                    outside.journal.extend_from_slice(journal);
                }
                if fails {
                    let source = Box::new(std::io::Error::other("no space left on device"));
                    Err(StoreError::Failed { context: "saving the run".to_owned(), source })
                } else {
                    Ok(())
                }
            } else {
                Err(StoreError::Conflict { expected: ledger.seq - 1, found: stored })
            }
        };
        self.step().await;
        result
    }
}

impl Launcher for Memory {
    async fn look(&self) -> Vec<Sighting> {
        self.step().await;
        let now = Instant::now();
        let mut outside = self.lock();
        let mut shown = Vec::new();
        let sightings = outside
            .attempts
            .iter()
            .map(|(key, running)| {
                let state = if running.ends <= now {
                    shown.push(*key);
                    AttemptState::Ended(Box::new(self.outcome(running)))
                } else {
                    AttemptState::Running {
                        reached: Reached::Begun,
                        signals: Vec::new(),
                        spent: Usage::default(),
                        budget_micro_usd: None,
                    }
                };
                Sighting { key: *key, state }
            })
            .collect();
        outside.shown.extend(shown);
        sightings
    }

    async fn launch(&self, start: Start) {
        self.step().await;
        {
            let mut outside = self.lock();
            let outside = &mut *outside;
            if let Entry::Vacant(vacant) = outside.attempts.entry(start.key) {
                let (takes, failure) = (self.script)(&start);
                let started = Instant::now();
                vacant.insert(Running { started, ends: started + takes, failure });
                outside.launched.push(start);
            }
        }
        self.changed.notify_one();
        self.step().await;
    }

    async fn end(&self, key: AttemptKey, _mode: EndMode) {
        self.step().await;
        {
            let mut outside = self.lock();
            outside.ended.push(key);
            if let Some(running) = outside.attempts.get_mut(&key)
                && running.ends > Instant::now()
            {
                running.ends = Instant::now();
                running.failure = Some(failure(FailureClass::Disruption, "Interrupted"));
            }
        }
        self.changed.notify_one();
        self.step().await;
    }

    async fn release(&self, key: AttemptKey) {
        self.step().await;
        self.lock().attempts.remove(&key);
        self.step().await;
    }

    async fn changed(&self) {
        let next = {
            let outside = self.lock();
            let unseen = outside.attempts.iter().filter(|(key, _)| !outside.shown.contains(key));
            unseen.map(|(_, running)| running.ends).min()
        };
        match next {
            Some(next) => tokio::time::sleep_until(next).await,
            None => self.changed.notified().await,
        }
    }
}

impl Memory {
    fn at(&self, instant: Instant) -> Timestamp {
        let passed = SignedDuration::try_from(instant - self.epoch).unwrap();
        Timestamp::from_second(1_700_000_000).unwrap() + passed
    }

    fn outcome(&self, running: &Running) -> Outcome {
        Outcome {
            failure: running.failure.clone(),
            accepted: running
                .failure
                .as_ref()
                .is_none_or(|failure| failure.class == FailureClass::Validation),
            usage: Usage { cost_micro_usd: 10_000, ..Usage::default() },
            session: None,
            signal: None,
            warnings: Vec::new(),
            provenance: None,
            exit_code: Some(0),
            started: self.at(running.started),
            ended: self.at(running.ends),
        }
    }
}

impl Gates for Memory {
    async fn look(&self) -> Gate {
        self.step().await;
        self.lock().gate.clone()
    }

    async fn report(&self, report: GateReport) -> Result<Gate, StoreError> {
        self.step().await;
        let gate = {
            let mut outside = self.lock();
            outside.gate = outside.gate.after(&report);
            outside.gate.clone()
        };
        self.step().await;
        Ok(gate)
    }

    async fn changed(&self) {
        std::future::pending::<()>().await;
    }
}

impl Notifier for Memory {
    async fn deliver(&self, notice: &Notice) {
        self.step().await;
        {
            let mut outside = self.lock();
            outside.told.push(notice.clone());
            outside.unsettled.push(notice.id);
        }
        self.step().await;
    }

    async fn settled(&self) -> Vec<SettledNotice> {
        self.step().await;
        self.lock().unsettled.drain(..).map(|id| SettledNotice { id, dropped: false }).collect()
    }

    async fn changed(&self) {
        if self.lock().unsettled.is_empty() {
            std::future::pending::<()>().await;
        }
    }
}

impl Clock for Memory {
    fn now(&self) -> Timestamp {
        self.at(Instant::now())
    }

    fn reading(&self) -> Reading {
        Reading { wall: self.now(), steady: self.epoch.elapsed() }
    }

    async fn sleep_until(&self, until: Timestamp) {
        let left = Duration::try_from(until.duration_since(self.now())).unwrap_or_default();
        tokio::time::sleep(left).await;
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

pub(super) fn failure(class: FailureClass, reason: &str) -> Failure {
    Failure {
        class,
        reason: reason.to_owned(),
        message: format!("It went wrong: {reason}."),
        resets_at: None,
        retry_after_ms: None,
        fresh_session: false,
    }
}
