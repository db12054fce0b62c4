//! What a job's status says, made from its ledger. Pure.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    api::status::{BatchCounts, Condition, LastRun, MozartJobStatus, Phase, RunOutcome, RunUsage, Truth},
    engine::{
        ledger::{Ledger, RunPhase},
        ranges::Ranges,
        summary::Summary,
        waiting::Waiting,
    },
};

/// Why a job is valid.
const VALID: &str = "Validated";
/// Why a job is not valid that only a change of its spec mends.
pub(super) const INVALID_SPEC: &str = "InvalidSpec";
/// Why a job is not suspended.
const NOT_SUSPENDED: &str = "NotSuspended";
/// Whether somebody who is to be told takes nothing.
const NOTIFICATIONS_FAILING: &str = "NotificationsFailing";
/// The longest text that a person is shown, in characters.
const MAX_TEXT: usize = 1024;

/// What was seen beside the ledger.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// The run in numbers.
    pub summary: Summary,
    /// Why nothing more is happening.
    pub waiting: Option<Waiting>,
    /// What keeps attempts from running that were started, for people.
    pub held: Option<String>,
    /// What is wrong with the spec as it was edited since the run began; the run goes on without it.
    pub wrong: Option<String>,
    /// Which of those who are to be told take nothing, and why.
    pub unheard: Option<String>,
}

impl Shown {
    /// Why nothing more is happening, for people.
    fn sentence(&self) -> Option<String> {
        let for_the_gate = self.waiting.as_ref().filter(|waiting| waiting.is_for_the_gate());
        let held = self.held.as_ref().filter(|_| for_the_gate.is_none());
        held.cloned().or_else(|| self.waiting.as_ref().map(ToString::to_string)).map(|text| short(&text))
    }
}

/// Whose status it is.
#[derive(Clone, Debug)]
pub struct Author {
    /// Who writes the ledger: `mozart-system/mozart`.
    pub writer: String,
    /// The `rerun.id` that asked for this run.
    pub rerun_id: Option<String>,
}

/// The status of a job whose spec is of that generation. `before` is the status until now: conditions that still hold
/// keep their time.
///
/// # Errors
/// When the ledger is no JSON, which it always is.
pub fn status(
    ledger: &Ledger,
    shown: &Shown,
    author: &Author,
    generation: i64,
    before: &MozartJobStatus,
    now: Timestamp,
) -> serde_json::Result<MozartJobStatus> {
    let summary = shown.summary;
    let over = ledger.is_over();
    let last_run = over.then(|| LastRun {
        number: ledger.run.run,
        rerun_id: author.rerun_id.clone(),
        outcome: if ledger.phase == RunPhase::Complete { RunOutcome::Complete } else { RunOutcome::Failed },
        reason: match &ledger.phase {
            RunPhase::Failed { reason, .. } => Some(reason.clone()),
            _ => None,
        },
    });
    Ok(MozartJobStatus {
        observed_generation: Some(generation),
        phase: Some(phase(ledger, shown.waiting.as_ref())),
        progress: Some(format!("{}/{}", ledger.succeeded.len(), ledger.selected.len())),
        waiting: shown.sentence(),
        active_run: (!over).then_some(ledger.run.run),
        last_run: last_run.or_else(|| before.last_run.clone()),
        rerun_id: author.rerun_id.clone(),
        start_time: Some(second(ledger.started)),
        completion_time: ledger.ended.map(second),
        duration: Some(hours_and_minutes(ledger.active_time(ledger.ended.unwrap_or(now)))),
        tokens: Some(rounded(summary.usage.tokens())),
        conditions: conditions(ledger, shown, generation, &before.conditions, now),
        batches: Some(BatchCounts {
            total: summary.total,
            of_total: summary.of_total,
            succeeded: summary.succeeded,
            failed: summary.failed,
            running: summary.running,
            waiting: summary.waiting,
            pending: summary.pending,
        }),
        usage: Some(RunUsage {
            input_tokens: summary.usage.input_tokens,
            output_tokens: summary.usage.output_tokens,
            cache_read_tokens: summary.usage.cache_read_tokens,
            cache_write_tokens: summary.usage.cache_write_tokens,
            cost_usd: Some(summary.usage.cost_usd()),
        }),
        checkpoint: Some(checkpoint(ledger, author, now)?),
    })
}

/// The ledger as it is kept. Of a run that is over and has nothing left to tell, its two ranges are enough.
pub(super) fn kept(ledger: &Ledger) -> Ledger {
    let mut ledger = ledger.clone();
    if ledger.is_over() && ledger.outbox.is_empty() {
        ledger.claimed = Ranges::default();
        ledger.seen = Ranges::default();
        ledger.open.clear();
        ledger.resting.clear();
        ledger.streak = None;
        ledger.tally = None;
    }
    ledger
}

fn checkpoint(ledger: &Ledger, author: &Author, now: Timestamp) -> serde_json::Result<Value> {
    let mut checkpoint = serde_json::to_value(kept(ledger))?;
    checkpoint["writer"] = author.writer.clone().into();
    checkpoint["renewed"] = second(now).into();
    Ok(checkpoint)
}

fn phase(ledger: &Ledger, waiting: Option<&Waiting>) -> Phase {
    match ledger.phase {
        RunPhase::Pending => Phase::Pending,
        RunPhase::Running if waiting.is_some_and(Waiting::is_for_the_gate) => Phase::Waiting,
        RunPhase::Running => Phase::Running,
        RunPhase::Suspended { .. } => Phase::Suspended,
        RunPhase::Stopping { .. } => Phase::Stopping,
        RunPhase::Complete => Phase::Complete,
        RunPhase::Failed { .. } => Phase::Failed,
    }
}

fn conditions(
    ledger: &Ledger,
    shown: &Shown,
    generation: i64,
    before: &[Condition],
    now: Timestamp,
) -> Vec<Condition> {
    let (word, message) = match &ledger.phase {
        RunPhase::Pending => ("Pending", String::new()),
        RunPhase::Running => ("Running", String::new()),
        RunPhase::Suspended { reason, message, .. }
        | RunPhase::Stopping { reason, message, .. }
        | RunPhase::Failed { reason, message } => (reason.as_str(), message.clone()),
        RunPhase::Complete => ("AllBatchesSucceeded", String::new()),
    };
    let attention = match &shown.waiting {
        Some(Waiting::Attention { cause, .. }) => Some(cause.clone()),
        _ => None,
    };
    let limit = match &shown.waiting {
        Some(waiting) if waiting.is_for_the_gate() => waiting.to_string(),
        _ => String::new(),
    };
    let suspended = matches!(ledger.phase, RunPhase::Suspended { .. });
    let failed = matches!(ledger.phase, RunPhase::Failed { .. });
    let limited = if ledger.limited { "GateClosed" } else { "GateOpen" };
    let needs = if attention.is_some() { "CredentialHeld" } else { "NothingToDo" };
    let sentence = if suspended { message.clone() } else { String::new() };
    let valid = shown.wrong.as_ref().map_or(VALID, |_| INVALID_SPEC);
    let rows = [
        ("Valid", shown.wrong.is_none(), valid, shown.wrong.clone().unwrap_or_default()),
        ("Progressing", ledger.phase == RunPhase::Running, word, message.clone()),
        ("RateLimited", ledger.limited, limited, limit),
        ("Suspended", suspended, if suspended { word } else { NOT_SUSPENDED }, sentence),
        ("Complete", ledger.phase == RunPhase::Complete, word, String::new()),
        ("Failed", failed, word, if failed { message } else { String::new() }),
        ("NeedsAttention", attention.is_some(), needs, attention.unwrap_or_default()),
    ];
    // Most jobs tell nobody.
    let unheard = shown.unheard.clone();
    let told_of = unheard.is_some() || before.iter().any(|one| one.kind == NOTIFICATIONS_FAILING);
    let word = if unheard.is_some() { "SinkTakesNothing" } else { "SinksTake" };
    let last = told_of.then(|| (NOTIFICATIONS_FAILING, unheard.is_some(), word, unheard.unwrap_or_default()));
    rows.into_iter().chain(last).map(|row| condition(row, generation, before, now)).collect()
}

/// A kind of condition, whether it holds, a closed word and a sentence.
pub(super) type Row<'a> = (&'a str, bool, &'a str, String);

pub(super) fn condition(
    (kind, holds, reason, message): Row<'_>,
    generation: i64,
    before: &[Condition],
    now: Timestamp,
) -> Condition {
    let status = if holds { Truth::True } else { Truth::False };
    let since = before.iter().find(|one| one.kind == kind && one.status == status);
    Condition {
        kind: kind.to_owned(),
        status,
        observed_generation: generation,
        last_transition_time: since.map_or_else(|| second(now), |one| one.last_transition_time.clone()),
        reason: reason.to_owned(),
        message: short(&message),
    }
}

/// How a job stands that is not driven: no run is active, or the active one cannot go on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standstill {
    /// Why the job cannot be run as it is: a closed word and a sentence.
    pub unfit: Option<(&'static str, String)>,
    /// What a job that can be run waits for before it begins: a closed word and a sentence.
    pub held: Option<(&'static str, String)>,
    /// Whether it does not begin because it is suspended.
    pub suspended: bool,
}

/// The status of a job that stands still. What is known of its runs stays as it is.
pub fn standstill(
    still: &Standstill,
    generation: i64,
    before: &MozartJobStatus,
    now: Timestamp,
) -> MozartJobStatus {
    let Standstill { unfit, held, suspended } = still;
    let run = before.phase.filter(|_| before.active_run.is_some() || before.last_run.is_some());
    let resting = if *suspended { Phase::Suspended } else { Phase::Pending };
    let waits = held.is_some() || *suspended;
    let phase = run.filter(|_| before.active_run.is_some() || !waits).unwrap_or(resting);
    let valid = unfit.clone().unwrap_or((VALID, String::new()));
    let (word, sentence) = held.clone().unwrap_or_default();
    let mut rows = vec![
        ("Valid", unfit.is_none(), valid.0, valid.1.clone()),
        (
            "Suspended",
            phase == Phase::Suspended,
            if *suspended { "Requested" } else { NOT_SUSPENDED },
            String::new(),
        ),
    ];
    if held.is_some() {
        rows.push(("Progressing", false, word, sentence.clone()));
    }
    let asked_anew = ["Progressing", "RateLimited", "Complete", "Failed", "NeedsAttention"];
    let missing = asked_anew.into_iter().filter(|kind| {
        before.conditions.iter().all(|one| one.kind != *kind) && rows.iter().all(|row| row.0 != *kind)
    });
    rows.extend(missing.map(|kind| (kind, false, "NotStarted", String::new())).collect::<Vec<_>>());
    let mut conditions = before.conditions.clone();
    for one in &mut conditions {
        one.observed_generation = generation;
    }
    for row in rows {
        let new = condition(row, generation, &before.conditions, now);
        match conditions.iter_mut().find(|one| one.kind == new.kind) {
            Some(one) => *one = new,
            None => conditions.push(new),
        }
    }
    let waiting = match (unfit, held) {
        (Some((_, message)), _) | (None, Some((_, message))) => Some(short(message)),
        (None, None) if before.active_run.is_some() => before.waiting.clone(),
        (None, None) => None,
    };
    MozartJobStatus {
        observed_generation: Some(generation),
        phase: Some(phase),
        waiting,
        conditions,
        ..before.clone()
    }
}

/// Kubernetes reads times to the second.
pub(super) fn second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// `3h12m`, `5m`, `40s`: what changes too often would make every save a change.
fn hours_and_minutes(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds / 3600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h{minutes}m"),
    }
}

/// `950`, `12k`, `3.4M`.
fn rounded(count: u64) -> String {
    match count {
        0..1000 => count.to_string(),
        1000..1_000_000 => format!("{}k", count / 1000),
        _ => format!("{}.{}M", count / 1_000_000, count / 100_000 % 10),
    }
}
