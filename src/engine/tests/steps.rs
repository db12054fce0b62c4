use std::time::Duration;

use super::{
    at, failed, key,
    run::{Run, running},
    succeeded,
};
use crate::{
    engine::{
        fixtures,
        ledger::{Ledger, RunPhase},
        policy::Durability,
        project::Action,
        ranges::Ranges,
        step::{Save, StepError, step},
        waiting::Waiting,
        world::{AttemptState, Reached, Sighting, World},
    },
    job::{identity::BatchNum, model::OnExhausted, outcome::FailureClass, start::EndMode},
};

#[test]
fn the_turns_of_the_design() {
    // Five batches at parallelism 2, in process: claims of four.
    let mut run = Run::new(5, 2);
    run.policy.durability = Durability::InProcess;
    run.ledger = fixtures::ledger(5, at(0));
    let first = run.turn();
    assert_eq!((first.save, first.actions.len()), (Save::Now, 0), "nothing starts before the claim is saved");
    assert_eq!(run.ledger.claimed, Ranges::span(1, 4));
    run.turn();
    assert_eq!(run.running(), [key(1, 1), key(2, 1)]);

    run.end(key(1, 1), succeeded());
    let saved = run.ledger.clone();
    run.world.seq = saved.seq;
    let step = step(&run.policy, &saved, saved.clone(), &run.world, at(1)).unwrap();
    assert_eq!(step.save, Save::Paced, "one result is no reason for a save");
    let starts = |action: &Action| matches!(action, Action::Launch(start) if start.key == key(3, 1));
    assert!(step.actions.iter().any(starts), "inside the saved claim nothing waits");

    run.turn();
    run.end(key(2, 1), failed(FailureClass::Validation));
    run.turn();
    assert_eq!(run.step.as_ref().unwrap().save, Save::Now, "a second try needs its entry first");
    assert_eq!(run.running(), [key(3, 1), key(4, 1)]);
    run.end(key(3, 1), succeeded());
    run.now = 10;
    run.turn();
    assert_eq!(run.running(), [key(4, 1), key(2, 2)], "the retry goes before the next batch");
}

#[test]
fn a_newer_ledger_is_left_alone_and_an_older_look_is_not_decided_on() {
    let mut newer = fixtures::ledger(3, at(0));
    newer.version = 2;
    let policy = fixtures::policy(1);
    let refused = step(&policy, &newer, newer.clone(), &World::default(), at(0));
    assert_eq!(refused.unwrap_err(), StepError::Newer { found: 2 });

    let run = Run::new(3, 1);
    let stale = World { seq: 0, ..World::default() };
    let step = step(&run.policy, &run.ledger, run.ledger.clone(), &stale, at(5)).unwrap();
    assert_eq!((step.actions.len(), step.waiting), (0, Some(Waiting::StaleLook)));
    assert_eq!(step.ledger, run.ledger);
}

#[test]
fn what_was_seen_and_is_gone_is_lost_and_what_was_never_seen_is_started() {
    let mut run = Run::new(2, 2);
    run.turn();
    run.turn();
    assert_eq!(run.ledger.seen, Ranges::span(1, 2));
    run.world.attempts.remove(0);
    run.turn();
    assert_eq!(run.ledger.open[&BatchNum(1)].disruptions, 1);
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(1, 2)], "a new attempt, never the same name again");

    let mut fresh = Run::new(2, 2);
    fresh.turn();
    fresh.world.attempts.clear();
    fresh.turn();
    assert_eq!(fresh.running(), [key(1, 1), key(2, 1)]);
}

#[test]
fn what_was_only_asked_for_and_is_refused_has_never_begun() {
    let mut run = Run::new(1, 1);
    run.turn();
    let AttemptState::Running { reached, .. } = &mut run.world.attempts[0].state else { unreachable!() };
    *reached = Reached::Asked;
    assert_eq!(run.turn().actions, [], "it is not asked for twice");
    assert!(run.ledger.seen.is_empty());
    run.world.attempts.clear();
    run.turn();
    assert_eq!(run.running(), [key(1, 1)], "the same attempt once more, and nothing is lost");
    assert!(run.ledger.open.is_empty());
}

#[test]
fn an_answer_that_is_still_being_kept_leaves_its_lane_to_the_next_batch_within_what_may_be_at_risk() {
    let mut run = Run::new(9, 2);
    run.policy.durability = Durability::InProcess;
    run.turn();
    for batch in 1..=2 {
        run.answer(key(batch, 1));
    }
    run.turn();
    assert_eq!(run.running(), [key(1, 1), key(2, 1), key(3, 1), key(4, 1)]);
    run.answer(key(3, 1));
    assert_eq!(run.turn().actions, [], "four at risk are what two lanes may have");
    run.end(key(1, 1), succeeded());
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(3, 1), key(4, 1), key(5, 1)]);
}

#[test]
fn a_batch_whose_ended_attempt_lives_after_all_is_not_started_beside_it() {
    let mut run = Run::new(1, 2);
    run.turn();
    run.end(key(1, 1), failed(FailureClass::Disruption));
    run.turn();
    run.show(key(1, 1), running(key(1, 1), Vec::new()).state);
    let step = run.turn();
    assert_eq!(step.actions, [Action::End { key: key(1, 1), mode: EndMode::AtOnce }]);
}

#[test]
fn a_stranger_is_ended_and_then_released() {
    let mut run = Run::new(2, 1);
    run.world.attempts.push(running(key(2, 7), Vec::new()));
    let step = run.turn();
    assert!(step.actions.contains(&Action::End { key: key(2, 7), mode: EndMode::AtOnce }));
    run.end(key(2, 7), succeeded());
    let step = run.turn();
    assert!(step.actions.contains(&Action::Release(key(2, 7))));
    assert!(run.ledger.succeeded.is_empty(), "what it did is not this run's");
}

#[test]
fn a_fatal_error_ends_the_run_when_the_others_have_finished() {
    let mut run = Run::new(9, 2);
    run.turn();
    run.end(key(1, 1), failed(FailureClass::JobFatal));
    run.turn();
    assert_eq!(run.reason(), "Scripted");
    assert_eq!(run.running(), [key(2, 1)], "nothing new starts, nothing is ended");
    run.end(key(2, 1), succeeded());
    run.turn();
    assert_eq!(run.ledger.phase.word(), "Failed");
    assert_eq!((run.ledger.succeeded.len(), run.ledger.failed.len()), (1, 1));
}

#[test]
fn failed_batches_end_the_run_as_the_policy_says() {
    let fail = |run: &mut Run, batch| {
        run.end(key(batch, 1), failed(FailureClass::BatchFatal));
        run.turn();
        run.turn();
    };
    let mut stops = Run::new(9, 1);
    stops.policy.retry.on_exhausted = OnExhausted::FailJob;
    stops.turn();
    fail(&mut stops, 1);
    assert_eq!((stops.ledger.phase.word(), stops.reason()), ("Failed", "BatchesFailed"));

    let mut systematic = Run::new(9, 1);
    systematic.turn();
    for batch in 1..=3 {
        fail(&mut systematic, batch);
    }
    assert_eq!((systematic.ledger.phase.word(), systematic.reason()), ("Failed", "SystematicFailure"));

    let mut mixed = Run::new(4, 1);
    mixed.turn();
    fail(&mut mixed, 1);
    fail(&mut mixed, 2);
    mixed.end(key(3, 1), succeeded());
    mixed.turn();
    mixed.turn();
    fail(&mut mixed, 4);
    assert_eq!((mixed.ledger.phase.word(), mixed.reason()), ("Failed", "BatchesFailed"), "after all of them");
    assert_eq!(mixed.ledger.finished(), 4);
}

#[test]
fn parallelism_may_change_in_mid_run() {
    let mut run = Run::new(99, 4);
    run.turn();
    run.policy.parallelism = 2;
    run.end(key(1, 1), succeeded());
    run.turn();
    assert_eq!(run.running().len(), 3, "nothing is ended, nothing is started");
    run.policy.parallelism = 6;
    run.turn();
    assert_eq!(run.running().len(), 6);
}

#[test]
fn a_partial_run_takes_its_batches_and_no_others() {
    let mut run = Run::new(20, 9);
    run.ledger = Ledger { selected: "3,7-9".parse().unwrap(), ..fixtures::ledger(20, at(0)) };
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(3, 1), key(7, 1), key(8, 1), key(9, 1)]);
    for key in run.running() {
        run.end(key, succeeded());
    }
    run.turn();
    assert_eq!(run.ledger.phase, RunPhase::Complete);
}

#[test]
fn a_full_window_of_failing_batches_starts_nothing_new_and_says_so() {
    let mut run = Run::new(99, 2);
    run.policy.retry.base_delay = Duration::from_hours(1);
    for _ in 0..60 {
        for key in run.running() {
            run.end(key, failed(FailureClass::Transient));
        }
        run.turn();
    }
    assert_eq!((run.running().len(), run.ledger.open.len()), (0, 32));
    assert_eq!(run.waiting(), Some(&Waiting::Window { unfinished: 32, until: at(3600) }));
}

#[test]
fn in_process_no_more_is_at_risk_than_twice_the_parallelism() {
    let mut run = Run::new(99, 2);
    run.policy.durability = Durability::InProcess;
    run.ledger = fixtures::ledger(99, at(0));
    run.turn();
    let saved = run.ledger.clone();
    run.world.seq = saved.seq;
    let (mut ledger, mut launched) = (saved.clone(), 0);
    for _ in 0..9 {
        let decided = step(&run.policy, &saved, ledger, &run.world, at(0)).unwrap();
        for action in &decided.actions {
            if let Action::Launch(start) = action {
                launched += 1;
                let state = AttemptState::Ended(Box::new(succeeded()));
                run.world.attempts.push(Sighting { key: start.key, state });
            }
        }
        ledger = decided.ledger;
    }
    assert_eq!(launched, 4, "all else waits for the save");
}
