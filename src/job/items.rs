//! The items that a job lists, read once and pinned by their hash.

use std::{fmt::Write as _, sync::Arc};

use sha2::{Digest as _, Sha256};

use crate::api::batch::ItemsFrom;

/// Items as values: strings or maps, made what the API server would make of them.
#[derive(Clone, Debug)]
pub struct Items {
    /// Shared, since every attempt renders from them.
    pub values: Arc<[serde_json::Value]>,
    /// The SHA-256 of [`text_of`] them in hex, where they come from `batch.itemsFrom`.
    pub pinned: Option<String>,
}

/// What `batch.itemsFrom` gave when a run began: it is not read again as long as the job file names the same source.
#[derive(Clone, Debug)]
pub struct PinnedItems {
    /// The job's name.
    pub job: String,
    /// The source.
    pub from: ItemsFrom,
    /// What it gave.
    pub values: Arc<[serde_json::Value]>,
    /// As [`Items::pinned`].
    pub hash: String,
}

/// Items as the one text that they are hashed and kept as: a JSON array.
pub fn text_of(values: &[serde_json::Value]) -> String {
    serde_json::to_string(values).expect("JSON values are JSON")
}

/// The hash of a text: SHA-256 in hex.
pub fn hash_of(text: impl AsRef<[u8]>) -> String {
    let mut hash = String::with_capacity(64);
    for byte in Sha256::digest(text) {
        // Writing to a text cannot fail.
        let _ = write!(hash, "{byte:02x}");
    }
    hash
}
