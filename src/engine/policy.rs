//! What of a job the engine goes by. Everything here may change while a run is active.

use std::{collections::BTreeSet, time::Duration};

use crate::job::model::{Budget, Job, Occasion, RateLimitPolicy, RetryPolicy};

/// The fewest batches that may be unfinished at a time, however small the parallelism.
const WINDOW_MIN: u32 = 32;

/// What of a job the engine goes by.
#[derive(Clone, Debug)]
pub struct Policy {
    /// How many batches run at once, from 1.
    pub parallelism: u32,
    /// The pause of a lane between the end of an attempt and the next start.
    pub pause: Duration,
    /// What follows a failure.
    pub retry: RetryPolicy,
    /// What follows a limit.
    pub rate_limit: RateLimitPolicy,
    /// Money.
    pub budget: Budget,
    /// The longest a run may take; suspended time does not count.
    pub active_deadline: Option<Duration>,
    /// What somebody wants to be told.
    pub occasions: BTreeSet<Occasion>,
    /// What becomes of attempts and their results when the process dies.
    pub durability: Durability,
}

/// What becomes of attempts and their results when the process dies: it decides how far claims run ahead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// They leave directories (or Pods): whatever was claimed is found again, so a wide claim costs nothing.
    Durable,
    /// They die with it: every claim that was not saved as finished may be done again.
    InProcess,
}

impl Policy {
    /// The policy of `job`.
    pub fn new(job: &Job, durability: Durability) -> Self {
        Self {
            parallelism: job.parallelism.get(),
            pause: job.pause,
            retry: job.retry.clone(),
            rate_limit: job.rate_limit.clone(),
            budget: job.budget,
            active_deadline: job.active_deadline,
            occasions: job
                .notifications
                .iter()
                .flat_map(|notification| notification.on.iter().copied())
                .collect(),
            durability,
        }
    }

    /// How many batches may be unfinished at a time: claimed or waiting for their backoff.
    pub fn window(&self) -> u32 {
        self.parallelism.saturating_mul(2).max(WINDOW_MIN)
    }

    /// How many batches may be claimed beyond those that are finished or have failed at least once.
    pub fn claim_ahead(&self) -> u32 {
        match self.durability {
            Durability::Durable => self.window(),
            Durability::InProcess => self.parallelism.saturating_mul(2),
        }
    }

    /// How many attempts may run or have ended unsaved at a time: what a crash makes undone.
    pub fn at_risk(&self) -> u32 {
        match self.durability {
            Durability::Durable => u32::MAX,
            Durability::InProcess => self.parallelism.saturating_mul(2),
        }
    }

    /// So many results that are not saved ask for a save at once. Half of the claim: the other half keeps the lanes
    /// busy while the save is under way.
    pub fn unsaved_results(&self) -> u32 {
        self.claim_ahead() / 2
    }
}
