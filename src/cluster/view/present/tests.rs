use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::{
    engine::ledger::{OpenBatch, RunPhase},
    job::outcome::FailureClass,
    store::tests::{at, ledger, outcome},
};

fn key(batch: u32, ordinal: u32) -> AttemptKey {
    AttemptKey { batch: BatchNum(batch), ordinal }
}

fn open(ordinal: u32, until: Option<Timestamp>) -> OpenBatch {
    OpenBatch {
        ordinal,
        tries: ordinal - 1,
        disruptions: 0,
        until,
        cause: FailureClass::Validation,
        reason: "ValidationFailed".to_owned(),
        session: None,
        try_micro_usd: 0,
    }
}

/// 1 to 3 succeeded, 4 failed, 5 runs for the first time and 6 for the third, 7 waits, and 8 was never begun.
fn amid() -> Ledger {
    let mut ledger = ledger(Uuid::nil(), 1);
    ledger.succeeded = Ranges::span(1, 3);
    ledger.failed = Ranges::span(4, 4);
    ledger.claimed = Ranges::span(5, 8);
    ledger.seen = Ranges::span(5, 6);
    ledger.open = [(BatchNum(6), open(3, None)), (BatchNum(7), open(2, Some(at(60))))].into();
    ledger
}

fn pods(of: impl IntoIterator<Item = AttemptRecord>) -> OfPods {
    of.into_iter().map(|attempt| (attempt.key(), attempt)).collect()
}

fn failed(key: AttemptKey) -> AttemptRecord {
    AttemptRecord::ended(key, &outcome(Some(FailureClass::Transient)))
}

fn in_short(batches: &[BatchRecord]) -> Vec<String> {
    let reason = |batch: &BatchRecord| batch.reason.clone().unwrap_or_default();
    let one = |batch: &BatchRecord| {
        format!("{} {} {} {}", batch.batch, batch.state.word(), batch.attempts, reason(batch))
    };
    batches.iter().map(|batch| one(batch).trim_end().to_owned()).collect()
}

#[test]
fn a_checkpoint_alone_tells_every_batch_that_was_begun_and_why_it_waits() {
    let ledger = amid();
    let present = Present::of(&ledger);
    let page =
        |state, after, limit| present.batches(state, (BatchNum(after), limit), Vec::new(), &OfPods::new());
    assert_eq!(
        in_short(&page(None, 0, 50)),
        [
            "1 succeeded 1",
            "2 succeeded 1",
            "3 succeeded 1",
            "4 failed 1",
            "5 running 1",
            "6 running 3",
            "7 waiting 1 ValidationFailed",
        ]
    );
    assert_eq!(page(Some(BatchState::Waiting), 0, 50)[0].until, Some(at(60)));
    assert_eq!(in_short(&page(None, 2, 2)), ["3 succeeded 1", "4 failed 1"]);
    assert_eq!(in_short(&page(Some(BatchState::Running), 5, 9)), ["6 running 3"]);
    assert!(page(Some(BatchState::Failed), 4, 9).is_empty());
}

#[test]
fn pods_that_are_there_tell_what_a_checkpoint_does_not() {
    let ledger = amid();
    let present = Present::of(&ledger);
    let held = AttemptRecord {
        reason: Some("ImageNotPulled".to_owned()),
        ..AttemptRecord::begun(key(5, 1), Some(at(1)))
    };
    let pods = pods([failed(key(2, 1)), failed(key(4, 1)), failed(key(4, 2)), held]);
    let batches = present.batches(None, (BatchNum(1), 4), Vec::new(), &pods);
    assert_eq!(
        in_short(&batches),
        ["2 succeeded 2", "3 succeeded 1", "4 failed 2 ExitCode", "5 running 1 ImageNotPulled"]
    );
    assert_eq!(batches[2].usage.input_tokens, 20, "of both attempts");
    assert_eq!(batches[2].message.as_deref(), Some("it said 3"));
}

#[test]
fn of_an_attempt_the_end_that_most_is_known_of_is_told() {
    use AttemptState::{Failed, Running, Succeeded};
    let ledger = amid();
    let present = Present::of(&ledger);
    let done = |key| AttemptRecord::ended(key, &outcome(None));
    let begun = |key| AttemptRecord::begun(key, Some(at(1)));
    let told = |batch: u32, known: Vec<AttemptRecord>, pods: &OfPods| -> Vec<(u32, AttemptState, String)> {
        let found = present.attempts_between(BatchNum(batch), BatchNum(batch), known, pods);
        let one = |one: AttemptRecord| (one.ordinal, one.state, one.reason.unwrap_or_default());
        found.into_iter().map(one).collect()
    };
    let none = OfPods::new();
    let word = |text: &str| text.to_owned();
    let validation = (2, Failed, word("ValidationFailed"));
    let third = (3, Running, word(""));
    assert_eq!(told(6, vec![], &none), [(1, Failed, word("")), validation.clone(), third.clone()]);
    // A Pod tells more of an end than the checkpoint, and history than both.
    let of_pods = pods([failed(key(6, 1)), begun(key(6, 2))]);
    assert_eq!(told(6, vec![], &of_pods), [(1, Failed, word("ExitCode")), validation.clone(), third.clone()]);
    let known = vec![begun(key(6, 1)), failed(key(6, 2)), begun(key(6, 3))];
    assert_eq!(
        told(6, known, &none),
        [(1, Failed, word("")), (2, Failed, word("ExitCode")), third],
        "history that lags behind does not take an end back"
    );
    assert_eq!(told(1, vec![done(key(1, 1))], &none), [(1, Succeeded, word(""))]);
    assert_eq!(told(1, vec![], &none), [], "nothing but that it succeeded");
    assert_eq!(told(8, vec![], &none), [], "it was not begun");
}

#[test]
fn history_that_lags_behind_is_overruled_and_what_it_alone_knows_stays() {
    let ledger = amid();
    let present = Present::of(&ledger);
    let record = |batch, state| {
        let record = present.batch(BatchNum(batch), None, &OfPods::new());
        BatchRecord { attempts: 4, state, ..record }
    };
    let known = vec![record(3, BatchState::Running), record(4, BatchState::Failed)];
    let all = present.batches(None, (BatchNum(2), 2), known.clone(), &OfPods::new());
    assert_eq!(in_short(&all), ["3 succeeded 4", "4 failed 4"]);
    let running = present.batches(Some(BatchState::Running), (BatchNum(0), 9), known, &OfPods::new());
    assert_eq!(in_short(&running), ["5 running 1", "6 running 3"]);

    // A checkpoint of a run that is over has forgotten what was begun and not finished.
    let cut = vec![record(7, BatchState::Waiting)];
    let mut ledger = ledger.clone();
    ledger.phase = RunPhase::Failed { reason: "Stopped".to_owned(), message: String::new() };
    (ledger.claimed, ledger.seen) = (Ranges::default(), Ranges::default());
    ledger.open.clear();
    let over = Present::of(&ledger).batches(Some(BatchState::Waiting), (BatchNum(0), 9), cut, &OfPods::new());
    assert_eq!(in_short(&over), ["7 waiting 4 ValidationFailed"]);
}
