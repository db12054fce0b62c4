use std::fs;

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use tokio::process::Child;

use crate::{
    claude_run::{ClaudeRun, said, shell, turns},
    fake_api::Reply,
};

/// Its third turn says that it has begun and waits to be let go on.
const THIRD_TURN: &str = "echo begun >> third; while [ ! -e go ]; do sleep 0.05; done; echo ended >> third";
/// Leaves a process in a session of its own, and one without a word of its environment; both write for ever.
const DETACH: &str = "
write='echo $$ >> pids; while :; do echo tick >> late; sleep 0.02; done'
nohup setsid bash -c \"$write\" >/dev/null 2>&1 &
( env -i PATH=\"$PATH\" setsid bash -c \"$write\" >/dev/null 2>&1 & )
until [ \"$(wc -l < pids)\" -eq 2 ] && [ -s late ]; do sleep 0.05; done";

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap())
}

async fn five_turns() -> ClaudeRun {
    let run = ClaudeRun::new(|request| match turns(request) {
        0 => shell("echo one >> log"),
        1 => shell("echo two >> log"),
        2 => shell(THIRD_TURN),
        3 => shell("echo four >> log"),
        _ => Reply::text("It is done."),
    })
    .await;
    run.job(1, &json!({}));
    run
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_outlives_mozart_and_is_adopted_with_no_turn_asked_twice() {
    let run = five_turns().await;
    let mut mozart = run.start(["local-run", "job.yaml", "--yes"]);
    run.until_written("third").await;
    mozart.kill().await.unwrap();
    fs::write(run.workspace().join("go"), "").unwrap();
    let output = run.run(["resume", "review"]).await;

    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(run.requests(), [5]);
    assert_eq!((run.file("log"), run.file("third")), ("one\ntwo\nfour\n".into(), "begun\nended\n".into()));
    assert_eq!(run.usage().cost_micro_usd, run.api.billed().cost_micro_usd());
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_died_with_mozart_goes_on_with_no_turn_asked_twice() {
    let run = five_turns().await;
    let mut mozart = run.start(["local-run", "job.yaml", "--yes"]);
    run.until_written("third").await;
    // Claude Code writes its transcript a moment after it acts; what is not in it when everything dies is asked again.
    run.until("the third turn is in the transcript", || run.transcript().contains("echo begun")).await;
    mozart.kill().await.unwrap();
    // All at once: one that saw another of them die would act on it.
    run.until("nothing is left", || {
        let processes = run.sandbox.processes();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for (process, _) in &processes {
                // It may have ended with another of them.
                let _ = kill(Pid::from_raw(i32::try_from(*process).unwrap()), signal);
            }
        }
        processes.is_empty()
    })
    .await;
    let output = run.run(["resume", "review"]).await;

    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(run.requests(), [5]);
    assert_eq!((run.file("log"), run.file("third")), ("one\ntwo\nfour\n".into(), "begun\n".into()));
    let requests = run.api.requests();
    let resumed = requests[3].said();
    assert!(resumed.contains("goes on now") && resumed.contains("its outcome is unknown"), "{resumed}");
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_tool_detaches_is_dead_before_the_validations_and_after_an_end_by_signal() {
    let run = ClaudeRun::new(|request| match (turns(request), request.said().contains("batch 1")) {
        (0, _) => shell(DETACH),
        (1, false) => shell("touch waits; sleep 600"),
        _ => Reply::text("It is done."),
    })
    .await;
    let dead = "for pid in $(cat pids); do ! kill -0 $pid 2>/dev/null || exit 1; done; cp late seen";
    run.job(2, &json!({ "validations": [{ "type": "command_succeeds", "command": dead }] }));

    let output = run.run(["local-run", "job.yaml", "--yes", "--limit", "1"]).await;
    assert_eq!(run.status()["succeeded"], 1, "{}", said(&output));
    assert!(!run.file("seen").is_empty());
    assert_eq!(run.file("seen"), run.file("late"), "nothing wrote after the look");

    for name in ["pids", "late"] {
        fs::remove_file(run.workspace().join(name)).unwrap();
    }
    let mut mozart = run.start(["resume", "review"]);
    run.until("the second batch works", || run.workspace().join("waits").exists()).await;
    kill(pid_of(&mozart), Signal::SIGTERM).unwrap();
    run.until("it has heard the first", || {
        fs::read_to_string(run.sandbox.path().join("log")).unwrap().contains("once more ends it")
    })
    .await;
    kill(pid_of(&mozart), Signal::SIGTERM).unwrap();
    mozart.wait().await.unwrap();
    let pids: Vec<i32> = run.file("pids").lines().map(|line| line.parse().unwrap()).collect();
    assert_eq!(pids.len(), 2);
    for pid in pids {
        assert_eq!(kill(Pid::from_raw(pid), None), Err(Errno::ESRCH), "{pid} lives");
    }
}
