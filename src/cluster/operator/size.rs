//! How large a job's object may become. What passes the API server's limit could never be saved again.

use crate::cluster::{lean::MANAGED, object::JobObject};

/// The most bytes: the API server takes 1.5 MiB, and the object is on its way twice when it is applied.
pub(super) const MOST: u64 = 1024 * 1024;
/// An entry of a batch that has failed, at its longest: measured 320.
const OPEN: u64 = 384;
/// Everything else that a status holds, with the longest texts.
const REST: u64 = 24 * 1024;

/// The bytes of the object at its worst.
pub(super) fn worst(job: &JobObject, batches: u32, parallelism: u32) -> u64 {
    let metadata = serde_json::to_string(&job.object.metadata).map_or(0, |text| text.len() as u64);
    let spec = job.written().to_string().len() as u64;
    let digits = u64::from(batches.max(1).ilog10()) + 1;
    // Every second batch failed: each range is a number and a comma, in `succeeded` or in `failed`.
    let finished = u64::from(batches) * (digits + 1);
    let unfinished = u64::from(parallelism.saturating_mul(2).max(32));
    // Claimed, seen, and with an entry of its own.
    let open = unfinished * (2 * (digits + 1) + OPEN);
    metadata + MANAGED + spec + finished + open + REST
}
