use std::time::Duration;

use super::{
    failed, key,
    run::{Run, costing},
};
use crate::{
    engine::{summary::expected_cost, waiting::Waiting, world::AttemptState},
    job::{
        identity::{AttemptKey, BatchNum},
        model::{Budget, OnReached},
        outcome::{FailureClass, Outcome, Usage},
    },
};

const DOLLAR: u64 = 1_000_000;
const TURN: u64 = 100_000;

fn run(batches: u32, parallelism: u32, per_attempt: Option<u64>, per_run: u64) -> Run {
    let mut run = Run::new(batches, parallelism);
    run.policy.retry.base_delay = Duration::ZERO;
    run.policy.budget =
        Budget { per_attempt_micro_usd: per_attempt, per_run_micro_usd: Some(per_run), ..Budget::default() };
    run
}

/// What an attempt that ended has cost, its dearest turn too.
fn paid(micro: u64) -> Outcome {
    let mut outcome = costing(micro);
    outcome.usage.dearest_turn_micro_usd = TURN;
    outcome
}

fn interrupted(class: FailureClass, outcome: Outcome) -> Outcome {
    Outcome { failure: failed(class).failure, ..outcome }
}

/// What every running attempt may spend.
fn granted(run: &Run) -> Vec<Option<u64>> {
    let of = |state: &AttemptState| match state {
        AttemptState::Running { budget_micro_usd, .. } => Some(*budget_micro_usd),
        AttemptState::Ended(_) | AttemptState::Lost => None,
    };
    run.world.attempts.iter().filter_map(|sighting| of(&sighting.state)).collect()
}

/// What a running attempt has told: what it has spent, and its dearest turn.
fn tell(run: &mut Run, key: AttemptKey, cost_micro_usd: u64, dearest_turn_micro_usd: u64) {
    let sighting = run.world.attempts.iter_mut().find(|sighting| sighting.key == key).unwrap();
    if let AttemptState::Running { spent, .. } = &mut sighting.state {
        *spent = Usage { cost_micro_usd, dearest_turn_micro_usd, ..Usage::default() };
    }
}

#[test]
fn one_runs_alone_until_it_shows_what_a_turn_costs_and_then_all_leave_room_for_theirs() {
    let mut run = run(20, 8, Some(DOLLAR), 4 * DOLLAR + 7 * TURN);
    run.turn();
    run.turn();
    assert_eq!(run.running(), [key(1, 1)]);
    assert!(run.waiting().unwrap().to_string().contains("runs alone to show"), "{:?}", run.waiting());
    tell(&mut run, key(1, 1), TURN, TURN);
    run.turn();
    assert_eq!(run.running().len(), 4, "each may pass its dollar by two turns, but for one turn");
    assert!(matches!(run.waiting(), Some(Waiting::Budget { .. })));
    assert_eq!(granted(&run), [Some(DOLLAR); 4]);
    for number in 1..=4 {
        run.end(key(number, 1), paid(DOLLAR + TURN));
    }
    run.turn();
    run.turn();
    assert_eq!(run.reason(), "BudgetReached", "0.3 are left, and one more attempt may cost a dollar");
    assert_eq!(run.ledger.usage.cost_micro_usd, 4 * (DOLLAR + TURN));
}

#[test]
fn a_budget_can_stop_the_run() {
    let mut run = run(9, 3, Some(2 * DOLLAR), 3 * DOLLAR);
    run.policy.budget.on_reached = OnReached::Stop;
    run.turn();
    run.end(key(1, 1), paid(2 * DOLLAR));
    run.turn();
    run.turn();
    assert_eq!((run.ledger.phase.word(), run.reason()), ("Failed", "BudgetReached"));
}

#[test]
fn without_a_bound_of_their_own_attempts_share_what_the_run_has_left() {
    let mut run = run(20, 4, None, 20 * DOLLAR);
    run.turn();
    assert_eq!(granted(&run), [Some(20 * DOLLAR)], "the first one may spend it all");
    tell(&mut run, key(1, 1), TURN, TURN);
    run.turn();
    assert_eq!(run.running(), [key(1, 1)], "and so nobody else anything");
    run.end(key(1, 1), paid(2 * DOLLAR));
    run.turn();
    let shares: Vec<u64> = granted(&run).into_iter().flatten().collect();
    assert_eq!(shares.len(), 4);
    assert!(shares.iter().all(|share| *share >= 2 * DOLLAR), "each has what the dearest needed: {shares:?}");
    assert!(2 * DOLLAR + shares.iter().sum::<u64>() + 7 * TURN <= 20 * DOLLAR, "{shares:?}");
}

#[test]
fn a_share_that_was_used_up_goes_on_with_another_until_nothing_is_left() {
    let mut run = run(1, 1, None, 2 * DOLLAR);
    run.turn();
    run.end(key(1, 1), interrupted(FailureClass::Disruption, paid(DOLLAR)));
    run.turn();
    run.turn();
    assert_eq!((run.running(), granted(&run)), (vec![key(1, 2)], vec![Some(DOLLAR - TURN)]));
    run.end(key(1, 2), interrupted(FailureClass::Disruption, paid(DOLLAR + TURN)));
    run.turn();
    run.turn();
    assert_eq!(run.reason(), "BudgetReached");
    run.policy.budget.per_run_micro_usd = Some(4 * DOLLAR);
    assert_eq!(run.ledger.open[&BatchNum(1)].tries, 0, "it can be raised, and the batch goes on");
}

#[test]
fn an_interrupted_try_goes_on_with_the_rest_of_its_budget() {
    let spent = |run: &Run| run.ledger.open[&BatchNum(1)].try_micro_usd;
    let mut run = run(1, 1, Some(1_000), DOLLAR);
    run.turn();
    run.end(key(1, 1), interrupted(FailureClass::Disruption, costing(300)));
    run.turn();
    run.turn();
    run.end(key(1, 2), interrupted(FailureClass::Disruption, costing(40)));
    run.turn();
    run.turn();
    assert_eq!((spent(&run), granted(&run)), (340, vec![Some(660)]));
    run.end(key(1, 3), interrupted(FailureClass::Validation, costing(5)));
    run.turn();
    run.turn();
    assert_eq!((spent(&run), granted(&run)), (0, vec![Some(1_000)]), "a new try has a budget of its own");
}

#[test]
fn the_cost_of_all_batches_is_told_from_three_on() {
    let usage = Usage { cost_micro_usd: 6 * DOLLAR, ..Usage::default() };
    for (finished, total, expected) in
        [(2, 10, None), (3, 10, Some(20 * DOLLAR)), (9, 10, Some(6 * DOLLAR * 10 / 9)), (10, 10, None)]
    {
        assert_eq!(expected_cost(&usage, finished, total), expected, "{finished} of {total}");
    }
    assert_eq!(expected_cost(&Usage::default(), 3, 10), None, "what costs nothing");
}
