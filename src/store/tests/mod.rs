//! Both forms of state, on real files.

mod copies;
mod faults;
mod ledgers;
mod pruning;
mod refusals;

use jiff::Timestamp;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    engine::{
        event::{Event, EventKind},
        ledger::{RunPhase, RunStart},
        ranges::Ranges,
    },
    job::{
        identity::{AttemptKey, BatchNum},
        outcome::{Failure, FailureClass, Outcome, Usage},
    },
};

/// A state folder of its own.
pub(crate) struct Fixture {
    pub(crate) home: Home,
    folder: TempDir,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { home: Home::new(folder.path().join("state")), folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) async fn open(&self, kind: StateKind) -> Local {
        Local::open(&self.home, &StateBackend { kind, path: None }).await.unwrap()
    }

    /// A job that is registered, with its first run begun at seq 0.
    pub(crate) async fn with_run(&self, kind: StateKind) -> (Local, Ledger) {
        let store = self.open(kind).await;
        let ledger = ledger(register(&store, "review").await, 1);
        store.begin_run(&ledger, "the plan").await.unwrap();
        (store, ledger)
    }
}

pub(crate) const KINDS: [StateKind; 2] = [StateKind::Sqlite, StateKind::Json];

pub(crate) async fn register(store: &Local, name: &str) -> Uuid {
    let file = Path::new("/work-of-somebody").join(format!("{name}.yaml"));
    store.register_job(&name.parse().unwrap(), &file, Path::new("/work-of-somebody")).await.unwrap()
}

pub(crate) fn ledger(job: Uuid, run: u32) -> Ledger {
    let start = RunStart {
        run: RunId { job, run },
        plan_hash: "abc".to_owned(),
        of_total: 10_000,
        selected: Ranges::span(1, 10_000),
        done_before: Ranges::default(),
    };
    let mut ledger = Ledger::start(start, at(0));
    ledger.phase = RunPhase::Running;
    ledger
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn outcome(failure: Option<FailureClass>) -> Outcome {
    Outcome {
        failure: failure.map(|class| Failure {
            class,
            reason: "ExitCode".to_owned(),
            message: "it said 3".to_owned(),
            resets_at: None,
            retry_after_ms: None,
            fresh_session: false,
        }),
        accepted: true,
        usage: Usage { input_tokens: 10, output_tokens: 5, cost_micro_usd: 125, ..Usage::default() },
        session: None,
        signal: None,
        warnings: Vec::new(),
        provenance: None,
        exit_code: Some(if failure.is_some() { 3 } else { 0 }),
        started: at(1),
        ended: at(2),
    }
}

pub(crate) fn event(kind: EventKind) -> Event {
    Event { at: at(3), kind }
}

/// What is said when a batch succeeds at its first attempt.
pub(crate) fn success(batch: u32) -> [Event; 2] {
    let batch = BatchNum(batch);
    [
        event(EventKind::AttemptEnded {
            key: AttemptKey::first(batch),
            outcome: Box::new(outcome(None)),
            lane_free: None,
        }),
        event(EventKind::BatchSucceeded { batch }),
    ]
}

/// The ledger after `batch` succeeded.
pub(crate) fn after_success(ledger: &Ledger, batch: u32) -> Ledger {
    let mut next = ledger.clone();
    next.seq += 1;
    next.succeeded.insert(BatchNum(batch));
    next
}
