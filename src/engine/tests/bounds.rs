use std::time::Duration;

use super::{
    at, failed, key,
    run::{Run, costing},
    succeeded,
};
use crate::{
    engine::{project::Action, waiting::Waiting, world::Wishes},
    job::{
        identity::BatchNum,
        model::{Budget, OnReached},
        outcome::{FailureClass, Outcome},
        start::EndMode,
    },
};

#[test]
fn a_start_is_reserved_in_the_budget() {
    let mut run = Run::new(9, 3);
    run.policy.budget = Budget { per_run_micro_usd: Some(5_000_000), ..Budget::default() };
    run.turn();
    assert_eq!(run.running(), [key(1, 1)], "the first runs alone, to find out what one costs");
    run.end(key(1, 1), costing(2_000_000));
    run.turn();
    assert_eq!(run.running(), [key(2, 1)], "two spent, two reserved, two more do not fit");
    run.turn();
    assert_eq!(run.running(), [key(2, 1)], "nor do they in the next turn");
    assert!(matches!(run.waiting(), Some(Waiting::Budget { .. })));
    run.end(key(2, 1), costing(1_500_000));
    run.turn();
    assert_eq!(run.reason(), "BudgetReached");
    assert!(run.ledger.is_suspended());

    let mut known = Run::new(9, 3);
    let per_attempt_micro_usd = Some(2_000_000);
    known.policy.budget =
        Budget { per_attempt_micro_usd, per_run_micro_usd: Some(5_000_000), on_reached: OnReached::Stop };
    known.turn();
    known.turn();
    assert_eq!(known.running(), [key(1, 1), key(2, 1)], "what runs keeps its share");
    known.end(key(1, 1), costing(2_000_000));
    known.end(key(2, 1), costing(2_000_000));
    known.turn();
    known.turn();
    assert_eq!((known.ledger.phase.word(), known.reason()), ("Failed", "BudgetReached"));
}

#[test]
fn wishes_suspend_and_stop() {
    let mut run = Run::new(9, 2);
    run.turn();
    run.world.wishes = Wishes { suspend: true, ..Wishes::default() };
    run.turn();
    run.end(key(1, 1), succeeded());
    run.turn();
    assert_eq!((run.reason(), run.running()), ("Requested", vec![key(2, 1)]), "drained, not ended");
    run.world.wishes.terminate = true;
    run.turn();
    let step = run.turn();
    assert!(step.actions.contains(&Action::End { key: key(2, 1), mode: EndMode::Resumable }));
    run.end(key(2, 1), failed(FailureClass::Disruption));
    run.turn();
    assert_eq!(run.ledger.open[&BatchNum(2)].disruptions, 0, "Mozart asked for it");
    run.world.wishes = Wishes::default();
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(2, 2), key(3, 1)], "and goes on when the wish is taken back");

    run.world.wishes.stop = Some(false);
    run.turn();
    assert_eq!(run.step.as_ref().unwrap().actions, []);
    run.world.wishes.stop = Some(true);
    run.turn();
    let step = run.turn();
    assert!(step.actions.contains(&Action::End { key: key(3, 1), mode: EndMode::GiveUp }));
    run.end(key(2, 2), failed(FailureClass::Disruption));
    run.end(key(3, 1), failed(FailureClass::Disruption));
    run.turn();
    assert_eq!((run.ledger.phase.word(), run.reason()), ("Failed", "Stopped"));
}

#[test]
fn a_trial_begins_so_many_and_no_more() {
    let mut run = Run::new(9, 4);
    run.world.wishes.limit = Some(2);
    run.turn();
    assert_eq!(run.running(), [key(1, 1), key(2, 1)]);
    run.end(key(1, 1), failed(FailureClass::Validation));
    run.turn();
    run.now = 20;
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(1, 2)], "a retry is of a batch that was begun");
    run.end(key(2, 1), succeeded());
    run.end(key(1, 2), succeeded());
    run.turn();
    assert_eq!(run.reason(), "TrialEnded");
}

#[test]
fn a_deadline_ends_what_runs_and_leaves_out_suspended_time() {
    let mut run = Run::new(9, 1);
    run.policy.active_deadline = Some(Duration::from_secs(100));
    run.turn();
    run.world.wishes.suspend = true;
    run.now = 50;
    run.turn();
    run.world.wishes.suspend = false;
    run.now = 1050;
    run.turn();
    run.now = 1099;
    run.turn();
    assert_eq!(run.reason(), "Running");
    run.now = 1100;
    run.turn();
    assert_eq!(run.reason(), "DeadlineExceeded");
    let step = run.turn();
    assert!(step.actions.contains(&Action::End { key: key(1, 1), mode: EndMode::GiveUp }));
}

#[test]
fn a_lane_rests_between_two_batches() {
    let mut run = Run::new(9, 2);
    run.policy.pause = Duration::from_secs(30);
    run.turn();
    run.end(key(1, 1), succeeded());
    run.turn();
    assert_eq!(run.running(), [key(2, 1)]);
    assert_eq!(run.waiting(), Some(&Waiting::Pause { until: at(30) }));
    run.now = 30;
    run.turn();
    assert_eq!(run.running(), [key(2, 1), key(3, 1)]);
}

#[test]
fn an_attempt_that_passed_its_budget_makes_the_next_reserve_as_much() {
    let mut run = Run::new(9, 1);
    run.policy.budget = Budget {
        per_attempt_micro_usd: Some(2_000_000),
        per_run_micro_usd: Some(4_200_000),
        ..Budget::default()
    };
    run.turn();
    run.end(key(1, 1), costing(2_300_000));
    run.turn();
    run.turn();
    assert_eq!((run.running(), run.reason()), (vec![], "BudgetReached"), "2.3 twice is more than 4.2");
}

#[test]
fn an_interrupted_try_goes_on_with_the_rest_of_its_budget() {
    let interrupted = |class, micro| Outcome { failure: failed(class).failure, ..costing(micro) };
    let spent = |run: &Run| run.ledger.open[&BatchNum(1)].try_micro_usd;
    let mut run = Run::new(1, 1);
    run.policy.retry.base_delay = Duration::ZERO;
    run.turn();
    run.end(key(1, 1), interrupted(FailureClass::Disruption, 300));
    run.turn();
    run.turn();
    run.end(key(1, 2), interrupted(FailureClass::Disruption, 40));
    run.turn();
    assert_eq!(spent(&run), 340);
    let step = run.turn();
    let starts = |action: &Action| match action {
        Action::Launch(start) => start.previous.as_ref().map(|previous| previous.try_micro_usd),
        _ => None,
    };
    assert_eq!(step.actions.iter().find_map(starts), Some(340));
    run.end(key(1, 3), interrupted(FailureClass::Validation, 5));
    run.turn();
    assert_eq!(spent(&run), 0, "a new try has a budget of its own");
}
