//! Tables for the engine's parts, and steps one by one.

mod apply;
mod bounds;
mod budget;
mod gate;
mod limits;
mod notices;
mod rerun;
mod retry;
mod run;
mod sessions;
mod size;
mod steps;
mod words;

use jiff::Timestamp;

use crate::job::{
    identity::{AttemptKey, BatchNum},
    outcome::{Failure, FailureClass, Outcome, Usage},
};

/// So many seconds after the tests' beginning of time.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn key(batch: u32, ordinal: u32) -> AttemptKey {
    AttemptKey { batch: BatchNum(batch), ordinal }
}

fn succeeded() -> Outcome {
    Outcome {
        failure: None,
        accepted: true,
        usage: Usage::default(),
        session: None,
        signal: None,
        warnings: Vec::new(),
        provenance: None,
        exit_code: Some(0),
        started: at(0),
        ended: at(10),
    }
}

fn failed(class: FailureClass) -> Outcome {
    let failure = Failure {
        class,
        reason: "Scripted".to_owned(),
        message: "It was scripted.".to_owned(),
        resets_at: None,
        retry_after_ms: None,
        fresh_session: false,
    };
    Outcome { failure: Some(failure), accepted: false, ..succeeded() }
}
