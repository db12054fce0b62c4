mod exported;
mod made;
mod settings;

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    otlp::{AnyValue, KeyValue, Span, Value},
    span::Origin,
};
use crate::{
    engine::{
        event::{Event, EventKind},
        fixtures,
        ledger::{Ledger, RunPhase},
    },
    job::{
        identity::{AttemptKey, BatchNum, SessionId},
        outcome::{Failure, FailureClass, Outcome, Provenance, Usage},
    },
};

fn at(second: i64) -> Timestamp {
    Timestamp::new(1_800_000_000 + second, 0).unwrap()
}

fn origin() -> Origin {
    Origin { job: "review".to_owned(), namespace: Some("team".to_owned()) }
}

/// A run of three batches that has ended, with two done.
fn ledger() -> Ledger {
    let mut ledger = fixtures::ledger(3, at(0));
    ledger.phase = RunPhase::Failed { reason: "BatchesFailed".to_owned(), message: "private".to_owned() };
    ledger.ended = Some(at(60));
    ledger.succeeded = "1-2".parse().unwrap();
    ledger.failed = "3".parse().unwrap();
    ledger.usage = usage();
    ledger
}

fn usage() -> Usage {
    Usage {
        input_tokens: 1,
        output_tokens: 2,
        cache_read_tokens: 4,
        cache_write_tokens: 8,
        cost_micro_usd: 250_000,
        ..Usage::default()
    }
}

/// An attempt of Claude Code that took ten seconds.
fn outcome(failure: Option<Failure>) -> Outcome {
    Outcome {
        failure,
        accepted: true,
        usage: usage(),
        session: Some(SessionId(Uuid::from_u128(9))),
        signal: None,
        warnings: Vec::new(),
        exit_code: Some(0),
        provenance: Some(Provenance {
            model: Some("claude-opus-5-5".to_owned()),
            version: Some("2.1.299".to_owned()),
            api_key_source: Some("none".to_owned()),
            stop_reason: Some("end_turn".to_owned()),
        }),
        started: at(5),
        ended: at(15),
    }
}

fn invalid() -> Failure {
    Failure::new(FailureClass::Validation, "ValidationFailed", "private")
}

fn attempt_ended(batch: u32, ordinal: u32, outcome: Outcome) -> Event {
    let key = AttemptKey { batch: BatchNum(batch), ordinal };
    Event { at: at(16), kind: EventKind::AttemptEnded { key, outcome: Box::new(outcome), lane_free: None } }
}

fn run_ended() -> Event {
    let kind = EventKind::RunEnded { complete: false, reason: None, message: None };
    Event { at: at(60), kind }
}

/// What is known of a span, a line each.
fn known(span: &Span) -> String {
    let line = |KeyValue { key, value }: &KeyValue| format!("{key}: {}\n", shown(value.as_ref().unwrap()));
    span.attributes.iter().map(line).collect()
}

fn shown(value: &AnyValue) -> String {
    match value.value.as_ref().unwrap() {
        Value::Text(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        Value::Number(number) => format!("{number:?}"),
        Value::List(list) => list.values.iter().map(shown).collect::<Vec<_>>().join(", "),
    }
}
