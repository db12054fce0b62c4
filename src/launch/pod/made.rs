//! What becomes of a request to make a Pod.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;

use super::observe::HeldUp;
use crate::job::outcome::Failure;

/// What became of a request to make a Pod.
pub(super) enum Made {
    /// It is there.
    There(Box<Pod>),
    /// There will be none.
    Failed(Failure),
    /// Not now: why, and the longest pause before it is tried again.
    Refused(HeldUp, Duration),
    /// The ledger that asked for it is not the newest.
    Stale,
}

/// The API server could not be asked.
pub(super) fn busy(error: &kube::Error) -> Made {
    let why = HeldUp { reason: "ApiServerBusy", message: error.to_string() };
    Made::Refused(why, Duration::from_secs(10))
}
