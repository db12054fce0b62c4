//! The journal of a batch that succeeds at once.

use jiff::Timestamp;
use mozart::{
    engine::event::{Event, EventKind},
    job::{
        identity::{AttemptKey, BatchNum},
        outcome::{Outcome, Usage},
    },
};

/// What is said when a batch starts and succeeds.
pub fn success(batch: u32) -> [Event; 3] {
    let (now, batch) = (Timestamp::now(), BatchNum(batch));
    let key = AttemptKey::first(batch);
    let outcome = Outcome {
        failure: None,
        accepted: true,
        provenance: None,
        usage: Usage { input_tokens: 1000, output_tokens: 500, cost_micro_usd: 12_500, ..Usage::default() },
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code: Some(0),
        started: now,
        ended: now,
    };
    [
        EventKind::AttemptStarted { key },
        EventKind::AttemptEnded { key, outcome: Box::new(outcome), lane_free: None },
        EventKind::BatchSucceeded { batch },
    ]
    .map(|kind| Event { at: now, kind })
}
