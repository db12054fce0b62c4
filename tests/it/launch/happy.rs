//! An attempt at its best, and programs that fail in the usual ways.

use std::fs;

use mozart::{
    driver::ports::Launcher,
    job::{model::Check, outcome::FailureClass},
};

use super::fixture::{Run, first, run};

#[tokio::test]
async fn a_program_gets_the_prompt_and_its_output_is_the_answer() {
    let fixture = Run::of("cat; echo oops >&2; echo $MOZART_BATCH_NUM > made.txt")
        .validated_by(Check::FileExists { path: "made.txt".to_owned(), allow_existing: false })
        .validated_by(Check::OutputContains { pattern: "batch 7".to_owned() });
    let launcher = fixture.open(&[]).await;
    let outcome = run(&launcher, first(7)).await;
    assert_eq!(outcome.failure, None);
    assert_eq!(outcome.exit_code, Some(0));
    assert!(outcome.accepted);
    let directory = fixture.directory(first(7));
    assert_eq!(fs::read_to_string(directory.join("stdout.log")).unwrap(), "batch 7");
    assert_eq!(fs::read_to_string(directory.join("stderr.log")).unwrap(), "oops\n");
    assert_eq!(fs::read_to_string(fixture.workspace().join("made.txt")).unwrap(), "7\n");
    for file in ["attempt.json", "process.json", "exit.json", "checks.json", "result.json"] {
        assert!(directory.join(file).exists(), "{file}");
    }
    launcher.release(first(7)).await;
    assert!(launcher.look().await.is_empty());
}

#[tokio::test]
async fn exit_codes_and_signals_become_classes() {
    let table = [
        ("exit 75", FailureClass::Throttle, "Throttled"),
        ("exit 78", FailureClass::JobFatal, "ProgramRefused"),
        ("echo why >&2; exit 3", FailureClass::Transient, "ProgramFailed"),
        ("kill -9 $$", FailureClass::Transient, "Killed"),
        ("kill -40 $$", FailureClass::Transient, "Killed"),
    ];
    for (script, class, reason) in table {
        let fixture = Run::of(script);
        let launcher = fixture.open(&[]).await;
        let failure = run(&launcher, first(1)).await.failure.expect(script);
        assert_eq!(
            (failure.class, failure.reason.as_str()),
            (class, reason),
            "{script}: {}",
            failure.message
        );
    }
}
