//! The outcome of an attempt that ran elsewhere, as the one short text that it leaves.
//!
//! Whatever runs in the attempt may write that text as well: it is read as a stranger's.

use jiff::{SignedDuration, Timestamp};

use crate::job::outcome::{Failure, GateSignal, MAX_MESSAGE_BYTES, Outcome, Provenance, Usage};

/// The longest text: the kubelet shares 12 KiB among all containers of a Pod.
pub const MAX_BYTES: usize = 2048;

/// The most tokens, and millionths of a dollar, that are believed of one attempt.
const MAX_COUNT: u64 = 1_000_000_000_000;
/// A reset or a wait is believed so far ahead.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(8 * 24);
/// The longest closed word.
const MAX_WORD: usize = 64;
/// The most warnings, and the longest, in bytes.
const MAX_WARNINGS: usize = 8;
const MAX_WARNING_BYTES: usize = 200;

/// Why a text is no outcome.
#[derive(Debug, thiserror::Error)]
pub enum MessageError {
    /// There is none.
    #[error("it left no result")]
    Missing,
    /// It is longer than any outcome.
    #[error("what it left as its result is {0} bytes long, and at most {MAX_BYTES} are read")]
    TooLong(usize),
    /// It is none.
    #[error("what it left as its result cannot be read: {0}")]
    Unreadable(String),
}

/// The outcome as at most [`MAX_BYTES`] of JSON. What does not fit is left out: warnings first, then the end of the
/// message.
pub fn write(outcome: &Outcome) -> String {
    let mut outcome = outcome.clone();
    loop {
        let text = serde_json::to_string(&outcome).expect("an outcome is JSON");
        if text.len() <= MAX_BYTES {
            return text;
        }
        let over = text.len() - MAX_BYTES;
        if outcome.warnings.pop().is_some() {
            continue;
        }
        match &mut outcome.failure {
            Some(failure) if !failure.message.is_empty() => {
                // Escaped, a character may take six bytes for one.
                let keep = failure.message.len().saturating_sub(over.div_ceil(6).max(1));
                failure.message.truncate(failure.message.floor_char_boundary(keep));
            }
            _ => outcome.provenance = None,
        }
    }
}

/// The outcome in such a text, its numbers and times bounded. `seen` is the time between which the attempt ran, by
/// whoever ran it.
///
/// # Errors
/// It is none.
pub fn read(text: &str, seen: (Timestamp, Timestamp)) -> Result<Outcome, MessageError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(MessageError::Missing);
    }
    if text.len() > MAX_BYTES {
        return Err(MessageError::TooLong(text.len()));
    }
    let unreadable = |why: String| MessageError::Unreadable(why);
    let outcome: Outcome = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    let Outcome {
        failure,
        accepted,
        usage,
        session,
        signal,
        warnings,
        exit_code,
        provenance,
        started,
        ended,
    } = outcome;
    let (from, to) = seen;
    Ok(Outcome {
        failure: failure.map(|failure| bounded_failure(failure, to)).transpose()?,
        accepted,
        usage: bounded_usage(usage),
        session,
        signal: signal.and_then(|signal| bounded_signal(&signal, to)),
        warnings: warnings
            .into_iter()
            .take(MAX_WARNINGS)
            .map(|text| printable(&text, MAX_WARNING_BYTES))
            .collect(),
        exit_code: exit_code.filter(|code| (0..=255).contains(code)),
        provenance: provenance.map(bounded_provenance),
        started: started.clamp(from, to),
        ended: ended.clamp(from, to),
    })
}

fn bounded_failure(failure: Failure, now: Timestamp) -> Result<Failure, MessageError> {
    let Failure { class, reason, message, resets_at, retry_after_ms, fresh_session } = failure;
    let word = !reason.is_empty()
        && reason.len() <= MAX_WORD
        && reason.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !word {
        return Err(MessageError::Unreadable("the reason of its failure is no word".to_owned()));
    }
    Ok(Failure {
        class,
        reason,
        message: printable(&message, MAX_MESSAGE_BYTES),
        resets_at: resets_at.map(|at| bounded_time(at, now)),
        retry_after_ms: retry_after_ms.map(bounded_wait),
        fresh_session,
    })
}

fn bounded_usage(usage: Usage) -> Usage {
    let Usage {
        input_tokens,
        output_tokens,
        cache_read_tokens,
        cache_write_tokens,
        cost_micro_usd,
        dearest_turn_micro_usd,
        partial,
    } = usage;
    Usage {
        input_tokens: input_tokens.min(MAX_COUNT),
        output_tokens: output_tokens.min(MAX_COUNT),
        cache_read_tokens: cache_read_tokens.min(MAX_COUNT),
        cache_write_tokens: cache_write_tokens.min(MAX_COUNT),
        cost_micro_usd: cost_micro_usd.min(MAX_COUNT),
        dearest_turn_micro_usd: dearest_turn_micro_usd.min(MAX_COUNT),
        partial,
    }
}

/// A signal of an attempt that is not believed without bounds; `None` when it makes no sense.
pub fn bounded_signal(signal: &GateSignal, now: Timestamp) -> Option<GateSignal> {
    Some(match *signal {
        GateSignal::Accepted => GateSignal::Accepted,
        GateSignal::Throttled { status, retry_after_ms } => {
            GateSignal::Throttled { status, retry_after_ms: retry_after_ms.map(bounded_wait) }
        }
        GateSignal::Overage { resets_at } => {
            GateSignal::Overage { resets_at: resets_at.map(|at| bounded_time(at, now)) }
        }
        GateSignal::Utilization { share, resets_at } => {
            if !share.is_finite() {
                return None;
            }
            let resets_at = resets_at.map(|at| bounded_time(at, now));
            GateSignal::Utilization { share: share.clamp(0.0, 1.0), resets_at }
        }
    })
}

fn bounded_provenance(provenance: Provenance) -> Provenance {
    let Provenance { model, version, api_key_source, stop_reason } = provenance;
    let short = |text: Option<String>| text.map(|text| printable(&text, MAX_WARNING_BYTES));
    Provenance {
        model: short(model),
        version: short(version),
        api_key_source: short(api_key_source),
        stop_reason: short(stop_reason),
    }
}

fn bounded_time(at: Timestamp, now: Timestamp) -> Timestamp {
    at.min(now.saturating_add(MAX_AHEAD).unwrap_or(Timestamp::MAX))
}

fn bounded_wait(milliseconds: u64) -> u64 {
    milliseconds.min(u64::try_from(MAX_AHEAD.as_millis()).unwrap_or(u64::MAX))
}

/// Without control characters, and no longer than `bytes`.
fn printable(text: &str, bytes: usize) -> String {
    let mut text: String = text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
    text.truncate(text.floor_char_boundary(bytes));
    text
}

#[cfg(test)]
mod tests;
