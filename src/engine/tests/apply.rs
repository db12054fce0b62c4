use std::collections::BTreeSet;

use super::{at, key, succeeded};
use crate::{
    engine::{
        apply::apply,
        event::{Counted, Event, EventKind},
        fixtures,
        ledger::{Judging, Ledger, Notice, OpenBatch, RunPhase},
        ranges::Ranges,
    },
    job::{identity::BatchNum, model::Occasion, outcome::FailureClass},
};

fn event(kind: EventKind) -> Event {
    Event { at: at(5), kind }
}

/// Four batches: 1 is done, 2 runs, 3 has failed once, 4 is not claimed.
fn ledger(phase: RunPhase) -> Ledger {
    let open = OpenBatch {
        ordinal: 2,
        tries: 1,
        disruptions: 0,
        until: Some(at(100)),
        cause: FailureClass::Transient,
        reason: "Scripted".to_owned(),
        session: None,
        try_micro_usd: 0,
    };
    Ledger {
        phase,
        succeeded: Ranges::span(1, 1),
        claimed: Ranges::span(2, 3),
        seen: Ranges::span(2, 2),
        open: [(BatchNum(3), open)].into(),
        outbox: vec![notice(1)],
        last_notice: 1,
        ..fixtures::ledger(4, at(0))
    }
}

fn judging(phase: RunPhase) -> Ledger {
    Ledger {
        judging: Some(Judging { key: key(2, 1), micro_usd: 0 }),
        seen: Ranges::default(),
        ..ledger(phase)
    }
}

fn notice(id: u64) -> Notice {
    Notice {
        id,
        occasion: Occasion::JobStart,
        at: at(0),
        attempt: None,
        run: None,
        text: "Begun.".to_owned(),
    }
}

fn suspended(terminate: bool) -> RunPhase {
    RunPhase::Suspended { reason: "Requested".to_owned(), message: String::new(), since: at(0), terminate }
}

fn stopping(now: bool) -> RunPhase {
    RunPhase::Stopping { reason: "Stopped".to_owned(), message: String::new(), now }
}

fn phases() -> Vec<RunPhase> {
    let failed = RunPhase::Failed { reason: "Stopped".to_owned(), message: String::new() };
    let (complete, pending) = (RunPhase::Complete, RunPhase::Pending);
    vec![
        pending,
        RunPhase::Running,
        suspended(false),
        suspended(true),
        stopping(false),
        stopping(true),
        complete,
        failed,
    ]
}

fn suspend(terminate: bool) -> EventKind {
    EventKind::Suspended { reason: String::new(), message: String::new(), terminate }
}

fn stop(now: bool) -> EventKind {
    EventKind::Stopping { reason: String::new(), message: String::new(), now }
}

/// Each kind of event, sound for the ledger above, and the phases that take it (by their place in `phases`).
fn table() -> Vec<(EventKind, &'static [usize])> {
    let active: &[usize] = &[1, 2, 3, 4, 5];
    let begun: &[usize] = &[1, 2, 3, 4, 5, 6, 7];
    vec![
        (EventKind::RunStarted, &[0]),
        (EventKind::Claimed { batches: Ranges::span(4, 4) }, &[1]),
        (EventKind::AttemptStarted { key: key(3, 2) }, active),
        (EventKind::AttemptEnded { key: key(2, 1), outcome: Box::new(succeeded()), lane_free: None }, active),
        (EventKind::GateClosed { until: None, cause: String::new() }, active),
        (suspend(false), &[1]),
        (suspend(true), &[1, 2]),
        (EventKind::Resumed, &[2, 3]),
        (stop(false), &[1, 2, 3]),
        (stop(true), &[1, 2, 3, 4]),
        (EventKind::RunEnded { complete: false, reason: None, message: None }, active),
        (EventKind::ClockSet { by_ms: -3_600_000 }, active),
        (EventKind::NoticeQueued { notice: notice(2) }, begun),
        (EventKind::NoticeJoined { occasion: Occasion::BatchComplete }, begun),
        (EventKind::NoticeSettled { id: 1, dropped: false }, begun),
    ]
}

/// What follows an attempt's end.
fn verdicts() -> Vec<EventKind> {
    let retry = EventKind::RetryScheduled {
        key: key(2, 2),
        cause: FailureClass::Transient,
        reason: String::new(),
        counted: Counted::Try,
        until: None,
        session: None,
    };
    let (reason, message) = (String::new(), String::new());
    let failed =
        EventKind::BatchFailed { batch: BatchNum(2), class: FailureClass::Validation, reason, message };
    vec![EventKind::BatchSucceeded { batch: BatchNum(2) }, retry, failed]
}

#[test]
fn each_phase_takes_its_events_and_names_both_when_it_refuses_one() {
    let mut kinds = BTreeSet::from([EventKind::GateOpened.word()]);
    for (kind, takes) in table() {
        kinds.insert(kind.word());
        for (place, phase) in phases().into_iter().enumerate() {
            let mut ledger = ledger(phase.clone());
            let before = ledger.clone();
            let result = apply(&mut ledger, &event(kind.clone()));
            assert_eq!(result.is_ok(), takes.contains(&place), "{kind:?} in {phase:?}");
            if let Err(illegal) = result {
                assert_eq!(ledger, before, "a refused event changes nothing");
                assert_eq!((illegal.phase, illegal.event), (phase.word(), kind.word()));
            }
        }
    }
    kinds.extend(verdicts().iter().map(EventKind::word));
    assert_eq!(kinds.len(), 17, "a kind of event is missing from the table");
}

#[test]
fn an_attempt_that_ended_is_judged_before_anything_else_and_only_then() {
    for phase in phases() {
        let active =
            matches!(phase, RunPhase::Running | RunPhase::Suspended { .. } | RunPhase::Stopping { .. });
        for verdict in verdicts() {
            let unasked = apply(&mut ledger(phase.clone()), &event(verdict.clone()));
            assert!(unasked.is_err(), "{verdict:?} without an end in {phase:?}");
            let asked = apply(&mut judging(phase.clone()), &event(verdict.clone()));
            assert_eq!(asked.is_ok(), active, "{verdict:?} after an end in {phase:?}");
        }
        for (kind, _) in table() {
            let between = apply(&mut judging(phase.clone()), &event(kind.clone()));
            assert!(between.is_err(), "{kind:?} between an end and its judgement in {phase:?}");
        }
    }
}

#[test]
fn events_that_contradict_the_ledger_are_refused() {
    let ended = |batch, ordinal| EventKind::AttemptEnded {
        key: key(batch, ordinal),
        outcome: Box::new(succeeded()),
        lane_free: None,
    };
    let cases = [
        ("a batch that is done is not claimed", EventKind::Claimed { batches: Ranges::span(1, 1) }),
        ("nor one that is claimed", EventKind::Claimed { batches: Ranges::span(3, 4) }),
        ("nor one that there is not", EventKind::Claimed { batches: Ranges::span(5, 5) }),
        ("an attempt starts once", EventKind::AttemptStarted { key: key(2, 1) }),
        ("an attempt before the present one has ended already", ended(3, 1)),
        ("an attempt after the present one is not known", ended(2, 2)),
        ("a batch that is not claimed has no attempts", ended(4, 1)),
        (
            "a run with open batches is not complete",
            EventKind::RunEnded { complete: true, reason: None, message: None },
        ),
        ("notices are numbered without a gap", EventKind::NoticeQueued { notice: notice(3) }),
        ("a notice is settled once", EventKind::NoticeSettled { id: 7, dropped: true }),
        ("a gate that was not closed does not open", EventKind::GateOpened),
    ];
    for (what, kind) in cases {
        assert!(apply(&mut ledger(RunPhase::Running), &event(kind)).is_err(), "{what}");
    }
}

#[test]
fn a_resumed_run_has_lost_no_time() {
    let mut ledger = ledger(suspended(false));
    apply(&mut ledger, &Event { at: at(60), kind: EventKind::Resumed }).unwrap();
    assert_eq!(ledger.suspended_ms, 60_000);
    assert_eq!(ledger.counted_start(), at(60));
    assert_eq!(
        ledger.open[&BatchNum(3)].until,
        Some(at(160)),
        "a backoff stands still while the run is suspended"
    );
}

#[test]
fn when_a_run_ends_its_ledger_shrinks_to_what_was_done() {
    let mut ledger = ledger(stopping(false));
    let (reason, message) = (Some("Stopped".to_owned()), Some("It was stopped.".to_owned()));
    apply(&mut ledger, &event(EventKind::RunEnded { complete: false, reason, message })).unwrap();
    assert!(ledger.claimed.is_empty() && ledger.open.is_empty() && ledger.seen.is_empty());
    assert_eq!(ledger.succeeded, Ranges::span(1, 1));
    assert_eq!(ledger.ended, Some(at(5)));
}
