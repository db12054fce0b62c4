//! What the operator tells of itself to whoever watches over it: numbers for Prometheus, and whether it lives and is
//! ready.

mod book;
mod health;
mod listener;
mod metrics;
mod share;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use tokio::sync::watch;

pub use self::{
    book::Documented,
    health::Health,
    listener::{ListenError, Listener},
    metrics::{Metrics, Payer, gate, unfinished},
    share::Share,
};
use crate::launch::pod::Counts;

/// What a process tells of itself, whether it leads or not.
#[derive(Debug)]
pub struct Telemetry {
    /// Its numbers.
    pub metrics: Metrics,
    /// What is counted of Pods: a part of the numbers.
    pub pods: Counts,
    health: watch::Sender<Health>,
}

impl Default for Telemetry {
    fn default() -> Self {
        let pods = Counts::default();
        let metrics = Metrics::new(&pods);
        Self { metrics, pods, health: watch::Sender::new(Health::Starting) }
    }
}

impl Telemetry {
    /// Takes over how the process stands.
    pub fn stands(&self, health: Health) {
        self.metrics.leader.set(i64::from(health.leads()));
        self.health.send_replace(health);
    }

    /// How the process stands.
    pub fn health(&self) -> Health {
        self.health.borrow().clone()
    }
}

/// The page `docs/reference/metrics.md`.
pub fn reference() -> String {
    book::page(Telemetry::default().metrics.documented())
}

/// What every task of a process shares.
pub type Shared = Arc<Telemetry>;
