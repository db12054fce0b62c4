//! What of the journal is worth a line.

use std::time::Duration;

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    cli::{format, terminal::Tone},
    engine::event::{Event, EventKind},
    job::outcome::FailureClass,
};

/// A line that stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What it means.
    pub tone: Tone,
    /// What happened.
    pub text: String,
    /// Whether a terminal, which has the bar, shows it too.
    pub on_terminal: bool,
}

/// The line of an event, if it is worth one.
pub fn line(event: &Event, now: Timestamp, zone: &TimeZone) -> Option<Line> {
    let kept = |tone, text: String| Some(Line { tone, text, on_terminal: true });
    match &event.kind {
        EventKind::BatchSucceeded { batch } => {
            Some(Line { tone: Tone::Plain, text: format!("batch {batch} done"), on_terminal: false })
        }
        EventKind::AttemptStarted { key } if key.ordinal > 1 => Some(Line {
            tone: Tone::Plain,
            text: format!("batch {} started again", key.batch),
            on_terminal: false,
        }),
        EventKind::BatchFailed { batch, reason, message, .. } => {
            kept(Tone::Bad, format!("batch {batch} failed, {reason}: {message}"))
        }
        EventKind::RetryScheduled { key, cause, reason, until, .. } => {
            let when = match until {
                Some(until) => format!("again at {}", format::until(*until, now, zone)),
                None if waits(*cause) => "again when the limit is over".to_owned(),
                None => "again at once".to_owned(),
            };
            kept(
                Tone::Warning,
                format!("batch {} did not succeed, {reason} ({}); {when}", key.batch, cause.word()),
            )
        }
        EventKind::GateClosed { until, cause } => {
            let until = match until {
                Some(until) => format!("until {}", format::until(*until, now, zone)),
                None => "until you have seen to it; then: mozart credential resume".to_owned(),
            };
            kept(Tone::Warning, format!("nothing new starts, {cause}: {until}"))
        }
        EventKind::GateOpened => kept(Tone::Plain, "batches start again".to_owned()),
        EventKind::Suspended { message, .. } => kept(Tone::Warning, format!("suspended: {message}")),
        EventKind::Resumed => kept(Tone::Plain, "goes on".to_owned()),
        EventKind::Replanned { .. } => kept(Tone::Plain, "the rest follows the changed job file".to_owned()),
        EventKind::Stopping { message, now: at_once, .. } => {
            let how = if *at_once { "ends now" } else { "ends when what runs has finished" };
            kept(Tone::Warning, format!("{how}: {message}"))
        }
        EventKind::ClockSet { by_ms } => {
            let by = format::duration(Duration::from_millis(by_ms.unsigned_abs()));
            let way = if *by_ms < 0 { "back" } else { "forward" };
            kept(
                Tone::Plain,
                format!("the clock was set {way} by {by}; what is waited for lasts as long as before"),
            )
        }
        EventKind::NoticeSettled { dropped: true, id } => {
            kept(Tone::Warning, format!("notification {id} could not be delivered and was given up"))
        }
        EventKind::AttemptEnded { outcome, key, .. } if !outcome.warnings.is_empty() => {
            kept(Tone::Warning, format!("batch {}: {}", key.batch, outcome.warnings.join("; ")))
        }
        EventKind::RunStarted
        | EventKind::Claimed { .. }
        | EventKind::AttemptStarted { .. }
        | EventKind::AttemptEnded { .. }
        | EventKind::RunEnded { .. }
        | EventKind::NoticeQueued { .. }
        | EventKind::NoticeJoined { .. }
        | EventKind::NoticeSettled { .. } => None,
    }
}

/// Whether such a failure waits for the gate, not for a time of its own.
fn waits(class: FailureClass) -> bool {
    use FailureClass::{Hold, Limit, Throttle, Unreachable};
    matches!(class, Limit | Throttle | Unreachable | Hold)
}
