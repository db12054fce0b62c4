//! A run in numbers.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    gate::GateState,
    ledger::{Ledger, RunPhase},
    policy::Policy,
    project::effective_parallelism,
    time::between,
    world::{AttemptState, World},
};
use crate::job::outcome::Usage;

/// A run in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Batches of this run.
    pub total: u32,
    /// Batches of the job.
    pub of_total: u32,
    /// Done.
    pub succeeded: u32,
    /// Failed for good.
    pub failed: u32,
    /// Running now.
    pub running: u32,
    /// Tried already, and waiting for the next try.
    pub waiting: u32,
    /// Not begun.
    pub pending: u32,
    /// Of every attempt, with what running ones have told so far.
    pub usage: Usage,
    /// What the whole run costs by what its batches have cost so far, in millionths of a dollar: [`expected_cost`].
    pub expected_micro_usd: Option<u64>,
    /// How long the rest takes at the pace so far; `None` when that is not known.
    pub eta: Option<Duration>,
}

impl Summary {
    /// The summary of `ledger`, with what `world` shows beside it.
    pub fn new(policy: &Policy, ledger: &Ledger, world: &World, now: Timestamp) -> Self {
        let mut usage = ledger.usage;
        let (mut running, mut retrying) = (0, 0);
        for sighting in &world.attempts {
            if let AttemptState::Running { spent, .. } = &sighting.state
                && ledger.present_attempt(sighting.key.batch) == Some(sighting.key)
            {
                usage += *spent;
                running += 1;
                retrying += u32::from(sighting.key.ordinal > 1);
            }
        }
        let (total, succeeded, failed) = (ledger.selected.len(), ledger.succeeded.len(), ledger.failed.len());
        let open = u32::try_from(ledger.open.len()).unwrap_or(u32::MAX);
        let waiting = open.saturating_sub(retrying);
        let pending = total.saturating_sub(succeeded + failed + running + waiting);
        let eta = eta(policy, ledger, world, now);
        Self {
            total,
            of_total: ledger.of_total,
            succeeded,
            failed,
            running,
            waiting,
            pending,
            usage,
            expected_micro_usd: expected_cost(&ledger.usage, succeeded + failed, total),
            eta,
        }
    }
}

/// So many finished batches say what the others will cost.
const BATCHES_THAT_TELL: u32 = 3;

/// What `total` batches cost by what `finished` of them have, failed tries included, in millionths of a dollar; `None`
/// before three of them have finished, and where nothing costs anything. `usage` is of the attempts that ended.
pub fn expected_cost(usage: &Usage, finished: u32, total: u32) -> Option<u64> {
    let known = finished >= BATCHES_THAT_TELL && finished < total && usage.cost_micro_usd > 0;
    known.then(|| usage.cost_micro_usd.saturating_mul(u64::from(total)) / u64::from(finished))
}

/// How long the rest takes: the attempts' time a finished batch, by the lanes that there are.
fn eta(policy: &Policy, ledger: &Ledger, world: &World, now: Timestamp) -> Option<Duration> {
    let finished = ledger.finished();
    let rest = ledger.selected.len().saturating_sub(finished);
    if finished == 0 || rest == 0 || ledger.phase != RunPhase::Running {
        return None;
    }
    let wait = match &world.gate.state {
        GateState::Open => Duration::ZERO,
        GateState::Closed { until, .. } => between(now, *until),
        GateState::Canary { .. } | GateState::Held { .. } => return None,
    };
    let lanes = effective_parallelism(&world.gate, policy.parallelism).min(rest).max(1);
    let each = Duration::from_millis(ledger.worked_ms / u64::from(finished)) + policy.pause;
    Some(wait + each * rest.div_ceil(lanes))
}
