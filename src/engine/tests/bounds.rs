use std::time::Duration;

use super::{at, failed, key, run::Run, succeeded};
use crate::{
    engine::{project::Action, waiting::Waiting, world::Wishes},
    job::{identity::BatchNum, outcome::FailureClass, start::EndMode},
};

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
