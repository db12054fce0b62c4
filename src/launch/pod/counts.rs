//! What is counted of Pods for as long as the process runs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

/// What is counted; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Counts(Arc<AtomicU64>);

impl Counts {
    /// How many Pods were ended that carried our label and were in no ledger (`mozart_unexpected_pods_total`).
    pub fn unexpected_pods(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(super) fn unexpected_pod(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
