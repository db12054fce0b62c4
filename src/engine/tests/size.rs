use std::collections::BTreeMap;

use super::{at, failed, succeeded};
use crate::{
    engine::{
        fixtures,
        ledger::Ledger,
        project::Action,
        step::step,
        world::{AttemptState, Reached, Sighting, World},
    },
    job::{
        identity::{AttemptKey, SessionId},
        model::Occasion,
        outcome::{FailureClass, Usage},
        start::Start,
    },
};

/// Runs ten thousand batches at parallelism 100, attempts ending in the order of a shuffled deck, and returns the
/// longest ledger in bytes. `fails` says how an attempt goes.
fn longest(fails: fn(AttemptKey) -> bool) -> usize {
    let mut policy = fixtures::policy(100);
    policy.retry.max_failed_in_a_row = 0;
    policy.occasions.extend([Occasion::BatchFailed, Occasion::BatchComplete]);
    let mut ledger: Ledger = fixtures::ledger(10_000, at(0));
    let mut saved = ledger.clone();
    let mut running: BTreeMap<AttemptKey, Start> = BTreeMap::new();
    let mut rng = fastrand::Rng::with_seed(5);
    let (mut now, mut longest) = (0, 0);
    while !ledger.is_over() {
        now += 1;
        let mut attempts = Vec::new();
        for key in running.keys().copied().collect::<Vec<_>>() {
            let mut outcome = if fails(key) { failed(FailureClass::Validation) } else { succeeded() };
            outcome.session = Some(SessionId(uuid::Uuid::from_u128(u128::MAX / 3)));
            let state = AttemptState::Ended(Box::new(outcome));
            if rng.u8(..3) == 0 {
                running.remove(&key);
                attempts.push(Sighting { key, state });
            } else {
                let state = AttemptState::Running {
                    reached: Reached::Begun,
                    signals: Vec::new(),
                    spent: Usage::default(),
                    budget_micro_usd: None,
                };
                attempts.push(Sighting { key, state });
            }
        }
        let world = World { seq: saved.seq, attempts, ..World::default() };
        let step = step(&policy, &saved, ledger, &world, at(now)).unwrap();
        ledger = step.ledger;
        for action in step.actions {
            if let Action::Launch(start) = action {
                running.insert(start.key, start);
            }
        }
        ledger.seq += 1;
        saved = ledger.clone();
        longest = longest.max(serde_json::to_string(&saved).unwrap().len());
    }
    assert_eq!(ledger.finished(), 10_000);
    longest
}

#[test]
fn a_ledger_of_ten_thousand_batches_stays_under_64_kib() {
    let once = longest(|key| key.batch.0.is_multiple_of(10) && key.ordinal == 1);
    let every_first = longest(|key| key.ordinal == 1);
    let for_good = longest(|key| key.batch.0.is_multiple_of(10));
    println!(
        "every tenth fails once: {once} B; every first try fails: {every_first} B; every tenth fails for good: {for_good} B"
    );
    assert!(once < 64 * 1024, "every tenth batch fails once: {once} bytes");
    assert!(every_first < 64 * 1024, "every first try fails: {every_first} bytes");
    assert!(for_good < 64 * 1024, "every tenth batch fails for good: {for_good} bytes");
}
