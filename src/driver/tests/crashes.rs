//! A crash between every two calls to the outside, and what the next process makes of it.

use std::{collections::BTreeMap, time::Duration};

use super::{
    memory::{Memory, Script, failure},
    running::drive,
};
use crate::{
    engine::{fixtures, ledger::RunPhase, ranges::Ranges},
    job::outcome::FailureClass,
};

const SOME_FAIL: Script = |start| {
    let class = match (start.key.batch.0, start.key.ordinal) {
        (2, 1) => Some(FailureClass::Validation),
        (3, 1) => Some(FailureClass::Throttle),
        (5, 1) => Some(FailureClass::Transient),
        _ => None,
    };
    (Duration::from_millis(700), class.map(|class| failure(class, "Scripted")))
};

#[tokio::test(start_paused = true)]
async fn after_a_crash_between_any_two_calls_the_run_is_finished_and_nothing_is_done_twice() {
    let policy = fixtures::policy(2);
    let mut crashes = 0;
    for crash_at in 1.. {
        let memory = Memory::new(SOME_FAIL);
        memory.lock().crash_at = Some(crash_at);
        tokio::select! {
            biased;
            () = memory.crashed.notified() => crashes += 1,
            result = drive(&memory, &policy, 6) => {
                result.unwrap();
                break;
            }
        }
        memory.lock().crash_at = None;
        let ledger = drive(&memory, &policy, 6).await.unwrap();

        assert_eq!(ledger.phase, RunPhase::Complete, "after a crash at call {crash_at}");
        assert_eq!(ledger.succeeded, Ranges::span(1, 6));
        let outside = memory.lock();
        let mut starts = BTreeMap::new();
        for start in &outside.launched {
            *starts.entry(start.key).or_insert(0) += 1;
        }
        assert!(starts.values().all(|count| *count == 1), "crash at call {crash_at}: {starts:?}");
        assert_eq!(outside.launched.len(), 9, "crash at call {crash_at}");
        assert!(outside.told.iter().any(|notice| notice.text == "All 6 batches are done."));
        assert!(outside.attempts.is_empty(), "crash at call {crash_at}");
    }
    assert!(crashes > 100, "only {crashes} crashes struck");
}
