//! Whole runs without a crash.

use std::time::Duration;

use tokio::sync::watch;

use super::memory::{Memory, Script, failure};
use crate::{
    driver::{
        run::run,
        turn::{Ports, RunError, RunState},
    },
    engine::{
        fixtures,
        ledger::{Ledger, RunPhase},
        policy::Policy,
        ranges::Ranges,
        world::Wishes,
    },
    job::outcome::FailureClass,
};

pub(super) async fn drive(memory: &Memory, policy: &Policy, total: u32) -> Result<Ledger, RunError> {
    let (_sender, wishes) = watch::channel(Wishes::default());
    drive_wishing(memory, policy, total, wishes).await
}

pub(super) async fn drive_wishing(
    memory: &Memory,
    policy: &Policy,
    total: u32,
    wishes: watch::Receiver<Wishes>,
) -> Result<Ledger, RunError> {
    let ports = Ports { store: memory, launcher: memory, gates: memory, notifier: memory, clock: memory };
    let now = crate::driver::ports::Clock::now(memory);
    let stored = memory.lock().stored.clone();
    let mut state = RunState::new(stored.unwrap_or_else(|| fixtures::ledger(total, now)));
    state.resume(now).unwrap();
    run(policy, state, ports, wishes, |_| {}).await
}

const EVERY_SEVENTH_FAILS_ONCE: Script = |start| {
    let fails = start.key.batch.0.is_multiple_of(7) && start.key.ordinal == 1;
    (Duration::from_secs(2), fails.then(|| failure(FailureClass::Validation, "ValidationFailed")))
};

#[tokio::test(start_paused = true)]
async fn a_run_goes_to_its_end_and_says_so() {
    let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
    let ledger = drive(&memory, &fixtures::policy(4), 50).await.unwrap();

    assert_eq!(ledger.phase, RunPhase::Complete);
    assert_eq!(ledger.succeeded, Ranges::span(1, 50));
    let outside = memory.lock();
    assert_eq!(outside.stored.as_ref(), Some(&ledger), "what is returned is what is stored");
    assert_eq!(outside.launched.len(), 57, "each batch once, and the seven that failed once more");
    assert!(outside.attempts.is_empty(), "every attempt is released");
    let told: Vec<_> = outside.told.iter().map(|notice| notice.text.as_str()).collect();
    assert_eq!(told, ["50 batches are to be done.", "All 50 batches are done."]);
    assert!(ledger.outbox.is_empty());
}
