//! Whole runs without a crash.

use std::time::Duration;

use tokio::sync::watch;

use super::memory::{Memory, Script, failure};
use crate::{
    driver::{
        act::Acting,
        ports::{Clock, StoreError},
        run::run,
        turn::{Ports, RunError, RunState, turn},
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
    let now = Clock::now(memory);
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

#[tokio::test(start_paused = true)]
async fn slow_batches_are_saved_once_a_second_and_fast_ones_by_halves_of_the_claim() {
    const SLOW: Script = |_| (Duration::from_secs(10), None);
    const INSTANT: Script = |_| (Duration::from_millis(1), None);
    let (slow, instant) = (Memory::new(SLOW), Memory::new(INSTANT));
    drive(&slow, &fixtures::policy(1), 20).await.unwrap();
    drive(&instant, &fixtures::policy(1), 640).await.unwrap();
    let (slow, instant) = (slow.lock().saves, instant.lock().saves);
    assert!(slow <= 45, "{slow} saves for twenty batches: the start and the end of each, and the run's own");
    assert!((20..=80).contains(&instant), "{instant} saves for 640 instant batches");
}

#[tokio::test(start_paused = true)]
async fn a_save_that_fails_is_tried_again_and_nothing_unsaved_is_acted_on() {
    for lying in [false, true] {
        for save in 1..=20 {
            let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
            memory.lock().failing_saves = (save..save + 3).collect();
            memory.lock().lying = lying;
            let ledger = drive(&memory, &fixtures::policy(2), 20).await.unwrap();
            assert_eq!(
                ledger.succeeded,
                Ranges::span(1, 20),
                "save {save} failed, stored all the same: {lying}"
            );
            assert_eq!(memory.lock().launched.len(), 22);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_on_failing_ends_the_driver_and_the_run_goes_on_later() {
    for save in 1..=12 {
        let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
        memory.lock().failing_saves = (save..1000).collect();
        let error = drive(&memory, &fixtures::policy(2), 20).await.unwrap_err();
        assert!(matches!(error, RunError::Store(_)), "{error}");
        let done = memory.lock().stored.as_ref().is_some_and(Ledger::is_over);
        assert!(!done, "no success is claimed that is not stored");

        memory.lock().failing_saves.clear();
        let ledger = drive(&memory, &fixtures::policy(2), 20).await.unwrap();
        assert_eq!(ledger.phase, RunPhase::Complete);
        assert_eq!(memory.lock().launched.len(), 22, "what ran meanwhile counts (failing from save {save})");
    }
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_somebody_else_saved_stops_the_driver() {
    let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
    let other = fixtures::ledger(20, Clock::now(&memory));
    let ports =
        Ports { store: &memory, launcher: &memory, gates: &memory, notifier: &memory, clock: &memory };
    let mut theirs = other.clone();
    theirs.seq = 5;
    memory.lock().stored = Some(theirs);
    let (_sender, wishes) = watch::channel(Wishes::default());
    let result = run(&fixtures::policy(2), RunState::new(other), ports, wishes, |_| {}).await;
    assert!(matches!(result, Err(RunError::Store(StoreError::Conflict { .. }))));
    assert_eq!(memory.lock().launched, []);
}

#[tokio::test(start_paused = true)]
async fn a_suspended_run_drains_and_returns_and_goes_on_when_it_is_driven_again() {
    let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
    let (sender, wishes) = watch::channel(Wishes::default());
    let policy = fixtures::policy(2);
    let suspending = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        sender.send(Wishes { suspend: true, ..Wishes::default() }).unwrap();
        std::future::pending::<()>().await;
    };
    let ledger = tokio::select! {
        ledger = drive_wishing(&memory, &policy, 20, wishes) => ledger.unwrap(),
        () = suspending => unreachable!("it waits for ever"),
    };
    assert!(ledger.is_suspended());
    assert!(memory.lock().ended.is_empty(), "what ran was not ended");
    assert!(memory.lock().attempts.is_empty(), "and has finished");
    let ledger = drive(&memory, &policy, 20).await.unwrap();
    assert_eq!(ledger.phase, RunPhase::Complete);
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_over_does_nothing_when_it_is_driven_again() {
    let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
    let policy = fixtures::policy(2);
    drive(&memory, &policy, 9).await.unwrap();
    let work = || {
        let outside = memory.lock();
        (outside.saves, outside.launched.len())
    };
    let done = work();
    drive(&memory, &policy, 9).await.unwrap();
    assert_eq!(work(), done);
}

#[tokio::test(start_paused = true)]
async fn a_run_driven_turn_by_turn_comes_to_the_same_end() {
    let memory = Memory::new(EVERY_SEVENTH_FAILS_ONCE);
    let ports =
        Ports { store: &memory, launcher: &memory, gates: &memory, notifier: &memory, clock: &memory };
    let policy = fixtures::policy(4);
    let mut state = RunState::new(fixtures::ledger(50, Clock::now(&memory)));
    let mut acting = Acting::default();
    while !(state.ledger().is_over() && state.ledger().outbox.is_empty()) {
        let turned = turn(&policy, &mut state, ports, &mut acting, Wishes::default(), true).await.unwrap();
        if !turned.again {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    assert_eq!(memory.lock().launched.len(), 57);
    assert_eq!(memory.lock().stored.as_ref().unwrap().succeeded, Ranges::span(1, 50));
}
