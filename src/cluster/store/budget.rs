//! So many bytes a second.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::time::{Duration, Instant, sleep_until};

/// So many bytes a second; clones share it. A single write may be larger: what follows waits the longer.
#[derive(Clone, Debug)]
pub struct ByteBudget {
    per_second: u64,
    free_at: Arc<Mutex<Option<Instant>>>,
}

impl ByteBudget {
    /// So many a second.
    pub fn new(per_second: u64) -> Self {
        Self { per_second: per_second.max(1), free_at: Arc::default() }
    }

    /// Takes so many bytes, in the order of the calls; resolves when what was taken before is paid for.
    pub async fn take(&self, bytes: u64) {
        let starts = {
            let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let starts = free_at.map_or(now, |at| at.max(now));
            let millis = bytes.saturating_mul(1000) / self.per_second;
            *free_at = Some(starts + Duration::from_millis(millis));
            starts
        };
        sleep_until(starts).await;
    }
}
