//! What tests of the engine and of the driver begin with.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use uuid::Uuid;

use super::{
    ledger::{Ledger, RunStart},
    policy::{Durability, Policy},
    ranges::Ranges,
};
use crate::job::{
    identity::RunId,
    model::{Budget, Occasion, OnExhausted, OnOverage, RateLimitPolicy, RetryPolicy, SessionPolicy},
};

/// The defaults of a job file, without jitter, and with somebody who wants to know of the run's beginning and end.
pub(crate) fn policy(parallelism: u32) -> Policy {
    Policy {
        parallelism,
        pause: Duration::ZERO,
        retry: RetryPolicy {
            max_retries: 3,
            base_delay: Duration::from_secs(10),
            exponential_base: 2.0,
            max_delay: Duration::from_hours(1),
            jitter: false,
            on_exhausted: OnExhausted::Continue,
            max_failed_in_a_row: 3,
            session: SessionPolicy::Resume,
        },
        rate_limit: RateLimitPolicy {
            patterns: None,
            wait: Duration::from_hours(1),
            on_overage: OnOverage::Wait,
            leave: 0.0,
            max_wait: None,
            give_up_after: Duration::from_hours(7 * 24),
            max_waits: None,
        },
        budget: Budget::default(),
        active_deadline: None,
        occasions: BTreeSet::from([Occasion::JobStart, Occasion::JobComplete, Occasion::JobFailed]),
        durability: Durability::Durable,
    }
}

/// A run of all of `total` batches of which nothing has happened.
pub(crate) fn ledger(total: u32, now: Timestamp) -> Ledger {
    let start = RunStart {
        run: RunId { job: Uuid::from_u128(7), run: 1 },
        plan_hash: "plan".to_owned(),
        of_total: total,
        selected: Ranges::span(1, total),
        done_before: Ranges::default(),
    };
    Ledger::start(start, now)
}
