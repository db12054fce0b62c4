//! The fold: what an event makes of a ledger, and which events are legal when.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::{
    event::{Counted, Event, EventKind},
    ledger::{FailureStreak, Judging, Ledger, Notice, NoticeTally, OpenBatch, RunPhase},
    notice::MINUTE,
    ranges::Ranges,
    time::{between, later, milliseconds, moved},
};
use crate::job::{
    identity::{AttemptKey, BatchNum},
    model::Occasion,
    outcome::Outcome,
};

/// An event that cannot follow on a ledger: a corrupt journal, or a mistake in Mozart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a run that is {phase} cannot take {event}: {why}")]
pub struct IllegalEvent {
    /// The ledger's phase.
    pub phase: &'static str,
    /// The event's kind.
    pub event: &'static str,
    /// What speaks against it.
    pub why: &'static str,
}

/// Makes of `ledger` what it is after `event`.
///
/// # Errors
/// When the event is illegal there; the ledger is then as it was.
pub fn apply(ledger: &mut Ledger, event: &Event) -> Result<(), IllegalEvent> {
    let phase = ledger.phase.word();
    let illegal = |why| Err(IllegalEvent { phase, event: event.kind.word(), why });
    if let Some(why) = objection(ledger, &event.kind) {
        return illegal(why);
    }
    fold(ledger, event.at, &event.kind);
    Ok(())
}

impl RunPhase {
    /// The word of its kind: `Running`, …
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Suspended { .. } => "Suspended",
            Self::Stopping { .. } => "Stopping",
            Self::Complete => "Complete",
            Self::Failed { .. } => "Failed",
        }
    }
}

/// What speaks against `event`, if anything.
fn objection(ledger: &Ledger, event: &EventKind) -> Option<&'static str> {
    use EventKind as E;
    use RunPhase as P;
    let fits = match event {
        E::RunStarted => matches!(ledger.phase, P::Pending),
        E::Claimed { .. } => matches!(ledger.phase, P::Running),
        E::Resumed => matches!(ledger.phase, P::Suspended { .. }),
        E::Replanned { .. } => matches!(ledger.phase, P::Running | P::Suspended { .. }),
        E::Suspended { terminate: more, .. } => match &ledger.phase {
            P::Suspended { terminate, .. } => *more && !terminate,
            phase => matches!(phase, P::Running),
        },
        E::Stopping { now: more, .. } => match &ledger.phase {
            P::Stopping { now, .. } => *more && !now,
            phase => matches!(phase, P::Running | P::Suspended { .. }),
        },
        E::AttemptStarted { .. }
        | E::AttemptEnded { .. }
        | E::BatchSucceeded { .. }
        | E::RetryScheduled { .. }
        | E::BatchFailed { .. }
        | E::GateClosed { .. }
        | E::GateOpened
        | E::ClockSet { .. }
        | E::RunEnded { .. } => {
            matches!(ledger.phase, P::Running | P::Suspended { .. } | P::Stopping { .. })
        }
        E::NoticeQueued { .. } | E::NoticeJoined { .. } | E::NoticeSettled { .. } => {
            !matches!(ledger.phase, P::Pending)
        }
    };
    if !fits {
        return Some("it does not belong to this phase");
    }
    let judging = |batch: BatchNum| ledger.judging.is_some_and(|judged| judged.key.batch == batch);
    let sound = match event {
        E::BatchSucceeded { batch } | E::BatchFailed { batch, .. } => judging(*batch),
        E::RetryScheduled { key, .. } => ledger.judging.is_some_and(|judged| judged.key.next() == *key),
        _ if ledger.judging.is_some() => return Some("an attempt that ended must be judged first"),
        E::Claimed { batches } => {
            !batches.is_empty()
                && batches.iter().all(|batch| {
                    ledger.selected.contains(batch)
                        && !ledger.is_finished(batch)
                        && !ledger.claimed.contains(batch)
                })
        }
        E::AttemptStarted { key } => {
            ledger.present_attempt(key.batch) == Some(*key) && !ledger.seen.contains(key.batch)
        }
        E::AttemptEnded { key, .. } => ledger.present_attempt(key.batch) == Some(*key),
        E::RunEnded { complete, .. } => *complete == (ledger.succeeded.len() == ledger.selected.len()),
        E::NoticeQueued { notice } => notice.id == ledger.last_notice + 1,
        E::NoticeSettled { id, .. } => ledger.outbox.iter().any(|notice| notice.id == *id),
        E::GateClosed { .. } => !ledger.limited,
        E::Replanned { of_total, .. } => *of_total >= ledger.of_total,
        E::GateOpened => ledger.limited,
        E::RunStarted
        | E::Suspended { .. }
        | E::Resumed
        | E::Stopping { .. }
        | E::ClockSet { .. }
        | E::NoticeJoined { .. } => true,
    };
    (!sound).then_some("it does not fit what the ledger knows")
}

/// The fold proper, of an event that is legal.
fn fold(ledger: &mut Ledger, at: Timestamp, event: &EventKind) {
    match event {
        EventKind::RunStarted => {
            ledger.phase = RunPhase::Running;
            ledger.started = at;
        }
        EventKind::Claimed { batches } => ledger.claimed = ledger.claimed.with(batches),
        EventKind::AttemptStarted { key } => {
            ledger.seen.insert(key.batch);
        }
        EventKind::AttemptEnded { key, outcome, lane_free } => {
            attempt_ended(ledger, at, *key, outcome, *lane_free);
        }
        EventKind::BatchSucceeded { batch } => {
            ledger.succeeded.insert(*batch);
            ledger.streak = None;
            finish(ledger, *batch);
        }
        EventKind::BatchFailed { batch, reason, .. } => {
            ledger.failed.insert(*batch);
            match &mut ledger.streak {
                Some(streak) if streak.reason == *reason => streak.count += 1,
                streak => *streak = Some(FailureStreak { reason: reason.clone(), count: 1 }),
            }
            finish(ledger, *batch);
        }
        EventKind::RetryScheduled { key, cause, reason, counted, until, session } => {
            let before = ledger.open.get(&key.batch);
            let (mut tries, mut disruptions, spent) =
                before.map_or((0, 0, 0), |open| (open.tries, open.disruptions, open.try_micro_usd));
            let mut try_micro_usd = spent.saturating_add(ledger.judging.map_or(0, |judged| judged.micro_usd));
            match counted {
                Counted::Try => {
                    tries += 1;
                    try_micro_usd = 0;
                }
                Counted::Disruption => disruptions += 1,
                Counted::Nothing => {}
            }
            let open = OpenBatch {
                ordinal: key.ordinal,
                tries,
                disruptions,
                until: *until,
                cause: *cause,
                reason: reason.clone(),
                session: *session,
                try_micro_usd,
            };
            ledger.open.insert(key.batch, open);
            ledger.judging = None;
        }
        EventKind::GateClosed { .. } => ledger.limited = true,
        EventKind::GateOpened => ledger.limited = false,
        EventKind::Suspended { reason, message, terminate } => {
            let since = match &ledger.phase {
                RunPhase::Suspended { since, .. } => *since,
                _ => at,
            };
            let (reason, message) = (reason.clone(), message.clone());
            ledger.phase = RunPhase::Suspended { reason, message, since, terminate: *terminate };
        }
        EventKind::Resumed => resume(ledger, at),
        EventKind::Replanned { plan_hash, of_total } => {
            if ledger.selected == Ranges::span(1, ledger.of_total) {
                ledger.selected = Ranges::span(1, *of_total);
            }
            ledger.plan_hash.clone_from(plan_hash);
            ledger.of_total = *of_total;
        }
        EventKind::Stopping { reason, message, now } => {
            ledger.phase = RunPhase::Stopping { reason: reason.clone(), message: message.clone(), now: *now };
        }
        EventKind::ClockSet { by_ms } => set_clock(ledger, SignedDuration::from_millis(*by_ms)),
        EventKind::RunEnded { complete, reason, message } => {
            ledger.phase = if *complete {
                RunPhase::Complete
            } else {
                RunPhase::Failed {
                    reason: reason.clone().unwrap_or_default(),
                    message: message.clone().unwrap_or_default(),
                }
            };
            ledger.ended = Some(at);
            ledger.claimed = Ranges::default();
            ledger.seen = Ranges::default();
            ledger.open.clear();
            ledger.resting.clear();
            ledger.streak = None;
            ledger.limited = false;
        }
        EventKind::NoticeQueued { notice } => queue(ledger, at, notice),
        EventKind::NoticeJoined { occasion } => {
            *tally(ledger, at).joined.entry(*occasion).or_default() += 1;
        }
        EventKind::NoticeSettled { id, .. } => ledger.outbox.retain(|notice| notice.id != *id),
    }
}

fn attempt_ended(
    ledger: &mut Ledger,
    at: Timestamp,
    key: AttemptKey,
    outcome: &Outcome,
    lane_free: Option<Timestamp>,
) {
    ledger.seen.remove(key.batch);
    ledger.usage += outcome.usage;
    if outcome.accepted {
        ledger.dearest_micro_usd = ledger.dearest_micro_usd.max(Some(outcome.usage.cost_micro_usd));
    }
    ledger.worked_ms = ledger.worked_ms.saturating_add(milliseconds(between(outcome.started, outcome.ended)));
    ledger.resting.retain(|free| *free > at);
    ledger.resting.extend(lane_free);
    ledger.judging = Some(Judging { key, micro_usd: outcome.usage.cost_micro_usd });
}

fn finish(ledger: &mut Ledger, batch: BatchNum) {
    ledger.claimed.remove(batch);
    ledger.open.remove(&batch);
    ledger.judging = None;
}

/// Time spent suspended counts neither for the deadline nor for a backoff.
fn resume(ledger: &mut Ledger, at: Timestamp) {
    if let RunPhase::Suspended { since, .. } = ledger.phase {
        let slept = between(since, at);
        ledger.suspended_ms = ledger.suspended_ms.saturating_add(milliseconds(slept));
        for until in ledger.open.values_mut().filter_map(|open| open.until.as_mut()) {
            *until = later(*until, slept);
        }
    }
    ledger.phase = RunPhase::Running;
}

/// What is waited for and counted from goes with the clock, so that it lasts as long as it would have.
fn set_clock(ledger: &mut Ledger, by: SignedDuration) {
    let since = match &mut ledger.phase {
        RunPhase::Suspended { since, .. } => Some(since),
        _ => None,
    };
    let untils = ledger.open.values_mut().filter_map(|open| open.until.as_mut());
    let tally = ledger.tally.as_mut().map(|tally| &mut tally.since);
    let times = untils.chain(&mut ledger.resting).chain(since).chain(tally).chain([&mut ledger.started]);
    for time in times {
        *time = moved(*time, by);
    }
}

fn queue(ledger: &mut Ledger, at: Timestamp, notice: &Notice) {
    ledger.last_notice = notice.id;
    ledger.outbox.push(notice.clone());
    if !notice.occasion.is_of_a_batch() {
        return;
    }
    let tally = tally(ledger, at);
    if notice.attempt.is_some() {
        tally.told += 1;
    } else {
        tally.joined.remove(&notice.occasion);
    }
}

/// The tally of the minute that `at` is in. A minute of which something is still to be told does not end.
fn tally(ledger: &mut Ledger, at: Timestamp) -> &mut NoticeTally {
    let tally =
        ledger.tally.get_or_insert_with(|| NoticeTally { since: at, told: 0, joined: BTreeMap::default() });
    if tally.joined.is_empty() && between(tally.since, at) >= MINUTE {
        tally.since = at;
        tally.told = 0;
    }
    tally
}

impl Occasion {
    /// Whether it is one batch's, and so may happen thousands of times in a run.
    pub fn is_of_a_batch(self) -> bool {
        matches!(self, Self::BatchStart | Self::BatchComplete | Self::BatchFailed)
    }
}
