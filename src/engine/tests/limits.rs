use std::time::Duration;

use super::{
    at, failed, key,
    run::{Run, running},
    succeeded,
};
use crate::{
    engine::{
        gate::{Gate, GateReport, GateState},
        ledger::{Ledger, RunPhase},
        project::Action,
        step::step,
        waiting::Waiting,
    },
    job::{
        identity::BatchNum,
        outcome::{FailureClass, GateSignal, Outcome},
    },
};

#[test]
fn a_limit_closes_the_gate_counts_nothing_and_lets_one_canary_try() {
    let mut run = Run::new(9, 3);
    run.turn();
    let mut limited = failed(FailureClass::Limit);
    limited.failure.as_mut().unwrap().resets_at = Some(at(3600));
    run.end(key(1, 1), limited);
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(3, 1)]);
    assert_eq!(run.ledger.open[&BatchNum(1)].tries, 0);
    let until = run.waiting().unwrap().until().unwrap();
    assert!((at(3600)..=at(3630)).contains(&until), "{until}: the reset and a little jitter");
    assert_eq!(run.step.as_ref().unwrap().wake_at, Some(until));

    run.now = 3640;
    run.turn();
    assert_eq!(run.running().len(), 2, "first the gate must take the claim");
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(3, 1), key(1, 2)]);
    run.end(key(2, 1), succeeded());
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(3, 1), key(1, 2)], "nobody beside the canary");
    run.show(key(1, 2), running(key(1, 2), vec![GateSignal::Accepted]).state);
    run.turn();
    assert!(run.world.gate.is_open());
    assert_eq!(run.world.gate.live_cap, Some(2));
    assert_eq!(run.running(), [key(3, 1), key(1, 2)], "the start is slow");
    assert_eq!(run.waiting(), Some(&Waiting::SlowStart { cap: 2 }));
}

#[test]
fn a_canary_is_not_launched_by_a_step_that_hears_of_a_limit() {
    let mut run = Run::new(9, 2);
    run.turn();
    let holder = run.ledger.name_of(key(2, 1));
    run.world.attempts.retain(|sighting| sighting.key == key(1, 1));
    run.world.gate.state = GateState::Canary { holder, seen: at(0), cause: "429".to_owned() };
    run.end(key(1, 1), Outcome { signal: Some(GateSignal::Overage { resets_at: None }), ..succeeded() });
    run.turn();
    assert!(matches!(run.world.gate.state, GateState::Closed { .. }));
    assert_eq!(run.running(), []);
}

#[test]
fn another_runs_canary_is_waited_for_and_replaced_after_a_minute() {
    let mut run = Run::new(9, 2);
    run.world.gate.state =
        GateState::Canary { holder: "other/r1/b1-a1".to_owned(), seen: at(0), cause: "429".to_owned() };
    run.turn();
    assert_eq!(run.waiting(), Some(&Waiting::Canary { cause: "429".to_owned(), ours: None }));
    run.now = 60;
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(1, 1)]);
}

#[test]
fn a_wait_that_is_too_long_suspends_and_one_that_never_ends_gives_up() {
    let closed = |until| Gate {
        state: GateState::Closed {
            until: at(until),
            cause: "weekly limit".to_owned(),
            holder: String::new(),
        },
        ..Gate::default()
    };
    let mut long = Run::new(9, 2);
    long.policy.rate_limit.max_wait = Some(Duration::from_hours(12));
    long.world.gate = closed(43_200);
    long.turn();
    assert_eq!(long.reason(), "Running", "exactly as long as allowed");
    long.world.gate = closed(43_201);
    long.turn();
    assert_eq!(long.reason(), "LongWait");

    let mut week = Run::new(9, 2);
    week.world.gate = closed(999_999);
    week.now = 7 * 86_400 - 1;
    week.turn();
    assert_eq!(week.reason(), "Running");
    week.now += 1;
    week.turn();
    assert_eq!((week.ledger.phase.word(), week.reason()), ("Failed", "RateLimitExhausted"));

    let mut often = Run::new(9, 2);
    often.policy.rate_limit.max_waits = Some(24);
    often.world.gate = Gate { waits: 24, ..closed(50) };
    often.turn();
    assert_eq!(often.reason(), "Running");
    often.world.gate.waits = 25;
    often.turn();
    assert_eq!(often.reason(), "RateLimitExhausted");
}

#[test]
fn a_hold_waits_for_a_person() {
    let mut run = Run::new(9, 1);
    run.turn();
    run.end(key(1, 1), failed(FailureClass::Hold));
    run.turn();
    assert!(matches!(run.waiting(), Some(Waiting::Attention { .. })));
    run.now = 9_999_999;
    run.turn();
    assert_eq!(run.running(), [], "no time opens it, and no time gives it up");
    assert_eq!(run.reason(), "Running");
    run.world.gate = run.world.gate.after(&GateReport::OpenedByHand { at: at(run.now) });
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(1, 2)]);
}

#[test]
fn leaving_a_share_of_the_window_and_not_spending_beyond_it_close_the_gate() {
    let shut_by = |leave: f64, signal: GateSignal| {
        let mut run = Run::new(9, 1);
        run.policy.rate_limit.leave = leave;
        run.turn();
        run.show(key(1, 1), running(key(1, 1), vec![signal]).state);
        run.turn();
        !run.world.gate.is_open()
    };
    let used = |share| GateSignal::Utilization { share, resets_at: Some(at(500)) };
    assert!(!shut_by(0.0, used(1.0)));
    assert!(!shut_by(0.1, used(0.89)));
    assert!(shut_by(0.1, used(0.9)));
    assert!(shut_by(0.0, GateSignal::Overage { resets_at: Some(at(500)) }));
    assert!(shut_by(0.0, GateSignal::Throttled { status: Some(429), retry_after_ms: Some(9_000) }));
}

#[test]
fn a_canary_too_is_started_only_from_a_saved_claim() {
    let mut run = Run::new(2, 1);
    let holder = run.ledger.name_of(key(1, 1));
    run.world.gate.state = GateState::Canary { holder, seen: at(0), cause: "429".to_owned() };
    run.world.seq = run.ledger.seq;
    let phase = RunPhase::Suspended {
        reason: "Requested".to_owned(),
        message: String::new(),
        since: at(0),
        terminate: false,
    };
    let saved = Ledger { phase, ..run.ledger.clone() };
    let resumed = step(&run.policy, &saved, run.ledger.clone(), &run.world, at(1)).unwrap();
    let starts = |action: &Action| matches!(action, Action::Launch(_));
    assert!(!resumed.actions.iter().any(starts), "the stored run is still suspended: {:?}", resumed.actions);
    run.turn();
    assert_eq!(run.running(), [key(1, 1)]);
}
