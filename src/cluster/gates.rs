//! The gates of the credentials of a namespace, shared by its jobs.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::watch;

use crate::{
    driver::ports::{Gates, StoreError},
    engine::gate::{Gate, GateReport},
};

/// Every gate, by namespace and credential; clones are one.
///
/// They live as long as the process leads: the next leader finds out about a limit anew, which costs one request.
#[derive(Clone, Debug, Default)]
pub struct SharedGates(Arc<Mutex<ByCredential>>);

/// By namespace and name.
type ByCredential = BTreeMap<(String, String), watch::Sender<Gate>>;

impl SharedGates {
    /// The gate of a credential. A gate is never shared across namespaces: a tenant who can claim another's limit would
    /// cost more than a limit that is met twice.
    pub fn of(&self, namespace: &str, credential: &str) -> SharedGate {
        let mut gates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = gates.entry((namespace.to_owned(), credential.to_owned())).or_default().clone();
        let changes = tokio::sync::Mutex::new(gate.subscribe());
        SharedGate { gate, changes }
    }
}

/// The gate of one credential, as one run sees it.
#[derive(Debug)]
pub struct SharedGate {
    gate: watch::Sender<Gate>,
    changes: tokio::sync::Mutex<watch::Receiver<Gate>>,
}

impl Gates for SharedGate {
    async fn look(&self) -> Gate {
        self.changes.lock().await.borrow_and_update().clone()
    }

    async fn report(&self, report: GateReport) -> Result<Gate, StoreError> {
        self.gate.send_if_modified(|gate| {
            let after = gate.after(&report);
            let changed = after != *gate;
            *gate = after;
            changed
        });
        Ok(self.gate.borrow().clone())
    }

    async fn changed(&self) {
        // The sender is `self`'s, so the wait cannot fail.
        let _ = self.changes.lock().await.changed().await;
    }
}
