use super::{at, failed, key, run::Run};
use crate::{
    engine::{
        gate::{Gate, GateReport, GateState},
        ledger::RunPhase,
        waiting::Waiting,
        world::Sessions,
    },
    job::outcome::FailureClass,
};

#[test]
fn no_more_starts_than_sessions_of_the_credential_are_free() {
    let mut run = Run::new(6, 4);
    run.world.attempts.clear();
    run.world.sessions = Some(Sessions { cap: 4, taken: 2 });
    run.turn();
    assert_eq!(run.world.attempts.len(), 2);
    assert_eq!(run.waiting(), Some(&Waiting::Sessions { cap: 4 }));
    run.world.sessions = Some(Sessions { cap: 4, taken: 4 });
    run.turn();
    assert_eq!(run.world.attempts.len(), 2);
    run.world.sessions = Some(Sessions { cap: 4, taken: 2 });
    run.turn();
    assert_eq!(run.world.attempts.len(), 4);
    assert_eq!(run.waiting(), None, "as many run as the job asks for");
}

#[test]
fn no_canary_is_claimed_for_a_session_that_is_not_free() {
    let mut run = Run::new(2, 1);
    run.world.attempts.clear();
    run.world.gate = Gate::default().after(&GateReport::Close {
        until: Some(at(10)),
        cause: "429".to_owned(),
        holder: "other".to_owned(),
        at: at(0),
    });
    run.world.sessions = Some(Sessions { cap: 1, taken: 1 });
    run.now = 20;
    run.turn();
    assert!(matches!(run.world.gate.state, GateState::Closed { .. }));
    run.world.sessions = Some(Sessions { cap: 1, taken: 0 });
    run.turn();
    assert!(matches!(run.world.gate.state, GateState::Canary { .. }));
}

#[test]
fn a_refusal_that_stays_when_the_crowd_has_gone_ends_the_run() {
    let refused = || {
        let mut outcome = failed(FailureClass::Throttle);
        outcome.failure.as_mut().unwrap().reason = "TooManySessions".to_owned();
        outcome
    };
    let mut run = Run::new(1, 1);
    for (ordinal, now) in [(1, 0), (2, 1_000), (3, 2_000), (4, 3_000)] {
        assert_eq!(run.ledger.phase, RunPhase::Running, "before attempt {ordinal}");
        run.now = now;
        // The gate is asked for the canary's place, and its answer is seen.
        for _ in 0..4 {
            run.turn();
        }
        run.end(key(1, ordinal), refused());
        run.turn();
    }
    run.turn();
    assert!(matches!(&run.ledger.phase, RunPhase::Failed { reason, .. } if reason == "Forbidden"));
}
