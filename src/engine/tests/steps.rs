use std::time::Duration;

use super::{at, failed, key, succeeded};
use crate::{
    engine::{
        fixtures,
        gate::{Gate, GateReport, GateState},
        ledger::{Ledger, RunPhase},
        policy::{Durability, Policy},
        project::Action,
        ranges::Ranges,
        step::{Save, Step, StepError, step},
        waiting::Waiting,
        world::{AttemptState, SettledNotice, Sighting, Wishes, World},
    },
    job::{
        identity::{AttemptKey, BatchNum},
        model::{Budget, OnExhausted, OnReached},
        outcome::{FailureClass, GateSignal, Outcome, Usage},
        start::EndMode,
    },
};

/// A run whose saves are instant: each step is saved before the next.
struct Run {
    policy: Policy,
    ledger: Ledger,
    world: World,
    now: i64,
    step: Option<Step>,
}

impl Run {
    fn new(batches: u32, parallelism: u32) -> Self {
        let ledger = fixtures::ledger(batches, at(0));
        let mut run = Self {
            policy: fixtures::policy(parallelism),
            ledger,
            world: World::default(),
            now: 0,
            step: None,
        };
        run.turn();
        run
    }

    /// One step, saved; what it launches runs.
    fn turn(&mut self) -> &Step {
        self.world.seq = self.ledger.seq;
        let saved = self.ledger.clone();
        let step = step(&self.policy, &saved, saved.clone(), &self.world, at(self.now)).unwrap();
        self.ledger = Ledger { seq: saved.seq + 1, ..step.ledger.clone() };
        for action in &step.actions {
            match action {
                Action::Launch(start) => self.world.attempts.push(running(start.key, Vec::new())),
                Action::Release(key) => self.world.attempts.retain(|sighting| sighting.key != *key),
                Action::ReportGate(report) => self.world.gate = self.world.gate.after(report),
                Action::Deliver(notice) => {
                    self.world.settled.push(SettledNotice { id: notice.id, dropped: false });
                }
                Action::End { .. } => {}
            }
        }
        self.step.insert(step)
    }

    fn running(&self) -> Vec<AttemptKey> {
        let runs = |sighting: &&Sighting| matches!(sighting.state, AttemptState::Running { .. });
        self.world.attempts.iter().filter(runs).map(|sighting| sighting.key).collect()
    }

    fn end(&mut self, key: AttemptKey, outcome: Outcome) {
        self.show(key, AttemptState::Ended(Box::new(outcome)));
    }

    fn show(&mut self, key: AttemptKey, state: AttemptState) {
        let sighting = self.world.attempts.iter_mut().find(|sighting| sighting.key == key).unwrap();
        sighting.state = state;
    }

    fn waiting(&self) -> Option<&Waiting> {
        self.step.as_ref().and_then(|step| step.waiting.as_ref())
    }

    fn reason(&self) -> &str {
        match &self.ledger.phase {
            RunPhase::Suspended { reason, .. }
            | RunPhase::Stopping { reason, .. }
            | RunPhase::Failed { reason, .. } => reason,
            phase => phase.word(),
        }
    }
}

fn running(key: AttemptKey, signals: Vec<GateSignal>) -> Sighting {
    Sighting { key, state: AttemptState::Running { signals, spent: Usage::default() } }
}

fn costing(micro: u64) -> Outcome {
    Outcome { usage: Usage { cost_micro_usd: micro, ..Usage::default() }, ..succeeded() }
}

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
fn a_stranger_is_ended_and_then_released() {
    let mut run = Run::new(2, 1);
    run.world.attempts.push(running(key(2, 7), Vec::new()));
    let step = run.turn();
    assert!(step.actions.contains(&Action::End { key: key(2, 7), mode: EndMode::GiveUp }));
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
    assert!(shut_by(0.0, GateSignal::Throttled { retry_after_ms: Some(9_000) }));
}

#[test]
fn a_start_is_reserved_in_the_budget() {
    let mut run = Run::new(9, 3);
    run.policy.budget = Budget { per_run_micro_usd: Some(5_000_000), ..Budget::default() };
    run.turn();
    assert_eq!(run.running(), [key(1, 1)], "the first runs alone, to find out what one costs");
    run.end(key(1, 1), costing(2_000_000));
    run.turn();
    assert_eq!(run.running(), [key(2, 1)], "two spent, two reserved, two more do not fit");
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
    assert_eq!(known.running(), [key(1, 1), key(2, 1)]);
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
