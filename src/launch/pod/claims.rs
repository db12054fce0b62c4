//! What the ledger says of a Pod before it is made: an absence of a Pod alone means little.

use std::{future::Future, sync::Arc};

use crate::job::identity::{AttemptKey, RunId};

/// The stored ledger, as far as a launcher asks it before it makes a Pod that may have been made before.
pub trait Claims: Send + Sync + 'static {
    /// Whether nobody but this process can have made its Pod: it was claimed here a moment ago.
    fn is_new(&self, key: AttemptKey) -> bool;

    /// Whether the ledger that the API server has now expects the attempt. To be asked after its Pod was found to be
    /// absent, since what ended and was let go of is in the ledger by then; or before a Pod is ended as unexpected.
    ///
    /// # Errors
    /// When the API server could not be asked.
    fn expect(
        &self,
        run: &RunId,
        key: AttemptKey,
    ) -> impl Future<Output = Result<bool, Arc<kube::Error>>> + Send;
}
