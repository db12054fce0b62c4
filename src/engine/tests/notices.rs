use std::collections::BTreeMap;

use super::{at, succeeded};
use crate::{
    engine::{
        fixtures,
        ledger::Ledger,
        project::Action,
        step::step,
        world::{AttemptState, SettledNotice, Sighting, World},
    },
    job::{identity::AttemptKey, model::Occasion},
};

/// A run in which every attempt ends at once, one turn a second; notices are delivered at once if `settles`.
fn texts(batches: u32, seconds_a_turn: i64, settles: bool) -> (BTreeMap<String, u32>, usize) {
    let mut policy = fixtures::policy(4);
    policy.occasions = [Occasion::BatchComplete, Occasion::JobComplete].into();
    let mut ledger: Ledger = fixtures::ledger(batches, at(0));
    let (mut saved, mut running) = (ledger.clone(), Vec::new());
    let (mut told, mut delivered, mut most) = (BTreeMap::new(), Vec::new(), 0);
    for turn in 0.. {
        let ended = |key: AttemptKey| Sighting { key, state: AttemptState::Ended(Box::new(succeeded())) };
        let settled = std::mem::take(&mut delivered);
        let attempts = std::mem::take(&mut running).into_iter().map(ended).collect();
        let world = World { seq: saved.seq, attempts, settled, ..World::default() };
        let step = step(&policy, &saved, ledger, &world, at(turn * seconds_a_turn)).unwrap();
        ledger = step.ledger;
        for action in step.actions {
            match action {
                Action::Launch(start) => running.push(start.key),
                Action::Deliver(notice) => {
                    let words = notice.text.split_once(' ').map_or("", |(_, rest)| rest);
                    let kind = if notice.attempt.is_some() { "one batch" } else { words };
                    *told.entry(kind.to_owned()).or_insert(0) += u32::from(settles);
                    delivered.extend(settles.then_some(SettledNotice { id: notice.id, dropped: false }));
                }
                _ => {}
            }
        }
        most = most.max(ledger.outbox.len());
        if ledger.is_over() && ledger == saved && (ledger.outbox.is_empty() || !settles) {
            break;
        }
        ledger.seq += 1;
        saved = ledger.clone();
    }
    (told, most)
}

#[test]
fn beyond_ten_a_minute_batches_are_told_of_in_one_notice() {
    let (told, _) = texts(40, 1, true);
    // Ten singly, thirty joined: the run is over before its minute is.
    let expected = [("40 batches are done.", 1), ("more batches are done.", 1), ("one batch", 10)];
    let expected = expected.map(|(text, count)| (text.to_owned(), count));
    assert_eq!(told, expected.into());
}

#[test]
fn a_slow_run_tells_of_every_batch() {
    let (told, _) = texts(40, 60, true);
    assert_eq!(told.get("one batch"), Some(&40));
    assert_eq!(told.get("more batches are done."), None);
}

#[test]
fn a_dead_sink_does_not_fill_the_ledger() {
    let (_, most) = texts(400, 60, false);
    assert!(most <= 16 + 3 + 1, "{most} notices");
}
