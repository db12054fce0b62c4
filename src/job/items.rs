//! The items that a job lists, read once and pinned by their hash.

use std::sync::Arc;

/// Items as values: strings or maps, made what the API server would make of them.
#[derive(Clone, Debug)]
pub struct Items {
    /// Shared, since every attempt renders from them.
    pub values: Arc<[serde_json::Value]>,
}
