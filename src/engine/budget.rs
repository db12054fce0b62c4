//! Money: what a start reserves, so that a run's budget holds although attempts run side by side.

use std::fmt;

use super::{draft::Draft, world::AttemptState};
use crate::job::outcome::Usage;

/// What is spent and reserved of a run's budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Purse {
    /// `None` is without bound. All in millionths of a dollar.
    budget: Option<u64>,
    /// By attempts that ended.
    spent: u64,
    /// For attempts that run.
    reserved: u64,
    /// What one more attempt reserves; `None` until it is known what one costs.
    each: Option<u64>,
    running: u32,
}

impl Purse {
    pub(super) fn look(draft: &Draft<'_>) -> Self {
        // The dearest beside the bound: an attempt ends within a turn of it, so one may have cost more.
        let each = draft.policy.budget.per_attempt_micro_usd.max(draft.ledger.dearest_micro_usd);
        let (mut reserved, mut running) = (0_u64, 0);
        for sighting in &draft.world.attempts {
            if let AttemptState::Running { spent, .. } = &sighting.state {
                reserved = reserved.saturating_add(spent.cost_micro_usd.max(each.unwrap_or(0)));
                running += 1;
            }
        }
        let budget = draft.policy.budget.per_run_micro_usd;
        Self { budget, spent: draft.ledger.usage.cost_micro_usd, reserved, each, running }
    }

    /// Whether one more attempt may start beside those that run and `starting` others.
    ///
    /// While nothing tells what an attempt costs, one runs alone to find out.
    pub(super) fn affords(&self, starting: u32) -> bool {
        let Some(budget) = self.budget else { return true };
        let Some(each) = self.each else { return self.spent < budget && self.running + starting == 0 };
        let new = each.saturating_mul(u64::from(starting) + 1);
        self.spent < budget && self.spent.saturating_add(self.reserved).saturating_add(new) <= budget
    }
}

impl fmt::Display for Purse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dollars = |micro| Usage { cost_micro_usd: micro, ..Usage::default() }.cost_usd();
        write!(
            formatter,
            "${} of budget.perRunUSD ${} is spent",
            dollars(self.spent),
            dollars(self.budget.unwrap_or(0))
        )?;
        match self.each {
            Some(each) if self.budget.is_some_and(|budget| self.spent < budget) => {
                write!(formatter, ", and one more attempt may cost ${}.", dollars(each))
            }
            _ => formatter.write_str("."),
        }
    }
}
