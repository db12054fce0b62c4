//! From what is seen to what happened: attempts that started, ended or vanished, and what they told of the credential.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;

use super::{
    apply::IllegalEvent,
    draft::Draft,
    event::EventKind,
    gate::{GateReport, GateState},
    ledger::RunPhase,
    notice::{tell, tell_of_batch},
    retry::{Verdict, fraction, verdict},
    time::later,
    world::{AttemptState, Reached},
};
use crate::job::{
    identity::AttemptKey,
    model::{Occasion, OnOverage},
    outcome::{Failure, FailureClass, GateSignal, Outcome, Usage},
};

/// The longest cause that a gate carries, in characters.
const CAUSE_MAX: usize = 160;
/// The reason of a refusal that may mean a crowd.
const TOO_MANY_SESSIONS: &str = "TooManySessions";
/// So many waits for a crowd to go, without one accepted request.
const CROWDED_MAX: u32 = 3;
/// Canaries of several processes do not all go at the second of the reset.
const LIMIT_JITTER: Duration = Duration::from_secs(30);

/// Records what the world shows and the ledger does not know yet.
pub(super) fn observe(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    let world = draft.world;
    for settled in &world.settled {
        if draft.ledger.outbox.iter().any(|notice| notice.id == settled.id) {
            draft.record(EventKind::NoticeSettled { id: settled.id, dropped: settled.dropped })?;
        }
    }
    if draft.ledger.is_over() {
        return Ok(());
    }
    let there: BTreeSet<AttemptKey> = world.attempts.iter().map(|sighting| sighting.key).collect();
    let gone: Vec<AttemptKey> = draft
        .ledger
        .seen
        .iter()
        .filter_map(|batch| draft.ledger.present_attempt(batch))
        .filter(|key| !there.contains(key))
        .collect();
    for key in gone {
        end(draft, key, &lost(draft.now))?;
    }
    for sighting in &world.attempts {
        let key = sighting.key;
        if draft.ledger.present_attempt(key.batch) != Some(key) {
            continue;
        }
        match &sighting.state {
            AttemptState::Running { reached, signals, .. } => {
                if *reached != Reached::Asked && !draft.ledger.seen.contains(key.batch) {
                    draft.record(EventKind::AttemptStarted { key })?;
                    tell_start(draft, key)?;
                }
                for signal in signals {
                    hear(draft, key, signal);
                }
            }
            AttemptState::Ended(outcome) => end(draft, key, outcome)?,
            AttemptState::Lost => end(draft, key, &lost(draft.now))?,
        }
    }
    Ok(())
}

/// Records the end of an attempt and what follows from it.
fn end(draft: &mut Draft<'_>, key: AttemptKey, outcome: &Outcome) -> Result<(), IllegalEvent> {
    if !draft.ledger.seen.contains(key.batch) {
        tell_start(draft, key)?;
    }
    let pause = draft.policy.pause;
    let lane_free = (!pause.is_zero()).then(|| later(draft.now, pause));
    draft.record(EventKind::AttemptEnded { key, outcome: Box::new(outcome.clone()), lane_free })?;
    if let Some(failure) = &outcome.failure {
        fail(draft, key, outcome, failure)?;
    } else {
        draft.record(EventKind::BatchSucceeded { batch: key.batch })?;
        tell_of_batch(draft, Occasion::BatchComplete, key, format!("Batch {} is done.", key.batch))?;
    }
    tell_gate(draft, key, outcome);
    Ok(())
}

fn fail(
    draft: &mut Draft<'_>,
    key: AttemptKey,
    outcome: &Outcome,
    failure: &Failure,
) -> Result<(), IllegalEvent> {
    let asked = match &draft.ledger.phase {
        RunPhase::Suspended { terminate, .. } => *terminate,
        RunPhase::Stopping { now, .. } => *now,
        _ => false,
    };
    let crowd = no_crowd(draft, failure);
    let failure = crowd.as_ref().unwrap_or(failure);
    let name = draft.ledger.name_of(key);
    let before = draft.ledger.open.get(&key.batch);
    match verdict(&draft.policy.retry, before, outcome, failure, &name, asked, draft.now) {
        Verdict::Again { counted, until, session } => draft.record(EventKind::RetryScheduled {
            key: key.next(),
            cause: failure.class,
            reason: failure.reason.clone(),
            counted,
            until,
            session,
        }),
        Verdict::GiveUp { reason } => {
            let reason = reason.map_or_else(|| failure.reason.clone(), str::to_owned);
            let message = failure.message.clone();
            draft.record(EventKind::BatchFailed {
                batch: key.batch,
                class: failure.class,
                reason: reason.clone(),
                message: message.clone(),
            })?;
            let text = format!("Batch {} failed: {message}", key.batch);
            tell_of_batch(draft, Occasion::BatchFailed, key, text)?;
            let going_on = !matches!(draft.ledger.phase, RunPhase::Stopping { .. });
            if failure.class == FailureClass::JobFatal && going_on {
                draft.record(EventKind::Stopping { reason, message, now: false })?;
            }
            Ok(())
        }
    }
}

/// A refusal that the service also gives to too many sessions at once, and that stays when they are few: the credential
/// may not do this.
fn no_crowd(draft: &Draft<'_>, failure: &Failure) -> Option<Failure> {
    let stays = failure.reason == TOO_MANY_SESSIONS && draft.gate.waits >= CROWDED_MAX;
    stays.then(|| Failure {
        class: FailureClass::JobFatal,
        reason: "Forbidden".to_owned(),
        message: format!(
            "{}; it said so {} times, the last to one session alone: the credential may not do this",
            failure.message,
            CROWDED_MAX + 1
        ),
        ..failure.clone()
    })
}

/// Tells the gate what an attempt's end says of the credential.
fn tell_gate(draft: &mut Draft<'_>, key: AttemptKey, outcome: &Outcome) {
    let (holder, at) = (draft.ledger.name_of(key), draft.now);
    match &outcome.failure {
        Some(failure) if failure.class == FailureClass::Limit => {
            let reset = failure.resets_at.unwrap_or_else(|| later(at, draft.policy.rate_limit.wait));
            let until = later(reset, LIMIT_JITTER.mul_f64(fraction(&holder)));
            draft.report(GateReport::Close { until: Some(until), cause: cause(failure), holder, at });
        }
        Some(failure) if matches!(failure.class, FailureClass::Throttle | FailureClass::Unreachable) => {
            let until = failure.retry_after_ms.map(|wait| later(at, Duration::from_millis(wait)));
            draft.report(GateReport::Close { until, cause: cause(failure), holder, at });
        }
        Some(failure) if failure.class == FailureClass::Hold => {
            draft.report(GateReport::Hold { cause: cause(failure), at });
        }
        _ if outcome.accepted => hear(draft, key, &GateSignal::Accepted),
        _ => {}
    }
    if let Some(signal) = &outcome.signal {
        hear(draft, key, signal);
    }
}

/// Tells the gate what an attempt says of the credential without failing by it.
fn hear(draft: &mut Draft<'_>, key: AttemptKey, signal: &GateSignal) {
    let (holder, at) = (draft.ledger.name_of(key), draft.now);
    let rate_limit = &draft.policy.rate_limit;
    let window_end = |reset: &Option<Timestamp>| Some(reset.unwrap_or_else(|| later(at, rate_limit.wait)));
    let (until, cause) = match signal {
        GateSignal::Accepted => {
            if draft.gate.wants_accepted(&holder, at) {
                draft.report(GateReport::Accepted { holder, at });
            }
            return;
        }
        GateSignal::Throttled { status, retry_after_ms } => (
            retry_after_ms.map(|wait| later(at, Duration::from_millis(wait))),
            match status {
                Some(429) => "the service asks for fewer requests (429)".to_owned(),
                Some(529) => "the service is overloaded (529)".to_owned(),
                Some(status) => format!("the service fails ({status})"),
                None => "the service cannot be reached".to_owned(),
            },
        ),
        GateSignal::Overage { resets_at } if rate_limit.on_overage == OnOverage::Wait => (
            window_end(resets_at),
            "the plan's window is used up, and rateLimit.onOverage is Wait".to_owned(),
        ),
        GateSignal::Utilization { share, resets_at }
            if rate_limit.leave > 0.0 && *share >= 1.0 - rate_limit.leave =>
        {
            let used = (share * 100.0).floor();
            (
                window_end(resets_at),
                format!("{used} % of the plan's window is used, and rateLimit.leave keeps the rest"),
            )
        }
        GateSignal::Overage { .. } | GateSignal::Utilization { .. } => return,
    };
    draft.report(GateReport::Close { until, cause, holder, at });
}

fn tell_start(draft: &mut Draft<'_>, key: AttemptKey) -> Result<(), IllegalEvent> {
    if key.ordinal > 1 {
        return Ok(());
    }
    tell_of_batch(draft, Occasion::BatchStart, key, format!("Batch {} has started.", key.batch))
}

/// Tells people once for each time that the gate closes, however often it is looked at.
pub(super) fn watch_gate(draft: &mut Draft<'_>) -> Result<(), IllegalEvent> {
    let (until, cause) = match draft.gate.state.clone() {
        GateState::Open if draft.ledger.limited => return draft.record(EventKind::GateOpened),
        GateState::Open => return Ok(()),
        _ if draft.ledger.limited => return Ok(()),
        GateState::Closed { until, cause, .. } => (Some(until), cause),
        GateState::Canary { seen, cause, .. } => (Some(seen), cause),
        GateState::Held { cause, .. } => (None, cause),
    };
    let text = match until {
        Some(until) => format!("No batch starts until {until}: {cause}."),
        None => format!("No batch starts until a person has acted: {cause}."),
    };
    draft.record(EventKind::GateClosed { until, cause })?;
    tell(draft, Occasion::RateLimited, text)
}

/// A failure as a gate's cause: its first sentence, cut.
fn cause(failure: &Failure) -> String {
    let line = failure.message.lines().next().unwrap_or(&failure.reason);
    let sentence = line.split_once(". ").map_or(line, |(sentence, _)| sentence);
    sentence.trim_end_matches('.').chars().take(CAUSE_MAX).collect()
}

/// The outcome of an attempt that left none.
fn lost(now: Timestamp) -> Outcome {
    Outcome {
        failure: Some(Failure {
            class: FailureClass::Disruption,
            reason: "AttemptLost".to_owned(),
            message: "The attempt is gone and left no result.".to_owned(),
            resets_at: None,
            retry_after_ms: None,
            fresh_session: false,
        }),
        accepted: false,
        usage: Usage { partial: true, ..Usage::default() },
        session: None,
        signal: None,
        warnings: Vec::new(),
        provenance: None,
        exit_code: None,
        started: now,
        ended: now,
    }
}
