//! Doing what a step decided.

use std::collections::BTreeSet;

use super::{
    ports::{Clock, Gates, Launcher, Notifier, Store},
    turn::Ports,
};
use crate::engine::{
    gate::{Gate, GateReport},
    project::Action,
};

/// What is remembered between turns about things that were done. Losing it repeats things, and nothing worse.
#[derive(Debug, Default)]
pub struct Acting {
    /// Notices that were handed over.
    delivered: BTreeSet<u64>,
    /// Reports that the gate's keeper could not take yet, oldest first.
    untold: Vec<GateReport>,
    /// Whether the last report could not be told.
    failing: bool,
}

impl Acting {
    /// The gate with what could not be told yet: decisions go by what is known, not by what could be written.
    pub(super) fn gate_as_told(&self, gate: Gate) -> Gate {
        self.untold.iter().fold(gate, |gate, report| gate.after(report))
    }

    /// Whether there are reports that must be told again later.
    pub(super) fn has_untold(&self) -> bool {
        !self.untold.is_empty()
    }

    /// Does `actions`. Says whether the next look may differ for it, so that nobody need wait for a change.
    pub(super) async fn act<S: Store, L: Launcher, G: Gates, N: Notifier, C: Clock>(
        &mut self,
        actions: Vec<Action>,
        ports: &Ports<'_, S, L, G, N, C>,
    ) -> bool {
        let mut changed = false;
        for action in actions {
            match action {
                Action::Launch(start) => ports.launcher.launch(start).await,
                Action::End { key, mode } => ports.launcher.end(key, mode).await,
                Action::Release(key) => ports.launcher.release(key).await,
                Action::ReportGate(report) => {
                    self.untold.push(report);
                    changed |= self.tell(ports.gates).await;
                }
                Action::Deliver(notice) => {
                    if self.delivered.insert(notice.id) {
                        ports.notifier.deliver(&notice).await;
                    }
                }
            }
        }
        changed
    }

    /// Tells the gate what is untold, in order. Says whether anything was told.
    pub(super) async fn tell<G: Gates>(&mut self, gates: &G) -> bool {
        let mut told = 0;
        for report in &self.untold {
            if let Err(error) = gates.report(report.clone()).await {
                if !self.failing {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the credential's gate could not be written; this run goes by what it knows and tries again"
                    );
                }
                self.failing = true;
                break;
            }
            self.failing = false;
            told += 1;
        }
        self.untold.drain(..told);
        told > 0
    }
}
