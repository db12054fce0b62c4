//! What is known of an answer beside its text.

use serde::{Deserialize, Serialize};

use super::{
    batches::Batch,
    outcome::{Provenance, Usage},
};

/// Of which items an answer is, and what the attempt took that gave it; each as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct AnswerFacts {
    /// The items of its batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub items: Option<ItemNumbers>,
    /// Tokens and cost of that attempt alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Why the model stopped, in its service's words, such as `end_turn`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_reason: Option<String>,
}

/// The numbers of the first and the last item of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct ItemNumbers {
    /// The first.
    pub first: u32,
    /// The last.
    pub last: u32,
}

impl From<Batch> for ItemNumbers {
    fn from(batch: Batch) -> Self {
        Self { first: batch.start_item, last: batch.end_item }
    }
}

impl AnswerFacts {
    /// Those of an answer to `batch` by an attempt that took so much and was answered so.
    pub fn new(batch: Option<Batch>, usage: Usage, provenance: Option<&Provenance>) -> Self {
        Self {
            items: batch.map(ItemNumbers::from),
            usage: Some(usage),
            stop_reason: provenance.and_then(|provenance| provenance.stop_reason.clone()),
        }
    }
}
