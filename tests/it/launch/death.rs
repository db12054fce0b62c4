//! Mozart dies, its keeper dies, both die: what still runs is adopted, what has ended is judged, what left nothing is lost.

use std::fs;

use mozart::{driver::ports::Launcher, engine::world::AttemptState};
use tokio::runtime::Runtime;

use super::fixture::{Run, appears, ended, first, kill_keeper, marked, outcome, run, start};

const WAITS: &str =
    "echo x >> starts; ( setsid sleep 600 & ); while [ ! -e go ]; do sleep 0.01; done; echo done";

/// A Mozart that started batch 1 and is gone before it ended. Its keeper hears nothing but the end of the line, as when
/// it was killed.
fn dead_mozart(fixture: &Run) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let launcher = fixture.open(&[]).await;
        launcher.launch(start(first(1))).await;
        appears(&fixture.workspace().join("starts")).await;
        appears(&fixture.directory(first(1)).join("process.json")).await;
    });
    runtime.shutdown_background();
}

fn go(fixture: &Run) {
    fs::write(fixture.workspace().join("go"), "").unwrap();
}

fn succeeded_with_one_start(fixture: &Run) {
    let runtime = Runtime::new().unwrap();
    runtime.block_on(async {
        let launcher = fixture.open(&[first(1), first(2)]).await;
        assert_eq!(launcher.look().await.len(), 1, "batch 2 was not begun and is not shown");
        go(fixture);
        let outcome = outcome(&launcher, first(1)).await;
        assert_eq!((outcome.failure, outcome.exit_code), (None, Some(0)));
    });
    assert_eq!(fs::read_to_string(fixture.workspace().join("starts")).unwrap(), "x\n");
    assert_eq!(marked(&fixture.id), 0);
}

#[test]
fn a_program_that_outlives_mozart_is_adopted() {
    let fixture = Run::of(WAITS);
    dead_mozart(&fixture);
    succeeded_with_one_start(&fixture);
}

#[test]
fn a_program_that_ended_while_mozart_was_dead_counts() {
    let fixture = Run::of(WAITS);
    dead_mozart(&fixture);
    go(&fixture);
    Runtime::new().unwrap().block_on(appears(&fixture.directory(first(1)).join("exit.json")));
    succeeded_with_one_start(&fixture);
}

#[test]
fn a_result_that_was_written_is_shown_again() {
    let fixture = Run::of(WAITS);
    go(&fixture);
    Runtime::new().unwrap().block_on(async { run(&fixture.open(&[]).await, first(1)).await });
    succeeded_with_one_start(&fixture);
}

#[test]
fn a_program_whose_keeper_died_with_mozart_is_lost_when_it_ends_and_leaves_nothing_running() {
    let fixture = Run::of(WAITS);
    dead_mozart(&fixture);
    kill_keeper(&fixture.directory(first(1)));
    Runtime::new().unwrap().block_on(async {
        let launcher = fixture.open(&[first(1)]).await;
        let seen = launcher.look().await;
        assert!(matches!(seen[0].state, AttemptState::Running { .. }), "{seen:?}");
        go(&fixture);
        assert_eq!(ended(&launcher, first(1)).await, AttemptState::Lost);
    });
    assert_eq!(marked(&fixture.id), 0);
}

#[test]
fn a_keeper_that_is_killed_beside_a_living_mozart_is_replaced() {
    let fixture = Run::of(WAITS);
    Runtime::new().unwrap().block_on(async {
        let launcher = fixture.open(&[]).await;
        launcher.launch(start(first(1))).await;
        appears(&fixture.workspace().join("starts")).await;
        appears(&fixture.directory(first(1)).join("process.json")).await;
        kill_keeper(&fixture.directory(first(1)));
        go(&fixture);
        assert_eq!(ended(&launcher, first(1)).await, AttemptState::Lost);
        assert_eq!(run(&launcher, first(2)).await.failure, None);
    });
    assert_eq!(marked(&fixture.id), 0);
}

#[test]
fn processes_of_an_attempt_that_nobody_claims_are_ended_at_the_start() {
    let fixture = Run::of(WAITS);
    dead_mozart(&fixture);
    kill_keeper(&fixture.directory(first(1)));
    assert_ne!(marked(&fixture.id), 0);
    Runtime::new().unwrap().block_on(async {
        assert!(fixture.open(&[first(2)]).await.look().await.is_empty());
    });
    assert_eq!(marked(&fixture.id), 0);
}

#[test]
fn an_attempt_that_was_begun_and_not_started_keeps_its_session() {
    let fixture = Run::of("true");
    let directory = fixture.directory(first(1));
    Runtime::new().unwrap().block_on(async { run(&fixture.open(&[]).await, first(1)).await });
    let record = fs::read_to_string(directory.join("attempt.json")).unwrap();
    for file in ["process.json", "exit.json", "result.json", "stdout.log", "stderr.log"] {
        fs::remove_file(directory.join(file)).unwrap();
    }
    Runtime::new().unwrap().block_on(async {
        let launcher = fixture.open(&[first(1)]).await;
        assert!(launcher.look().await.is_empty());
        assert_eq!(run(&launcher, first(1)).await.failure, None);
    });
    assert_eq!(fs::read_to_string(directory.join("attempt.json")).unwrap(), record);
}
