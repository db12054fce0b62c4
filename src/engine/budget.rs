//! Money: what a start may spend and what is kept for it, so that a run passes its budget by one turn at most although
//! attempts run side by side.
//!
//! Claude Code looks at its bound after each turn. So a start is allowed while everything that runs may use up its bound
//! and pass it, and the run's budget is passed by no more than one of those turns.

use std::fmt;

use super::{draft::Draft, world::AttemptState};
use crate::job::outcome::decimal;

/// An attempt passes what it may spend by one turn, and one of its sub-agents may have asked for another by then.
const TURNS_BEYOND: u64 = 2;

/// What one more attempt may spend, in millionths of a dollar; `None` is without bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Grant(pub(super) Option<u64>);

/// What is spent and kept of a run's budget. All in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Purse {
    /// `None` is without bound.
    budget: Option<u64>,
    per_attempt: Option<u64>,
    /// By attempts that ended.
    spent: u64,
    /// What those that run may spend.
    kept: u64,
    running: u32,
    lanes: u32,
    /// The dearest attempt so far; `None` until one has ended.
    dearest: Option<u64>,
    /// What a turn may cost; `None` until one was seen.
    turn: Option<u64>,
}

impl Purse {
    pub(super) fn look(draft: &Draft<'_>) -> Self {
        let budget = draft.policy.budget;
        Self {
            budget: budget.per_run_micro_usd,
            per_attempt: budget.per_attempt_micro_usd,
            spent: draft.ledger.usage.cost_micro_usd,
            kept: bounds(draft).fold(0, u64::saturating_add),
            running: u32::try_from(bounds(draft).count()).unwrap_or(u32::MAX),
            lanes: draft.policy.parallelism,
            dearest: draft.ledger.dearest_micro_usd,
            turn: dearest_turn(draft),
        }
    }

    /// What one more attempt may spend, beside those that run and those that were granted before; `None` when it must
    /// wait. `tried` is what its try has cost before it.
    ///
    /// While nothing tells what a turn costs, one runs alone to find out.
    pub(super) fn grant(&mut self, tried: u64) -> Option<Grant> {
        let own = self.per_attempt.map(|bound| bound.saturating_sub(tried).max(1));
        let grant = match self.budget {
            None => own,
            Some(budget) => Some(self.share(budget, own, tried)?),
        };
        self.kept = self.kept.saturating_add(grant.unwrap_or(0));
        self.running += 1;
        Some(Grant(grant))
    }

    fn share(&self, budget: u64, own: Option<u64>, tried: u64) -> Option<u64> {
        let turn = if self.running == 0 { self.turn.unwrap_or(0) } else { self.turn? };
        // One of all those turns is the one by which the run may pass its budget.
        let margin = turn.saturating_mul(TURNS_BEYOND * (u64::from(self.running) + 1) - 1);
        let left = budget.saturating_sub(self.spent).saturating_sub(self.kept).saturating_sub(margin);
        let share = match (own, self.dearest) {
            (Some(own), _) => own,
            (None, Some(dearest)) => {
                let lanes = u64::from(self.lanes.saturating_sub(self.running).max(1));
                (left / lanes).max(dearest.saturating_sub(tried)).max(turn)
            }
            (None, None) => left,
        };
        (left > 0 && share <= left).then_some(share.max(1))
    }
}

/// What each attempt that runs may spend.
fn bounds<'a>(draft: &'a Draft<'_>) -> impl Iterator<Item = u64> + 'a {
    draft.world.attempts.iter().filter_map(|sighting| {
        let AttemptState::Running { spent, budget_micro_usd, .. } = &sighting.state else { return None };
        let of_policy = draft.policy.budget.per_attempt_micro_usd.or(draft.ledger.dearest_micro_usd);
        let bound = budget_micro_usd.or(of_policy).unwrap_or(0);
        Some(bound.max(spent.cost_micro_usd))
    })
}

/// The dearest turn of every attempt so far. Where turns are not told apart, a whole attempt is taken for one.
fn dearest_turn(draft: &Draft<'_>) -> Option<u64> {
    let running = draft.world.attempts.iter().map(|sighting| match &sighting.state {
        AttemptState::Running { spent, .. } => spent.dearest_turn_micro_usd,
        AttemptState::Ended(_) | AttemptState::Lost => 0,
    });
    let dearest = running.chain([draft.ledger.usage.dearest_turn_micro_usd]).max().filter(|turn| *turn > 0);
    dearest.or(draft.ledger.dearest_micro_usd)
}

impl fmt::Display for Purse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let budget = self.budget.unwrap_or(0);
        write!(formatter, "${} of budget.perRunUSD ${} is spent", decimal(self.spent), decimal(budget))?;
        if self.spent >= budget {
            return formatter.write_str(".");
        }
        match self.per_attempt.or(self.dearest) {
            _ if self.turn.is_none() => {
                formatter.write_str(", and one batch runs alone to show what one costs.")
            }
            Some(each) => {
                write!(formatter, ", and one more attempt may cost ${}.", decimal(each))
            }
            None => formatter.write_str(", and the rest is kept for the batch that shows what one costs."),
        }
    }
}
