//! What the run means to do: begin, claim, suspend, stop, end.

use jiff::Timestamp;

use super::{
    apply::IllegalEvent,
    budget::Purse,
    draft::Draft,
    event::EventKind,
    gate::{CANARY_SIGN, GateReport, GateState},
    ledger::RunPhase,
    notice::{tell, tell_joined},
    observe::watch_gate,
    ranges::Ranges,
    time::{between, later},
};
use crate::job::model::{Occasion, OnExhausted, OnReached};

/// A closed word and a sentence for people.
struct Reason {
    word: &'static str,
    message: String,
}

/// Records what the run means to do, given what is known now.
pub(super) fn plan(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    if draft.ledger.phase == RunPhase::Pending {
        draft.record(EventKind::RunStarted)?;
        tell(draft, Occasion::JobStart, format!("{} batches are to be done.", draft.ledger.selected.len()))?;
    }
    if !draft.ledger.is_over() {
        free_canary(draft);
        watch_gate(draft)?;
        heed_wishes(draft)?;
        stop(draft)?;
        suspend(draft)?;
        claim(draft)?;
        end(draft)?;
    }
    tell_joined(draft)
}

/// What people ask for.
fn heed_wishes(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    let wishes = &draft.world.wishes;
    if let Some(now) = wishes.stop {
        let more = match draft.ledger.phase {
            RunPhase::Stopping { now: already, .. } => now && !already,
            _ => true,
        };
        if more {
            let (reason, message) = ("Stopped".to_owned(), "The run was stopped.".to_owned());
            draft.record(EventKind::Stopping { reason, message, now })?;
        }
        return Ok(());
    }
    match &draft.ledger.phase {
        RunPhase::Running if wishes.suspend => {
            let reason = Reason { word: "Requested", message: "The run was suspended.".to_owned() };
            record_suspended(draft, reason, wishes.terminate)
        }
        RunPhase::Suspended { terminate: false, reason, message, .. }
            if wishes.suspend && wishes.terminate =>
        {
            let (reason, message) = (reason.clone(), message.clone());
            draft.record(EventKind::Suspended { reason, message, terminate: true })
        }
        RunPhase::Suspended { reason, .. } if reason == "Requested" && !wishes.suspend => {
            draft.record(EventKind::Resumed)
        }
        _ => Ok(()),
    }
}

/// Ends the run early where it must not go on.
fn stop(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    if !matches!(draft.ledger.phase, RunPhase::Running | RunPhase::Suspended { .. }) {
        return Ok(());
    }
    let Some((reason, now)) = failed_enough(draft).or_else(|| waited_enough(draft)) else { return Ok(()) };
    draft.record(EventKind::Stopping { reason: reason.word.to_owned(), message: reason.message, now })
}

/// Whether failed batches end the run.
fn failed_enough(draft: &Draft<'_>) -> Option<(Reason, bool)> {
    let retry = &draft.policy.retry;
    if retry.on_exhausted == OnExhausted::FailJob
        && let Some(batch) = draft.ledger.failed.last()
    {
        let message = format!("Batch {batch} failed, and retry.onExhausted is FailJob.");
        return Some((Reason { word: "BatchesFailed", message }, false));
    }
    let streak = draft.ledger.streak.as_ref()?;
    (retry.max_failed_in_a_row > 0 && streak.count >= retry.max_failed_in_a_row).then(|| {
        let message = format!(
            "{} batches in a row failed for the same reason ({}), as retry.maxFailedInARow bounds it.",
            streak.count, streak.reason
        );
        (Reason { word: "SystematicFailure", message }, false)
    })
}

/// Whether a deadline or a bound on waiting ends the run. Suspended time counts for neither.
fn waited_enough(draft: &Draft<'_>) -> Option<(Reason, bool)> {
    if draft.ledger.phase != RunPhase::Running {
        return None;
    }
    if deadline(draft).is_some_and(|deadline| deadline <= draft.now) {
        let message = "The run took longer than activeDeadlineSeconds.".to_owned();
        return Some((Reason { word: "DeadlineExceeded", message }, true));
    }
    if draft.gate.is_open() {
        return None;
    }
    let rate_limit = &draft.policy.rate_limit;
    let exhausted = |message| Some((Reason { word: "RateLimitExhausted", message }, false));
    if give_up_at(draft).is_some_and(|give_up| give_up <= draft.now) {
        let hours = rate_limit.give_up_after.as_secs() / 3600;
        return exhausted(format!("No request was accepted for {hours} h (rateLimit.giveUpAfterSeconds)."));
    }
    let max_waits = rate_limit.max_waits.filter(|max| draft.gate.waits > *max)?;
    exhausted(format!("The limit was met {max_waits} times and once more (rateLimit.maxWaits)."))
}

/// When the run is over its deadline.
pub(super) fn deadline(draft: &Draft<'_>) -> Option<Timestamp> {
    Some(later(draft.ledger.counted_start(), draft.policy.active_deadline?))
}

/// When the run gives up on a gate that is not open. A gate that waits for a person is not given up on.
pub(super) fn give_up_at(draft: &Draft<'_>) -> Option<Timestamp> {
    let waits = matches!(draft.gate.state, GateState::Closed { .. } | GateState::Canary { .. });
    // Not since the last accepted request: a credential that nobody used for a month has not refused for a month.
    let start = draft.ledger.counted_start();
    let asked_since = draft.gate.waiting_since.map_or(start, |since| since.max(start));
    waits.then(|| later(asked_since, draft.policy.rate_limit.give_up_after))
}

/// Suspends the run where it can go on only later.
fn suspend(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    if draft.ledger.phase != RunPhase::Running || everything_finished(draft) {
        return Ok(());
    }
    if let Some(reason) = trial_ended(draft).or_else(|| long_wait(draft)) {
        return record_suspended(draft, reason, false);
    }
    let mut purse = Purse::look(draft);
    // Whoever goes on with a try needs the least.
    let tried = draft.ledger.open.values().map(|open| open.try_micro_usd).max().unwrap_or(0);
    let sentence = purse.to_string();
    if draft.live().next().is_some() || purse.grant(tried).is_some() {
        return Ok(());
    }
    let reason = Reason { word: "BudgetReached", message: sentence };
    match draft.policy.budget.on_reached {
        OnReached::Suspend => record_suspended(draft, reason, false),
        OnReached::Stop => draft.record(EventKind::Stopping {
            reason: reason.word.to_owned(),
            message: reason.message,
            now: false,
        }),
    }
}

fn trial_ended(draft: &Draft<'_>) -> Option<Reason> {
    let limit = draft.world.wishes.limit?;
    let finished = draft.ledger.finished();
    (finished >= limit).then(|| Reason {
        word: "TrialEnded",
        message: format!(
            "The trial ended: {finished} of {} batches are finished.",
            draft.ledger.selected.len()
        ),
    })
}

fn long_wait(draft: &Draft<'_>) -> Option<Reason> {
    let max_wait = draft.policy.rate_limit.max_wait?;
    let (too_long, what) = match &draft.gate.state {
        GateState::Closed { until, cause, .. } => {
            let until_minute = until.strftime("%Y-%m-%d %H:%MZ");
            (*until > later(draft.now, max_wait), format!("{cause}: not before {until_minute}"))
        }
        GateState::Held { cause, since } => {
            (later(*since, max_wait) <= draft.now, format!("{cause}: a person must act"))
        }
        GateState::Open | GateState::Canary { .. } => return None,
    };
    let message = if max_wait.is_zero() {
        format!("{what}, and the run is not to wait.")
    } else {
        format!("{what}, longer than rateLimit.maxWaitSeconds.")
    };
    too_long.then_some(Reason { word: "LongWait", message })
}

fn record_suspended(draft: &mut Draft<'_>, reason: Reason, terminate: bool) -> Result<(), IllegalEvent> {
    let Reason { word, message } = reason;
    draft.record(EventKind::Suspended { reason: word.to_owned(), message: message.clone(), terminate })?;
    tell(draft, Occasion::JobPaused, message)
}

/// Claims batches ahead, half a claim at a time, so that not every turn has one to tell.
fn claim(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    if draft.ledger.phase != RunPhase::Running {
        return Ok(());
    }
    let policy = draft.policy;
    let claimed = draft.ledger.claimed.len();
    let fresh = claimed - u32::try_from(draft.ledger.open.len()).unwrap_or(claimed).min(claimed);
    let ahead = policy.claim_ahead();
    if fresh > ahead / 2 {
        return Ok(());
    }
    let room = (ahead - fresh).min(policy.window().saturating_sub(claimed));
    let mut batches = Ranges::default();
    let mut next = draft.ledger.next_unclaimed();
    while let Some(batch) = next.filter(|_| batches.len() < room) {
        batches.insert(batch);
        next = draft.ledger.selected.next_after(batch);
    }
    if batches.is_empty() { Ok(()) } else { draft.record(EventKind::Claimed { batches }) }
}

/// Ends the run when every batch is finished, or when it was to stop and nothing runs any more.
fn end(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    if draft.live().next().is_some() {
        return Ok(());
    }
    let (all, failed) = (draft.ledger.selected.len(), draft.ledger.failed.len());
    let complete = draft.ledger.succeeded.len() == all;
    let reason = match &draft.ledger.phase {
        _ if complete => None,
        RunPhase::Stopping { reason, message, .. } => Some((reason.clone(), message.clone())),
        _ if everything_finished(draft) => {
            Some(("BatchesFailed".to_owned(), format!("{failed} of {all} batches failed.")))
        }
        _ => return Ok(()),
    };
    let (reason, message) = reason.unzip();
    let text = message.clone().unwrap_or_else(|| format!("All {all} batches are done."));
    draft.record(EventKind::RunEnded { complete, reason, message })?;
    tell(draft, if complete { Occasion::JobComplete } else { Occasion::JobFailed }, text)
}

fn everything_finished(draft: &Draft<'_>) -> bool {
    draft.ledger.finished() == draft.ledger.selected.len()
}

/// Gives the canary's place back when the attempt that holds it has ended or will not start.
fn free_canary(draft: &mut Draft<'_>) {
    let GateState::Canary { holder, seen, .. } = &draft.gate.state else { return };
    let Some(key) = draft.ledger.attempt_named(holder) else { return };
    let (holder, at, age) = (holder.clone(), draft.now, between(*seen, draft.now));
    let runs = draft.live().any(|live| live == key);
    let to_come =
        draft.ledger.present_attempt(key.batch) == Some(key) && draft.ledger.phase == RunPhase::Running;
    if runs && age >= CANARY_SIGN {
        draft.report(GateReport::CanarySeen { holder, at });
    } else if !runs && !to_come {
        draft.report(GateReport::CanaryEnded { holder, at });
    }
}
