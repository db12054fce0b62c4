//! The gate of a run: its credential's, or one of its own.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use super::{Credential, status::Known};
use crate::{
    driver::ports::{Gates, StoreError},
    engine::gate::{Gate, GateReport},
};

/// The gate of one run.
#[derive(Debug)]
pub enum RunGate {
    /// That of its credential.
    Shared(SharedGate),
    /// Of a backend without a credential.
    Own(OwnGate),
}

/// The gate of a credential, as one run sees it.
#[derive(Debug)]
pub struct SharedGate {
    credential: Arc<Credential>,
    changes: tokio::sync::Mutex<watch::Receiver<Known>>,
    /// Attempts of the run that do not get to run: one of them as a canary would keep all jobs waiting.
    stuck: Mutex<BTreeSet<String>>,
}

/// A gate that one run keeps to itself, for as long as it is driven: what it has learned is learned anew after that,
/// which costs one call.
#[derive(Debug, Default)]
pub struct OwnGate(watch::Sender<Gate>);

impl RunGate {
    /// The gate of a run that uses `credential`.
    pub fn of(credential: Option<&Arc<Credential>>) -> Self {
        let Some(credential) = credential else { return Self::Own(OwnGate::default()) };
        Self::Shared(SharedGate {
            credential: Arc::clone(credential),
            changes: tokio::sync::Mutex::new(credential.known.subscribe()),
            stuck: Mutex::default(),
        })
    }

    /// These attempts of the run, by full name, were started and do not get to run.
    pub fn stuck(&self, names: BTreeSet<String>) {
        if let Self::Shared(shared) = self {
            *shared.stuck.lock().unwrap_or_else(PoisonError::into_inner) = names;
        }
    }
}

impl Gates for RunGate {
    async fn look(&self) -> Gate {
        match self {
            Self::Shared(shared) => shared.changes.lock().await.borrow_and_update().met(),
            Self::Own(OwnGate(gate)) => gate.borrow().clone(),
        }
    }

    async fn report(&self, report: GateReport) -> Result<Gate, StoreError> {
        match self {
            Self::Shared(shared) => {
                if let GateReport::CanarySeen { holder, .. } = &report
                    && shared.stuck.lock().unwrap_or_else(PoisonError::into_inner).contains(holder)
                {
                    // Unseen, so that another takes its place.
                    return Ok(self.look().await);
                }
                shared.credential.report(report).await
            }
            Self::Own(OwnGate(gate)) => {
                gate.send_modify(|gate| *gate = gate.after(&report));
                Ok(gate.borrow().clone())
            }
        }
    }

    async fn changed(&self) {
        match self {
            // The sender is the credential's, which lives as long, so the wait cannot fail.
            Self::Shared(shared) => drop(shared.changes.lock().await.changed().await),
            // Only the run itself changes it.
            Self::Own(_) => std::future::pending().await,
        }
    }
}
