//! How attempts are ended: by their time limit, to be resumed, for good.

use std::time::Duration;

use mozart::{
    driver::ports::Launcher,
    engine::world::AttemptState,
    job::{outcome::FailureClass, start::EndMode},
};

use super::fixture::{Run, appears, first, outcome, run, start};

#[tokio::test]
async fn a_program_that_takes_too_long_is_ended_as_transient() {
    let mut fixture = Run::of("sleep 600");
    fixture.job.timeout = Duration::from_millis(50);
    let launcher = fixture.open(&[]).await;
    let failure = run(&launcher, first(1)).await.failure.expect("it was ended");
    assert_eq!((failure.class, failure.reason.as_str()), (FailureClass::Transient, "Timeout"));
}

#[tokio::test]
async fn one_that_will_be_resumed_is_terminated_and_one_that_is_given_up_interrupted() {
    let said = "trap 'echo TERM > said; exit 143' TERM; trap 'echo INT > said; exit 130' INT; echo > ready
                while :; do sleep 0.01; done";
    let table = [(EndMode::Resumable, "TERM\n", "Interrupted"), (EndMode::GiveUp, "INT\n", "Stopped")];
    for (mode, signal, reason) in table {
        let fixture = Run::of(said);
        let launcher = fixture.open(&[]).await;
        launcher.launch(start(first(1))).await;
        appears(&fixture.workspace().join("ready")).await;
        launcher.end(first(1), mode).await;
        let failure = outcome(&launcher, first(1)).await.failure.expect("it was ended");
        assert_eq!(failure.reason, reason);
        assert_eq!(std::fs::read_to_string(fixture.workspace().join("said")).unwrap(), signal);
    }
}

#[tokio::test]
async fn launching_what_runs_and_ending_what_is_not_there_do_nothing() {
    let fixture = Run::of("echo x >> starts; while [ ! -e go ]; do sleep 0.01; done");
    let launcher = fixture.open(&[]).await;
    launcher.end(first(9), EndMode::GiveUp).await;
    launcher.release(first(9)).await;
    launcher.launch(start(first(1))).await;
    launcher.launch(start(first(1))).await;
    let seen = launcher.look().await;
    assert!(matches!(seen[..], [ref only] if matches!(only.state, AttemptState::Running { .. })), "{seen:?}");
    std::fs::write(fixture.workspace().join("go"), "").unwrap();
    assert_eq!(outcome(&launcher, first(1)).await.failure, None);
    launcher.launch(start(first(1))).await;
    assert_eq!(outcome(&launcher, first(1)).await.failure, None);
    assert_eq!(std::fs::read_to_string(fixture.workspace().join("starts")).unwrap(), "x\n");
}

#[tokio::test]
async fn a_program_that_is_not_there_is_fatal_to_the_job() {
    for (program, folder, reason) in [
        ("no-such-program-of-mozart", None, "ExecutableMissing"),
        ("/etc/passwd", None, "ExecutableMissing"),
        ("true", Some("nowhere"), "WorkingDirectoryMissing"),
    ] {
        let mut fixture = Run::of("");
        let working_directory =
            folder.map_or_else(|| fixture.workspace().to_owned(), |name| fixture.workspace().join(name));
        let command = vec![program.to_owned()];
        fixture.job.backend =
            mozart::job::model::Backend::Command(mozart::job::model::Command { command, working_directory });
        let launcher = fixture.open(&[]).await;
        let failure = run(&launcher, first(1)).await.failure.expect(program);
        assert_eq!(
            (failure.class, failure.reason.as_str()),
            (FailureClass::JobFatal, reason),
            "{}",
            failure.message
        );
    }
}
