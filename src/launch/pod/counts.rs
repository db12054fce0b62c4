//! What is counted of Pods for as long as the process runs.

use prometheus_client::metrics::counter::Counter;

/// What is counted; clones are one.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Pods that were ended since they carried our label and were in no ledger.
    pub unexpected: Counter,
}
