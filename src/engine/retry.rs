//! What follows a failed attempt: another one, when and in which session; or the end of the batch.

use std::time::Duration;

use jiff::Timestamp;

use super::{event::Counted, ledger::OpenBatch, time::later};
use crate::job::{
    identity::SessionId,
    model::{RetryPolicy, SessionPolicy},
    outcome::{Failure, FailureClass, Outcome},
};

/// So many disruptions fail a batch: something near it is broken, and no retry policy bounds it.
pub const MAX_DISRUPTIONS: u32 = 10;
/// Every so many counted failures the session is left, since it may have gone astray.
const FRESH_EVERY: u32 = 3;

/// What follows a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Another attempt.
    Again {
        /// What this one counts as.
        counted: Counted,
        /// Not before.
        until: Option<Timestamp>,
        /// The session to continue.
        session: Option<SessionId>,
    },
    /// None.
    GiveUp {
        /// A closed word where the bound is Mozart's own; else the failure's.
        reason: Option<&'static str>,
    },
}

/// What follows `failure`, with which the attempt called `name` ended in `outcome`.
///
/// `before` is the batch's entry from earlier failures. `asked` says that Mozart itself had the attempt ended: then a
/// disruption is nobody's fault and counts nothing.
pub fn verdict(
    policy: &RetryPolicy,
    before: Option<&OpenBatch>,
    outcome: &Outcome,
    failure: &Failure,
    name: &str,
    asked: bool,
    now: Timestamp,
) -> Verdict {
    let tries = before.map_or(0, |open| open.tries);
    let again = |counted, until, tries| Verdict::Again {
        counted,
        until,
        session: session(policy, before, outcome, failure, (counted == Counted::Try).then_some(tries)),
    };
    match failure.class {
        FailureClass::BatchFatal | FailureClass::JobFatal => Verdict::GiveUp { reason: None },
        FailureClass::Limit | FailureClass::Throttle | FailureClass::Unreachable | FailureClass::Hold => {
            again(Counted::Nothing, None, tries)
        }
        FailureClass::Disruption if asked => again(Counted::Nothing, None, tries),
        FailureClass::Disruption => {
            if before.map_or(0, |open| open.disruptions) < MAX_DISRUPTIONS {
                again(Counted::Disruption, None, tries)
            } else {
                Verdict::GiveUp { reason: Some("TooManyDisruptions") }
            }
        }
        FailureClass::Transient | FailureClass::Validation => {
            if tries < policy.max_retries {
                let until = later(now, backoff(policy, tries + 1, name));
                again(Counted::Try, Some(until), tries + 1)
            } else {
                Verdict::GiveUp { reason: None }
            }
        }
    }
}

/// The session that the next attempt continues. `counted_tries` is given when this failure counted.
fn session(
    policy: &RetryPolicy,
    before: Option<&OpenBatch>,
    outcome: &Outcome,
    failure: &Failure,
    counted_tries: Option<u32>,
) -> Option<SessionId> {
    let astray = counted_tries.is_some_and(|tries| tries.is_multiple_of(FRESH_EVERY));
    match policy.session {
        SessionPolicy::Resume if !failure.fresh_session && !astray => {
            outcome.session.or_else(|| before.and_then(|open| open.session))
        }
        SessionPolicy::Resume | SessionPolicy::Fresh => None,
    }
}

/// How long to wait after the `tries`-th counted failure (from 1) of the attempt called `name`.
pub fn backoff(policy: &RetryPolicy, tries: u32, name: &str) -> Duration {
    let exponent = i32::try_from(tries.saturating_sub(1)).unwrap_or(i32::MAX);
    let seconds = policy.base_delay.as_secs_f64() * policy.exponential_base.powi(exponent);
    let longest = policy.max_delay.as_secs_f64();
    // `min` takes the number where the other is none, so that no product is too large to be a time.
    let seconds = seconds.min(longest).max(0.0);
    let share = if policy.jitter { 0.5 + 0.5 * fraction(name) } else { 1.0 };
    Duration::try_from_secs_f64(seconds * share).unwrap_or(policy.max_delay)
}

/// A number from 0 to 1 that looks like chance and is the same for the same name: the engine has no dice.
pub fn fraction(name: &str) -> f64 {
    // FNV-1a, then a mix of the high bits into the low ones: names that differ in one digit land far apart.
    let mut hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^= hash >> 32;
    hash = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    f64::from((hash >> 32) as u32) / f64::from(u32::MAX)
}
